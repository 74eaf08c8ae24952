"""Dropout in the early phase only."""

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, rate_argument

SHAPES = ("linear", "constant")


@keras.saving.register_keras_serializable(package="kdropout")
class EarlyDropout(RateSchedule):
    """Dropout for the first `steps` steps, then none: helps networks that underfit.

        linear:    rate * (1 - step / (steps - 1)) for step < steps, then 0
        constant:  rate for step < steps, then 0

    Args:
        rate: Float in [0, 1], the rate at step 0.
        steps: Integer of at least 1, training steps until dropout ends (of at least
            2 for a linear shape).
        shape: "linear" or "constant". Defaults to "linear".

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> float(kdropout.schedules.EarlyDropout(0.1, steps=1000)(1000))
    0.0

    Reference:
        Liu et al. 2023, "Dropout reduces underfitting", arXiv:2303.01500.
    """

    def __init__(self, rate, steps, shape="linear"):
        self.rate = rate_argument("rate", rate)
        self.shape = validation.choice("shape", shape, SHAPES)
        low = 2 if shape == "linear" else 1
        self.steps = validation.integer("steps", steps, low=low)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = self.rate
        if self.shape == "linear":
            rate = rate * (1.0 - ops.minimum(step / float(self.steps - 1), 1.0))
        return ops.where(step < float(self.steps), rate, 0.0)
