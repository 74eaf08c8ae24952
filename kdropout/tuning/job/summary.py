"""Describes in words how a job understands its data, and the score of a guess."""

import dataclasses

import numpy as np

from kdropout.tuning.job.data import Data
from kdropout.tuning.job.weights import label_texts

# The number of classes in a list.
_MOST_CLASSES = 10

# Keras limits probabilities to this in its losses.
_EPSILON = 1e-7


@dataclasses.dataclass(frozen=True)
class Guess:
    """The scores of a constant prediction, from the training labels.

    For classes, the prediction is the most frequent class, and the loss is that of the
    shares of all classes. For numbers, it is the mean.

    Args:
        part: String, "test", or "validation" without a test set: the measured data.
        prediction: String, what is predicted.
        scores: Dict from the name of a measure to its value.
    """

    part: str
    prediction: str
    scores: dict


def summary_of(data: Data) -> list[tuple[str, str]]:
    """Return pairs of a title and a text about the data, for the terminal."""
    lines = [("rows", _rows(data))]
    if data.table is not None:
        lines += _columns(data.table)
    if data.is_dataset:
        return lines
    if data.description.labels in ("classes", "one-hot"):
        lines.append(("classes", _classes(data)))
    weights = _weights(data)
    if weights:
        lines.append(("weights", weights))
    return lines


def _rows(data):
    if data.is_dataset:
        return f"batches of samples of shape {data.input_shape}"
    parts = {"training": data.y_train, "validation": data.y_val, "test": data.y_test}
    counts = [f"{len(y):,} {name}" for name, y in parts.items() if y is not None]
    if data.folds is not None:
        number, total = data.folds.number, data.folds.num_rows
        low, high = total // number, -(-total // number)
        size = f"{low:,}" if low == high else f"{low:,} or {high:,}"
        counts[:2] = [f"{total:,} in {number} folds of {size}"]
    samples = f"samples of shape {data.input_shape}"
    if data.description.input_dtype == "string":
        samples = "samples are texts"
    return f"{', '.join(counts)}; {samples}"


def _columns(table):
    used = [column for column in table.columns if column.num_features]
    unused = [column for column in table.columns if not column.num_features]
    unused += table.unused
    if table.text is not None:
        lines = [("columns", f"'{table.text}' as text")]
    else:
        total = sum(column.num_features for column in used)
        lines = [("columns", f"{len(used)} become {total} features")]
    width = max(len(column.name) for column in [*used, *unused])
    for column in [*used, *unused]:
        size = str(column.num_features or "-")
        line = f"{column.name:{width}}  {column.kind:8}  {size:>4}  {column.note}"
        lines.append(("", line.rstrip()))
    return lines


def _labels(data):
    """The classes of the training samples as numbers."""
    is_row = data.description.labels == "one-hot"
    y = data.y_train.argmax(-1) if is_row else data.y_train
    return np.round(y).astype("int64").ravel()


def _classes(data):
    names, labels = label_texts(data.description), _labels(data)
    counts = np.bincount(labels, minlength=len(names))
    texts = [
        f"{name} {count:,} ({count / len(labels):.1%})"
        for name, count in zip(names, counts, strict=True)
    ]
    rest = len(texts) - _MOST_CLASSES
    more = f", and {rest} more classes" if rest > 0 else ""
    whose = "of the training labels"
    if data.folds is not None:
        whose += " of the first fold"
    return f"{', '.join(texts[:_MOST_CLASSES])}{more}, {whose}"


def _weights(data):
    texts = []
    given = {"training": data.w_train, "validation": data.w_val, "test": data.w_test}
    for name, weights in given.items():
        if weights is not None:
            texts.append(f"{name} samples {weights.min():g} to {weights.max():g}")
    if data.class_weight is not None:
        names = label_texts(data.description)
        listed = [f"{names[n]} {w:.3g}" for n, w in data.class_weight.items()]
        rest = len(listed) - _MOST_CLASSES
        more = f" and {rest} more" if rest > 0 else ""
        texts.append(
            f"classes {', '.join(listed[:_MOST_CLASSES])}{more} (training loss only)"
        )
    return "; ".join(texts)


def guess_of(data: Data) -> Guess | None:
    """Return the `Guess` for data, or None for datasets.

    With folds, the scores are the means over the folds.
    """
    if data.is_dataset:
        return None
    if data.folds is None:
        return _guess(data)
    first, *others = [_guess(fold) for fold in data.folds.data(0)]
    scores = {
        name: float(np.mean([guess.scores[name] for guess in (first, *others)]))
        for name in first.scores
    }
    return dataclasses.replace(first, scores=scores)


def _guess(data):
    if data.y_test is None:
        part, y, weights = "validation", data.y_val, data.w_val
    else:
        part, y, weights = "test", data.y_test, data.w_test
    if data.description.labels == "numbers":
        return _guess_mean(data, part, y, weights)
    if data.description.labels == "flags":
        return _guess_flags(data, part, y, weights)
    return _guess_class(data, part, y, weights)


def _guess_mean(data, part, y, weights):
    errors = np.square(y.astype("float64") - data.y_train.mean(0, dtype="float64"))
    squares = errors * np.square(np.asarray(data.target_scale, "float64"))
    root = np.sqrt(squares.reshape(-1).mean())
    scores = {
        "mean_squared_error": _mean(errors, weights),
        "root_mean_squared_error": float(np.sqrt(errors.mean())),
    }
    if np.any(np.asarray(data.target_scale) != 1.0):
        scores["root_mean_squared_error in the unit of the target"] = float(root)
    return Guess(part, "the mean of the training targets", scores)


def _guess_flags(data, part, y, weights):
    shares = np.clip(data.y_train.mean(0), _EPSILON, 1.0 - _EPSILON)
    losses = -(y * np.log(shares) + (1 - y) * np.log(1.0 - shares))
    scores = {
        "binary_accuracy": float(((shares > 0.5) == y).mean()),
        "binary_crossentropy": _mean(losses, weights),
    }
    return Guess(part, "the most frequent value of each flag", scores)


def _guess_class(data, part, y, weights):
    labels = data.description.labels
    if labels == "classes":
        shares = np.bincount(_labels(data), minlength=data.num_classes) / max(
            data.y_train.size, 1
        )
        rows = np.eye(data.num_classes)[np.round(y).astype("int64")]
        if y.ndim > 1 and y.shape[-1] == 1:
            rows = rows.reshape(len(y), -1)
    else:
        shares = data.y_train.reshape(-1, y.shape[-1]).mean(0, dtype="float64")
        rows = y
    best = int(shares.argmax())
    losses = -(rows * np.log(np.clip(shares, _EPSILON, 1.0))).sum(-1)
    scores = {
        "accuracy": float((rows.argmax(-1) == best).mean()),
        "crossentropy": _mean(losses, weights),
    }
    return Guess(part, f"always '{label_texts(data.description)[best]}'", scores)


def _mean(losses, weights):
    """The mean that Keras computes: it divides by the number of samples."""
    if weights is None:
        return float(losses.mean())
    per_weight = losses.reshape(*weights.shape, -1).mean(-1)
    return float((per_weight * weights).mean())
