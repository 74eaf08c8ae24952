"""Checks the weights of samples, and turns weights of classes into them."""

import numpy as np

from kdropout._validation import nearest
from kdropout.tuning.class_weights import class_numbers, weights_of_samples
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.fields import label_text

# The number of rows or labels in a message.
_MOST_NAMED = 5


def check_weights(key, name, weights, y):
    """Return the weights of samples as float32, or raise.

    Args:
        key: String, dotted key for the message.
        name: String, what the message calls the weights.
        weights: Array-like of one weight per sample, or per label of a sequence.
        y: Array of the labels.
    """
    try:
        array = np.asarray(weights)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "buif":
        raise InvalidSetting(
            key,
            f"{name} must contain numbers. Received: {type(weights).__name__} of "
            f"{array.dtype}.",
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 0 or array.shape != y.shape[: array.ndim]:
        raise InvalidSetting(
            key,
            f"{name} must have one weight for each sample. Received: shape "
            f"{array.shape}, for labels of shape {y.shape}.",
        )
    with np.errstate(over="ignore"):  # an overflow raises an error below
        array = array.astype("float32")
    wrong = ~(np.isfinite(array) & (array >= 0.0))
    if wrong.any():
        rows = np.unique(np.argwhere(wrong)[:, 0])
        named = ", ".join(str(row + 1) for row in rows[:_MOST_NAMED])
        rest = len(rows) - _MOST_NAMED
        more = f" and {rest} more" if rest > 0 else ""
        raise InvalidSetting(
            key,
            f"{name} must contain finite numbers of at least 0. Received: "
            f"{array[wrong][0]:g} in row {named}{more} (the first is row 1). Correct "
            "these weights, or remove the rows.",
        )
    return array


def check_not_all_zero(key, part, weights):
    """Raise if no sample of a part has a weight above 0."""
    if weights is not None and not weights.any():
        raise InvalidSetting(
            key,
            f"the sample weights must contain a number above 0. Received: 0 for all "
            f"{len(weights)} samples of the {part} data.",
        )


def class_weights(class_weight, y, description):
    """Return a dict from the number of each class to its weight.

    Args:
        class_weight: "balanced", or dict from the text of a label to a weight.
        y: Array of the training labels, with classes as numbers.
        description: `Description` of the data.
    """
    key = "training.class_weight"
    labels, num_classes = description.labels, description.num_classes
    if not has_one_class(labels, y):
        raise InvalidSetting(
            key,
            "needs one class for each sample: integers, texts or one-hot rows. "
            f"Received: {labels} of shape {y.shape[1:]}.",
        )
    classes = class_numbers(y)
    counts = np.bincount(classes, minlength=num_classes)
    if class_weight == "balanced":
        occurring = np.flatnonzero(counts)
        return {
            int(number): len(classes) / (len(occurring) * int(counts[number]))
            for number in occurring
        }
    texts = label_texts(description)
    weights = {}
    for label, weight in class_weight.items():
        number = _find(label, texts)
        if number is None:
            raise InvalidSetting(
                f"{key}.{label}",
                f"must be a label of the data. Received: '{label}'."
                f"{nearest(label, texts)} The labels are: "
                f"{', '.join(map(repr, texts[:20]))}{', ...' * (len(texts) > 20)}.",
            )
        weights[number] = weight
    if not any(weights.get(int(n), 1.0) for n in np.flatnonzero(counts)):
        raise InvalidSetting(
            key,
            "must give a weight above 0 to a class of the training data. Received: "
            f"{class_weight}.",
        )
    return weights


def has_one_class(labels, y):
    """Return True if each sample has one class, by `Description.labels`."""
    is_column = y.ndim == 1 or (y.ndim == 2 and y.shape[-1] == 1)
    return labels == "one-hot" or (labels == "classes" and is_column)


def label_texts(description):
    """Return the texts of all classes, in the order of their numbers."""
    names = description.class_names
    return [label_text(n) for n in names or range(description.num_classes)]


def _find(label, texts):
    """The number of the class, where upper case matters only between labels."""
    if label in texts:
        return texts.index(label)
    same = [n for n, text in enumerate(texts) if text.casefold() == label.casefold()]
    return same[0] if len(same) == 1 else None


def training_weights(weights, class_weight, y):
    """Return the product of the weights of samples and of classes, or None."""
    if class_weight is None:
        return weights
    of_classes = weights_of_samples(y, class_weight)
    if weights is None:
        return of_classes
    return (weights * of_classes).astype(of_classes.dtype)
