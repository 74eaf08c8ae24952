"""Are a billion units dropped at the right rate, and independently of each other?

For each rate and dtype, the benchmark drops ones in calls of 16 million units, in the
same way as a layer: the counter of the seeds grows by one. It counts the share dropped,
the mean of the outputs, pairs of units at the distances 1 to 64 and one sample apart,
the same unit in consecutive calls, and the patterns of 8 neighbours.
`benchmarks.mask_counts` computes how far each deviates from that of independent units.

Units that are one stretch apart are correlated. The correlation must not exceed the
bound that `kdropout.noise.masks` states.

    KERAS_BACKEND=tensorflow python -m benchmarks.mask_statistics
    KERAS_BACKEND=torch python -m benchmarks.mask_statistics --elements 100000000

A billion units take 15 seconds on TensorFlow, 30 on PyTorch and 40 on JAX, on 2 cores.
Writes results/mask_statistics.csv; rows of the other backends stay. Exits with 1 if a
number is beyond five standard deviations. The seeds are fixed. By chance, one of the
2400 numbers of a backend would be beyond for 1 of 700 choices of the seeds.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import ml_dtypes
import numpy as np
from keras import ops
from scipy import stats

from benchmarks import reporting
from benchmarks.mask_counts import LAGS, WIDTHS, MaskCounts, StretchCounts
from kdropout import noise

BACKEND = keras.backend.backend()
ELEMENTS = 10**9
CHUNK = 2**24  # units of a call
RATES = (1e-4, 0.001, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.9, 0.99, 0.999)
DTYPES = ("float32", "bfloat16", "float16")
SIGMAS = 5.0
# The probability of a deviation beyond that, to either side.
LEAST_P = 2 * stats.norm.sf(SIGMAS)

# The distance of units that share a threshold. On JAX no units share one, so their
# correlation must be 0.
STRETCH = 4096 if BACKEND == "jax" else 4072


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--elements", type=int, default=ELEMENTS, help="how many units in all"
    )
    elements = parser.parse_args().elements
    settings = [(rate, dtype) for rate in RATES for dtype in DTYPES]
    # At least two calls, to compare them, with whole words of 64 bits.
    calls = max(2, -(-elements // (len(settings) * CHUNK)))
    size = -(-elements // (len(settings) * calls * 64)) * 64
    rows, beyond = [], []
    for number, (rate, dtype) in enumerate(settings):
        rows.append(measure(rate, dtype, calls, size, seed=number))
        beyond += beyond_bounds(rows[-1])
        print(rows[-1], flush=True)
    rows += reporting.rows_of_other_backends("mask_statistics")
    print(reporting.write_csv("mask_statistics", rows))
    sys.exit("Numbers beyond their bounds:\n" + "\n".join(beyond) if beyond else 0)


def measure(rate, dtype, calls, size, seed):
    """The row of a rate and a dtype.

    Args:
        rate: Float in (0, 1).
        dtype: Floating dtype of the units.
        calls: Integer, number of masks.
        size: Integer, number of units of each mask; a multiple of 64.
        seed: Integer, seed of the seed generator.
    """
    probability = drop_probability(rate)
    widths = [width for width in WIDTHS if width != STRETCH]
    counts, places = MaskCounts(probability, {*LAGS, *widths}), StretchCounts(STRETCH)
    scales = neighbours(1.0 / (1.0 - probability), dtype)
    times_scale = np.zeros(len(scales), "int64")
    seeds = keras.random.SeedGenerator(seed)
    for _ in range(calls):
        outputs = drop_ones(size, rate, dtype, seeds.next())
        drop = outputs == 0.0
        counts.add(drop)
        places.add(drop)
        times_scale += [np.count_nonzero(outputs == scale) for scale in scales]
    mean = float(np.dot(times_scale, scales)) / counts.elements
    deviation = np.sqrt(variance_of_outputs(probability, scales) / counts.elements)
    covariance = stretch_covariance(probability)
    return {
        "backend": BACKEND,
        "dtype": dtype,
        "rate": round(rate, 6),
        "elements": counts.elements,
        "drop_fraction": round(counts.dropped / counts.elements, 9),
        "z_drop_fraction": round(float(counts.z_of_share()), 2),
        "z_mean": round((mean - 1.0) / float(deviation), 2),
        "other_scales": counts.elements - counts.dropped - int(times_scale.sum()),
        "z_lags": round(float(counts.worst_z(LAGS)), 2),
        "z_widths": round(float(counts.worst_z(widths)), 2),
        "z_calls": round(float(counts.z_of_calls()), 2),
        "p_patterns": round(float(counts.p_of_patterns()), 9),
        "stretch_correlation": round(float(places.correlation()), 7),
        "stretch_bound": round(covariance / (probability * (1.0 - probability)), 7),
        "z_stretch": round(float(places.z(covariance)), 2),
    }


def beyond_bounds(row):
    """A list of texts, one for each number of a row that is beyond its bound."""
    wrong = [
        name for name in row if name.startswith("z_") and not abs(row[name]) <= SIGMAS
    ]
    wrong += ["p_patterns"] if not row["p_patterns"] >= LEAST_P else []
    wrong += ["other_scales"] if row["other_scales"] else []
    place = f"{row['backend']} {row['dtype']} rate {row['rate']}"
    return [f"{place}: {name} {row[name]}" for name in wrong]


def drop_ones(size, rate, dtype, seed):
    """The outputs of dropout for ones, in float32."""
    rate = ops.convert_to_tensor(rate, "float32")
    keep, scale = noise.bernoulli((size,), rate, seed, dtype)
    outputs = noise.drop_units(ops.ones((size,), dtype), keep, scale)
    return ops.convert_to_numpy(ops.cast(outputs, "float32"))


def drop_probability(rate):
    """The multiple of 2^-24 that is nearest to the rate in float32."""
    return float(np.rint(float(np.float32(rate)) * 2.0**24) / 2.0**24)


def variance_of_outputs(probability, scales):
    """The variance of outputs that are 0 or one of the scales."""
    exact = 1.0 / (1.0 - probability)
    low, high = scales[0], scales[-1]
    rounding = (high - exact) * (exact - low) / exact
    return probability * exact + rounding


def stretch_covariance(probability):
    """The covariance that two units may have if they are one stretch apart.

    The threshold of a unit is one of two neighbours out of 256, which average to its
    probability. Two units with the same threshold have the variance of that threshold
    as their covariance.
    """
    part = 256.0 * probability % 1.0
    return 0.0 if BACKEND == "jax" else part * (1.0 - part) / 256.0**2


def neighbours(value, dtype):
    """The numbers of a dtype next to a value: one if it is one of them, else two."""
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    nearest = np.asarray(value, kind)
    if float(nearest) == value:
        return (value,)
    # As floats: NumPy compares with a number rounded to the dtype.
    towards = kind.type(np.inf if float(nearest) < value else 0.0)
    return tuple(sorted((float(nearest), float(np.nextafter(nearest, towards)))))


if __name__ == "__main__":
    main()
