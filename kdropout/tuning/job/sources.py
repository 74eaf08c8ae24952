"""Reads the data of a job, and checks that a model can use the arrays."""

import dataclasses
import gzip
import os
import pathlib
import struct
import warnings
import zipfile
import zlib
from typing import Any

import keras
import numpy as np

from kdropout._validation import nearest
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.images import read_images
from kdropout.tuning.job.references import call_reference
from kdropout.tuning.job.schema import TABLES, UCI_FOLDERS
from kdropout.tuning.job.tables import Table, read_table


@dataclasses.dataclass(frozen=True)
class Parts:
    """Tuples `(x, y)` or `(x, y, weights)` of arrays, or datasets.

    A part that is None is split off the training data. Tables and images are checked
    when they are read, and know the names of their classes.
    """

    train: Any
    validation: Any = None
    test: Any = None
    table: Table | None = None
    class_names: tuple | None = None


def read_source(settings, folders):
    """Return the dotted key of the source, and its `Parts` before checks and split."""
    key = f"data.{settings.source}"
    return key, _READERS[settings.source](key, settings, folders)


def _sklearn(key, settings, folders):
    try:
        from sklearn import datasets
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            key, "needs scikit-learn. Run: pip install scikit-learn"
        ) from error
    x, y = getattr(datasets, f"load_{settings.sklearn}")(return_X_y=True)
    if settings.sklearn not in TABLES:
        x = x / 16.0  # the largest grey value of digits
    return Parts((x.astype("float32"), y))


def _npz(key, settings, folders):
    path = pathlib.Path(settings.npz).expanduser()
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        others = [other.name for other in path.parent.glob("*.npz")]
        hint = nearest(path.name, others)
        raise InvalidSetting(
            key,
            f"must be the path of a file. There is no file at '{path}', relative to "
            f"{pathlib.Path.cwd()}.{hint}",
        ) from None
    except Exception as error:  # a damaged or encrypted file can raise anything
        reason = getattr(error, "strerror", None) or f"{error}"
        raise InvalidSetting(
            key,
            f"must be a file of arrays that numpy.savez wrote. Received: '{path}', "
            f"which cannot be read: {type(error).__name__}: {reason}",
        ) from None
    parts = {}
    for part in ("train", "val", "test"):
        names = (f"x_{part}", f"y_{part}")
        given = [name for name in names if name in arrays]
        if len(given) == 1 or (part == "train" and not given):
            missing = next(name for name in names if name not in given)
            raise InvalidSetting(
                key,
                f"must contain '{missing}'.{nearest(missing, arrays)} Received: "
                f"'{path}' with {', '.join(map(repr, arrays)) or 'nothing'}",
            )
        weights = f"w_{part}"
        if not given and weights in arrays:
            raise InvalidSetting(
                key,
                f"must contain '{names[0]}' and '{names[1]}' for '{weights}'. "
                f"Received: '{path}' with {', '.join(map(repr, arrays))}",
            )
        if weights in arrays:
            names = (*names, weights)
        parts[part] = tuple(arrays[name] for name in names) if given else None
    return Parts(parts["train"], parts["val"], parts["test"])


def _table(key, settings, folders):
    table = read_table(key, settings)
    parts = [table.parts.get(part) for part in ("train", "val", "test")]
    return Parts(*parts, table=table, class_names=table.class_names)


def _images(key, settings, folders):
    images = read_images(key, settings)
    parts = [images.parts.get(part) for part in ("train", "val", "test")]
    return Parts(*parts, class_names=images.class_names)


def _function(key, settings, folders):
    value = call_reference(key, settings.function, settings.arguments, folders)
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        received = type(value).__name__
        if isinstance(value, (tuple, list)):
            received += f" of {len(value)}"
        raise InvalidSetting(
            key,
            "must return (train, validation) or (train, validation, test). Received: "
            f"{received}.",
        )
    return Parts(*value)


def _keras(key, settings, folders):
    train, test = read_keras(key, settings.keras, settings.data_dir)
    return Parts(train, None, test)


def _uci(key, settings, folders):
    folder = data_folder(key, settings.data_dir)
    return Parts(*read_uci(key, folder, settings.uci, settings.split))


def _text(key, settings, folders):
    return Parts(*read_text(key, settings))


_READERS = {
    "csv": _table,
    "parquet": _table,
    "images": _images,
    "sklearn": _sklearn,
    "npz": _npz,
    "function": _function,
    "keras": _keras,
    "uci": _uci,
    "text": _text,
}


