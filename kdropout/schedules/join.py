"""Schedules one after another."""

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, rate_argument


@keras.saving.register_keras_serializable(package="kdropout")
class Join(RateSchedule):
    """Plays schedules one after another; each counts its steps from its own start.

    Args:
        schedules: Sequence of schedules of this package and of numbers in [0, 1].
        boundaries: Sequence of increasing integers of at least 1, one fewer than
            schedules: the step at which the next one takes over.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If the boundaries do not increase, or their number does not fit.

    Example:

    >>> ramp = kdropout.schedules.Ramp(0.0, 0.5, steps=100)
    >>> schedule = kdropout.schedules.Join([ramp, 0.2], boundaries=[200])
    >>> float(schedule(150)), round(float(schedule(200)), 3)
    (0.5, 0.2)
    """

    def __init__(self, schedules, boundaries):
        self.schedules = _check_schedules(schedules)
        self.boundaries = _check_boundaries(boundaries, len(self.schedules) - 1)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        first, *others = self.schedules
        rate = _at(first, step)
        for boundary, schedule in zip(self.boundaries, others, strict=True):
            elapsed = ops.maximum(step - float(boundary), 0.0)
            rate = ops.where(step < float(boundary), rate, _at(schedule, elapsed))
        return rate

    def get_config(self):
        serialized = [keras.saving.serialize_keras_object(s) for s in self.schedules]
        return {"schedules": serialized, "boundaries": self.boundaries}

    @classmethod
    def from_config(cls, config):
        schedules = [
            keras.saving.deserialize_keras_object(s) for s in config["schedules"]
        ]
        return cls(schedules, config["boundaries"])

    def __repr__(self):
        return f"Join({self.schedules!r}, boundaries={self.boundaries!r})"


def _at(schedule, step):
    return schedule(step) if callable(schedule) else schedule


def _check_schedules(schedules):
    expected = "a sequence of schedules of kdropout and numbers in [0, 1]"
    if not isinstance(schedules, (list, tuple)):
        raise TypeError(validation.received("schedules", expected, schedules))
    if not schedules:
        raise ValueError(validation.received("schedules", expected, schedules))
    for schedule in schedules:
        if callable(schedule) and not isinstance(schedule, RateSchedule):
            # Of a foreign schedule it is not known where it goes.
            raise TypeError(validation.received("schedules", expected, schedule))
    return [
        s if isinstance(s, RateSchedule) else rate_argument("schedules", s)
        for s in schedules
    ]


def _check_boundaries(boundaries, count):
    expected = f"{count} increasing integers of at least 1, one between two schedules"
    if not isinstance(boundaries, (list, tuple)):
        raise TypeError(validation.received("boundaries", expected, boundaries))
    boundaries = [validation.integer("boundaries", b, low=1) for b in boundaries]
    increasing = all(a < b for a, b in zip(boundaries, boundaries[1:], strict=False))
    if len(boundaries) != count or not increasing:
        raise ValueError(validation.received("boundaries", expected, boundaries))
    return boundaries
