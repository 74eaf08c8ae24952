"""Curriculum dropout."""

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, rate_argument


@keras.saving.register_keras_serializable(package="kdropout")
class Curriculum(RateSchedule):
    """Starts without dropout and approaches `rate`: the task grows harder.

        rate(step) = rate * (1 - exp(-gamma * step))

    Args:
        rate: Float in [0, 1], the rate approached.
        gamma: Float above 0, speed per training step. The authors used 1e-3 on
            MNIST and 1e-4 on larger sets; 10 divided by the number of training
            steps is their rule of thumb.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is out of range.

    Example:

    >>> float(kdropout.schedules.Curriculum(0.5, gamma=1e-3)(0))
    0.0

    Reference:
        Morerio et al. 2017, "Curriculum dropout", arXiv:1703.06229.
    """

    def __init__(self, rate, gamma):
        self.rate = rate_argument("rate", rate)
        self.gamma = validation.number(
            "gamma", gamma, 0.0, validation.FLOAT32_MAX, open_low=True
        )

    def __call__(self, step):
        return -self.rate * ops.expm1(-self.gamma * ops.cast(step, "float32"))
