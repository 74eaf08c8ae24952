"""TokenDropout drops whole tokens, and never those of the prefix."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate
from kdropout.layers import TokenDropout
from tests.tools import call_in_training

BATCH, TOKENS, FEATURES = 200, 30, 5


def inputs(batch=BATCH, tokens=TOKENS):
    """Draw numbers of both signs, none of them 0."""
    rng = np.random.default_rng(0)
    sizes = rng.uniform(0.5, 1.5, (batch, tokens, FEATURES))
    return (sizes * rng.choice([-1, 1], sizes.shape)).astype("float32")


@pytest.mark.parametrize("prefix", [0, 1, 5, TOKENS - 1])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.93])
def test_whole_tokens_after_the_prefix_are_dropped_or_scaled(rate, prefix):
    x = inputs()
    outputs = call_in_training(TokenDropout(rate, num_prefix_tokens=prefix, seed=1), x)
    np.testing.assert_array_equal(outputs[:, :prefix], x[:, :prefix])
    outputs, x = outputs[:, prefix:], x[:, prefix:]
    kept = outputs != 0
    assert (kept == kept[..., :1]).all()
    wanted = np.where(kept, x / (1 - rate), 0.0)
    np.testing.assert_allclose(outputs, wanted, rtol=2.0**-22 / (1 - rate))
    mask = kept[..., 0]
    # Five standard deviations of the share of at least 200 tokens.
    deviation = np.sqrt(rate * (1 - rate) / mask.size)
    assert abs(1 - mask.mean() - rate) < 5 * deviation


def test_tokens_are_dropped_independently():
    mask = call_in_training(TokenDropout(0.5, seed=1), inputs())[..., 0] != 0
    # Neighbours in the sequence and in the batch agree by chance in half of the pairs.
    for one, other in [(mask[:, 1:], mask[:, :-1]), (mask[1:], mask[:-1])]:
        assert abs((one == other).mean() - 0.5) < 5 * np.sqrt(0.25 / one.size)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_prefix_passes_bit_for_bit_in_every_dtype(rate, dtype):
    layer = TokenDropout(rate, num_prefix_tokens=2, seed=1, dtype=dtype)
    x = ops.cast(inputs(), layer.compute_dtype)
    outputs = layer(x, training=True)
    outputs, x = (ops.convert_to_numpy(ops.cast(z, "float32")) for z in (outputs, x))
    np.testing.assert_array_equal(outputs[:, :2], x[:, :2])
    if rate == 0.0:
        np.testing.assert_array_equal(outputs, x)
    if rate == 1.0:
        assert (outputs[:, 2:] == 0).all()


def test_rate_1_drops_infinite_tokens_and_keeps_an_infinite_prefix():
    x = np.full((2, 4, FEATURES), np.inf, "float32")
    outputs = call_in_training(TokenDropout(1.0, num_prefix_tokens=1), x)
    assert np.isposinf(outputs[:, 0]).all()
    assert (outputs[:, 1:] == 0).all()


@pytest.mark.parametrize("rate", [0.4, LearnedRate(0.4, 0.0)], ids=["fixed", "learned"])
def test_sequences_of_unknown_length_work_in_a_compiled_model(rate):
    def distance_of_the_first(y, outputs):
        return ops.max(ops.abs(outputs[:, :1] - 1.0))

    def dropped(y, outputs):
        # In a relaxed mask, tokens closer to 0 than to 1 count as dropped.
        return ops.mean(ops.cast(outputs[:, 1:] < 0.5 / (1 - 0.4), "float32"))

    model = keras.Sequential(
        [
            keras.Input((None, 1)),
            TokenDropout(rate, num_prefix_tokens=1, seed=1),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), distance_of_the_first, metrics=[dropped])
    for batch, tokens in [(90, 40), (60, 51)]:
        x = np.ones((batch, tokens, 1), "float32")
        logs = model.train_on_batch(x, x, return_dict=True)
        model.reset_metrics()
        assert logs["loss"] == 0.0
        # Five standard deviations of the share of the tokens after the first.
        deviation = np.sqrt(0.24 / (batch * (tokens - 1)))
        assert abs(logs["dropped"] - 0.4) < 5 * deviation


def test_entropy_of_a_learned_rate_counts_the_droppable_tokens():
    layer = TokenDropout(LearnedRate(0.2, regularizer=1e-2), num_prefix_tokens=4)
    layer(inputs(), training=True)
    (penalty,) = layer.losses
    wanted = 1e-2 * (TOKENS - 4) * (0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    assert float(ops.convert_to_numpy(penalty)) == pytest.approx(wanted, rel=1e-5)
