"""From one rate to another."""

import math

import keras
from keras import ops

from kdropout import validation
from kdropout.schedules.base import RateSchedule, progress, rate_argument

# Below what float32 holds in full, a logarithm would be infinite on some backends.
_SMALLEST = 1e-37


def linear(start, end, share):
    """The rate at `share` of the way: numbers or float32 tensors."""
    # This form gives start and end exactly, and nothing beyond them.
    return start * (1.0 - share) + end * share


def cosine(start, end, share):
    """As `linear`, with a slow beginning and end."""
    return linear(start, end, (1.0 - ops.cos(math.pi * share)) / 2.0)


def exponential(start, end, share):
    """As `linear`, in the logarithm of the rate. No end may be 0."""
    start, end = (ops.convert_to_tensor(rate, "float32") for rate in (start, end))
    logarithms = [ops.log(ops.maximum(rate, _SMALLEST)) for rate in (start, end)]
    rate = ops.where(share < 1.0, ops.exp(linear(*logarithms, share)), end)
    rate = ops.where(share > 0.0, rate, start)
    # Rounding must not carry it beyond an end, least of all beyond 1.
    low, high = ops.minimum(start, end), ops.maximum(start, end)
    return ops.minimum(ops.maximum(rate, low), high)


FORMULAS = {"linear": linear, "cosine": cosine, "exponential": exponential}
SHAPES = tuple(FORMULAS)


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
        return FORMULAS[self.shape](self.start, self.end, share)
