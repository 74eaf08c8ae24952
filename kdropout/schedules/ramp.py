"""From one rate to another."""

import math

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, progress, rate_argument

SHAPES = ("linear", "cosine", "exponential")


@keras.saving.register_keras_serializable(package="kdropout")
class Ramp(RateSchedule):
    """Moves the rate from `start` to `end` over `steps` steps, and holds it there.

    With `s` the share of the way, from 0 to 1:

        linear:       start + (end - start) * s
        cosine:       start + (end - start) * (1 - cos(pi * s)) / 2
        exponential:  start * (end / start) ** s

    `Ramp(0.5, 0.0, n)` is annealed dropout.

    Args:
        start: Float in [0, 1], the rate up to step `begin`.
        end: Float in [0, 1], the rate from step `begin + steps` on.
        steps: Integer of at least 1, length of the ramp in training steps.
        begin: Integer of at least 0, step at which it begins. Defaults to 0.
        shape: "linear", "cosine" or "exponential". Defaults to "linear".

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or an exponential ramp starts or
            ends at 0.

    Example:

    >>> float(kdropout.schedules.Ramp(0.5, 0.1, steps=100)(50))
    0.30000001192092896

    Reference:
        Rennie, Goel, Thomas 2014, "Annealed dropout training of deep networks",
        IEEE SLT.
    """

    def __init__(self, start, end, steps, begin=0, shape="linear"):
        self.start = rate_argument("start", start)
        self.end = rate_argument("end", end)
        self.steps = validation.integer("steps", steps, low=1)
        self.begin = validation.integer("begin", begin)
        self.shape = validation.choice("shape", shape, SHAPES)
        if shape == "exponential" and 0.0 in (self.start, self.end):
            raise ValueError(
                "'start' and 'end' must be above 0 for shape='exponential'. "
                f"Received: start={start!r}, end={end!r}. Use shape='cosine', or a "
                "small rate such as 0.001."
            )

    def __call__(self, step):
        share = progress(step, self.begin, self.steps)
        if self.shape == "exponential":
            logarithm = (
                math.log(self.start) * (1.0 - share) + math.log(self.end) * share
            )
            rate = ops.where(share < 1.0, ops.exp(logarithm), self.end)
            rate = ops.where(share > 0.0, rate, self.start)
            # Rounding must not carry it beyond an end, least of all beyond 1.
            low, high = sorted((self.start, self.end))
            return ops.clip(rate, low, high)
        if self.shape == "cosine":
            share = (1.0 - ops.cos(math.pi * share)) / 2.0
        # This form gives start and end exactly, and nothing beyond them.
        return self.start * (1.0 - share) + self.end * share
