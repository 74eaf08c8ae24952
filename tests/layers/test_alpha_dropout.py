"""Alpha dropout sets dropped units to SELU's floor and keeps mean and variance."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate
from kdropout.layers import AlphaDropout

# Klambauer et al. 2017, equation 14: lambda and alpha of SELU.
FLOOR = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def affine(rate):
    """Return a and b of the section "Dropout for SNNs", for mean 0 and variance 1."""
    keep = 1 - rate
    a = (keep + FLOOR**2 * keep * (1 - keep)) ** -0.5
    return a, -a * (1 - keep) * FLOOR


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.95])
def test_outputs_follow_the_formula_for_the_drawn_mask(rate):
    x = normal(2000, 100)
    outputs = AlphaDropout(rate, seed=1)(x, training=True)
    outputs = ops.convert_to_numpy(outputs)
    a, b = affine(rate)
    dropped = np.abs(outputs - (a * FLOOR + b)) < 1e-5
    wanted = a * np.where(dropped, FLOOR, x) + b
    np.testing.assert_allclose(outputs, wanted, atol=2e-5)
    # Five standard deviations of the share of 200 000 units.
    assert abs(dropped.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_mean_and_variance_are_kept(rate):
    x = normal(2000, 100)
    outputs = ops.convert_to_numpy(AlphaDropout(rate, seed=1)(x, training=True))
    outputs = outputs.astype("float64")
    assert abs(outputs.mean()) < 5 / np.sqrt(x.size)
    fourth = np.mean((outputs - outputs.mean()) ** 4)
    assert abs(outputs.var() - 1.0) < 5 * np.sqrt((fourth - 1.0) / x.size)


@pytest.mark.parametrize("training", [False, True])
def test_equals_keras_at_rate_0_and_at_inference(training):
    x = normal(4, 5)
    rate = 0.0 if training else 0.6
    wanted = keras.layers.AlphaDropout(rate)(x, training=training)
    ours = ops.convert_to_numpy(AlphaDropout(rate)(x, training=training))
    np.testing.assert_array_equal(ours, ops.convert_to_numpy(wanted))


@pytest.mark.parametrize("rate", [1 - 2.0**-24, 1.0])
def test_output_and_gradient_are_finite_up_to_rate_1(rate):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), AlphaDropout(rate)]
    )
    eagerly = keras.backend.backend() == "jax"  # no need to compile here
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    loss = model.train_on_batch(normal(5, 4), np.ones((5, 3), "float32"))
    assert np.isfinite(loss)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    if rate == 1.0:
        assert loss == 1.0  # all outputs are 0, all targets 1


def test_noise_shape_is_shared_as_in_dropout():
    x = normal(10, 10)
    layer = AlphaDropout(0.5, noise_shape=(None, 1), seed=1)
    a, b = affine(0.5)
    outputs = ops.convert_to_numpy(layer(x, training=True))
    dropped = np.abs(outputs - (a * FLOOR + b)) < 1e-5
    assert (dropped == dropped[:, :1]).all()
    assert 0 < dropped.mean() < 1


def test_learned_rate_mixes_units_with_the_floor():
    rate = 0.3
    layer = AlphaDropout(LearnedRate(rate, temperature=0.5), seed=1)
    a, b = affine(rate)
    # Inputs at the floor do not change, for any mask.
    x = np.full((10, 10), FLOOR, "float32")
    outputs = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(outputs, a * FLOOR + b, rtol=1e-5)
    # The floor's share in other inputs lies between 0 and 1.
    outputs = ops.convert_to_numpy(layer(np.ones((10, 10), "float32"), training=True))
    kept = ((outputs - b) / a - FLOOR) / (1 - FLOOR)
    assert (kept > -1e-5).all() and (kept < 1 + 1e-5).all()
    assert len(np.unique(kept)) > 50
