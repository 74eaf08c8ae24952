"""What a model must know of the data, found out from them."""

import numpy as np

from kdropout.tuning.job.array_checks import check_labels
from kdropout.tuning.job.data import Description
from kdropout.tuning.job.data_settings import (
    KerasData,
    SklearnData,
    TextData,
    UciData,
)
from kdropout.tuning.job.errors import InvalidSetting


def find_task(settings, y):
    """ "classification" or "regression", for the key `data` and its labels."""
    if isinstance(settings, (KerasData, TextData)):
        return "classification"
    if isinstance(settings, UciData):
        return "regression"
    if isinstance(settings, SklearnData):
        return "regression" if settings.sklearn == "diabetes" else "classification"
    by_type = "classification" if y.dtype.kind == "i" else "regression"
    return settings.task or by_type


def describe(task, x, y, num_classes=None, num_tokens=None, num_samples=None):
    """The `Description` of arrays of training data, or of a batch of them."""
    return Description(
        task=task,
        input_shape=_map(lambda array: array.shape[1:], x),
        input_dtype=_map(lambda array: array.dtype.name, x),
        target_shape=y.shape[1:],
        num_classes=num_classes,
        num_tokens=num_tokens,
        num_samples=num_samples,
    )


def count_classes(key, task, pairs):
    """Number of classes where labels are integers, else None.

    Raises:
        InvalidSetting: If the labels of a classification count no classes, or one.
    """
    labels = [y for _, y in pairs.values()]
    if task != "classification" or labels[0].dtype.kind != "i":
        return None
    for name, (_, y) in pairs.items():
        check_labels(key, name, y)
    num_classes = 1 + max(int(y.max()) for y in labels)
    if num_classes == 1:
        raise InvalidSetting(
            key, "y_train must hold at least two classes. Received: 0 everywhere."
        )
    return num_classes


def count_tokens(pairs):
    """Number of different tokens where inputs are one array of integers, else None."""
    inputs = [x for x, _ in pairs.values()]
    if not isinstance(inputs[0], np.ndarray) or inputs[0].dtype.kind != "i":
        return None
    return 1 + max(int(x.max()) for x in inputs)


def _map(function, values):
    """`function` of each array. Its results may be tuples, which are no leaves then."""
    if isinstance(values, np.ndarray):
        return function(values)
    if isinstance(values, dict):
        return {name: _map(function, value) for name, value in values.items()}
    return type(values)(_map(function, value) for value in values)
