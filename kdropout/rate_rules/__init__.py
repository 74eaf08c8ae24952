"""The rules that decide a rate, and functions to write a new rule."""

import keras

from kdropout._types import RateLike
from kdropout.rate_rules.base import FixedRate, RateRule, add_scalar, read, write
from kdropout.rate_rules.learned import LearnedRate
from kdropout.rate_rules.scheduled import ClockedRate, ScheduledRate, stop_unless

__all__ = [
    "ClockedRate",
    "LearnedRate",
    "RateRule",
    "add_scalar",
    "read",
    "resolve",
    "stop_unless",
    "write",
]


def __dir__():
    return __all__


def resolve(rate: RateLike) -> RateRule:
    """Return the rule for the argument `rate` of a layer.

    Args:
        rate: Number in [0, 1]; or a Keras `LearningRateSchedule`, a callable from the
            step to the rate, or a `RateRule`; or the serialised form of one of these.

    Returns:
        A `RateRule`.

    Raises:
        TypeError: If `rate` is not of one of these types.
        ValueError: If it is a number outside [0, 1], or a schedule that starts
            outside [0, 1].
    """
    if isinstance(rate, dict):
        rate = keras.saving.deserialize_keras_object(rate)
    if isinstance(rate, RateRule):
        return rate
    if callable(rate) and not isinstance(rate, type):
        return ScheduledRate(rate)
    return FixedRate(rate)
