"""Numbers that a half-precision dtype cannot hold, as an average of two it can."""

import keras
from keras import ops

# Distance from 1 to the next number, the widest relative gap between neighbours.
_SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895314e38}


def neighbours(value, dtype):
    """The two numbers of `dtype` next to a value, and their shares in it.

    `(1 - share) * nearest + share * other` is the value.

    Args:
        value: Float32 scalar tensor, not negative.
        dtype: Floating dtype.

    Returns:
        Tuple of `nearest`, `other` (scalar tensors of `dtype`) and `share` (a float32
        scalar tensor in [0, 0.5]). In float32 and float64, `other` and `share` are
        None.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    if dtype not in _SPACING:
        return ops.cast(value, dtype), None, None
    # Above rate 0.99998, float16 has no number as large as the exact scale.
    value = ops.minimum(value, _LARGEST[dtype])
    nearest = ops.cast(value, dtype)
    nearest_exact = ops.cast(nearest, "float32")
    error = value - nearest_exact
    # A step of 5/8 to 5/4 of the distance to the neighbour, which rounds to it.
    step = ops.sign(error) * nearest_exact * (0.625 * _SPACING[dtype])
    other = ops.cast(nearest_exact + step, dtype)
    distance = ops.cast(other, "float32") - nearest_exact
    return nearest, other, ops.divide_no_nan(error, distance)
