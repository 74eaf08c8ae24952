"""Shifts and scales data by their training part."""

import keras
import numpy as np

_UNCHANGED = (np.float32(0.0), np.float32(1.0))


def standardize(pairs, task):
    """Shift and scale by mean and standard deviation of the training data."""
    x_train, y_train = pairs["train"]
    inputs = [_moments(array) for array in keras.tree.flatten(x_train)]
    mean, scale = _moments(y_train) if task == "regression" else _UNCHANGED
    scaled = {}
    for name, (x, y) in pairs.items():
        arrays = [
            array if moments is _UNCHANGED else (array - moments[0]) / moments[1]
            for array, moments in zip(keras.tree.flatten(x), inputs, strict=True)
        ]
        x = keras.tree.pack_sequence_as(x, arrays)
        scaled[name] = (x, (y - mean) / scale if task == "regression" else y)
    return scaled, mean, scale


def _moments(array):
    """Mean and standard deviation over the samples; tokens and texts stay."""
    if array.dtype.kind != "f":
        return _UNCHANGED
    # In double precision: a column far from 0 would lose its digits.
    mean = array.mean(0, dtype="float64")
    scale = array.std(0, dtype="float64")
    # A column that never changes is shifted only. What rounding leaves of its
    # deviation is not a scale.
    scale = np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)
    return mean.astype("float32"), scale.astype("float32")
