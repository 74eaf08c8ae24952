"""DropConnect drops single weights, keeps the bias, and has one mask per call."""

import keras
import numpy as np
import pytest

from kdropout import LearnedRate, schedules
from kdropout.layers import DropConnect
from tests.tools import entropy_term, numpy

INPUTS, UNITS = 120, 150
BIAS = 5.0


def dense(units=UNITS, **kwargs):
    """Build a layer of weights 1, so that each output counts its kept weights."""
    constants = keras.initializers.Ones(), keras.initializers.Constant(BIAS)
    kernel, bias = constants
    return keras.layers.Dense(
        units, kernel_initializer=kernel, bias_initializer=bias, **kwargs
    )


def effective_kernel(layer):
    """Return the factors by which a training call of a layer multiplies inputs."""
    return numpy(layer(np.eye(INPUTS, dtype="float32"), training=True)) - BIAS


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.93])
def test_share_of_the_weights_is_dropped_and_the_others_are_scaled(rate):
    kernel = effective_kernel(DropConnect(dense(), rate, seed=1))
    dropped = np.abs(kernel) < 1e-5
    np.testing.assert_allclose(kernel[~dropped], 1 / (1 - rate), rtol=1e-4)
    # Five standard deviations of the share of 18 000 weights.
    deviation = np.sqrt(rate * (1 - rate) / kernel.size)
    assert abs(dropped.mean() - rate) < 5 * deviation
    # Weights are dropped independently, so rows and columns are binomial as well.
    for axis in (0, 1):
        counts = dropped.sum(axis)
        spread = kernel.shape[axis] * rate * (1 - rate)
        assert abs(counts.var() / spread - 1) < 5 * np.sqrt(2 / (len(counts) - 1))


def test_weights_of_a_convolution_are_dropped_individually():
    conv = keras.layers.Conv1D(40, 3, kernel_initializer="ones", use_bias=False)
    layer = DropConnect(conv, 0.25, seed=1)
    # One impulse per channel shows the kernel, which is the same for each sample.
    x = np.zeros((50, 5, 50), "float32")
    x[np.arange(50), 2, np.arange(50)] = 1
    outputs = numpy(layer(x, training=True))
    assert set(np.unique(outputs)) == {0.0, np.float32(4 / 3)}
    # Five standard deviations of the share of 6000 weights.
    assert abs((outputs == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 6000)
    assert 0 < (outputs[:, 0] != outputs[:, 1]).mean() < 1


def test_batch_shares_a_mask_and_the_next_call_has_another():
    layer = DropConnect(dense(), 0.5, seed=1)
    x = np.repeat(np.random.default_rng(0).normal(size=(1, 30)), 8, axis=0)
    first, second = (numpy(layer(x, training=True)) for _ in range(2))
    np.testing.assert_allclose(first, first[[0] * 8], rtol=1e-5, atol=1e-5)
    assert (np.abs(first[0] - second[0]) > 1e-3).mean() > 0.9


def test_rate_1_leaves_only_the_activated_bias():
    layer = DropConnect(dense(4, activation="tanh"), 1.0)
    outputs = numpy(layer(np.ones((3, 2), "float32"), training=True))
    np.testing.assert_allclose(outputs, np.tanh(BIAS), rtol=1e-6)


def test_outputs_have_the_expectation_and_variance_of_the_formula():
    # 40 000 units with the same weights give as many independent draws of one output.
    rate, draws = 0.3, 40_000
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(2, 12))
    layer = DropConnect(keras.layers.Dense(draws), rate, seed=1)
    layer.build((None, 12))
    layer.layer.kernel.assign(np.tile(weights[:, None], draws))
    outputs = numpy(layer(x[None].astype("float32"), training=True))[0]
    variance = np.sum((x * weights) ** 2) * rate / (1 - rate)
    assert abs(outputs.mean() - x @ weights) < 5 * np.sqrt(variance / draws)
    # The kurtosis of a sum of many parts is at most about that of a normal: 4 is safe.
    assert abs(outputs.var() / variance - 1) < 5 * np.sqrt(4 / draws)


def test_inference_equals_the_wrapped_layer():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    layer = DropConnect(keras.layers.Dense(5, "relu"), 0.9)
    np.testing.assert_array_equal(numpy(layer(x)), numpy(layer.layer(x)))


def test_schedule_decides_how_many_weights_are_dropped():
    layer = DropConnect(dense(), schedules.LateDropout(0.5, 2), seed=1)
    for rate in (0.0, 0.0, 0.5):
        assert abs((np.abs(effective_kernel(layer)) < 1e-5).mean() - rate) < 0.02
        assert layer.rate == rate


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "wrapped, shape, weights",
    [
        (lambda: keras.layers.Dense(4), (3,), 12),
        (lambda: keras.layers.Conv2D(4, (3, 2), groups=2), (5, 5, 6), 72),
        (lambda: keras.layers.EinsumDense("abc,cde->abde", (3, 2, 4)), (3, 5), 40),
    ],
)
def test_entropy_is_weighted_by_the_number_of_weights(
    wrapped, shape, weights, training
):
    layer = DropConnect(wrapped(), LearnedRate(0.2, regularizer=2e-3))
    layer(np.ones((6, *shape), "float32"), training=training)
    (penalty,) = layer.losses
    wanted = 2e-3 * weights * entropy_term(0.2)
    assert float(numpy(penalty)) == pytest.approx(wanted, rel=1e-5)


def test_gradient_of_a_learned_rate_is_the_slope_of_the_loss():
    rate = LearnedRate(0.3, regularizer=1e-2, temperature=0.5)
    layer = DropConnect(keras.layers.Dense(2), rate, seed=1)
    model = keras.Sequential([keras.Input((4,)), layer])
    eagerly = keras.backend.backend() == "jax"  # no need to compile here
    model.compile(keras.optimizers.SGD(1.0), "mse", run_eagerly=eagerly)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4)).astype("float32")
    y = rng.normal(size=(6, 2)).astype("float32")
    logit = np.log(0.3 / 0.7)
    state = numpy(layer.seed_generator.state)

    def loss(logit):
        layer.rate_variables["logit"].assign(logit)
        layer.seed_generator.state.assign(state)
        outputs = numpy(layer(x, training=True)).astype("float64")
        penalty = 1e-2 * 8 * entropy_term(1 / (1 + np.exp(-logit)))
        return np.mean((outputs - y) ** 2) + penalty

    slope = (loss(logit + 1e-2) - loss(logit - 1e-2)) / 2e-2
    layer.rate_variables["logit"].assign(logit)
    layer.seed_generator.state.assign(state)
    model.train_on_batch(x, y)
    moved = float(numpy(layer.rate_variables["logit"])) - logit
    assert abs(slope) > 0.05
    assert moved == pytest.approx(-slope, rel=1e-2)
