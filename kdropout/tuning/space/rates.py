"""The rates that a search may choose from."""

import dataclasses
import functools
import math

from kdropout import _validation
from kdropout._renamed import renamed

SAMPLINGS = ("linear", "log", "reverse_log")
TIES = ("free", "shared", "linear", "rising", "falling")

# From the names of arguments in version 0.1 to their current names.
OLD_NAMES = {"across": "tie"}

# A finer grid is practically a range.
_MOST_POINTS = 10_000


@renamed(OLD_NAMES)
@dataclasses.dataclass(frozen=True)
class Rates:
    """The rates that a search may choose from, for one or several layers.

    Without `step` and `values`, the search may choose any rate between the bounds, like
    a `Float` of KerasTuner. With `values`, it chooses from these rates. With `step`, it
    chooses from a grid, which is an ordered `Choice` of KerasTuner:

        linear:       low + i * step
        log:          low * step ** i
        reverse_log:  high + low - low * step ** i

    Args:
        low: Float in [0, 1], the smallest rate. It must be above 0 for "log" and
            "reverse_log". Defaults to 0.0.
        high: Float in [0, 1] above `low`, the largest rate. Defaults to 0.8.
        step: Float, the distance between points of a grid (above 0). For "log" and
            "reverse_log", it is their ratio (above 1). The grid must end at `high`.
            None for no grid. Defaults to None.
        sampling: "linear", "log" or "reverse_log". Defaults to "linear".
        tie: String, the relation between the rates of the layers of a pattern. Defaults
            to "free".

            - "free": each layer has a separate rate and hyperparameter.
            - "shared": all layers share one rate and hyperparameter.
            - "linear": two hyperparameters set the rates of the first and the last
              layer. The rates in between lie on a line
              (`kdropout.schedules.depth_rates`).
            - "rising", "falling": each layer has a hyperparameter, and the layers get
              their values in increasing or decreasing order.
        default: Float, the rate of the first trial, which must be one of the rates to
            choose from. None for the one closest to the current rate of the layer.
            Defaults to None.
        values: Sequence of at least two rates to choose from. None for all rates
            between the bounds. Defaults to None.
        across: Deprecated name of `tie`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or the grid does not end at `high`.

    Example:

    >>> from kdropout import tuning
    >>> tuning.Rates(0.0, 0.5, step=0.125).grid
    (0.0, 0.125, 0.25, 0.375, 0.5)
    """

    low: float = 0.0
    high: float = 0.8
    step: float | None = None
    sampling: str = "linear"
    tie: str = "free"
    default: float | None = None
    values: tuple[float, ...] | None = None

    def __post_init__(self):
        for name, check in CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if self.values is not None:
            self._take_values()
        if self.low >= self.high:
            raise _validation.argument_error(
                ValueError,
                "low",
                f"must be below 'high'. Received: low={self.low:g}, high={self.high:g}."
                " To fix a rate, give the number itself.",
            )
        if self.sampling != "linear" and self.low == 0.0:
            raise _validation.argument_error(
                ValueError,
                "low",
                f"must be above 0 for sampling={self.sampling!r}. Received: low=0. Use "
                "a small rate such as 0.001, or sampling='linear'.",
            )
        if self.step is not None:
            self._check_step()
        if self.default is not None:
            self._check_default()

    @functools.cached_property
    def grid(self) -> tuple[float, ...] | None:
        """The rates to choose from in order, or None for all between the bounds."""
        if self.values is not None:
            return self.values
        if self.step is None:
            return None
        points = [self._point(index) for index in range(self._num_steps() + 1)]
        # Round to 12 digits to remove the tail of binary fractions.
        return tuple(round(point, 12) for point in sorted(points))

    @property
    def domain(self):
        """A tuple that is equal for `Rates` with the same rates to choose from."""
        return (self.low, self.high, self.sampling, self.grid)

    def nearest(self, rate: float) -> float:
        """Return the allowed rate that is closest to `rate`."""
        if self.grid is None:
            return min(max(rate, self.low), self.high)
        return min(self.grid, key=lambda point: abs(point - rate))

    def _take_values(self):
        given = (self.low, self.high, self.step, self.sampling)
        lowest, highest = self.values[0], self.values[-1]
        # `dataclasses.replace` passes on the bounds of the values.
        alone = [(0.0, 0.8, None, "linear"), (lowest, highest, None, "linear")]
        if given not in alone:
            raise _validation.argument_error(
                ValueError,
                "values",
                "must be given without 'low', 'high', 'step' and 'sampling'. "
                f"Received: values={self.values!r} and at least one of these.",
            )
        self._keep(low=lowest, high=highest)

    def _check_step(self):
        linear = self.sampling == "linear"
        floor = 0.0 if linear else 1.0
        step = _validation.number("step", self.step, floor, open_low=True)
        self._keep(step=step)
        span = self.high - self.low if linear else math.log(self.high / self.low)
        count = span / (step if linear else math.log(step))
        if count > _MOST_POINTS:
            raise _validation.argument_error(
                ValueError,
                "step",
                f"must make at most {_MOST_POINTS} points. Received: step={step:g}, "
                f"which makes {count:.0f}. Leave it out to search all rates between "
                "the bounds.",
            )
        number = round(count)
        if number < 1 or abs(count - number) > 1e-6:
            whole = max(1, math.floor(count))
            end = self.low + whole * step if linear else self.low * step**whole
            hint = f" Use high={end:.6g}." if end <= 1.0 else ""
            kind = "a whole number of steps" if linear else "a whole power of the step"
            raise _validation.argument_error(
                ValueError,
                "step",
                f"must lead from 'low' to 'high' in {kind}. Received: "
                f"low={self.low:g}, high={self.high:g}, step={step:g}.{hint}",
            )

    def _check_default(self):
        default = _validation.number("default", self.default, self.low, self.high)
        near = self.nearest(default)
        if abs(near - default) > 1e-9:
            raise _validation.argument_error(
                ValueError,
                "default",
                "must be one of the rates to choose from. Received: "
                f"default={default:g}. The nearest is {near:g}.",
            )
        self._keep(default=near)

    def _num_steps(self):
        if self.sampling == "linear":
            return round((self.high - self.low) / self.step)
        return round(math.log(self.high / self.low) / math.log(self.step))

    def _point(self, index):
        if self.sampling == "linear":
            return min(self.low + index * self.step, self.high)
        point = min(self.low * self.step**index, self.high)
        return point if self.sampling == "log" else self.high + self.low - point

    def _keep(self, **fields):
        for name, value in fields.items():
            object.__setattr__(self, name, value)


def _rate(name, value):
    return _validation.number(name, value, 0.0, 1.0)


def _optional_rate(name, value):
    return None if value is None else _rate(name, value)


def _sampling(name, value):
    return _validation.choice(name, value, SAMPLINGS)


def _step(name, value):
    if value is None:
        return None
    return _validation.number(name, value, 0.0, open_low=True)


def _tie(name, value):
    return _validation.choice(name, value, TIES)


def _values(name, value):
    if value is None:
        return None
    expected = "a sequence of at least two different rates"
    if not isinstance(value, (list, tuple)):
        raise _validation.type_error(name, expected, value)
    rates = set()
    for index, rate in enumerate(value):
        try:
            rates.add(_rate(name, rate))
        except (TypeError, ValueError) as error:
            error.key = (name, index)
            raise
    if len(rates) < 2 or len(rates) < len(value):
        raise _validation.value_error(name, expected, value)
    return tuple(sorted(rates))


# Checks of single arguments. Each function returns the value to store, or raises.
CHECKS = {
    "low": _rate,
    "high": _rate,
    "step": _step,
    "sampling": _sampling,
    "tie": _tie,
    "default": _optional_rate,
    "values": _values,
}
