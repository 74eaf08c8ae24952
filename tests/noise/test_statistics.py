"""Units are dropped at the stated rate and independently.

The statistics are those of `benchmarks.mask_statistics`, which takes a billion units.
"""

import itertools

import numpy as np
import pytest

from tests.noise.tools import BACKEND, DTYPES, bernoulli, drop_probability, numpy

RATES = (1e-4, 0.001, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.9, 0.99, 0.999)
CALLS, SIZE = 2, 2**18  # for each rate and dtype: 17 million units in all

# Distance of units that share a threshold, as documented; JAX has no such units.
STRETCH = 4096 if BACKEND == "jax" else 4072


# Each row has 75 numbers with a bound of five sigma. Among all 2500 numbers, one
# exceeds it by chance for 1 of 700 seeds. With three sigma, every seed would exceed it.
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", RATES)
def test_units_are_dropped_at_the_stated_rate(rate, dtype, mask_statistics):
    row = mask_statistics.measure(rate, dtype, CALLS, SIZE, seed=1)
    print(row)
    assert row["elements"] == CALLS * SIZE
    assert mask_statistics.beyond_bounds(row) == []


@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_layers_of_neighbouring_seeds_are_independent(rate):
    masks = [~numpy(bernoulli((SIZE,), rate, seed)[0]) for seed in range(8)]
    p = drop_probability(rate)
    deviations = [mask - p for mask in masks]
    for one, other in itertools.combinations(deviations, 2):
        z = np.dot(one, other) / (p * (1 - p) * np.sqrt(SIZE))
        assert abs(z) < 5  # 28 pairs


@pytest.mark.parametrize("rate", [0.001, 0.5])
def test_units_a_stretch_apart_correlate_no_more_than_documented(rate):
    p, size = drop_probability(rate), 2**24
    drop = ~numpy(bernoulli((size,), rate)[0])
    both = np.count_nonzero(drop[STRETCH:] & drop[:-STRETCH])
    first, second = np.count_nonzero(drop[:-STRETCH]), np.count_nonzero(drop[STRETCH:])
    pairs = size - STRETCH
    correlation = (both / pairs - first * second / pairs**2) / (p * (1 - p))
    part = 256 * p % 1
    bound = part * (1 - part) / 65536 / (p * (1 - p)) if BACKEND != "jax" else 0.0
    # The variance of the product of two deviations with this correlation.
    variance = 1 + (1 - 2 * p) ** 2 * bound / (p * (1 - p))
    deviation = np.sqrt(variance / pairs)
    print(f"{BACKEND} rate {rate}: {correlation:.2e}, at most {bound:.2e}")
    assert -5 * deviation < correlation < bound + 5 * deviation
