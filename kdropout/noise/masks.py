"""The algorithm of the masks, whatever draws the random numbers.

Drawing random bits is nearly all of what dropout costs on a CPU, and a mask needs few
of them: at rate 0.5 a single one. There, each unit has eight random bits, and shares
sixteen more with others:

    number    = 8 bits, independent for each unit
    dither    = 16 bits, which all stretches of 4072 units have in common
    threshold = (level + dither) / 2^16, rounded down,   level = rate * 2^24
    drop      where number < threshold

So each place in a stretch has a threshold, `level / 2^16` rounded up or down. The mean
over all values of the dither is that very number: the probability of each unit is
exact, to 2^-24. `kdropout.noise.dither` has the sequence.

On an accelerator, where bits cost little, each unit has a word of its own instead.

The price: within one call, units at the same place of two stretches have a threshold
in common, and so a correlation of at most `f (1 - f) / 65536 / (p (1 - p))`, with `p`
the rate and `f` the part of `256 p` behind the point: 1.5e-5 at rate 0.5, 3e-3 at
0.001. The length of a stretch is not a multiple of the usual widths of layers, so
these are not the same unit of other samples. On JAX, which is faster with stretches of
4096, each stretch inverts other bits, and there is no such correlation. Units that are
less than a stretch apart have one of about 1e-5 at most.
"""

from keras import ops

from kdropout.noise.dither import BITS
from kdropout.noise.half_precision import neighbours

# How many there are between the probabilities 0 and 1: as fine as float32 below 1.
LEVELS = 256 * 2**BITS


def keep_and_scale(draw, rate, dtype):
    """Which units to keep, and by what to multiply them.

    Nothing is dropped at rate 0 and everything at rate 1. The expectation of
    `where(keep, scale, 0)` is exactly 1 below rate 1: `scale` is the inverse of the
    keep probability used. Where `dtype` cannot hold that number, each unit gets one of
    its two neighbours with the probabilities that average to it.

    Args:
        draw: Random numbers of all units. `draw.compare(level, below=None)` returns
            which units are below a level, a float32 scalar tensor of at most three
            quarters of `LEVELS`: with probability `level / LEVELS`. If `below` is a
            boolean scalar tensor that is false, it returns the others. Comparisons are
            nested: a unit below a level is below a higher one.
        rate: Float32 scalar tensor in [0, 1].
        dtype: Floating dtype of `scale`.

    Returns:
        Tuple of a boolean tensor of the shape of the draw, and `scale`: a scalar, or a
        tensor of that shape in float16 and bfloat16.
    """
    num_kept, num_dropped, mostly = split_levels(rate)
    # Of dropping and keeping, draw what is rarer: either is exact, down to 0.
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


def split_levels(rate):
    """How many of the levels keep and how many drop, and whether most drop.

    Both are whole numbers: a float32 in [0.5, 1] is a multiple of 2^-24, and so is 1
    minus any float32 in [0, 1]. At a NaN rate most do not drop: it keeps all units,
    and multiplies them by NaN.
    """
    num_kept = (1.0 - rate) * LEVELS
    return num_kept, LEVELS - num_kept, rate > 0.5
