"""The step by which callbacks that control a rate change it."""

import dataclasses
import math

# The logits of 0 and 1 are infinite. A rate below this floor counts as the floor:
# dropout below it has no measurable effect, and raising it would take too long.
_FLOOR = 0.01


@dataclasses.dataclass(frozen=True)
class RateStep:
    """Moves a rate by a step in its logit, within limits.

    Attributes:
        min_rate: Float, the lowest rate.
        max_rate: Float, the highest rate.
        slew_limit: Float, the largest change of a rate.
    """

    min_rate: float
    max_rate: float
    slew_limit: float

    def next_rate(self, rate: float, step: float) -> float:
        """The rate after a step, from the rate in effect."""
        if step == 0.0:
            return rate
        floor = max(self.min_rate, min(_FLOOR, self.max_rate))
        wanted = _sigmoid(_logit(min(max(rate, floor), self.max_rate)) + step)
        if wanted <= floor:
            wanted = self.min_rate
        change = min(max(wanted - rate, -self.slew_limit), self.slew_limit)
        return min(max(rate + change, self.min_rate), self.max_rate)


def _logit(rate):
    return math.log(rate) - math.log1p(-rate)


def _sigmoid(logit):
    return 0.5 + 0.5 * math.tanh(0.5 * logit)
