"""DropBlock drops the stated share of units and keeps their mean."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate
from kdropout.layers import DropBlock1D, DropBlock2D, DropBlock3D
from tests.tools import call_in_training, numpy

BACKEND = keras.backend.backend()

RATES = [0.05, 0.1, 0.3, 0.5, 0.9]
SAMPLES, CHANNELS = 500, 4  # 2000 independent maps
CASES = [
    (DropBlock1D, (20,), 7),
    (DropBlock1D, (11,), 4),
    (DropBlock2D, (12, 12), 3),
    (DropBlock2D, (14, 6), 4),
    (DropBlock2D, (6, 14), (2, 5)),
    (DropBlock3D, (6, 6, 6), 3),
    (DropBlock3D, (7, 4, 5), (2, 3, 4)),
]
LARGER_THAN_THE_MAP = [(DropBlock1D, (5,), 7), (DropBlock2D, (4, 9), 6)]
# These tests need such blocks; test_bad_layers.py tests the warning.
larger_block_is_meant = pytest.mark.filterwarnings("ignore:'block_size' of layer")


def ones(sizes, samples=SAMPLES):
    return np.ones((samples, *sizes, CHANNELS), "float32")


def numbers(*shape):
    """Draw numbers of both signs, none of them 0."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], shape)
    return (signs * rng.uniform(0.5, 1.5, shape)).astype("float32")


@pytest.mark.on_one_backend
@larger_block_is_meant
@pytest.mark.parametrize("layer, sizes, block_size", CASES + LARGER_THAN_THE_MAP)
def test_share_dropped_is_the_rate(layer, sizes, block_size):
    layer = layer(0.0, block_size=block_size, seed=1)
    for rate in RATES:
        layer.rate = rate
        dropped = call_in_training(layer, ones(sizes)) == 0
        # Units of a block drop together, so the deviation is that between maps.
        maps = dropped.mean(tuple(range(1, 1 + len(sizes)))).ravel()
        sigmas = (maps.mean() - rate) / (maps.std(ddof=1) / np.sqrt(maps.size))
        print(f"{BACKEND} {sizes} {layer.block_size} {rate}: {sigmas:+.2f} sigma")
        assert abs(sigmas) < 5, rate


@pytest.mark.parametrize("layer, sizes, block_size", CASES[::2])
def test_kept_units_are_scaled_so_that_the_mean_stays(layer, sizes, block_size):
    layer = layer(0.4, block_size=block_size, seed=2)
    x = numbers(SAMPLES, *sizes, CHANNELS)
    outputs = call_in_training(layer, x)
    kept = outputs != 0
    wanted = np.where(kept, x * kept.size / np.count_nonzero(kept), 0.0)
    np.testing.assert_allclose(outputs, wanted, rtol=2e-6)
    constant = call_in_training(layer, np.full_like(x, 3.0))
    assert constant.mean(dtype="float64") == pytest.approx(3.0, rel=1e-6)


def test_dropped_units_lie_in_blocks():
    layer = DropBlock2D(0.15, block_size=(3, 2), seed=1)
    dropped = np.moveaxis(call_in_training(layer, ones((9, 11), 40)) == 0, -1, 1)
    windows = np.lib.stride_tricks.sliding_window_view(dropped, (3, 2), axis=(2, 3))
    # Each dropped unit is in a window that is dropped as a whole.
    explained = np.zeros_like(dropped)
    for place in np.argwhere(windows.all((-2, -1))):
        sample, channel, row, column = place
        explained[sample, channel, row : row + 3, column : column + 2] = True
    np.testing.assert_array_equal(explained, dropped)
    assert 0 < dropped.mean() < 1


