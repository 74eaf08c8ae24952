"""Writes a number that half precision cannot hold as the average of two others."""

import keras
from keras import ops

from kdropout._compat import view

# For each dtype, the number of last bits of a float32 that it lacks, and its largest
# number.
DTYPES = {"float16": (13, 65504.0), "bfloat16": (16, 3.3895314e38)}


def neighbours(value, dtype):
    """Return the two numbers of `dtype` next to a value, and the share of the second.

    `(1 - share) * nearest + share * other` is the value.

    Args:
        value: Float32 scalar tensor that is at least 1, or 0, or NaN.
        dtype: Floating-point dtype.

    Returns:
        Tuple of `nearest`, `other` (scalar tensors of `dtype`) and `share` (a float32
        scalar tensor in [0, 0.5]). In float32 and float64, `other` and `share` are
        None.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    if dtype not in DTYPES:
        return ops.cast(value, dtype), None, None
    num_bits, largest = DTYPES[dtype]
    # Above rate 0.99998, float16 has no number as large as the exact scale.
    value = ops.minimum(value, largest)
    # Computed in bits, because a compiler may leave out a cast to a dtype and back.
    step = 1 << num_bits
    low = ops.bitwise_and(view(value, "int32"), -step)
    high = ops.minimum(view(low + step, "float32"), largest)
    low = view(low, "float32")
    share = ops.divide_no_nan(value - low, high - low)
    up = share > 0.5
    nearest, other = ops.where(up, high, low), ops.where(up, low, high)
    share = ops.where(up, 1.0 - share, share)
    return ops.cast(nearest, dtype), ops.cast(other, dtype), share
