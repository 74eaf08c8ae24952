"""Gaussian dropout: multiplicative normal noise of mean 1 and variance p / (1 - p)."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import GaussianDropout

SIZE = 200_000


def multipliers(rate, seed=1):
    x = np.full((SIZE // 100, 100), 2.0, "float32")
    outputs = GaussianDropout(rate, seed=seed)(x, training=True)
    return ops.convert_to_numpy(outputs).astype("float64").ravel() / 2.0


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.5, 0.9])
def test_noise_is_normal_with_the_moments_of_dropout(rate):
    noise = multipliers(rate)
    variance = rate / (1 - rate)
    assert abs(noise.mean() - 1.0) < 5 * np.sqrt(variance / SIZE)
    # The variance of a normal sample's variance is 2 s^4 / n.
    assert abs(noise.var() - variance) < 5 * variance * np.sqrt(2 / SIZE)
    standard = (noise - 1.0) / np.sqrt(variance)
    # Shares of the normal distribution, from a table.
    for bound, share in [(0.0, 0.5), (1.0, 0.841345), (-2.0, 0.022750)]:
        deviation = np.sqrt(share * (1 - share) / SIZE)
        assert abs((standard < bound).mean() - share) < 5 * deviation


def test_every_unit_and_every_call_has_independent_noise():
    layer = GaussianDropout(0.5, seed=1)
    x = np.ones((20, 30), "float32")
    first, second = (ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert len(np.unique(np.concatenate([first, second]))) > 1190


@pytest.mark.parametrize("training", [False, True])
def test_equals_keras_at_rate_0_and_at_inference(training):
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    rate = 0.0 if training else 0.6
    keras_layer = keras.layers.GaussianDropout(rate)
    wanted = ops.convert_to_numpy(keras_layer(x, training=training))
    ours = ops.convert_to_numpy(GaussianDropout(rate)(x, training=training))
    np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("rate", [1 - 2.0**-24, 1.0])
def test_output_and_gradient_are_finite_up_to_rate_1(rate):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), GaussianDropout(rate, seed=1)]
    )
    eagerly = keras.backend.backend() == "jax"  # no need to compile here
    model.compile(keras.optimizers.SGD(1e-9), "mae", run_eagerly=eagerly)
    x, y = np.ones((5, 4), "float32"), np.ones((5, 3), "float32")
    loss = model.train_on_batch(x, y)
    assert np.isfinite(loss)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    if rate == 1.0:
        assert loss == 1.0  # all outputs are 0, all targets 1