@larger_block_is_meant
@pytest.mark.parametrize("layer, sizes", [(DropBlock1D, (5,)), (DropBlock2D, (4, 3))])
def test_block_larger_than_the_map_drops_whole_maps(layer, sizes):
    dropped = call_in_training(layer(0.4, block_size=7, seed=1), ones(sizes)) == 0
    maps = dropped.reshape(SAMPLES, -1, CHANNELS)
    assert (maps == maps[:, :1]).all()
    deviation = np.sqrt(0.24 / (SAMPLES * CHANNELS))
    assert abs(maps[:, 0].mean() - 0.4) < 5 * deviation


@larger_block_is_meant
def test_block_longer_than_one_axis_drops_bands():
    dropped = (
        call_in_training(DropBlock2D(0.3, block_size=(9, 2), seed=1), ones((4, 10)))
        == 0
    )
    assert (dropped == dropped[:, :1]).all()
    assert not (dropped == dropped[:, :, :1]).all()


def test_blocks_of_size_1_equal_dropout():
    dropped = (
        call_in_training(DropBlock2D(0.3, block_size=1, seed=1), ones((8, 5))) == 0
    )
    # Five standard deviations of the share of 80 000 independent units.
    assert abs(dropped.mean() - 0.3) < 5 * np.sqrt(0.21 / dropped.size)
    pairs = dropped[:, 1::2] == dropped[:, ::2]
    alike = 0.3**2 + 0.7**2
    assert abs(pairs.mean() - alike) < 5 * np.sqrt(alike * (1 - alike) / pairs.size)


@pytest.mark.parametrize("layer, sizes, block_size", CASES[::3])
def test_channels_drop_the_same_blocks_if_requested(layer, sizes, block_size):
    for sync_channels in (False, True):
        made = layer(0.3, block_size, sync_channels=sync_channels, seed=1)
        dropped = call_in_training(made, ones(sizes)) == 0
        assert (dropped == dropped[..., :1]).all() == sync_channels
        assert not (dropped == dropped[:1]).all()
        # Independent maps: one per sample, or one per sample and channel.
        maps = dropped.mean(tuple(range(1, 1 + len(sizes))))
        maps = maps[:, 0] if sync_channels else maps.ravel()
        deviation = maps.std(ddof=1) / np.sqrt(maps.size)
        assert abs(maps.mean() - 0.3) < 5 * deviation


