"""Functions for axes: those that a mask varies along, and the axis of channels."""

import keras

from kdropout import _validation


def per_axis(shape, *axes):
    """The shape of a mask that varies along `axes`, which are not negative."""
    return tuple(size if axis in axes else 1 for axis, size in enumerate(shape))


def check_data_format(data_format):
    """Check the argument `data_format`, and return Keras's default for None."""
    if data_format is None:
        return keras.config.image_data_format()
    if isinstance(data_format, str):
        data_format = data_format.lower()
    return _validation.choice(
        "data_format", data_format, ("channels_last", "channels_first")
    )


def channel_axis(data_format, rank):
    """The axis of the channels in a batch of maps of `rank` dimensions."""
    return 1 if data_format == "channels_first" else rank + 1
