"""Masks of units that are dropped or kept."""

from keras import ops

from kdropout.noise import backend
from kdropout.noise.byte_draw import ByteDraw
from kdropout.noise.continuous import concrete
from kdropout.noise.half_precision import neighbours


def bernoulli(shape, rate, seed, dtype="float32"):
    """Which units to drop, and by what to multiply the kept ones.

    Nothing is dropped at rate 0 and everything at rate 1. The expectation of
    `where(drop, 0, scale)` is exactly 1 below rate 1: `scale` is the inverse of
    the keep probability used, and where `dtype` cannot hold that number, each unit
    gets one of its two neighbours with the probabilities that average to it.

    Args:
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in [0, 1].
        seed: Two integers, as a tensor.
        dtype: Floating dtype of `scale`.

    Returns:
        Tuple of a boolean tensor of `shape`, and `scale`: a scalar, or a tensor
        of `shape` in float16 and bfloat16.
    """
    draw = ByteDraw(shape, seed)
    # Of dropping and keeping, draw what is rarer: either is exact, down to 0.
    mostly = rate > 0.5
    is_number = rate >= 0.0
    rarer = ops.where(mostly, 1.0 - rate, rate)
    level = draw.level(ops.where(is_number, rarer, 0.0))
    drop = draw.below(level, complement=mostly)
    rarer = draw.probability(level)
    keep_probability = ops.where(mostly, rarer, 1.0 - rarer)
    scale = ops.where(is_number, ops.divide_no_nan(1.0, keep_probability), rate)
    nearest, other, share = neighbours(scale, dtype)
    if other is None:
        return drop, nearest
    # Next to the dropped units, or where kept ones are the rarer: among these.
    first = ops.where(mostly, ops.zeros_like(level), level)
    use_other = draw.below(first + draw.level(keep_probability * share))
    # Exact: neighbours differ by what their dtype can hold. Selecting is slower.
    return drop, nearest + ops.cast(use_other, dtype) * (other - nearest)


def drop_units(inputs, drop, scale):
    """`where(drop, 0, inputs * scale)`, in the way that the backend does it best.

    Args:
        inputs: Floating tensor.
        drop: Boolean tensor which broadcasts against the inputs.
        scale: Tensor of the dtype of the inputs: a scalar, or of the shape of `drop`.

    Returns:
        Tensor of the shape and dtype of the inputs.
    """
    inputs = ops.convert_to_tensor(inputs)  # the weights of a layer are no tensor
    return backend.active().drop_units(inputs, drop, scale)


def keep_mask(shape, rate, seed, temperature=None):
    """Which units to keep, for those who scale in a way of their own.

    Args:
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in [0, 1].
        seed: Two integers, as a tensor.
        temperature: None for a mask of 0 and 1, or a float above 0 for `concrete`.

    Returns:
        Float32 tensor of `shape`.
    """
    if temperature is not None:
        return concrete(shape, rate, seed, temperature)
    drop, _ = bernoulli(shape, rate, seed)
    return ops.cast(ops.logical_not(drop), "float32") + 0.0 * rate  # NaN stays NaN
