"""Formatting of scores: with a unit, and with as many digits as are known."""

import dataclasses
import math

# Digits of a number without an interval. The best trials differ by little.
_DIGITS = 4


@dataclasses.dataclass(frozen=True)
class ScoreFormat:
    """Writes accuracies as per cent, and other scores as plain numbers.

    Args:
        measure: String, name of the score.
        factor: Float, by which a score is multiplied.
        unit: String, unit of a score.
        difference_unit: String, unit of a difference of two scores.
        span: Float, the range of possible scores. It is 1 for an accuracy. For other
            scores it is the range of the measured scores and 0.
    """

    measure: str
    factor: float = 1.0
    unit: str = ""
    difference_unit: str = ""
    span: float = dataclasses.field(default=math.inf, compare=False)

    def score(self, value):
        """Write a score with its unit: "97.5 %"."""
        return f"{_significant(self.factor * value)}{_space(self.unit)}"

    def amount(self, value, half_width):
        """Write a difference with its unit, as precise as its interval."""
        number = self.number(value, half_width)
        return f"{number}{_space(self.difference_unit)}"

    def number(self, value, half_width):
        """Write `value`, rounded to two significant digits of `half_width`."""
        value, half_width = self.factor * value, self.factor * half_width
        if not (math.isfinite(half_width) and half_width > 0.0):
            return _significant(value)
        text = f"{value:.{_decimals(half_width)}f}"
        return text if float(text) else text.removeprefix("-")

    def holds_score(self, interval):
        """Return True if the `Interval` of a mean score is within the range of scores.

        With two or three seeds, Student's t can exceed this range.
        """
        return 2.0 * interval.half_width <= self.span

    def holds_difference(self, interval):
        """Return True if the `Interval` of a difference is within this range."""
        return abs(interval.mean) + interval.half_width <= self.span

    @property
    def axis(self):
        """The name of the score with its unit, for an axis."""
        return f"{self.measure} ({self.unit})" if self.unit else self.measure

    @property
    def difference_axis(self):
        """The unit and the name of a difference, for an axis."""
        unit = self.difference_unit
        return f"{unit} of {self.measure}" if unit else self.measure


def format_of(measure, scores):
    """Return the `ScoreFormat` for a score, from its name and its values.

    >>> format_of("val_accuracy", [0.9751]).score(0.9751)
    '97.51 %'
    >>> format_of("val_loss", [0.25]).score(0.25)
    '0.25'
    """
    scores = list(scores)
    if measure.lower().endswith(("accuracy", "acc")):
        if all(0.0 <= score <= 1.0 for score in scores):
            return ScoreFormat(measure, 100.0, "%", "points", 1.0)
    span = max(0.0, *scores) - min(0.0, *scores) if scores else math.inf
    return ScoreFormat(measure, span=span)


def better_sign(direction):
    """Return the direction of better scores: "lower" or "higher"."""
    return "lower" if direction == "min" else "higher"


def _significant(value):
    return f"{value:.{_DIGITS}g}"


def _decimals(half_width):
    return min(8, max(0, 1 - math.floor(math.log10(half_width))))


def _space(unit):
    return f" {unit}" if unit else ""
