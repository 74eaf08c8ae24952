"""Masks of units that are dropped or kept."""

from keras import ops

from kdropout.noise import backend
from kdropout.noise.byte_draw import LEVELS, ByteDraw
from kdropout.noise.continuous import concrete
from kdropout.noise.half_precision import neighbours
from kdropout.noise.word_draw import WordDraw


def bernoulli(shape, rate, seed, dtype="float32"):
    """Which units to keep, and by what to multiply them.

    Nothing is dropped at rate 0 and everything at rate 1. The expectation of
    `where(keep, scale, 0)` is exactly 1 below rate 1: `scale` is the inverse of
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
    kernels = backend.active().kernels(seed)
    if kernels is not None:
        return kernels.bernoulli(shape, rate, seed, dtype)
    words = backend.active().words(shape, seed)
    draw = ByteDraw(shape, seed) if words is None else WordDraw(words)
    # Both are integers: a float32 in [0.5, 1] is a multiple of 2^-24.
    num_kept = ops.round((1.0 - rate) * LEVELS)
    num_dropped = LEVELS - num_kept
    # Of dropping and keeping, draw what is rarer: either is exact, down to 0.
    mostly = rate > 0.5  # not of a NaN, which keeps all, and multiplies them by NaN
    keep = draw.compare(ops.minimum(num_kept, num_dropped), below=mostly)
    scale = ops.divide_no_nan(LEVELS, num_kept)
    nearest, other, share = neighbours(scale, dtype)
    if other is None:
        return keep, nearest
    # Next to the dropped units, or where kept ones are the rarer: among these.
    first = ops.where(mostly, 0.0, num_dropped)
    use_other = draw.compare(first + ops.round(num_kept * share))
    # Exact: neighbours differ by what their dtype can hold. Selecting is slower.
    return keep, nearest + ops.cast(use_other, dtype) * (other - nearest)


def dropout(inputs, shape, rate, seed):
    """The inputs with units dropped and the others scaled; at rate 0, the inputs.

    `drop_units(inputs, *bernoulli(shape, rate, seed, inputs.dtype))`, but on a CPU
    nothing is drawn at rate 0: see `skip_at_zero`.

    Args:
        inputs: Floating tensor.
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in [0, 1].
        seed: Two integers, as a tensor.

    Returns:
        Tensor of the shape and dtype of the inputs.
    """
    kernels = backend.active().kernels(seed)
    if kernels is not None:
        return kernels.dropout(inputs, shape, rate, seed)

    def draw():
        return bernoulli(shape, rate, seed, inputs.dtype)

    return backend.active().dropout(inputs, shape, rate, draw)


def drop_units(inputs, keep, scale):
    """`where(keep, inputs * scale, 0)`, in the way that the backend does it best.

    Args:
        inputs: Floating tensor.
        keep: Boolean tensor which broadcasts against the inputs.
        scale: Tensor of the dtype of the inputs: a scalar, or of the shape of `keep`.

    Returns:
        Tensor of the shape and dtype of the inputs.
    """
    inputs = ops.convert_to_tensor(inputs)  # the weights of a layer are no tensor
    return backend.active().drop_units(inputs, keep, scale)


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
    keep, _ = bernoulli(shape, rate, seed)
    return ops.cast(keep, "float32") + 0.0 * rate  # NaN stays NaN
