"""Spatial dropout has one decision for all positions of a channel of a sample."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import SpatialDropout1D, SpatialDropout2D, SpatialDropout3D

BATCH, CHANNELS = 60, 50
CLASSES = [SpatialDropout1D, SpatialDropout2D, SpatialDropout3D]
SPACES = [(7,), (4, 3), (2, 3, 4)]
CASES = [
    (SpatialDropout1D, (7,), "channels_last"),
    (SpatialDropout1D, (7,), "channels_first"),
    (SpatialDropout2D, (4, 3), "channels_first"),
    (SpatialDropout3D, (2, 3, 4), "channels_last"),
]


def inputs(space, data_format):
    """Return positive numbers, and the axis of the channels."""
    last = data_format == "channels_last"
    shape = (BATCH, *space, CHANNELS) if last else (BATCH, CHANNELS, *space)
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype("float32")
    return x, -1 if last else 1


@pytest.mark.parametrize("layer, space, data_format", CASES)
def test_channels_are_kept_or_dropped_as_a_whole(layer, space, data_format):
    x, axis = inputs(space, data_format)
    layer = layer(0.4, data_format=data_format, seed=1)
    outputs = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(outputs, np.where(outputs != 0, x / 0.6, 0.0), rtol=1e-6)
    kept = np.moveaxis(outputs != 0.0, axis, 1).reshape(BATCH, CHANNELS, -1)
    assert (kept == kept[:, :, :1]).all()
    mask = kept[:, :, 0]
    # Five standard deviations of the share of 3000 channels.
    assert abs(mask.mean() - 0.6) < 5 * np.sqrt(0.24 / mask.size)
    # Each sample has a separate mask, and each channel a separate decision.
    assert len({row.tobytes() for row in mask}) == BATCH
    assert len({column.tobytes() for column in mask.T}) == CHANNELS


@pytest.mark.parametrize("layer, space, data_format", CASES)
def test_inference_returns_the_inputs(layer, space, data_format):
    x, _ = inputs(space, data_format)
    outputs = layer(0.9, data_format=data_format)(x, training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(outputs), x)


@pytest.mark.parametrize("layer, space", list(zip(CLASSES, SPACES, strict=True)))
def test_rate_0_keeps_all_and_rate_1_drops_all(layer, space):
    x, _ = inputs(space, "channels_last")
    keeps = ops.convert_to_numpy(layer(0.0)(x, training=True))
    np.testing.assert_array_equal(keeps, x)
    assert (ops.convert_to_numpy(layer(1.0)(x, training=True)) == 0.0).all()


def test_data_format_defaults_to_that_of_keras():
    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        layer = SpatialDropout2D(0.5)
    finally:
        keras.config.set_image_data_format(before)
    assert layer.data_format == "channels_first"
    assert layer.get_config()["data_format"] == "channels_first"
    assert SpatialDropout2D.from_config(layer.get_config()).get_noise_shape(
        (8, 16, 5, 6)
    ) == (8, 16, 1, 1)
