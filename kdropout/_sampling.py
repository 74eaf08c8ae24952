"""A scope in which dropout is on and everything else is in inference mode.

`model(x, training=True)` also switches dropout on, but it normalises by the statistics
of the batch, updates them, and advances every schedule.
"""

import contextlib
import contextvars
from typing import Any

from keras import ops

from kdropout import _validation

_SCOPE = contextvars.ContextVar("kdropout_sampling", default=None)

# The attribute of a model that holds its compiled passes, like `predict_function`.
PASSES = "_kdropout_passes"

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

    def noise_shape(self, layer, shape, inputs_shape):
        """The shape of the noise of a call, from the shape that the layer wants."""
        return shape


class SameMasksScope(SamplingScope):
    """A scope in which all rows of a batch share their masks."""

    def __init__(self, seed, num_rows):
        super().__init__(seed)
        self._num_rows = num_rows

    def noise_shape(self, layer, shape, inputs_shape):
        if isinstance(shape[0], int) and shape[0] == 1:
            return shape
        size = inputs_shape[0]  # TensorFlow does not always know it
        if isinstance(size, int) and size != self._num_rows:
            raise _validation.argument_error(
                ValueError,
                "same_masks",
                "must be False for this model, because the first axis of the inputs "
                f"of layer '{layer.name}' is not the batch. Received: same_masks=True, "
                f"a batch of {self._num_rows}, and inputs of the layer of shape "
                f"{inputs_shape}. Keep the batch on the first axis where you drop.",
            )
        return (1, *shape[1:])


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


def noise_shape(layer, shape, inputs_shape):
    """The shape of the noise of a call, which the active scope may change."""
    scope = active_scope()
    if scope is None:
        return tuple(shape)
    return scope.noise_shape(layer, tuple(shape), tuple(inputs_shape))


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
