"""The ramps that a search may choose from."""

import dataclasses

from kdropout import _validation
from kdropout._renamed import renamed
from kdropout.rate_rules.ramped import MOST_STEPS
from kdropout.schedules import CURVES, Ramp
from kdropout.tuning.space.rates import Rates

# From each part of a ramp to its argument. Hyperparameters are named by the part, so
# that searches of version 0.1, where `curve` was called `shape`, can be resumed.
ARGUMENTS = {"start": "start", "end": "end", "steps": "steps", "shape": "curve"}

# From the names of arguments in version 0.1 to their current names.
OLD_NAMES = {"across": "tie", "shape": "curve"}


@renamed(OLD_NAMES)
@dataclasses.dataclass(frozen=True)
class Schedules:
    """The ramps (`kdropout.schedules.Ramp`) that a search may choose from.

    A number or a single curve is fixed. A pair, `Rates` or a sequence of curves is
    searched, and each of these becomes a hyperparameter.

    Args:
        start: Float in [0, 1], a pair of bounds, or `Rates`: the rate at step 0.
        end: Float in [0, 1], a pair of bounds, or `Rates`: the rate from step `steps`
            on.
        steps: Integer of at least 1, or a pair of bounds: the length of the ramp in
            training steps of the layer.
        curve: "linear", "cosine" or "exponential", or a sequence of several to choose
            from. Its hyperparameter is called "shape". Defaults to "linear".
        tie: "free" for a separate ramp for each layer of a pattern, or "shared" for one
            ramp for all of them. Defaults to "free".
        shape: Deprecated name of `curve`.
        across: Deprecated name of `tie`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or an exponential ramp may start or
            end at 0.

    Example:

    >>> from kdropout import tuning
    >>> space = tuning.Schedules(start=0.0, end=(0.1, 0.6), steps=1000)
    >>> space.end
    Rates(low=0.1, high=0.6, step=None, sampling='linear', tie='free', default=None,
        values=None)
    """

    start: float | tuple[float, float] | Rates
    end: float | tuple[float, float] | Rates
    steps: int | tuple[int, int]
    curve: str | tuple[str, ...] = "linear"
    tie: str = "free"

    def __post_init__(self):
        for name, check in CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        curves = self.curve if isinstance(self.curve, tuple) else (self.curve,)
        for name in ("start", "end"):
            value = getattr(self, name)
            low = value.low if isinstance(value, Rates) else value
            if "exponential" in curves and low == 0.0:
                raise _validation.argument_error(
                    ValueError,
                    name,
                    "must be above 0 for curve='exponential'. Received: "
                    f"{name}={value!r}. Use a small rate such as 0.001, or another "
                    "curve.",
                )

    def searched(self) -> dict[str, Rates | tuple]:
        """Return the parts of the ramp that are searched.

        Returns:
            Dict from "start", "end", "steps" or "shape" to `Rates` or a tuple.
        """
        parts = {part: getattr(self, name) for part, name in ARGUMENTS.items()}
        return {
            part: value
            for part, value in parts.items()
            if isinstance(value, (Rates, tuple))
        }

    def ramp(self, chosen: dict) -> Ramp:
        """Return a `Ramp` with the fixed parts and the values of the dict `chosen`."""
        parts = {part: getattr(self, name) for part, name in ARGUMENTS.items()}
        parts.update(chosen)
        return Ramp(parts["start"], parts["end"], parts["steps"], curve=parts["shape"])


def _rates(name, value):
    expected = "a number in [0, 1], a pair (low, high), or Rates"
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise _validation.value_error(name, expected, value)
        return pair_of_rates((name,), f"'{name}'", value)
    if isinstance(value, Rates):
        if value.tie != "free":
            raise _validation.argument_error(
                ValueError,
                name,
                "must be Rates without 'tie', because 'tie' is an argument of "
                f"Schedules. Received: tie={value.tie!r}",
            )
        return value
    try:
        return _validation.number(name, value, 0.0, 1.0)
    except TypeError:
        raise _validation.type_error(name, expected, value) from None


def pair_of_rates(key, where, pair):
    """Return the `Rates` between two bounds. An error names the index of a bound."""
    try:
        return Rates(*pair)
    except (TypeError, ValueError) as error:
        error.key = (("low", "high").index(error.argument),)
        raise _validation.error_within(error, key, where) from None


def _steps(name, value):
    expected = "an integer of at least 1, or a pair (low, high) of them"
    if not isinstance(value, (list, tuple)):
        try:
            return _count(name, value)
        except TypeError:
            raise _validation.type_error(name, expected, value) from None
    if len(value) != 2:
        raise _validation.value_error(name, expected, value)
    low, high = (_count(name, bound) for bound in value)
    if low >= high:
        raise _validation.argument_error(
            ValueError,
            name,
            "must be a pair (low, high) with low below high. Received: "
            f"{name}={value!r}. To fix the steps, give one number.",
        )
    return low, high


def _count(name, value):
    value = _validation.integer(name, value, low=1)
    if value > MOST_STEPS:
        raise _validation.value_error(name, f"at most {MOST_STEPS}", value)
    return value


def _curves(name, value):
    if isinstance(value, str):
        return _validation.choice(name, value, CURVES)
    options = ", ".join(map(repr, CURVES))
    expected = f"one of {options}, or a sequence of several"
    if not isinstance(value, (list, tuple)):
        raise _validation.type_error(name, expected, value)
    curves = tuple(_validation.choice(name, curve, CURVES) for curve in value)
    if not curves or len(set(curves)) < len(curves):
        raise _validation.value_error(name, expected, value)
    return curves if len(curves) > 1 else curves[0]


def _tie(name, value):
    return _validation.choice(name, value, ("free", "shared"))


# Checks of single arguments. Each function returns the value to store, or raises.
CHECKS = {
    "start": _rates,
    "end": _rates,
    "steps": _steps,
    "curve": _curves,
    "tie": _tie,
}
