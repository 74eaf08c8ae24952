"""Confidence intervals over seeds."""

import numpy as np
import pytest
from scipy import stats

from kdropout import _statistics
from kdropout.tuning.folds import partition


def test_interval_agrees_with_a_table_of_student():
    value = _statistics.interval([1.0, 2.0, 3.0, 6.0])
    # t(0.975; 3) = 3.182 in any table; s^2 = 14 / 3.
    assert value.mean == pytest.approx(3.0)
    assert value.half_width == pytest.approx(3.182 * np.sqrt(14 / 3 / 4), rel=2e-4)


def test_paired_interval_agrees_with_the_paired_t_test():
    generator = np.random.default_rng(0)
    baseline = generator.normal(15.0, 3.0, 6)
    values = baseline - generator.normal(5.0, 1.0, 6)
    expected = stats.ttest_rel(values, baseline).confidence_interval(0.95)
    value = _statistics.paired(values, baseline)
    assert value.mean - value.half_width == pytest.approx(expected.low)
    assert value.mean + value.half_width == pytest.approx(expected.high)


@pytest.mark.parametrize(
    ("mean", "half_width", "verdict"),
    [
        (-2.0, 1.0, "better"),
        (-2.0, 2.0, "undecided"),
        (-1.0, 2.0, "undecided"),
        (0.0, 0.0, "undecided"),
        (1.0, 2.0, "undecided"),
        (2.0, 1.0, "worse"),
        (float("nan"), 1.0, "undecided"),
    ],
)
def test_verdict_needs_an_interval_that_excludes_zero(mean, half_width, verdict):
    assert _statistics.Interval(mean, half_width).verdict == verdict


def test_interval_of_another_confidence_agrees_with_the_t_test():
    values = np.random.default_rng(0).normal(0.3, 1.0, 7)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.99)
    value = _statistics.interval(values, confidence=0.99)
    assert value.low == pytest.approx(expected.low)
    assert value.high == pytest.approx(expected.high)


def test_simultaneous_intervals_hold_together_in_95_percent_of_runs():
    # Four means are zero. The test counts the runs in which all intervals contain 0.
    runs, count, confidence = 1500, 4, _statistics.for_all_of(4)
    values = np.random.default_rng(0).normal(size=(runs, count, 5))
    held = [
        all(
            i.low <= 0.0 <= i.high
            for i in (_statistics.interval(row, confidence) for row in run)
        )
        for run in values
    ]
    assert confidence == pytest.approx(1.0 - 0.05 / 4)
    sigma = np.sqrt(0.95 * 0.05 / runs)
    # The means are independent, so the share is 0.9875^4 = 0.951.
    assert abs(np.mean(held) - 0.9875**4) < 5 * sigma


@pytest.mark.slow
def test_interval_over_folds_rarely_prefers_one_of_two_equal_methods():
    """Two sets of inputs are equally good, so 5 % of the intervals may exclude 0.

    Without the correction of Nadeau and Bengio, more than a third of them do.
    """
    claims = {0.0: 0, 0.25: 0}
    for seed in range(400):
        gains = _gains_of_equal_methods(seed)
        for ratio in claims:
            claims[ratio] += _statistics.interval(gains, 0.95, ratio).verdict != (
                "undecided"
            )
    assert claims[0.25] <= 30 and claims[0.0] > 100


def _gains_of_equal_methods(seed, rows=300, inputs=10):
    random = np.random.default_rng(seed)
    effects = 0.3 * random.normal(size=inputs)
    methods = random.normal(size=(2, rows, inputs))
    y = methods.sum(0) @ effects + random.normal(size=rows)
    gains = []
    for repetition in range(4):
        for training, validation in partition(rows, 5, [seed, repetition]):
            errors = []
            for x in methods:
                known, other = x[training], x[validation]
                ridge = known.T @ known + np.eye(inputs)
                weights = np.linalg.solve(ridge, known.T @ y[training])
                errors.append(np.square(y[validation] - other @ weights).mean())
            gains.append(errors[0] - errors[1])
    return gains


def test_ratio_widens_an_interval_by_the_formula_of_nadeau_and_bengio():
    values = [1.0, 2.0, 4.0, 3.0]
    plain, corrected = (_statistics.interval(values, 0.9, r) for r in (0.0, 1 / 3))
    expected = plain.half_width * np.sqrt((1 / 4 + 1 / 3) / (1 / 4))
    assert corrected.half_width == pytest.approx(expected)
    assert corrected.mean == plain.mean
