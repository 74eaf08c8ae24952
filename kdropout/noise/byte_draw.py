"""A random byte for each unit.

Drawing random bits is nearly all of what dropout costs, and a mask needs few of them:
at rate 0.5 a single one. Here every unit has eight of its own, and sixteen more that
are not drawn for it:

    number    = 8 bits, independent for each unit
    order     = 16 bits, which all stretches of 4072 units have in common
    threshold = (level + order) / 2^16, rounded down,   level = rate * 2^24
    drop      where number < threshold

So each place in a stretch has a threshold, `level / 2^16` rounded up or down, and the
mean over all values of `order` is that very number: the probability of each unit is
exact, to 2^-24.

`order` is a fixed sequence, at each call begun at another place and with other bits
inverted: over the calls, each place has each value as often. Within a call, its values
are spread evenly, so that the rounded thresholds average to the rate: the share dropped
of a call varies no more than that of independent units.

On an accelerator, where bits cost little, a word is drawn for each unit instead: see
`word_draw`, and `on_torch_gpu`.

What it costs: within one call, units at the same place of two stretches have a
threshold in common, and so a correlation of at most `f (1 - f) / 65536 / (p (1 - p))`,
with `p` the rate and `f` the part of `256 p` behind the point: 1.5e-5 at rate 0.5, 3e-3
at 0.001. The length of a stretch is no multiple of the widths that layers have, so
these are not the same unit of other samples. On JAX, which is faster with stretches of
4096, each of them inverts other bits, and there is no such correlation. Units that are
less than a stretch apart have one of about 1e-5 at most.
"""

from keras import ops

from kdropout.noise import backend
from kdropout.noise.order import BITS

# How many there are between the probabilities 0 and 1: as fine as float32 below 1.
LEVELS = 256 * 2**BITS


class ByteDraw:
    """A random byte for each unit, and comparisons of it with probabilities.

    Comparisons of one draw are nested: what is below a level is below a higher one.

    Args:
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        seed: Two integers, as a tensor.
    """

    def __init__(self, shape, seed):
        self._shape = tuple(shape)
        self._count = 1
        for size in self._shape:
            self._count = self._count * size
        self._numbers, self._order = backend.active().random_bytes(self._count, seed)

    def compare(self, level, below=None):
        """Which units are below a level, or which are not.

        Args:
            level: Float32 scalar tensor, at most three quarters of `LEVELS`: a unit
                is below it with probability `level / LEVELS`.
            below: Boolean scalar tensor, whether to tell those below it or the others.
                Defaults to None: those below it.

        Returns:
            Boolean tensor of the shape of the mask.
        """
        thresholds = ops.right_shift(ops.cast(level, "int32") + self._order, BITS)
        thresholds = ops.cast(thresholds, self._numbers.dtype)
        units = backend.active().compare(self._numbers, thresholds, below)
        return ops.reshape(ops.reshape(units, (-1,))[: self._count], self._shape)
