"""What is trained and validated on."""

import dataclasses
from typing import Any

import numpy as np


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
        num_samples: Number of training samples, or None where a dataset does not tell.
        labels: What a label is: "classes" (an integer, or one per position),
            "one-hot" (a row with a single 1), "probabilities" (a row that sums to 1),
            "flags" (a row of 0 and 1, any number of which may be 1), or "numbers" (the
            targets of a regression). Defaults to "classes" or "numbers", by the task.
        class_names: Tuple of the texts that the classes stand for, in the order of
            their numbers, or None where the labels are no texts.
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


@dataclasses.dataclass(frozen=True)
class Data:
    """Training, validation and test data, ready for `fit`.

    Args:
        x_train: Array of the training inputs, a dict, list or tuple of arrays, or a
            dataset.
        y_train: Array of the training labels or targets; None with a dataset.
        x_val: Likewise for the validation.
        y_val: Likewise.
        x_test: Likewise for the test, or None without a test set.
        y_test: Likewise.
        description: `Description`.
        target_mean: What was subtracted from the targets. Defaults to 0.
        target_scale: By what they were divided then: a root mean squared error times
            this is in the unit of the targets. Defaults to 1.
        digests: Dict from "train", "val" and "test" to the digest of the arrays, as
            they were split and before they were scaled. Empty with datasets.
    """

    x_train: Any
    y_train: Any
    x_val: Any
    y_val: Any
    x_test: Any
    y_test: Any
    description: Description
    target_mean: Any = dataclasses.field(default_factory=lambda: np.float32(0.0))
    target_scale: Any = dataclasses.field(default_factory=lambda: np.float32(1.0))
    digests: dict = dataclasses.field(default_factory=dict)

    @property
    def training(self):
        """What `fit` and the callbacks take: a tuple `(x, y)`, or a dataset."""
        return _pair(self.x_train, self.y_train)

    @property
    def validation(self):
        """Likewise."""
        return _pair(self.x_val, self.y_val)

    @property
    def test(self):
        """Likewise, or None without a test set."""
        return None if self.x_test is None else _pair(self.x_test, self.y_test)

    @property
    def is_dataset(self):
        """Whether the training data come in batches, rather than as arrays."""
        return self.y_train is None

    @property
    def task(self):
        """ "classification" or "regression"."""
        return self.description.task

    @property
    def input_shape(self):
        """Shape of one sample."""
        return self.description.input_shape

    @property
    def num_classes(self):
        """Number of classes, or None."""
        return self.description.num_classes


def _pair(x, y):
    return x if y is None else (x, y)
