"""A random byte for each unit.

Drawing random bits is nearly all of what dropout costs, and a mask needs few of them:
at rate 0.5 a single one. Here every unit has eight of its own, and sixteen more that
are not drawn for it:

    number = 8 bits, independent for each unit
    order  = 16 bits, which all stretches of 4072 units have in common
    drop   where number * 2^16 + order < level,   level = rate * 2^24

The sum is uniform over 2^24 values, so the probability of each unit is exact. Only for
one value of `number` does `order` decide, so this is a comparison of bytes, with a
threshold for each place in a stretch: `level / 2^16`, rounded up or down.

`order` is a fixed sequence, at each call begun at another place and with other bits
inverted: over the calls, each place has each value as often. Within a call, its values
are spread evenly, so that the rounded thresholds average to the rate: the share dropped
of a call varies no more than that of independent units.

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

_STEPS = 2**BITS
_LEVELS = 256 * _STEPS


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

    def level(self, probability):
        """The level nearest to a probability in [0, 0.5]: an int32 scalar tensor."""
        return ops.cast(probability * float(_LEVELS) + 0.5, "int32")

    def probability(self, level):
        """The exact probability of being below a level: a float32 scalar tensor."""
        return ops.cast(level, "float32") * (1.0 / _LEVELS)

    def below(self, level, complement=None):
        """Which units are below a level, of at most three quarters of all.

        Args:
            level: Int32 scalar tensor.
            complement: Boolean scalar tensor, whether to tell those that are not.
                Defaults to None: no.

        Returns:
            Boolean tensor of the shape of the mask.
        """
        thresholds = ops.right_shift(level + (_STEPS - 1) - self._order, BITS)
        thresholds = ops.cast(thresholds, self._numbers.dtype)
        below = backend.active().compare(self._numbers, thresholds, complement)
        return ops.reshape(ops.reshape(below, (-1,))[: self._count], self._shape)
