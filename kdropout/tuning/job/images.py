"""Reads a folder of images, with a subfolder for each class."""

import contextlib
import dataclasses
import itertools
import pathlib

import keras
import numpy as np

from kdropout._requirements import is_installed
from kdropout._validation import nearest
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.fields import MOST_BYTES

_PARTS = {"train": "train", "validation": "val", "test": "test"}
_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png"}
_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


@dataclasses.dataclass(frozen=True)
class Images:
    """The images of a folder.

    Args:
        parts: Dict from "train", "val" and "test" to `(x, y)`, where `x` has the shape
            `(images, height, width, channels)` and values in [0, 1].
        class_names: Tuple of the names of the subfolders, in the order of the numbers.
    """

    parts: dict
    class_names: tuple


def read_images(key, settings):
    """Read all images of a job, and return `Images`."""
    if not is_installed("PIL"):
        raise InvalidSetting(
            key,
            "needs Pillow. Run: pip install pillow. The extra 'tuner' of kdropout has "
            "it.",
        )
    folder = pathlib.Path(settings.images).expanduser()
    if not folder.is_dir():
        others = [other.name for other in folder.parent.glob("*") if other.is_dir()]
        raise InvalidSetting(
            key,
            f"must be the path of a folder. There is no folder at '{folder}', relative "
            f"to {pathlib.Path.cwd()}.{nearest(folder.name, others)}",
        )
    folders = _folders_of_parts(key, folder)
    class_names = _class_names(key, folders)
    files = {
        part: [
            (path, number)
            for number, name in enumerate(class_names)
            for path in _images_in(inner / name)
        ]
        for part, inner in folders.items()
    }
    _check_files(key, folders, files, class_names)
    size = _common_size(key, settings, files)
    _check_memory(key, files, size, settings.color_mode)
    parts = {}
    for part, pairs in files.items():
        x = np.empty((len(pairs), *size, _CHANNELS[settings.color_mode]), "float32")
        for row, (path, _) in enumerate(pairs):
            x[row] = _read_image(key, path, size, settings.color_mode)
        parts[part] = (x, np.array([number for _, number in pairs], "int32"))
    return Images(parts, class_names)


def _folders_of_parts(key, folder):
    names = _subfolders(folder)
    if "train" not in names:
        return {"train": folder}
    unknown = [name for name in names if name not in _PARTS]
    if unknown:
        raise InvalidSetting(
            key,
            "must contain only the folders train, validation and test, if it contains "
            f"train. Received: '{folder / unknown[0]}'.{nearest(unknown[0], _PARTS)} "
            "Rename or remove it.",
        )
    return {part: folder / name for name, part in _PARTS.items() if name in names}


def _subfolders(folder):
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted(name for name in names if not name.startswith("."))


def _images_in(folder):
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".")
    )


def _class_names(key, folders):
    names = _subfolders(folders["train"])
    if len(names) < 2:
        received = f"only '{names[0]}'" if names else "none"
        raise InvalidSetting(
            key,
            "must contain a subfolder for each of at least two classes. Received: "
            f"'{folders['train']}' with {received}.",
        )
    for folder in folders.values():
        unknown = [name for name in _subfolders(folder) if name not in names]
        if unknown:
            raise InvalidSetting(
                key,
                "must have the same classes in all parts. Received: "
                f"'{folder / unknown[0]}', a class that '{folders['train']}' does not "
                f"have.{nearest(unknown[0], names)}",
            )
    return tuple(names)


def _check_files(key, folders, files, class_names):
    for number, name in enumerate(class_names):
        if not any(number == other for _, other in files["train"]):
            raise InvalidSetting(
                key,
                f"must contain images of each class. '{folders['train'] / name}' has "
                f"none. Images end with {', '.join(sorted(_ENDINGS))}.",
            )
    for part, pairs in files.items():
        if not pairs:
            raise InvalidSetting(
                key,
                f"must contain images in each part. '{folders[part]}' has none. Images "
                f"end with {', '.join(sorted(_ENDINGS))}.",
            )


def _common_size(key, settings, files):
    """The height and width of all images, from their first bytes."""
    first, size = None, None
    for path, _ in itertools.chain.from_iterable(files.values()):
        other, mode = _size_and_mode(key, path)
        # Keras would cut the 16 bits to the largest value of 8.
        if mode.startswith("I") and settings.color_mode != "grayscale":
            raise InvalidSetting(
                "data.color_mode",
                "must be grayscale for images of 16 bits per pixel. Received: "
                f"{settings.color_mode}, with '{path}'.",
            )
        if size is None:
            first, size = path, other
        elif other != size and settings.image_size is None:
            raise InvalidSetting(
                "data.image_size",
                "is required, because the images have different sizes. Received: "
                f"{size[0]} x {size[1]} pixels in '{first}', and {other[0]} x "
                f"{other[1]} in '{path}' (height x width). Set it to the size for "
                f"training, such as [{size[0]}, {size[1]}].",
            )
    return settings.image_size or size


def _size_and_mode(key, path):
    from PIL import Image

    with _reading(key, path), Image.open(path) as image:
        return (image.height, image.width), image.mode


@contextlib.contextmanager
def _reading(key, path):
    """Turn any error from a damaged file into one of the key."""
    try:
        yield
    except InvalidSetting:
        raise
    except Exception as error:  # from the decoder of the format
        reason = " ".join(str(error).split())
        raise InvalidSetting(
            key,
            f"must contain only images that can be read. '{path}' cannot: "
            f"{type(error).__name__}: {reason}. Replace or remove it.",
        ) from None


def _check_memory(key, files, size, color_mode):
    count = sum(map(len, files.values()))
    needed = 4 * count * size[0] * size[1] * _CHANNELS[color_mode]
    if needed > MOST_BYTES:
        raise InvalidSetting(
            key,
            f"must fit into 4 GiB as float32. Received: {count:,} images of {size[0]} "
            f"x {size[1]} pixels, which take {needed / 2**30:.1f} GiB. Set a smaller "
            "data.image_size, or return a dataset from a function: {function: "
            "my_data:load}.",
        )


def _read_image(key, path, size, color_mode):
    """Read an image as an array of shape `(height, width, channels)` in [0, 1]."""
    with _reading(key, path):
        image = keras.utils.load_img(
            path, color_mode=color_mode, target_size=size, interpolation="bilinear"
        )
        array = keras.utils.img_to_array(
            image, data_format="channels_last", dtype="float32"
        )
    # Keras keeps the 16 bits of a grey image.
    return array / (65535.0 if image.mode.startswith("I") else 255.0)