# Environment variable with the folder of the data, for jobs that do not name one.
VARIABLE = "KDROPOUT_DATA"

_IDX_FILES = (
    ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)


def data_folder(key, data_dir, required=True):
    """Return the folder of the data sets, or None if it is not required."""
    chosen = data_dir or os.environ.get(VARIABLE)
    if not chosen:
        if not required:
            return None
        raise InvalidSetting(
            key,
            "needs the folder of the data, which are not part of kdropout. Set "
            f"data.data_dir, --data-dir or the environment variable {VARIABLE}. Or use "
            "data: {sklearn: diabetes}, which is part of scikit-learn.",
        )
    folder = os.path.expanduser(chosen)
    if not os.path.isdir(folder):
        source = "data.data_dir" if data_dir else VARIABLE
        raise InvalidSetting(
            key, f"needs {source} to be an existing folder. Received: {folder!r}"
        )
    return pathlib.Path(folder)


def read_keras(key, name, data_dir):
    """Read data of keras.datasets, with images in [0, 1] and integer labels."""
    folder = data_folder(key, data_dir, required=False)
    if folder is not None and name in ("mnist", "fashion_mnist"):
        parts = [
            tuple(_read_idx(key, folder / name / file) for file in files)
            for files in _IDX_FILES
        ]
    else:
        try:
            parts = getattr(keras.datasets, name).load_data()
        except Exception as error:  # network error, for which Keras raises Exception
            raise InvalidSetting(
                key,
                f"cannot be downloaded by keras.datasets.{name}: {error}. Set "
                f"data.data_dir, --data-dir or {VARIABLE} to a folder that contains "
                "it, or use data: {sklearn: digits}, which is part of scikit-learn.",
            ) from error
    return tuple((_scaled(images), labels.reshape(-1)) for images, labels in parts)


def _scaled(images):
    images = images.astype("float32") / 255.0
    return images[..., np.newaxis] if images.ndim == 3 else images


def _read_idx(key, path):
    """Read an array from an idx file: type, number of axes, sizes, then the bytes."""
    try:
        with gzip.open(path) as file:
            content = file.read()
        rank = content[3]
        sizes = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        return np.frombuffer(content, "uint8", offset=4 + 4 * rank).reshape(sizes)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidSetting(
            key,
            f"needs the file '{path}', which cannot be read: {reason}. To download it "
            f"with Keras, set neither data.data_dir nor {VARIABLE}.",
        ) from None
    except (EOFError, IndexError, ValueError, struct.error, zlib.error) as error:
        raise InvalidSetting(
            key, f"'{path}' is damaged: {error}. Replace it with the original file."
        ) from None


def read_uci(key, folder, name, split):
    """Read training, validation and test data of one of the standard splits.

    The training rows of a split are 90 % of all rows. The last fifth of these is for
    validation.
    """
    folder = folder / "uci" / UCI_FOLDERS[name]
    table = _read_table(key, folder / "data.txt", float)
    features = _read_table(key, folder / "index_features.txt", int).ravel()
    target = _read_table(key, folder / "index_target.txt", int).ravel()
    columns = np.concatenate([features, target])
    if columns.max() >= table.shape[1] or columns.min() < 0:
        wrong = columns.max() if columns.max() >= table.shape[1] else columns.min()
        raise InvalidSetting(
            key,
            f"'{folder}' refers to column {wrong} of a table with {table.shape[1]} "
            "columns. Replace the files with the original ones.",
        )
    # The standard splits are defined by this legacy generator of NumPy.
    generator = np.random.RandomState(1)
    for _ in range(split + 1):
        order = generator.choice(range(len(table)), len(table), replace=False)
    num_training = round(0.9 * len(table))
    ends = (int(0.8 * num_training), num_training)
    return tuple(
        (table[np.ix_(rows, features)], table[rows, target[0]])
        for rows in np.split(order, ends)
    )


def _read_table(key, path, dtype):
    try:
        with warnings.catch_warnings():
            # An empty file raises an error below.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, ndmin=2).astype(dtype)
        if table.size == 0:
            raise ValueError("it is empty")
        return table
    except OSError as error:
        reason = error.strerror or "there is no such file"
        raise InvalidSetting(
            key, f"needs the file '{path}', which cannot be read: {reason}"
        ) from None
    except ValueError as error:
        raise InvalidSetting(
            key, f"'{path}' is not a table of numbers: {error}"
        ) from None


