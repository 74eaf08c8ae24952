"""The statistics find each fault of a mask, and find none in independent units."""

import keras
import numpy as np
import pytest
from scipy import stats

if keras.backend.backend() != "tensorflow":
    pytest.skip("NumPy alone, so that once is enough", allow_module_level=True)

SIZE, CALLS = 2**18, 3
LAGS = (1, 2, 5, 64, 100)
STRETCH = 4072


def masks(rate, seed=0):
    uniform = np.random.default_rng(seed).random((CALLS, SIZE))
    return uniform < rate


def counted(mask_counts, drops, rate):
    """Return the statistics that are out of bounds."""
    counts, places = (
        mask_counts.MaskCounts(rate, LAGS),
        mask_counts.StretchCounts(STRETCH),
    )
    for drop in drops:
        counts.add(drop)
        places.add(drop)
    return {
        name
        for name, wrong in {
            "share": abs(counts.z_of_share()) > 5,
            "lags": abs(counts.worst_z(LAGS)) > 5,
            "calls": abs(counts.z_of_calls()) > 5,
            "patterns": counts.p_of_patterns() < 5.7e-7,
            "stretch": abs(places.z()) > 5,
        }.items()
        if wrong
    }


@pytest.mark.parametrize("rate", [1e-4, 0.003, 0.2, 0.5, 0.9, 0.9999])
def test_independent_units_have_no_fault(rate, mask_counts):
    for seed in range(3):
        assert counted(mask_counts, masks(rate, seed), rate) == set()


@pytest.mark.parametrize("rate", [0.001, 0.4, 0.99])
def test_wrong_share_is_found(rate, mask_counts):
    sigma = np.sqrt(rate * (1 - rate) / (CALLS * SIZE))
    for other in (rate - 10 * sigma, rate + 10 * sigma):
        assert "share" in counted(mask_counts, masks(other), rate)


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("rate", [0.001, 0.5, 0.999])
def test_dependence_on_other_units_is_found(rate, lag, mask_counts):
    drops = masks(rate)
    copied = np.random.default_rng(1).random((CALLS, SIZE - lag)) < 0.05
    drops[:, lag:] = np.where(copied, drops[:, :-lag], drops[:, lag:])
    assert "lags" in counted(mask_counts, drops, rate)


@pytest.mark.parametrize("rate", [0.001, 0.5, 0.999])
def test_repeated_mask_is_found(rate, mask_counts):
    drops = masks(rate)
    drops[1, ::20] = drops[0, ::20]
    assert counted(mask_counts, drops, rate) == {"calls"}


def test_patterns_that_no_pair_shows_are_found(mask_counts):
    drops = masks(0.5)
    drops[:, 2::3] = drops[:, ::3][:, : SIZE // 3] ^ drops[:, 1::3][:, : SIZE // 3]
    assert counted(mask_counts, drops, 0.5) == {"patterns"}


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_correlation_of_stretches_is_measured_and_found(rate, mask_counts):
    uniform = np.random.default_rng(0)
    # The probability at each place is too high or too low by half of its value.
    rates = rate * np.resize([0.5, 1.5], STRETCH)
    drops = uniform.random((CALLS, SIZE)) < np.resize(rates, SIZE)
    places = mask_counts.StretchCounts(STRETCH)
    for drop in drops:
        places.add(drop)
    covariance = (rate / 2) ** 2
    wanted = covariance / (rate * (1 - rate))
    assert places.correlation() == pytest.approx(wanted, rel=0.2)
    assert places.z() > 5
    assert abs(places.z(covariance)) < 5
    assert places.z(2 * covariance) == 0.0


def test_counts_of_few_pairs_are_judged_by_poisson(mask_counts):
    pairs = mask_counts.PairCounts()
    words = np.zeros(1000, "uint64")
    words[:8] = 1
    pairs.add(words, words)  # 8 of 64,000 dropped in both: 0.001 are expected
    expected = 8 * 8 / 64_000
    assert stats.norm.sf(pairs.z()) == pytest.approx(stats.poisson.sf(7, expected))
