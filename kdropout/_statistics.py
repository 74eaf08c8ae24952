"""Confidence intervals over seeds."""

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
        """The verdict on a difference in error: "better", "worse" or "undecided"."""
        if self.high < 0.0:
            return "better"
        if self.low > 0.0:
            return "worse"
        return "undecided"


def interval(values, confidence=CONFIDENCE, ratio=0.0):
    """Compute Student's t interval for the mean of values.

        mean +- t * s * sqrt(1 / n + ratio)

    with `s` the standard deviation (n - 1 in the denominator) and `t` the quantile
    of Student's distribution with n - 1 degrees of freedom.

    With `ratio=0`, the values are independent. The scores of the folds of a
    cross-validation are not, because their trainings share rows. The correction of
    Nadeau and Bengio takes a correlation of `ratio / (1 + ratio)` between them.

    Args:
        values: Sequence of at least 2 floats.
        confidence: Float in (0, 1), the probability that the interval covers the mean.
            Defaults to 0.95.
        ratio: Float of at least 0. For a cross-validation, the number of rows for
            validation divided by that for training. Defaults to 0.

    Returns:
        `Interval`.

    Reference:
        [Nadeau and Bengio, 2003: Inference for the generalization
        error](https://doi.org/10.1023/A:1024068626366), equation 9.
    """
    from scipy import stats

    values = np.asarray(values, dtype="float64")
    quantile = stats.t.ppf(0.5 + confidence / 2.0, df=len(values) - 1)
    spread = values.std(ddof=1) * np.sqrt(1.0 / len(values) + ratio)
    return Interval(float(values.mean()), float(quantile * spread))


def paired(values, baseline, confidence=CONFIDENCE):
    """Compute the interval for the mean of `values - baseline`, pair by pair.

    Both sequences come from the same seeds, so the difficulty of a seed cancels.
    """
    return interval(np.subtract(values, baseline), confidence)


def for_all_of(count, confidence=CONFIDENCE):
    """Compute the confidence that each of `count` intervals needs, so that all hold.

        1 - (1 - confidence) / count

    This follows from Bonferroni's inequality, however the intervals depend on each
    other. So the one that looks best may be picked afterwards.

    Args:
        count: Integer of at least 1, number of intervals.
        confidence: Float in (0, 1), the confidence of all intervals together. Defaults
            to 0.95.

    Returns:
        Float in (0, 1).

    Reference:
        Dunn (1961), Multiple comparisons among means, JASA 56.
    """
    return 1.0 - (1.0 - confidence) / count
