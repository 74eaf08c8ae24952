"""What a model must know of the data, found out from them."""

import dataclasses
from typing import Any

import keras
import numpy as np

from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.schema import KerasData, SklearnData, TextData, UciData

# A row of probabilities that were written with few digits may miss 1 by as much.
_TOLERANCE = 1e-3

# Names of classes that are shown.
_MOST_NAMES = 5


@dataclasses.dataclass(frozen=True)
class Description:
    """What a model must know of the data. A function that builds one may ask for it.

    Args:
        task: "classification" or "regression".
        input_shape: Shape of one sample, a tuple; a dict, list or tuple of those
            where there are several inputs.
        input_dtype: "float32" or "int32", nested likewise.
        target_shape: Shape of the label or target of one sample, a tuple.
        num_classes: Number of classes, or of the flags of a sample. None for a
            regression, and where a dataset does not show it: its labels are integers.
        num_tokens: Number of different tokens where inputs are integers, else None.
        num_samples: Number of training samples, or None if a dataset does not show it.
        labels: What a label is: "classes" (an integer, or one per position),
            "one-hot" (a row with a single 1), "probabilities" (a row that sums to 1),
            "flags" (a row of 0 and 1, any number of which may be 1), or "numbers" (the
            targets of a regression). Defaults to "classes" or "numbers", by the task.
        class_names: Tuple of the texts that the classes stand for, in the order of
            their numbers, or None where the labels are not texts.
    """

    task: str
    input_shape: Any
    input_dtype: Any
    target_shape: tuple
    num_classes: int | None
    num_tokens: int | None
    num_samples: int | None
    labels: str | None = None
    class_names: tuple | None = None

    def __post_init__(self):
        if self.labels is None:
            by_task = "numbers" if self.task == "regression" else "classes"
            object.__setattr__(self, "labels", by_task)


def find_labels(key, settings, pairs):
    """What the labels are: a value of `Description.labels`.

    The rows of the labels decide, unless the job says which task it is. Rows with a
    single 1 are classes, as for Keras, whatever their type.
    """
    labels = [y for _, y in pairs.values()]
    x = pairs["train"][0]
    task = _given_task(settings)
    if task == "regression":
        if labels[0].dtype.kind == "O":
            raise InvalidSetting(
                "data.task", "must be classification, because the labels are texts."
            )
        return "numbers"
    found = _kind_of_labels(labels, x)
    if task == "classification" and found == "numbers":
        if all(_are_whole(y) for y in labels):
            return "classes"
        raise InvalidSetting(
            key,
            "y_train must hold classes: integers, rows with a single 1, rows of "
            "probabilities that sum to 1, or rows of 0 and 1. Received: "
            f"{labels[0].dtype} labels of shape {labels[0].shape[1:]} from "
            f"{labels[0].min():g} to {labels[0].max():g}. For a regression, set "
            "data.task=regression.",
        )
    return found


def describe(task, x, y, **more):
    """The `Description` of arrays of training data, or of a batch of them."""
    unknown = {"num_classes": None, "num_tokens": None, "num_samples": None}
    return Description(
        task=task,
        input_shape=_map(lambda array: array.shape[1:], x),
        input_dtype=_map(_name_of_type, x),
        target_shape=y.shape[1:],
        **{**unknown, **more},
    )


def count_classes(key, labels, pairs):
    """Number of classes, or of the flags of a sample; None for numbers."""
    if labels == "numbers":
        return None
    if labels != "classes":
        return pairs["train"][1].shape[-1]
    for name, (_, y) in pairs.items():
        _check_classes(key, name, y)
    num_classes = 1 + max(int(y.max()) for _, y in pairs.values())
    if num_classes == 1:
        raise InvalidSetting(
            key, "y_train must hold at least two classes. Received: 0 everywhere."
        )
    return num_classes


def _check_classes(key, part, y):
    """Refuse labels that count no classes."""
    if y.min() < 0:
        raise InvalidSetting(
            key,
            f"y_{part} must hold classes, counted from 0. Received: {int(y.min())}.",
        )


