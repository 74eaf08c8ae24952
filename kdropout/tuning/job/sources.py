"""Where data come from. Each function reads one kind of source."""

import dataclasses
import pathlib
import zipfile
from typing import Any

import numpy as np

from kdropout.tuning.job.data_files import (
    data_folder,
    read_keras,
    read_text,
    read_uci,
)
from kdropout.tuning.job.data_settings import TABLES
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.references import call_reference
from kdropout.validation import nearest


@dataclasses.dataclass(frozen=True)
class Parts:
    """Tuples `(x, y)` or datasets; None for what is to be split off the training."""

    train: Any
    validation: Any = None
    test: Any = None


def read_source(settings, folders):
    """The data of a job's key `data`, not yet checked or split.

    Args:
        settings: One of `kdropout.tuning.job.data_settings.KINDS`.
        folders: Paths of the folders where functions are looked for, the current one
            last.

    Returns:
        Tuple of the dotted key for messages, and `Parts`.

    Raises:
        InvalidSetting: If they cannot be read.
    """
    key = f"data.{settings.source}"
    return key, _READERS[settings.source](key, settings, folders)


def _sklearn(key, settings, folders):
    try:
        from sklearn import datasets
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            key, 'needs scikit-learn. Run: pip install "kdropout[tuner]"'
        ) from error
    x, y = getattr(datasets, f"load_{settings.sklearn}")(return_X_y=True)
    if settings.sklearn not in TABLES:
        x = x / 16.0  # the largest grey value
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
            f"must be the path of a file. There is none at '{path}', seen from "
            f"{pathlib.Path.cwd()}.{hint}",
        ) from None
    except Exception as error:  # whatever a damaged or encrypted file leads to
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
                f"must hold '{missing}'.{nearest(missing, arrays)} Received: "
                f"'{path}' with {', '.join(map(repr, arrays)) or 'nothing'}",
            )
        parts[part] = tuple(arrays[name] for name in names) if given else None
    return Parts(parts["train"], parts["val"], parts["test"])


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
    "sklearn": _sklearn,
    "npz": _npz,
    "function": _function,
    "keras": _keras,
    "uci": _uci,
    "text": _text,
}
