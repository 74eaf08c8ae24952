"""Splits samples into training, validation and test."""

import keras
import numpy as np

from kdropout.tuning.job.errors import InvalidSetting

# Where a job does not say it.
TRAIN_SHARE = 0.6
VALIDATION_SHARE = 0.2


def split(settings, pairs, generator):
    """Split at random what is not split yet.

    Args:
        settings: The key `data` of the job.
        pairs: Dict from "train", and perhaps "val" and "test", to tuples `(x, y)`.
        generator: `numpy.random.Generator`.

    Returns:
        The same dict, now with "train" and "val", and "test" if any is left.

    Raises:
        InvalidSetting: If more samples are wanted than there are, or none is left.
    """
    train_size = getattr(settings, "train_size", None)
    validation_size = getattr(settings, "validation_size", None)
    if "val" in pairs:
        chosen = {"train": train_size, "val": validation_size}
        chosen = {name: size for name, size in chosen.items() if size is not None}
        drawn = {
            name: _rows(pairs[name], _draw(name, size, pairs[name], generator))
            for name, size in chosen.items()
        }
        return {**pairs, **drawn}
    total = len(pairs["train"][1])
    size = VALIDATION_SHARE if validation_size is None else validation_size
    num_validation = _count(size, total)
    if train_size is not None:
        num_train = _count(train_size, total)
    elif "test" in pairs:
        num_train = total - num_validation
    else:
        num_train = min(_count(TRAIN_SHARE, total), total - num_validation)
    if num_train + num_validation > total or min(num_train, num_validation) < 1:
        raise InvalidSetting(
            "data.train_size" if train_size is not None else "data.validation_size",
            f"must leave at least 1 of the {total} samples for training and 1 for "
            f"validation. Received: {num_train} for training, {num_validation} for "
            "validation.",
        )
    order = generator.permutation(total)
    train, validation, rest = np.split(order, (num_train, num_train + num_validation))
    result = {
        "train": _rows(pairs["train"], train),
        "val": _rows(pairs["train"], validation),
    }
    if "test" in pairs:
        result["test"] = pairs["test"]
    elif len(rest):
        result["test"] = _rows(pairs["train"], rest)
    return result


def _draw(name, size, pair, generator):
    total = len(pair[1])
    count = _count(size, total)
    if not 1 <= count <= total:
        key = "train_size" if name == "train" else "validation_size"
        raise InvalidSetting(
            f"data.{key}",
            f"must be from 1 to the {total} samples that there are. Received: {size}",
        )
    return generator.permutation(total)[:count]


def _count(size, total):
    return round(size * total) if isinstance(size, float) else size


def _rows(pair, rows):
    return keras.tree.map_structure(lambda array: array[rows], tuple(pair))
