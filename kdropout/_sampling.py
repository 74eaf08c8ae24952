"""A scope in which dropout is on and everything else is in inference mode.

`model(x, training=True)` also switches dropout on, but it normalises by the statistics
of the batch, updates them, and advances every schedule.
"""

import contextlib
import contextvars
from typing import Any

from keras import ops

_SCOPE = contextvars.ContextVar("kdropout_sampling", default=None)

# Spreads the calls of one pass over the seeds: an odd number near 2^31 / golden ratio.
_CALL_STRIDE = 0x4F1BBCDD


class SamplingScope:
    """Hands out the seeds of one pass through a model, and writes no variable."""

    # The calls of dropout layers are counted in Python, in the order in which the pass
    # is traced. So each call has other masks, and the same ones for the same `seed`.

    def __init__(self, seed):
        self._seed = seed
        self._num_calls = 0

    def next_seed(self, layer):
        """The seed of the next call: an int32 tensor of two numbers of 31 bits."""
        self._num_calls += 1
        offset = (self._num_calls * _CALL_STRIDE) % 2**31
        first = ops.bitwise_xor(self._seed[0], offset)
        return ops.stack([first, self._seed[1]])

    def note_dropped(self, drop):
        """Receive the mask of a call: 1 or True where a unit is dropped."""


@contextlib.contextmanager
def sampling(seed, scope=SamplingScope):
    """Switch all dropout layers on, with the masks of `seed`, two 31-bit integers."""
    active = scope(seed)
    token = _SCOPE.set(active)
    try:
        yield active
    finally:
        _SCOPE.reset(token)


def active_scope():
    """The innermost `SamplingScope`, or None."""
    return _SCOPE.get()


def note_dropped(drop: Any) -> None:
    """Report which units a call of a layer drops.

    Call it in the `apply_noise` of a new layer. `kdropout.drop_fractions` and
    `kdropout.callbacks.TensorBoardRates` compute the share of dropped units from it.
    At any other time, this function does nothing.

    Args:
        drop: Tensor of any shape: 1 or True where a unit is dropped, and a number
            between 0 and 1 where the mask is relaxed.

    Example:

    >>> kdropout.layers.note_dropped(np.array([True, False]))
    """
    scope = active_scope()
    if scope is not None:
        scope.note_dropped(drop)
