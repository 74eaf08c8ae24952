"""The algorithm of the masks, with random numbers of any backend.

On a CPU, drawing random bits is nearly the whole cost of dropout. A mask needs few
bits: at rate 0.5, one bit per unit. So each unit has eight random bits, and shares
sixteen more with other units:

    number    = 8 bits, independent for each unit
    dither    = 16 bits, the same for every stretch of 4072 units
    threshold = (level + dither) / 2^16, rounded down,   level = rate * 2^24
    drop      where number < threshold

Each place in a stretch has a threshold: `level / 2^16`, rounded up or down. The mean
over all values of the dither is `level / 2^16` itself, so the probability of each unit
is exact to 2^-24. `kdropout.noise.dither` has the sequence.

On an accelerator, where bits cost little, each unit has its own word instead.

The price is a small correlation. Within one call, units at the same place of two
stretches share a threshold. Their correlation is at most
`f (1 - f) / 65536 / (p (1 - p))`, with `p` the rate and `f` the fractional part of
`256 p`: 1.5e-5 at rate 0.5, and 3e-3 at 0.001. The length of a stretch is not a
multiple of the usual widths of layers, so the two units are not the same unit in two
samples. JAX is faster with stretches of 4096. There, each stretch inverts other bits,
which removes this correlation. Units that are less than a stretch apart have a
correlation of about 1e-5 at most.
"""

from keras import ops

from kdropout.noise.dither import BITS
from kdropout.noise.half_precision import neighbours

# The number of levels between the probabilities 0 and 1, as fine as float32 below 1.
LEVELS = 256 * 2**BITS


def keep_and_scale(draw, rate, dtype):
    """Return a mask of the units to keep, and the scale of these units.

    Nothing is dropped at rate 0, and everything at rate 1. Below rate 1, the
    expectation of `where(keep, scale, 0)` is exactly 1: `scale` is the inverse of the
    probability of keeping. If `dtype` cannot hold that number, each unit takes one of
    the two neighbours, with the probabilities that average to it.

    Args:
        draw: Random numbers of all units. `draw.compare(level, below=None)` returns a
            mask of the units below a level, a float32 scalar tensor of at most three
            quarters of `LEVELS`. A unit is below it with probability
            `level / LEVELS`. If `below` is a boolean scalar tensor that is false, the
            mask is inverted. A unit below a level is also below any higher one.
        rate: Float32 scalar tensor in [0, 1].
        dtype: Floating-point dtype of `scale`.

    Returns:
        Tuple of a boolean tensor of the shape of the draw, and `scale`: a scalar, or a
        tensor of that shape in float16 and bfloat16.
    """
    num_kept, num_dropped, mostly = split_levels(rate)
    # Draw the rarer of dropping and keeping: its probability is exact, down to 0.
    keep = draw.compare(ops.minimum(num_kept, num_dropped), below=mostly)
    scale = ops.divide_no_nan(LEVELS, num_kept)
    nearest, other, share = neighbours(scale, dtype)
    if other is None:
        return keep, nearest
    # These units lie next to the dropped ones, or among the kept ones if those are
    # rarer.
    first = ops.where(mostly, 0.0, num_dropped)
    use_other = draw.compare(first + ops.round(num_kept * share))
    # Exact, because the dtype holds the difference of neighbours. Selecting is slower.
    return keep, nearest + ops.cast(use_other, dtype) * (other - nearest)


def split_levels(rate):
    """Return the numbers of levels that keep and that drop, and whether most drop."""
    # Both are whole numbers: a float32 in [0.5, 1] is a multiple of 2^-24, and so is 1
    # minus any float32 in [0, 1]. A NaN rate keeps all units and scales them by NaN.
    num_kept = (1.0 - rate) * LEVELS
    return num_kept, LEVELS - num_kept, rate > 0.5
