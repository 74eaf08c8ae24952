"""Dropout in the late phase only."""

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, rate_argument


@keras.saving.register_keras_serializable(package="kdropout")
class LateDropout(RateSchedule):
    """No dropout for the first `steps` steps, then `rate`: once overfitting begins.

    Args:
        rate: Float in [0, 1], the rate from step `steps` on.
        steps: Integer of at least 1, training steps without dropout.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> schedule = kdropout.schedules.LateDropout(0.5, steps=1000)
    >>> float(schedule(999)), float(schedule(1000))
    (0.0, 0.5)

    Reference:
        Liu et al. 2023, "Dropout reduces underfitting", arXiv:2303.01500.
    """

    def __init__(self, rate, steps):
        self.rate = rate_argument("rate", rate)
        self.steps = validation.integer("steps", steps, low=1)

    def __call__(self, step):
        return ops.where(ops.cast(step, "float32") < float(self.steps), 0.0, self.rate)
