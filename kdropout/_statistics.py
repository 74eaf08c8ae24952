"""Intervals over seeds."""

import dataclasses

import numpy as np

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """`mean` plus or minus `half_width`."""

    mean: float
    half_width: float

    @property
    def low(self):
        return self.mean - self.half_width

    @property
    def high(self):
        return self.mean + self.half_width

    @property
    def verdict(self):
        """What a difference in error shows: "better", "worse" or "undecided"."""
        if self.high < 0.0:
            return "better"
        if self.low > 0.0:
            return "worse"
        return "undecided"


def interval(values, confidence=CONFIDENCE):
    """Student's t interval for the mean of independent values.

        mean +- t * s / sqrt(n)

    with `s` the standard deviation (n - 1 in the denominator) and `t` the quantile
    of Student's distribution with n - 1 degrees of freedom.

    Args:
        values: Sequence of at least 2 floats.
        confidence: Float in (0, 1), how often the interval holds the mean. Defaults
            to 0.95.

    Returns:
        `Interval`.
    """
    from scipy import stats

    values = np.asarray(values, dtype="float64")
    quantile = stats.t.ppf(0.5 + confidence / 2.0, df=len(values) - 1)
    spread = values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(values.mean()), float(quantile * spread))


def paired(values, baseline, confidence=CONFIDENCE):
    """Interval for the mean of `values - baseline`, pair by pair.

    Both have met the same seeds, so that what a seed makes hard or easy cancels.
    """
    return interval(np.subtract(values, baseline), confidence)


def for_all_of(count, confidence=CONFIDENCE):
    """The confidence of each of `count` intervals, so that all hold at once.

        1 - (1 - confidence) / count

    By Bonferroni's inequality, whatever the intervals have in common. So the one that
    looks best may be picked afterwards.

    Args:
        count: Integer of at least 1, number of intervals.
        confidence: Float in (0, 1), of all together. Defaults to 0.95.

    Returns:
        Float in (0, 1).

    Reference:
        Dunn (1961), Multiple comparisons among means, JASA 56.
    """
    return 1.0 - (1.0 - confidence) / count
