"""HeadDropout drops whole heads and scales by the number of heads over those kept."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate
from kdropout.layers import HeadDropout
from tests.tools import call_in_training

BATCH = 600
BACKEND = keras.backend.backend()


def inputs(*shape):
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype("float32")


def softmax(x):
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "shape, axis, heads_at",
    [
        ((4, 5, 3), 1, 1),
        ((8, 3), 1, 1),
        ((5,), 1, 1),
        ((7, 6, 4), 2, 2),
        ((7, 3, 4), -1, 3),
        ((7, 6, 4), -2, 2),
        ((3, 2, 4), -3, 1),
    ],
)
@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_heads_are_scaled_by_the_number_kept_in_their_sample(
    rate, shape, axis, heads_at
):
    x = inputs(BATCH, *shape)
    outputs = call_in_training(HeadDropout(rate, axis=axis, seed=1), x)
    kept = np.moveaxis(outputs != 0, heads_at, 1)
    kept = kept.reshape(BATCH, kept.shape[1], -1)
    assert (kept == kept[..., :1]).all()
    kept = kept[..., 0]
    num_heads = kept.shape[1]
    for sample in range(BATCH):
        num_kept = np.count_nonzero(kept[sample])
        for head in range(num_heads):
            got = np.take(outputs[sample], head, axis=heads_at - 1)
            given = np.take(x[sample], head, axis=heads_at - 1)
            scale = num_heads / num_kept if kept[sample, head] else 0.0
            np.testing.assert_allclose(got, given * scale, rtol=1e-6)
    # Five standard deviations of the share of the heads.
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(1 - kept.mean() - rate) < 5 * deviation


@pytest.mark.parametrize("num_heads, rate", [(1, 0.4), (2, 0.5), (4, 0.6), (12, 0.9)])
def test_expectation_lacks_the_samples_that_lost_all_heads(num_heads, rate):
    batch = 20_000
    outputs = call_in_training(
        HeadDropout(rate, seed=1), np.ones((batch, num_heads), "float32")
    )
    kept = np.count_nonzero(outputs, axis=1)
    assert (outputs[kept == 0] == 0).all()
    lost = rate**num_heads
    deviation = np.sqrt(lost * (1 - lost) / batch)
    assert abs((kept == 0).mean() - lost) < 5 * deviation
    # The sum over the heads is `num_heads` in all other samples.
    sums = outputs.sum(1, dtype="float64")
    np.testing.assert_allclose(sums[kept > 0], num_heads, rtol=1e-6)
    assert abs(outputs.mean(dtype="float64") - (1 - lost)) < 5 * deviation + 1e-6
    # No head is favoured: each has the expectation of all.
    variance = outputs.var(0, dtype="float64")
    off = (outputs.mean(0, dtype="float64") - (1 - lost)) / np.sqrt(variance / batch)
    assert np.abs(off).max() < 5


def test_scores_of_kept_heads_sum_to_one_over_the_keys_on_average():
    # The shape (batch, heads, queries, keys) is that of attention in the paper.
    heads, queries, keys, features = 6, 5, 7, 4
    rng = np.random.default_rng(1)
    scores = softmax(rng.normal(size=(BATCH, heads, queries, keys)))
    values = rng.normal(size=(BATCH, heads, keys, features))
    outputs = call_in_training(HeadDropout(0.4, seed=3), scores.astype("float32"))
    kept = outputs[..., 0, 0] != 0
    num_kept = kept.sum(1)
    some = num_kept > 0
    # Summed over keys and averaged over heads, the weights are 1 for each query.
    weights = outputs.sum(-1).mean(1)
    np.testing.assert_allclose(weights[some], 1.0, rtol=1e-5)
    assert (weights[~some] == 0).all()
    mixed = np.einsum("bhqk,bhkf->bhqf", outputs, values)
    whole = np.einsum("bhqk,bhkf->bhqf", scores, values)
    scale = np.where(kept, heads / np.maximum(num_kept, 1)[:, None], 0.0)
    wanted = whole * scale[..., None, None]
    np.testing.assert_allclose(mixed, wanted, rtol=1e-4, atol=1e-6)


def test_mean_is_not_biased_in_half_precision():
    # bfloat16 cannot represent 5 / 3 and 5 / 4: rounded, they would be off by 0.2 %.
    layer = HeadDropout(0.3, seed=1, dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(1.0, 1.0, (BATCH, 5, 40))
    x = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    outputs = ops.convert_to_numpy(ops.cast(layer(x, training=True), "float32"))
    x = ops.convert_to_numpy(ops.cast(x, "float32")).astype("float64")
    kept = (outputs != 0).any(-1, keepdims=True)
    exact = np.where(kept, x * 5 / np.maximum(kept.sum(1, keepdims=True), 1), 0.0)
    # Rounding is off by up to half a spacing of 2^-7, and equally for equal numbers.
    values, counts = np.unique(exact, return_counts=True)
    deviation = np.sqrt(np.sum((counts * values * 2.0**-7) ** 2) / 12) / x.size
    sigmas = (outputs.mean(dtype="float64") - exact.mean()) / deviation
    print(f"{BACKEND}: {sigmas:+.2f} sigma of {deviation:.1e}")
    assert abs(sigmas) < 5


@pytest.mark.parametrize("axis", [1, -1])
def test_rate_0_is_the_identity_and_rate_1_gives_zeros(axis):
    x = inputs(5, 3, 4)
    np.testing.assert_array_equal(call_in_training(HeadDropout(0.0, axis=axis), x), x)
    assert (call_in_training(HeadDropout(1.0, axis=axis), x) == 0).all()


def test_gradient_reaches_a_learned_rate():
    layer = HeadDropout(LearnedRate(0.3, regularizer=0.0, temperature=0.5), seed=1)
    model = keras.Sequential([keras.Input((4, 2)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = inputs(6, 4, 2)
    state = ops.convert_to_numpy(layer.seed_generator.state)
    logit = np.log(0.3 / 0.7)

    def loss(logit):
        layer.rate_variables["logit"].assign(logit)
        layer.seed_generator.state.assign(state)
        return np.mean(call_in_training(layer, x).astype("float64") ** 2)

    slope = (loss(logit + 1e-2) - loss(logit - 1e-2)) / 2e-2
    loss(logit)
    layer.seed_generator.state.assign(state)
    model.train_on_batch(x, np.zeros_like(x))
    moved = float(ops.convert_to_numpy(layer.rate_variables["logit"])) - logit
    assert abs(slope) > 1e-2
    assert moved == pytest.approx(-slope, rel=1e-2)
