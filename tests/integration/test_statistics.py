"""Masks have the distribution of their rate, in every dtype.

All bounds are five standard deviations: of the binomial distribution for shares and
means, and of `1 / sqrt(n)` for the correlation of `n` pairs of independent units.
"""

import itertools

import keras
import ml_dtypes
import numpy as np
import pytest
from keras import ops

import kdropout

BACKEND = keras.backend.backend()
SIGMAS = 5

RATES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.999)
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
CHUNK, CHUNKS = 2_000_000, 5  # 10 million units, in pieces that fit in memory

# Masks for the tests of independence.
ROWS, COLUMNS, CALLS = 250, 400, 8

KINDS = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
}


def neighbours(rate, policy):
    """Return the two numbers of the dtype between which `1 / (1 - rate)` lies.

    The rate in effect may be off by the grid of rates, 2^-24.
    """
    kind = KINDS[policy.removeprefix("mixed_")]
    lowest, highest = 1 / (1 - rate + 2.0**-23), 1 / (1 - rate - 2.0**-23)
    low, high = np.asarray(lowest, kind), np.asarray(highest, kind)
    if float(low) > lowest:
        low = np.nextafter(low, kind(0))
    if float(high) < highest:
        high = np.nextafter(high, kind(np.inf))
    return float(low), float(high)


def outputs_of(layer, elements):
    """Return the outputs of the layer for ones in training, as float32."""
    outputs = layer(ops.ones((elements,), layer.compute_dtype), training=True)
    return ops.convert_to_numpy(ops.cast(outputs, "float32"))


