"""Arrays on which nothing could be trained are refused, by name."""

import keras
import numpy as np

from kdropout.tuning.job.errors import InvalidSetting


def check_pair(key, part, x, y):
    """The arrays of one part of the data, as float32 or int32, or as texts.

    Args:
        key: Dotted key of the job that the data come from, for the messages.
        part: "train", "val" or "test".
        x: Array of inputs, or a dict, list or tuple of arrays.
        y: Array of labels or targets.

    Returns:
        Tuple of `x` and `y`.

    Raises:
        InvalidSetting: If they are empty, of different length, neither numbers nor
            texts, or hold NaN or infinite values.
    """
    paths = keras.tree.flatten_with_path(x)
    names = ["".join(f"[{step!r}]" for step in path) for path, _ in paths]
    arrays = [
        _numbers(key, f"x_{part}{name}", value)
        for name, (_, value) in zip(names, paths, strict=True)
    ]
    if not arrays:
        raise InvalidSetting(key, f"x_{part} must hold an array. Received: {x!r}")
    labels = _numbers(key, f"y_{part}", y)
    for name, array in zip(names, arrays, strict=True):
        if len(array) != len(labels):
            raise InvalidSetting(
                key,
                f"x_{part}{name} and y_{part} must have as many samples. Received: "
                f"shapes {array.shape} and {labels.shape}.",
            )
    return keras.tree.pack_sequence_as(x, arrays), labels


def check_same_shapes(key, first, other, part):
    """Refuse a part whose samples are of another shape or type than the training's."""
    for kind, one, two in zip("xy", first, other, strict=True):
        one, two = _signature(one), _signature(two)
        if one != two:
            raise InvalidSetting(
                key,
                f"the samples of {kind}_train and {kind}_{part} must be of the same "
                f"shape and type. Received: {one} and {two}.",
            )


def _signature(values):
    """Shapes of single samples and types of numbers, for comparison and to be read."""
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
            f"{name} must hold at least one sample. Received: shape {array.shape}.",
        )
    if texts is not None:
        return texts
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # told below
            array = array.astype("float32")
        wrong = ~np.isfinite(array)
        if wrong.any():
            first = tuple(int(index) for index in np.argwhere(wrong)[0])
            raise InvalidSetting(
                key,
                f"{name} must be finite in float32. Received: {int(wrong.sum())} NaN "
                f"or infinite values of {array.size}, the first at {list(first)}. "
                "Remove these samples, or fill the values in.",
            )
        return array
    if array.dtype in ("bool", "uint8") and name.startswith("x"):
        return array.astype("float32")  # pictures, and columns of yes and no
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
    """The texts in an array, as Keras takes them, or None if it holds others."""
    if array.dtype.kind not in "USO" or array.size == 0:
        return None
    # As they were: NumPy makes texts of numbers beside texts.
    texts = np.asarray(value, dtype=object)
    if texts.shape != array.shape:
        return None
    return texts if all(isinstance(t, (str, bytes)) for t in texts.flat) else None


def check_labels(key, part, y):
    """Refuse labels that count no classes.

    Raises:
        InvalidSetting: If a label is negative.
    """
    if y.min() < 0:
        raise InvalidSetting(
            key,
            f"y_{part} must hold classes, counted from 0. Received: {int(y.min())}.",
        )