def read_text(key, settings):
    """Read training, validation and test sequences of characters and successors."""
    if settings.text == "tinyshakespeare":
        folder = data_folder(key, settings.data_dir)
        path = folder / "text" / settings.text / "input.txt"
    else:
        path = pathlib.Path(settings.text).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidSetting(
            key,
            "must be tinyshakespeare or the path of a text file in UTF-8. "
            f"'{path}' cannot be read: {reason}",
        ) from None
    _, tokens = np.unique(list(text), return_inverse=True)
    # Add 1, because the last character of a sequence also needs a successor.
    length = settings.sequence_length + 1
    num_sequences = len(tokens) // length
    if num_sequences < 10:
        raise InvalidSetting(
            key,
            f"must be long enough for 10 sequences of {length} characters. Received: "
            f"'{path}' of {len(tokens)} characters.",
        )
    sequences = tokens[: num_sequences * length].reshape(-1, length).astype("int32")
    ends = (int(0.8 * num_sequences), int(0.9 * num_sequences))
    return tuple((part[:, :-1], part[:, 1:]) for part in np.split(sequences, ends))


def check_pair(key, part, x, y):
    """Return the arrays of one part of the data as float32, int32 or texts."""
    paths = keras.tree.flatten_with_path(x)
    names = ["".join(f"[{step!r}]" for step in path) for path, _ in paths]
    arrays = [
        _numbers(key, f"x_{part}{name}", value)
        for name, (_, value) in zip(names, paths, strict=True)
    ]
    if not arrays:
        raise InvalidSetting(key, f"x_{part} must contain an array. Received: {x!r}")
    labels = _numbers(key, f"y_{part}", y)
    for name, array in zip(names, arrays, strict=True):
        if len(array) != len(labels):
            raise InvalidSetting(
                key,
                f"x_{part}{name} and y_{part} must have the same number of samples. "
                f"Received: shapes {array.shape} and {labels.shape}.",
            )
    return keras.tree.pack_sequence_as(x, arrays), labels


def check_same_shapes(key, first, other, part):
    """Raise if the samples of a part differ in shape or type from the training data."""
    for kind, training, others in zip("xy", first, other, strict=True):
        expected, received = _signature(training), _signature(others)
        if expected != received:
            raise InvalidSetting(
                key,
                f"the samples of {kind}_train and {kind}_{part} must have the same "
                f"shape and type. Received: {expected} and {received}.",
            )


def _signature(values):
    """The shapes and types of single samples, for comparison and for messages."""
    described = [
        (path, f"{array.dtype} of shape {array.shape[1:]}")
        for path, array in keras.tree.flatten_with_path(values)
    ]
    if len(described) == 1 and not described[0][0]:
        return described[0][1]
    return {"".join(map(str, path)): text for path, text in described}


def _numbers(key, name, value):
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    texts = _texts(value, array)
    if texts is None and array.dtype.kind not in "buif":
        raise InvalidSetting(
            key,
            f"{name} must be an array of numbers, or of texts. Received: "
            f"{type(value).__name__} of {array.dtype}.",
        )
    if array.ndim == 0 or array.size == 0:
        raise InvalidSetting(
            key,
            f"{name} must contain at least one sample. Received: shape {array.shape}.",
        )
    if texts is not None:
        return texts
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # an overflow raises an error below
            array = array.astype("float32")
        wrong = ~np.isfinite(array)
        if wrong.any():
            first = tuple(int(index) for index in np.argwhere(wrong)[0])
            raise InvalidSetting(
                key,
                f"{name} must be finite in float32. Received: {int(wrong.sum())} NaN "
                f"or infinite values of {array.size}, the first at {list(first)}. "
                "Remove these samples, or replace the values.",
            )
        return array
    if array.dtype in ("bool", "uint8") and name.startswith("x"):
        return array.astype("float32")  # images or columns of booleans
    if array.dtype.kind == "b":
        return array.astype("int32")  # two classes, or flags
    limits = np.iinfo("int32")
    if array.min() < limits.min or array.max() > limits.max:
        raise InvalidSetting(
            key,
            f"{name} must fit into int32. Received: values from {array.min()} to "
            f"{array.max()}. Save it as float32.",
        )
    return array.astype("int32")


def _texts(value, array):
    """The texts in an array in the form for Keras, or None if it has other values."""
    if array.dtype.kind not in "USO" or array.size == 0:
        return None
    # Use the original values, because NumPy converts numbers next to texts to texts.
    texts = np.asarray(value, dtype=object)
    if texts.shape != array.shape:
        return None
    return texts if all(isinstance(t, (str, bytes)) for t in texts.flat) else None
