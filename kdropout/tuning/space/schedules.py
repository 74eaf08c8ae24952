"""The ramps that a search may choose from."""

import dataclasses

from kdropout import validation
from kdropout.rate_rules.ramped import MOST_STEPS
from kdropout.schedules import CURVES, Ramp
from kdropout.tuning.space.rates import Rates

PARTS = ("start", "end", "steps", "shape")


@dataclasses.dataclass(frozen=True)
class Schedules:
    """The ramps (`kdropout.schedules.Ramp`) that a search may choose from.

    What is fixed makes no hyperparameter. The steps are training steps of the layer.

    Args:
        start: Float in [0, 1], or a pair of bounds, or `Rates`: the rate at step 0.
        end: As `start`: the rate from step `steps` on.
        steps: Integer of at least 1, or a pair of bounds: length of the ramp in
            training steps.
        shape: "linear", "cosine", "exponential", or a sequence of several, to choose
            from. Defaults to "linear".
        across: "free" for a ramp for each layer of a pattern, "shared" for one ramp for
            all. Defaults to "free".

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or an exponential ramp may start or
            end at 0.

    Example:

    >>> from kdropout import tuning
    >>> space = tuning.Schedules(start=0.0, end=(0.1, 0.6), steps=1000)
    >>> space.end
    Rates(low=0.1, high=0.6, step=None, sampling='linear', across='free', default=None,
        values=None)
    """

    start: float | tuple[float, float] | Rates
    end: float | tuple[float, float] | Rates
    steps: int | tuple[int, int]
    shape: str | tuple[str, ...] = "linear"
    across: str = "free"

    def __post_init__(self):
        validation.choice("across", self.across, ("free", "shared"))
        self._keep("start", _rates("start", self.start))
        self._keep("end", _rates("end", self.end))
        self._keep("steps", _steps(self.steps))
        self._keep("shape", _shapes(self.shape))
        shapes = self.shape if isinstance(self.shape, tuple) else (self.shape,)
        for name in ("start", "end"):
            value = getattr(self, name)
            low = value.low if isinstance(value, Rates) else value
            if "exponential" in shapes and low == 0.0:
                raise ValueError(
                    f"'{name}' must be above 0 for shape='exponential'. Received: "
                    f"{name}={value!r}. Begin at a small rate such as 0.001, or leave "
                    "out the shape."
                )

    def searched(self):
        """Dict from the part ("start", "end", "steps", "shape") to what is searched."""
        parts = {part: getattr(self, part) for part in PARTS}
        return {p: v for p, v in parts.items() if isinstance(v, (Rates, tuple))}

    def ramp(self, chosen):
        """The `Ramp` with the values of the dict `chosen`, and what is fixed."""
        fixed = {part: getattr(self, part) for part in PARTS if part not in chosen}
        return Ramp.from_config({**fixed, **chosen})

    def _keep(self, name, value):
        object.__setattr__(self, name, value)


def _rates(name, value):
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            expected = "a number in [0, 1], a pair (low, high), or Rates"
            raise ValueError(validation.received(name, expected, value))
        return _named(name, Rates, *value)
    if isinstance(value, Rates):
        if value.across != "free":
            raise ValueError(
                f"'{name}' must be Rates without 'across', which belongs to Schedules. "
                f"Received: across={value.across!r}"
            )
        return value
    try:
        return validation.number(name, value, 0.0, 1.0)
    except TypeError:
        expected = "a number in [0, 1], a pair (low, high), or Rates"
        raise TypeError(validation.received(name, expected, value)) from None


def _named(name, kind, *arguments):
    """`kind(*arguments)`; an error tells which argument of ours it is about."""
    try:
        return kind(*arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"'{name}': {error}") from None


def _steps(value):
    expected = "an integer of at least 1, or a pair (low, high) of such"
    if not isinstance(value, (list, tuple)):
        try:
            return _count(value)
        except TypeError:
            raise TypeError(validation.received("steps", expected, value)) from None
    if len(value) != 2:
        raise ValueError(validation.received("steps", expected, value))
    low, high = (_count(bound) for bound in value)
    if low >= high:
        raise ValueError(
            "'steps' must be a pair (low, high) with low below high. Received: "
            f"steps={value!r}. To fix it, give the number itself."
        )
    return low, high


def _count(value):
    value = validation.integer("steps", value, low=1)
    if value > MOST_STEPS:
        expected = f"at most {MOST_STEPS}"
        raise ValueError(validation.received("steps", expected, value))
    return value


def _shapes(value):
    if isinstance(value, str):
        return validation.choice("shape", value, CURVES)
    expected = "one of " + ", ".join(map(repr, CURVES)) + ", or a sequence of several"
    if not isinstance(value, (list, tuple)):
        raise TypeError(validation.received("shape", expected, value))
    shapes = tuple(validation.choice("shape", shape, CURVES) for shape in value)
    if not shapes or len(set(shapes)) < len(shapes):
        raise ValueError(validation.received("shape", expected, value))
    return shapes if len(shapes) > 1 else shapes[0]
