"""Base class of the schedules of this package."""

import inspect

import keras
from keras import ops

from kdropout import validation


class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that cannot leave [0, 1]: its constructor has seen to that.

    A subclass stores each constructor argument under its own name, and implements
    `__call__(step)` with `keras.ops`.

    Attributes:
        stays_in_unit_interval: True, so the layer need not check each step.
    """

    stays_in_unit_interval = True

    def get_config(self):
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self):
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def rate_argument(name, value):
    """A constructor's argument that is a rate, as a float."""
    return validation.number(name, value, 0.0, 1.0)


def progress(step, begin, steps):
    """Share of the way from step `begin` to `begin + steps`, within [0, 1]."""
    # Floats, because JAX takes no Python integer above 2^31 - 1.
    elapsed = ops.cast(step, "float32") - float(begin)
    return ops.clip(elapsed / float(steps), 0.0, 1.0)
