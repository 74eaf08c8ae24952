"""A scope in which dropout is on while all else is in inference mode.

`model(x, training=True)` also draws from the thinned networks, but it normalises by the
statistics of the batch, moves these, and advances every schedule.
"""

import contextlib
import contextvars
from typing import Any

from keras import ops

_SCOPE = contextvars.ContextVar("kdropout_sampling", default=None)

# Spreads the calls of one pass over the seeds: an odd number near 2^31 / golden ratio.
_CALL_STRIDE = 0x4F1BBCDD


class SamplingScope:
    """Hands out the seeds of one pass through a model, writing no variable.

    The calls of dropout layers are counted in Python, in the order in which the pass
    is traced, so each call has other masks, the same at each replay of `seed`.
    """

    def __init__(self, seed):
        self._seed = seed
        self._num_calls = 0

    def next_seed(self, layer):
        """Seed of the next call, one of `layer`: an int32 tensor of two, of 31 bits."""
        self._num_calls += 1
        offset = (self._num_calls * _CALL_STRIDE) % 2**31
        first = ops.bitwise_xor(self._seed[0], offset)
        return ops.stack([first, self._seed[1]])

    def note_dropped(self, drop):
        """Called with what a layer drops: a mask, 1 or True where a unit is dropped."""


@contextlib.contextmanager
def sampling(seed, scope=SamplingScope):
    """Switch all dropout layers of kdropout on, with masks that `seed` decides.

    Args:
        seed: Tensor of two integers in [0, 2**31).
        scope: Class of the scope, which is yielded.
    """
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
    """Report what a call of a layer drops to the scope that measures it.

    Args:
        drop: Mask of any shape: 1 or True where a unit is dropped, between 0 and 1
            where it is relaxed.
    """
    scope = active_scope()
    if scope is not None:
        scope.note_dropped(drop)
