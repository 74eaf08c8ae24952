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
    def verdict(self):
        """For a difference in error: what may be said of it."""
        if self.mean + self.half_width < 0.0:
            return "better"
        if self.mean - self.half_width > 0.0:
            return "worse"
        return "undecided"


def interval(values):
    """Student's t interval for the mean of independent values.

        mean +- t * s / sqrt(n)

    with `s` the standard deviation (n - 1 in the denominator) and `t` the quantile
    of Student's distribution with n - 1 degrees of freedom.

    Args:
        values: Sequence of at least 2 floats.

    Returns:
        `Interval`.
    """
    from scipy import stats

    values = np.asarray(values, dtype="float64")
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2.0, df=len(values) - 1)
    spread = values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(values.mean()), float(quantile * spread))


def paired(values, baseline):
    """Interval for the mean of `values - baseline`, pair by pair.

    Both have met the same seeds, so that what a seed makes hard or easy cancels.
    """
    return interval(np.subtract(values, baseline))
