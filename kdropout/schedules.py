"""Schedules: stateless, serialisable functions from the training step to the rate."""

import inspect
import math
from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops

from kdropout import _validation
from kdropout._renamed import renamed, with_new_names

__all__ = [
    "Curriculum",
    "Cyclic",
    "EarlyDropout",
    "Join",
    "LateDropout",
    "Ramp",
    "RateSchedule",
    "depth_rates",
]


def __dir__():
    return __all__


# The names that arguments had in version 0.1, and those they have now.
_OLD_NAMES = {"shape": "curve"}

# Below what float32 holds in full, a logarithm would be infinite on some backends.
_SMALLEST = 1e-37


class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Base class of schedules whose constructor ensures that they stay in [0, 1].

    A subclass stores each constructor argument under its own name, and implements
    `__call__(step)` with `keras.ops`.

    Attributes:
        stays_in_unit_interval: True, so that a layer does not check each step.
    """

    stays_in_unit_interval = True

    def get_config(self) -> dict[str, Any]:
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def _linear(start, end, share):
    """The rate at `share` of the way: numbers or float32 tensors."""
    # This form gives start and end exactly, and nothing beyond them.
    return start * (1.0 - share) + end * share


def _cosine(start, end, share):
    """Like `_linear`, with a slow beginning and end."""
    return _linear(start, end, (1.0 - ops.cos(math.pi * share)) / 2.0)


def _exponential(start, end, share):
    """Like `_linear`, in the logarithm of the rate. Neither end may be 0."""
    start, end = (ops.convert_to_tensor(rate, "float32") for rate in (start, end))
    logarithms = [ops.log(ops.maximum(rate, _SMALLEST)) for rate in (start, end)]
    rate = ops.where(share < 1.0, ops.exp(_linear(*logarithms, share)), end)
    rate = ops.where(share > 0.0, rate, start)
    # Rounding must not carry the rate beyond an end, which may be 1.
    low, high = ops.minimum(start, end), ops.maximum(start, end)
    return ops.minimum(ops.maximum(rate, low), high)


FORMULAS = {"linear": _linear, "cosine": _cosine, "exponential": _exponential}
CURVES = tuple(FORMULAS)


@keras.saving.register_keras_serializable(package="kdropout")
@renamed(_OLD_NAMES)
class Ramp(RateSchedule):
    """Moves the rate from `start` to `end` over `steps` steps, and holds it there.

    With `s` the share of the steps that have passed, from 0 to 1:

        linear:       start + (end - start) * s
        cosine:       start + (end - start) * (1 - cos(pi * s)) / 2
        exponential:  start * (end / start) ** s

    `Ramp(0.5, 0.0, n)` is annealed dropout.

    Args:
        start: Float in [0, 1], the rate up to step `begin`.
        end: Float in [0, 1], the rate from step `begin + steps` on.
        steps: Integer of at least 1, the length of the ramp in training steps.
        begin: Integer of at least 0, the step at which the ramp begins. Defaults to 0.
        curve: "linear", "cosine" or "exponential". Defaults to "linear".
        shape: Deprecated name of `curve`.

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

    def __init__(
        self,
        start: float,
        end: float,
        steps: int,
        begin: int = 0,
        curve: str = "linear",
    ) -> None:
        self.start = _rate("start", start)
        self.end = _rate("end", end)
        self.steps = _validation.integer("steps", steps, low=1)
        self.begin = _validation.integer("begin", begin)
        self.curve = _validation.choice("curve", curve, CURVES)
        if self.curve == "exponential" and 0.0 in (self.start, self.end):
            raise ValueError(
                "'start' and 'end' must be above 0 for curve='exponential'. "
                f"Received: start={start!r}, end={end!r}. Use curve='cosine', or a "
                "small rate such as 0.001."
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        # Files that version 0.1 saved have the old name.
        return cls(**with_new_names(config, _OLD_NAMES))

    def __call__(self, step: Any) -> Any:
        # Floats, because JAX takes no Python integer above 2^31 - 1.
        elapsed = ops.cast(step, "float32") - float(self.begin)
        share = ops.clip(elapsed / float(self.steps), 0.0, 1.0)
        return FORMULAS[self.curve](self.start, self.end, share)


@keras.saving.register_keras_serializable(package="kdropout")
class Curriculum(RateSchedule):
    """Starts without dropout and approaches `rate`, so that the task grows harder.

        rate(step) = rate * (1 - exp(-gamma * step))

    Args:
        rate: Float in [0, 1], the rate that the schedule approaches.
        gamma: Float above 0, the speed per training step. The authors used 1e-3 on
            MNIST and 1e-4 on larger sets. Their rule of thumb is 10 divided by the
            number of training steps.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is out of range.

    Example:

    >>> float(kdropout.schedules.Curriculum(0.5, gamma=1e-3)(0))
    0.0

    Reference:
        Morerio et al. 2017, "Curriculum dropout", arXiv:1703.06229.
    """

    def __init__(self, rate: float, gamma: float) -> None:
        self.rate = _rate("rate", rate)
        self.gamma = _validation.number(
            "gamma", gamma, 0.0, _validation.FLOAT32_MAX, open_low=True
        )

    def __call__(self, step: Any) -> Any:
        return -self.rate * ops.expm1(-self.gamma * ops.cast(step, "float32"))


@keras.saving.register_keras_serializable(package="kdropout")
@renamed(_OLD_NAMES)
class EarlyDropout(RateSchedule):
    """Applies dropout only in the first `steps` steps, for networks that underfit.

        linear:    rate * (1 - step / (steps - 1)) for step < steps, then 0
        constant:  rate for step < steps, then 0

    Args:
        rate: Float in [0, 1], the rate at step 0.
        steps: Integer of at least 1, or at least 2 for a linear curve: the number of
            training steps until dropout ends.
        curve: "linear" or "constant". Defaults to "linear".
        shape: Deprecated name of `curve`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> float(kdropout.schedules.EarlyDropout(0.1, steps=1000)(1000))
    0.0

    Reference:
        Liu et al. 2023, "Dropout reduces underfitting", arXiv:2303.01500.
    """

    def __init__(
        self,
        rate: float,
        steps: int,
        curve: str = "linear",
    ) -> None:
        self.rate = _rate("rate", rate)
        self.curve = _validation.choice("curve", curve, ("linear", "constant"))
        low = 2 if self.curve == "linear" else 1
        self.steps = _validation.integer("steps", steps, low=low)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        # Files that version 0.1 saved have the old name.
        return cls(**with_new_names(config, _OLD_NAMES))

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rate = self.rate
        if self.curve == "linear":
            rate = rate * (1.0 - ops.minimum(step / float(self.steps - 1), 1.0))
        return ops.where(step < float(self.steps), rate, 0.0)


@keras.saving.register_keras_serializable(package="kdropout")
class LateDropout(RateSchedule):
    """Applies dropout only after `steps` steps, when overfitting begins.

    The rate is 0 before, and `rate` from then on.

    Args:
        rate: Float in [0, 1], the rate from step `steps` on.
        steps: Integer of at least 1, the number of training steps without dropout.

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

    def __init__(self, rate: float, steps: int) -> None:
        self.rate = _rate("rate", rate)
        self.steps = _validation.integer("steps", steps, low=1)

    def __call__(self, step: Any) -> Any:
        return ops.where(ops.cast(step, "float32") < float(self.steps), 0.0, self.rate)


@keras.saving.register_keras_serializable(package="kdropout")
class Cyclic(RateSchedule):
    """Rises linearly from `low` to `high` in half a period, and falls back.

        rate(step) = low + (high - low) * (1 - |1 - 2 * frac(step / period)|)

    Args:
        low: Float in [0, 1], the rate at the start of each period.
        high: Float in [`low`, 1], the rate in the middle of each period.
        period: Integer of at least 2, the length of a period in training steps.

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

    def __init__(self, low: float, high: float, period: int) -> None:
        self.low = _rate("low", low)
        self.high = _validation.number("high", high, self.low, 1.0)
        self.period = _validation.integer("period", period, low=2)

    def __call__(self, step: Any) -> Any:
        period = float(self.period)
        phase = ops.mod(ops.cast(step, "float32"), period) / period
        share = 1.0 - ops.abs(1.0 - 2.0 * phase)
        return self.low * (1.0 - share) + self.high * share


@keras.saving.register_keras_serializable(package="kdropout")
class Join(RateSchedule):
    """Applies schedules one after another. Each counts steps from its own start.

    Args:
        schedules: Sequence of schedules of this package and of numbers in [0, 1].
        boundaries: Sequence of increasing integers of at least 1, the steps at which
            the next schedule takes over. It has one entry less than `schedules`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If the boundaries do not increase, or their number is wrong.

    Example:

    >>> ramp = kdropout.schedules.Ramp(0.0, 0.5, steps=100)
    >>> schedule = kdropout.schedules.Join([ramp, 0.2], boundaries=[200])
    >>> float(schedule(150)), round(float(schedule(200)), 3)
    (0.5, 0.2)
    """

    def __init__(
        self, schedules: Sequence[RateSchedule | float], boundaries: Sequence[int]
    ) -> None:
        self.schedules = _check_schedules(schedules)
        self.boundaries = _check_boundaries(boundaries, len(self.schedules) - 1)

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        first, *others = self.schedules
        rate = _at(first, step)
        for boundary, schedule in zip(self.boundaries, others, strict=True):
            elapsed = ops.maximum(step - float(boundary), 0.0)
            rate = ops.where(step < float(boundary), rate, _at(schedule, elapsed))
        return rate

    def get_config(self) -> dict[str, Any]:
        serialized = [
            keras.saving.serialize_keras_object(schedule) for schedule in self.schedules
        ]
        return {"schedules": serialized, "boundaries": self.boundaries}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        schedules = [
            keras.saving.deserialize_keras_object(schedule)
            for schedule in config["schedules"]
        ]
        return cls(schedules, config["boundaries"])

    def __repr__(self) -> str:
        return f"Join({self.schedules!r}, boundaries={self.boundaries!r})"


def _at(schedule, step):
    return schedule(step) if callable(schedule) else schedule


def _check_schedules(schedules):
    expected = "a sequence of schedules of kdropout and numbers in [0, 1]"
    if not isinstance(schedules, (list, tuple)):
        raise _validation.type_error("schedules", expected, schedules)
    if not schedules:
        raise _validation.value_error("schedules", expected, schedules)
    for schedule in schedules:
        if callable(schedule) and not isinstance(schedule, RateSchedule):
            # Any other schedule may leave [0, 1].
            raise _validation.type_error("schedules", expected, schedule)
    return [
        schedule if isinstance(schedule, RateSchedule) else _rate("schedules", schedule)
        for schedule in schedules
    ]


def _check_boundaries(boundaries, count):
    expected = f"{count} increasing integers of at least 1, one between two schedules"
    if not isinstance(boundaries, (list, tuple)):
        raise _validation.type_error("boundaries", expected, boundaries)
    boundaries = [
        _validation.integer("boundaries", boundary, low=1) for boundary in boundaries
    ]
    increasing = all(a < b for a, b in zip(boundaries, boundaries[1:], strict=False))
    if len(boundaries) != count or not increasing:
        raise _validation.value_error("boundaries", expected, boundaries)
    return boundaries


def depth_rates(depth: int, last: float, first: float = 0.0) -> list[float]:
    """Return a rate for each of `depth` blocks, rising linearly from `first` to `last`.

    This is the rule of stochastic depth: early blocks are dropped least, because all
    others build on them. The original paper starts at `last / depth` for the first
    block. To follow it, pass this value as `first`.

        rate_l = first + (last - first) * l / (depth - 1),  l = 0 .. depth - 1

    Args:
        depth: Integer of at least 1, the number of blocks.
        last: Float in [0, 1], the rate of the last block.
        first: Float in [0, 1], the rate of the first block. Defaults to 0.

    Returns:
        List of `depth` floats. If there is one block, its rate is `last`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> kdropout.schedules.depth_rates(5, last=0.2)
    [0.0, 0.05, 0.1, 0.15, 0.2]

    Reference:
        Huang et al. 2016, "Deep networks with stochastic depth", arXiv:1603.09382.
    """
    depth = _validation.integer("depth", depth, low=1)
    last = _rate("last", last)
    first = _rate("first", first)
    if depth == 1:
        return [last]
    # Rounding to 15 digits removes the tail of binary fractions, and stays in [0, 1].
    return [
        round(first + (last - first) * index / (depth - 1), 15)
        for index in range(depth)
    ]


def _rate(name, value):
    return _validation.number(name, value, 0.0, 1.0)