class AlwaysTraining(keras.layers.Layer):
    """Runs a layer in training mode, so that `predict` runs it compiled."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, inputs):
        return self.layer(inputs, training=True)


def compiled_outputs_of(layer):
    """Return `outputs_of` as a compiled function of the number of elements."""
    inputs = keras.Input(())
    outputs = AlwaysTraining(layer, dtype=layer.dtype_policy)(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(jit_compile=True)

    def run(_, elements):
        outputs = model.predict_on_batch(np.ones((elements,), "float32"))
        return np.asarray(outputs).astype("float32")

    return run


def deviations(name, layer, rate, policy, outputs_of=outputs_of, chunks=CHUNKS):
    """Return by how many sigmas the dropped share and the mean output are off."""
    dropped, total, elements = 0, 0.0, chunks * CHUNK
    for _ in range(chunks):
        outputs = outputs_of(layer, CHUNK)
        dropped += outputs.size - np.count_nonzero(outputs)
        total += np.sum(outputs, dtype=np.float64)
    share, mean = dropped / elements, total / elements
    # A unit is 0 with probability p, else 1 / (1 - p). If the dtype cannot represent
    # that number, two numbers that average to it add their variance.
    low, high = neighbours(rate, policy)
    rounding = (1 - rate) * ((high - low) / 2) ** 2
    share_off = (share - rate) / np.sqrt(rate * (1 - rate) / elements)
    mean_off = (mean - 1) / np.sqrt((rate / (1 - rate) + rounding) / elements)
    print(
        f"{BACKEND} {name} {policy} rate {rate}: dropped {share:.6f} "
        f"({share_off:+.2f} sigma), mean {mean:.6f} ({mean_off:+.2f} sigma)"
    )
    return share_off, mean_off


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("rate", RATES)
def test_share_and_mean_are_exact(rate, policy):
    layer = kdropout.layers.Dropout(rate, seed=7, dtype=policy)
    share_off, mean_off = deviations("kdropout", layer, rate, policy)
    assert abs(share_off) <= SIGMAS
    assert abs(mean_off) <= SIGMAS


@pytest.mark.skipif(BACKEND == "torch", reason="Keras does not compile on PyTorch")
@pytest.mark.parametrize("policy", POLICIES[1:])
@pytest.mark.parametrize("rate", [0.001, 0.3])
def test_share_and_mean_are_exact_when_compiled(rate, policy):
    # A compiler may keep more digits than the dtype has, which would undo the rounding.
    layer = kdropout.layers.Dropout(rate, seed=7, dtype=policy)
    run = compiled_outputs_of(layer)
    share_off, mean_off = deviations("compiled", layer, rate, policy, run, chunks=1)
    assert abs(share_off) <= SIGMAS
    assert abs(mean_off) <= SIGMAS


# A shape of `CHUNK` units in which each is dropped independently.
WHOLES = {
    "DropPath": (kdropout.layers.DropPath, (CHUNK, 1)),
    "SpatialDropout1D": (kdropout.layers.SpatialDropout1D, (CHUNK // 100, 1, 100)),
    "TokenDropout": (kdropout.layers.TokenDropout, (CHUNK // 100, 100, 1)),
    "HeadDropout": (kdropout.layers.HeadDropout, (CHUNK // 40, 40, 1)),
}


@pytest.mark.parametrize("policy", POLICIES[::2])
@pytest.mark.parametrize("kind", WHOLES)
def test_share_of_dropped_groups_is_exact(kind, policy):
    layer, shape = WHOLES[kind]
    layer = layer(0.0, seed=7, dtype=policy)
    ones = ops.ones(shape, layer.compute_dtype)
    for rate in RATES:
        layer.rate = rate
        outputs = ops.convert_to_numpy(ops.cast(layer(ones, training=True), "float32"))
        share = 1 - np.count_nonzero(outputs) / outputs.size
        share_off = (share - rate) / np.sqrt(rate * (1 - rate) / outputs.size)
        print(f"{BACKEND} {kind} {policy} rate {rate}: {share_off:+.2f} sigma")
        assert abs(share_off) <= SIGMAS, rate


@pytest.mark.parametrize("policy", POLICIES)
def test_no_unit_is_dropped_at_rate_0_and_all_at_rate_1(policy):
    # With each seed, one backend draws an exact 0 among its first 2 million numbers. A
    # comparison that drops 0 at rate 0 would show there.
    for seed in (5, 6):
        kept = kdropout.layers.Dropout(0.0, seed=seed, dtype=policy)
        dropped = kdropout.layers.Dropout(1.0, seed=seed, dtype=policy)
        assert np.all(outputs_of(kept, CHUNK) == 1)
        assert np.all(outputs_of(dropped, CHUNK) == 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_and_pure_precision_draw_the_same_masks(dtype):
    # So results for 10 million units in mixed precision hold in both.
    for rate in RATES:
        pure, mixed = (
            kdropout.layers.Dropout(rate, seed=7, dtype=policy)
            for policy in (dtype, f"mixed_{dtype}")
        )
        for _ in range(2):
            assert np.array_equal(outputs_of(pure, 50_000), outputs_of(mixed, 50_000))


@pytest.mark.parametrize("policy", POLICIES)
def test_kept_units_are_multiplied_by_neighbours_of_the_exact_scale(policy):
    for rate in (*RATES, 0.3, 0.66, 0.97):
        layer = kdropout.layers.Dropout(rate, seed=7, dtype=policy)
        outputs = outputs_of(layer, 100_000)
        kept = outputs[outputs != 0]
        low, high = neighbours(rate, policy)
        assert low <= kept.min() <= kept.max() <= high, rate


@pytest.mark.skipif(BACKEND != "tensorflow", reason="other backends draw in float32")
@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16"])
@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_measure_finds_the_bias_of_keras_in_bfloat16(rate, policy):
    layer = keras.layers.Dropout(rate, seed=7, dtype=policy)
    share_off, mean_off = deviations("keras", layer, rate, policy)
    # With uniform numbers of 7 bits, 2 / 128 and 1 / 128 are dropped: over 50 sigmas.
    assert share_off > 10 * SIGMAS
    assert abs(mean_off) > 10 * SIGMAS


def masks(layer):
    """Return the kept units of consecutive calls, as (calls, rows, columns)."""
    outputs = [outputs_of(layer, ROWS * COLUMNS) for _ in range(CALLS)]
    return np.reshape(outputs, (CALLS, ROWS, COLUMNS)) != 0


def correlation(first, second):
    """Return the correlation of two masks in sigmas, 1 / sqrt(n) if independent."""
    pair = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    return pair * np.sqrt(first.size)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_neighbours_are_independent(rate):
    kept = masks(kdropout.layers.Dropout(rate, seed=3))
    sigmas = {}
    for lag in range(1, 9):
        sigmas[f"column {lag}"] = correlation(kept[..., lag:], kept[..., :-lag])
        sigmas[f"row {lag}"] = correlation(kept[:, lag:], kept[:, :-lag])
    worst = max(sigmas, key=lambda lag: abs(sigmas[lag]))
    print(f"{BACKEND} rate {rate}: worst lag {worst}, {sigmas[worst]:+.2f} sigma")
    assert abs(sigmas[worst]) <= SIGMAS


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_counts_of_many_calls_vary_like_the_binomial(rate):
    calls, units = 400, 20_000
    layer = kdropout.layers.Dropout(rate, seed=5)
    kept = np.array([np.count_nonzero(outputs_of(layer, units)) for _ in range(calls)])
    scatter = np.var(kept) / (units * rate * (1 - rate))
    in_turn = np.corrcoef(kept[1:], kept[:-1])[0, 1] * np.sqrt(calls - 1)
    print(f"{BACKEND} rate {rate}: scatter {scatter:.3f}, in turn {in_turn:+.2f} sigma")
    # The variance of `calls` normal numbers has a standard deviation of sqrt(2 / n).
    assert abs(scatter - 1) <= SIGMAS * np.sqrt(2 / calls)
    assert abs(in_turn) <= SIGMAS


def test_consecutive_masks_are_independent():
    kept = masks(kdropout.layers.Dropout(0.5, seed=3))
    for first, second in itertools.combinations(kept, 2):
        assert not np.array_equal(first, second)
        assert abs(correlation(first, second)) <= SIGMAS


def shared_masks(first, second):
    """Return pairs (i, j): call i of `first` has the mask of call j of `second`."""
    return [
        (i, j)
        for i, j in itertools.product(range(CALLS), repeat=2)
        if np.array_equal(first[i], second[j])
    ]


@pytest.mark.parametrize("seeds", [(0, 1), (1, 2), (0, 5), (41, 42)])
def test_layers_of_neighbouring_seeds_do_not_replay_each_other(seeds):
    first, second = (masks(kdropout.layers.Dropout(0.5, seed=seed)) for seed in seeds)
    assert shared_masks(first, second) == []
    pairs = itertools.product(first, second)
    worst = max(abs(correlation(one, other)) for one, other in pairs)
    print(f"{BACKEND} seeds {seeds}: worst of {CALLS**2} pairs {worst:.2f} sigma")
    assert worst <= SIGMAS


@pytest.mark.skipif(BACKEND != "torch", reason="others mix seed and counter")
def test_comparison_finds_the_replay_of_keras_on_torch():
    first, second = (masks(keras.layers.Dropout(0.5, seed=seed)) for seed in (0, 1))
    replayed = [(call + 1, call) for call in range(CALLS - 1)]
    assert shared_masks(first, second) == replayed


def test_same_seed_gives_the_same_masks():
    first, second = (masks(kdropout.layers.Dropout(0.5, seed=3)) for _ in range(2))
    assert np.array_equal(first, second)


def test_layers_without_a_seed_differ():
    first, second = (masks(kdropout.layers.Dropout(0.5)) for _ in range(2))
    assert shared_masks(first, second) == []
