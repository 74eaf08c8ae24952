"""A rate that rises and falls."""

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, rate_argument


@keras.saving.register_keras_serializable(package="kdropout")
class Cyclic(RateSchedule):
    """Rises linearly from `low` to `high` in half a period, and falls back.

        rate(step) = low + (high - low) * (1 - |1 - 2 * frac(step / period)|)

    Args:
        low: Float in [0, 1], the rate at the start of each period.
        high: Float in [0, 1], of at least `low`: the rate in the middle of each.
        period: Integer of at least 2, length of a period in training steps.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> float(kdropout.schedules.Cyclic(0.0, 0.5, period=100)(150))
    0.5

    Reference:
        The triangular policy of Smith 2017, "Cyclical learning rates for training
        neural networks", arXiv:1506.01186, applied to the dropout rate.
    """

    def __init__(self, low, high, period):
        self.low = rate_argument("low", low)
        self.high = validation.number("high", high, self.low, 1.0)
        self.period = validation.integer("period", period, low=2)

    def __call__(self, step):
        period = float(self.period)
        phase = ops.mod(ops.cast(step, "float32"), period) / period
        share = 1.0 - ops.abs(1.0 - 2.0 * phase)
        return self.low * (1.0 - share) + self.high * share