@pytest.mark.parametrize("sync_channels", [False, True])
@pytest.mark.parametrize("layer, sizes, block_size", CASES[1::3])
def test_channels_first_equals_transposed_channels_last(
    layer, sizes, block_size, sync_channels
):
    arguments = {"block_size": block_size, "sync_channels": sync_channels, "seed": 5}
    last = layer(0.3, data_format="channels_last", **arguments)
    first = layer(0.3, data_format="channels_first", **arguments)
    x = numbers(SAMPLES, *sizes, CHANNELS)
    outputs = call_in_training(first, np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(
        np.moveaxis(outputs, 1, -1), call_in_training(last, x)
    )


def test_data_format_defaults_to_that_of_keras():
    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        layer = DropBlock2D(0.5)
    finally:
        keras.config.set_image_data_format(before)
    assert layer.get_config()["data_format"] == "channels_first"


class AlwaysTraining(keras.layers.Layer):
    """Runs a layer in training mode, so that `predict` runs it compiled."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, inputs):
        return self.layer(inputs, training=True)


@pytest.mark.skipif(
    BACKEND != "tensorflow", reason="JAX and PyTorch know all sizes when they run"
)
@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_maps_of_unknown_size_drop_like_maps_of_known_size(data_format, jit_compile):
    import tensorflow as tf

    channels_first = data_format == "channels_first"
    x = numbers(8, 3, 9, 6) if channels_first else numbers(8, 9, 6, 3)
    unknown = (3, None, None) if channels_first else (None, None, 3)

    def predict(shape):
        inputs = keras.Input(shape)
        layer = DropBlock2D(0.4, (3, 2), data_format=data_format, seed=1)
        model = keras.Model(inputs, AlwaysTraining(layer)(inputs))
        model.compile(jit_compile=jit_compile)
        spec = tf.TensorSpec((None, *shape), "float32")
        data = tf.data.Dataset.from_generator(lambda: iter([x]), output_signature=spec)
        return model.predict(data, steps=1, verbose=0)

    outputs = predict(unknown)
    np.testing.assert_array_equal(outputs, predict(x.shape[1:]))
    assert 0 < np.mean(outputs == 0) < 1


def test_gradient_of_a_learned_rate_is_the_slope_of_the_loss():
    rate = LearnedRate(0.3, regularizer=0.0, temperature=0.5)
    layer = DropBlock2D(rate, block_size=(3, 2), seed=1)
    model = keras.Sequential([keras.Input((6, 5, 2)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = numbers(8, 6, 5, 2)
    state = ops.convert_to_numpy(layer.seed_generator.state)
    logit = np.log(0.3 / 0.7)

    def loss(logit):
        layer.rate_variables["logit"].assign(logit)
        layer.seed_generator.state.assign(state)
        return np.mean((call_in_training(layer, x).astype("float64") - x) ** 2)

    slope = (loss(logit + 1e-2) - loss(logit - 1e-2)) / 2e-2
    layer.rate_variables["logit"].assign(logit)
    layer.seed_generator.state.assign(state)
    model.train_on_batch(x, x)
    moved = float(ops.convert_to_numpy(layer.rate_variables["logit"])) - logit
    assert abs(slope) > 1e-2
    assert moved == pytest.approx(-slope, rel=2e-2)


def test_learned_rate_stays_finite_at_the_ends():
    layer = DropBlock2D(LearnedRate(), block_size=3, seed=1)
    model = keras.Sequential([keras.Input((6, 5, 2)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = numbers(4, 6, 5, 2)
    for logit in (-30.0, 30.0):
        layer.rate_variables["logit"].assign(logit)
        assert np.isfinite(model.train_on_batch(x, x))
        assert np.isfinite(ops.convert_to_numpy(layer.rate_variables["logit"]))


def test_entropy_of_a_learned_rate_counts_the_independent_units():
    for sync_channels, units in [(False, 6 * 5 * 2), (True, 6 * 5)]:
        rate = LearnedRate(0.2, regularizer=1e-2)
        layer = DropBlock2D(rate, block_size=3, sync_channels=sync_channels)
        layer(numbers(4, 6, 5, 2), training=False)
        (penalty,) = layer.losses
        wanted = 1e-2 * units * (0.2 * np.log(0.2) + 0.8 * np.log(0.8))
        assert float(ops.convert_to_numpy(penalty)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("layer, sizes, block_size", CASES[::3])
def test_rate_0_is_the_identity_and_rate_1_gives_zeros(layer, sizes, block_size):
    x = numbers(SAMPLES, *sizes, CHANNELS)
    np.testing.assert_array_equal(call_in_training(layer(0.0, block_size), x), x)
    assert (call_in_training(layer(1.0, block_size), x) == 0).all()


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_mean_is_not_biased_in_half_precision(rate):
    # A scale rounded to 8 bits before the product would be off by up to 0.4 %.
    layer = DropBlock2D(rate, block_size=3, seed=1, dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(1.0, 1.0, (200, 9, 9, 8))
    x = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    outputs = numpy(ops.cast(layer(x, training=True), "float32"))
    x = numpy(ops.cast(x, "float32")).astype("float64")
    exact = np.where(outputs != 0, x, 0.0) / np.mean((outputs != 0) | (x == 0))
    # Rounding is off by up to half a spacing of 2^-7, and equally for equal numbers.
    values, counts = np.unique(exact, return_counts=True)
    deviation = np.sqrt(np.sum((counts * values * 2.0**-7) ** 2) / 12) / x.size
    sigmas = (outputs.mean(dtype="float64") - exact.mean()) / deviation
    print(f"{BACKEND} rate {rate}: {sigmas:+.2f} sigma of {deviation:.1e}")
    assert abs(sigmas) < 5