def number_classes(pairs):
    """Labels that are texts, as integers in alphabetical order; others as they are.

    Returns:
        Tuple of the pairs and the texts, or None.
    """
    if pairs["train"][1].dtype.kind != "O":
        return pairs, None
    every = np.concatenate([y.ravel() for _, y in pairs.values()])
    names = sorted({*every.tolist()}, key=str)
    numbers = {name: number for number, name in enumerate(names)}
    numbered = np.frompyfunc(numbers.__getitem__, 1, 1)
    numbered_pairs = {
        part: (x, np.asarray(numbered(y), dtype="int32"))
        for part, (x, y) in pairs.items()
    }
    return numbered_pairs, tuple(names)


def count_tokens(pairs):
    """Number of different tokens where inputs are one array of integers, else None."""
    inputs = [x for x, _ in pairs.values()]
    if not isinstance(inputs[0], np.ndarray) or inputs[0].dtype.kind != "i":
        return None
    return 1 + max(int(x.max()) for x in inputs)


def task_text(data, loss, metrics):
    """The task, the classes, the loss and the metrics, in words."""
    description = data.description
    parts = [
        f"{description.task} of {_what(description, data)}",
        f"loss {_loss_name(loss)}",
        f"metrics {', '.join(metrics) or 'none'}",
    ]
    return "; ".join(parts)


def _what(description, data):
    number = description.num_classes
    if description.labels == "numbers":
        size = int(np.prod(description.target_shape))
        return f"{size} numbers per sample" if size > 1 else "one number per sample"
    if description.labels == "flags":
        return f"{number} flags per sample (labels are rows of 0 and 1)"
    if description.labels == "probabilities":
        return f"{number} classes (labels are rows of probabilities)"
    if description.labels == "one-hot":
        return f"{number} classes (labels are one-hot rows)"
    if number is None:
        return "classes (labels are integers)"
    kind = "integers" if data.y_train.dtype.kind == "i" else "whole numbers as floats"
    if description.class_names is not None:
        names = [repr(name) for name in description.class_names[:_MOST_NAMES]]
        kind = f"texts: {', '.join(names)}{', ...' if number > _MOST_NAMES else ''}"
    occurring = len(np.unique(data.y_train))
    some = f", of which the training data have {occurring}"
    return f"{number} classes{some if occurring < number else ''} (labels are {kind})"


def _given_task(settings):
    """The task that the source of the data or the job says, or None."""
    if isinstance(settings, (KerasData, TextData)):
        return "classification"
    if isinstance(settings, UciData):
        return "regression"
    if isinstance(settings, SklearnData):
        return "regression" if settings.sklearn == "diabetes" else "classification"
    return settings.task


def _kind_of_labels(labels, x):
    first = labels[0]
    is_integer = first.dtype.kind in "iO"
    if first.ndim < 2 or first.shape[-1] == 1:
        # A column of 0.0 and 1.0, as of a comparison, is two classes.
        values = {*np.unique(np.concatenate([y.ravel() for y in labels])).tolist()}
        return "classes" if is_integer or values == {0.0, 1.0} else "numbers"
    if first.dtype.kind == "O":
        return "classes"
    if all(_are_flags(y) for y in labels):
        if all((y.sum(-1) == 1).all() for y in labels):
            return "one-hot"
        # A label for each token is a class, also where there are two of them.
        if isinstance(x, np.ndarray) and x.dtype.kind == "i" and is_integer:
            return "classes" if x.shape[1:] == first.shape[1:] else "flags"
        return "flags"
    if is_integer:
        return "classes"
    if all((y >= 0).all() for y in labels) and all(
        (np.abs(y.sum(-1) - 1.0) <= _TOLERANCE).all() for y in labels
    ):
        return "probabilities"
    return "numbers"


def _are_flags(y):
    return bool(((y == 0) | (y == 1)).all())


def _are_whole(y):
    """Whether a column counts classes, though as floats."""
    is_column = y.ndim == 1 or y.shape[-1] == 1
    return is_column and bool((y == np.round(y)).all())


def _name_of_type(array):
    return "string" if array.dtype.kind == "O" else array.dtype.name


def _loss_name(loss):
    if isinstance(loss, (dict, list, tuple)):
        return ", ".join(map(_loss_name, keras.tree.flatten(loss)))
    if isinstance(loss, str):
        return loss
    return getattr(loss, "name", None) or getattr(loss, "__name__", repr(loss))


def _map(function, values):
    """`function` of each array. Unlike `tree.map_structure`, keeps tuple results."""
    if isinstance(values, np.ndarray):
        return function(values)
    if isinstance(values, dict):
        return {name: _map(function, value) for name, value in values.items()}
    return type(values)(_map(function, value) for value in values)
