"""Dropout of single units: the scale, the shape of the mask, and rates 0 and 1."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import Dropout
from tests.tools import call_in_training

# On JAX, compiling the models would take most of the time and is not needed here.
EAGERLY = keras.backend.backend() == "jax"


def inputs(*shape):
    """Draw numbers of both signs, none of them 0."""
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype("float32") * (
        np.random.default_rng(1).choice([-1, 1], shape).astype("float32")
    )


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.93])
def test_kept_units_are_scaled_and_the_others_are_zero(rate):
    x = inputs(500, 40)
    outputs = call_in_training(Dropout(rate, seed=1), x)
    kept = outputs != 0.0
    # The rate in effect is the nearest multiple of 2^-24.
    wanted = np.where(kept, x / (1 - rate), 0.0)
    np.testing.assert_allclose(outputs, wanted, rtol=2.0**-22 / (1 - rate))
    # Five standard deviations of the share of 20 000 units.
    assert abs(1 - kept.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)


def shared_axes(kept):
    """Return the axes along which the mask is constant."""
    return tuple(
        axis
        for axis in range(kept.ndim)
        if (kept == np.take(kept, [0], axis=axis)).all()
    )


@pytest.mark.parametrize(
    "noise_shape, shared",
    [
        (None, ()),
        ((None, 1, None), (1,)),
        ((None, None, 1), (2,)),
        ([None, 1, 1], (1, 2)),
        ((1, None, None), (0,)),
        ((20, 1, 6), (1,)),
    ],
)
def test_units_along_an_entry_of_1_share_their_fate(noise_shape, shared):
    x = inputs(20, 8, 6)
    outputs = call_in_training(Dropout(0.5, noise_shape=noise_shape, seed=3), x)
    kept = outputs != 0.0
    assert shared_axes(kept) == shared
    np.testing.assert_allclose(outputs, np.where(kept, 2 * x, 0.0), rtol=1e-6)


@pytest.mark.parametrize(
    "noise_shape, sizes", [(None, [(8, 3)]), ((None, 1, None), [(8, 3), (4, 5)])]
)
def test_noise_shape_may_have_unknown_sizes_in_a_compiled_model(noise_shape, sizes):
    def spread_over_time(y, outputs):
        return ops.max(outputs, axis=1) - ops.min(outputs, axis=1)

    model = keras.Sequential(
        [
            keras.Input((None, 6)),
            Dropout(0.5, noise_shape=noise_shape, seed=1),
            keras.layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=spread_over_time)
    for batch, length in sizes:
        x = np.ones((batch, length, 6), "float32")
        spread = model.train_on_batch(x, x[:, 0, :1])
        assert (spread == 0.0) == (noise_shape is not None)


@pytest.mark.parametrize("training", [False, True])
def test_equals_keras_at_rate_0_and_at_inference(training):
    x = inputs(4, 5)
    rate = 0.0 if training else 0.6
    wanted = ops.convert_to_numpy(keras.layers.Dropout(rate)(x, training=training))
    ours = ops.convert_to_numpy(Dropout(rate)(x, training=training))
    np.testing.assert_array_equal(ours, wanted)
    np.testing.assert_array_equal(ours, x)


def test_rate_1_gives_zeros_for_all_inputs():
    outputs = call_in_training(
        Dropout(1.0), np.array([[np.inf, -np.inf, 0, 1e38]], "float32")
    )
    assert (outputs == 0.0).all()


@pytest.mark.parametrize("rate", [0.0, 1 - 2.0**-24, 1.0])
def test_gradients_are_finite_at_rates_0_and_1(rate):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, use_bias=False, name="first"),
            Dropout(rate),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=EAGERLY)
    kernel = model.get_layer("first").kernel
    before = ops.convert_to_numpy(kernel)
    assert np.isfinite(model.train_on_batch(inputs(6, 4), inputs(6, 1)))
    moved = ops.convert_to_numpy(kernel) - before
    assert np.isfinite(moved).all()
    assert (np.abs(moved).max() > 0) == (rate == 0.0)


def test_gradient_passes_where_units_are_kept():
    # d sum(outputs) / d input is 1 / (1 - rate) where kept, else 0.
    layer = Dropout(0.75, seed=2)
    scale = keras.layers.EinsumDense("bi,i->bi", output_shape=50)
    model = keras.Sequential([keras.Input((50,)), scale, layer])
    model.compile(
        optimizer=keras.optimizers.SGD(1.0),
        loss=lambda y, outputs: ops.sum(outputs, axis=-1),
        run_eagerly=EAGERLY,
    )
    scale.kernel.assign(np.ones(50))
    x = np.ones((1, 50), "float32")
    model.train_on_batch(x, x)
    gradient = 1.0 - ops.convert_to_numpy(scale.kernel)
    assert set(np.unique(gradient)) == {0.0, 4.0}


def test_rate_near_1_scales_by_the_keep_probability_in_use():
    rate = 1 - 2.0**-10
    outputs = call_in_training(Dropout(rate, seed=1), np.ones((1000, 1000), "float32"))
    assert set(np.unique(outputs)) == {0.0, 1024.0}
    # 976 of 1e6 units are kept; five standard deviations are 156.
    assert abs(np.count_nonzero(outputs) - 976.6) < 157


def test_config_holds_the_noise_shape():
    assert Dropout(0.5, noise_shape=[None, 1]).get_config()["noise_shape"] == (None, 1)
    layer = Dropout.from_config(Dropout(0.5, noise_shape=(None, 1)).get_config())
    assert layer.noise_shape == (None, 1)
    assert Dropout(0.5).get_config()["noise_shape"] is None
