"""Dropout of whole channels."""

from typing import Any

import keras

from kdropout._types import RateLike, Shape
from kdropout.layers import axes
from kdropout.layers.base import BaseDropout


class SpatialDropout(BaseDropout):
    """Drops whole channels of a map. Subclasses set the number of its dimensions."""

    _rank: int

    def __init__(
        self,
        rate: RateLike,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
        **kwargs,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = axes.check_data_format(data_format)
        self.input_spec = keras.layers.InputSpec(ndim=self._rank + 2)

    def get_noise_shape(self, shape: Shape) -> Shape:
        channels = axes.channel_axis(self.data_format, self._rank)
        return axes.per_axis(shape, 0, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@keras.saving.register_keras_serializable(package="kdropout")
class SpatialDropout1D(SpatialDropout):
    """Drops whole channels of a sequence, at a rate that you can change in training.

    Neighbouring time steps carry nearly the same information, so dropping single units
    removes little. In training, `outputs = inputs * m / (1 - rate)`, with one `m` for
    each sample and channel: 0 with probability `rate`, else 1.

    Args:
        rate: Float in [0, 1], the probability of dropping a channel; or a schedule;
            or a `kdropout.LearnedRate`.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        name: String, the name of the layer, or None to let Keras choose one. Defaults
            to None.
        dtype: Dtype or dtype policy of the layer, or None for Keras's default. Defaults
            to None.
        data_format: "channels_last", "channels_first", or None for Keras's default.
            Defaults to None.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` if
        `data_format="channels_first"`.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, or inputs have the wrong rank.

    Example:

    >>> layer = kdropout.layers.SpatialDropout1D(0.2)
    >>> layer.get_noise_shape((8, 20, 16))
    (8, 1, 16)

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional
        networks", arXiv:1411.4280.
    """

    _rank = 1

    def __init__(
        self,
        rate: RateLike,
        seed: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        # The order of the arguments is that of Keras's class, without `data_format`.
        super().__init__(rate, data_format, seed, name, dtype, **kwargs)


@keras.saving.register_keras_serializable(package="kdropout")
class SpatialDropout2D(SpatialDropout):
    """Drops whole channels of an image, at a rate that you can change in training.

    Neighbouring positions carry nearly the same information, so dropping single units
    removes little. In training, `outputs = inputs * m / (1 - rate)`, with one `m` for
    each sample and channel: 0 with probability `rate`, else 1.

    Args:
        rate: Float in [0, 1], the probability of dropping a channel; or a schedule;
            or a `kdropout.LearnedRate`.
        data_format: "channels_last", "channels_first", or None for Keras's default.
            Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        name: String, the name of the layer, or None to let Keras choose one. Defaults
            to None.
        dtype: Dtype or dtype policy of the layer, or None for Keras's default. Defaults
            to None.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, rows, columns, channels)`, or `(batch, channels, rows, columns)` if
        `data_format="channels_first"`.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, or inputs have the wrong rank.

    Example:

    >>> layer = kdropout.layers.SpatialDropout2D(0.2)
    >>> layer.get_noise_shape((8, 5, 5, 16))
    (8, 1, 1, 16)

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional
        networks", arXiv:1411.4280.
    """

    _rank = 2


@keras.saving.register_keras_serializable(package="kdropout")
class SpatialDropout3D(SpatialDropout):
    """Drops whole channels of a volume, at a rate that you can change in training.

    Neighbouring positions carry nearly the same information, so dropping single units
    removes little. In training, `outputs = inputs * m / (1 - rate)`, with one `m` for
    each sample and channel: 0 with probability `rate`, else 1.

    Args:
        rate: Float in [0, 1], the probability of dropping a channel; or a schedule;
            or a `kdropout.LearnedRate`.
        data_format: "channels_last", "channels_first", or None for Keras's default.
            Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        name: String, the name of the layer, or None to let Keras choose one. Defaults
            to None.
        dtype: Dtype or dtype policy of the layer, or None for Keras's default. Defaults
            to None.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, depth, rows, columns, channels)`, or
        `(batch, channels, depth, rows, columns)` if `data_format="channels_first"`.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, or inputs have the wrong rank.

    Example:

    >>> layer = kdropout.layers.SpatialDropout3D(0.2)
    >>> layer.get_noise_shape((8, 3, 5, 5, 16))
    (8, 1, 1, 1, 16)

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional
        networks", arXiv:1411.4280.
    """

    _rank = 3
