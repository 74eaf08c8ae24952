"""Dropout of whole channels."""

import keras

from kdropout._types import RateLike, Shape
from kdropout.layers.map_dropout import MapDropout
from kdropout.layers.noise_shapes import per_axis


class SpatialDropout(MapDropout):
    """Drops whole channels of a map, the same at all positions.

    Neighbouring positions of a map carry the same information, so dropping single
    units there removes little; the mask is drawn per sample and channel instead.
    The classes for 1, 2 and 3 dimensions differ in `rank` alone.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, or inputs have the wrong rank.

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional
        networks", arXiv:1411.4280.
    """

    def __init__(
        self,
        rate: RateLike,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
        **kwargs,
    ):
        super().__init__(
            rate, data_format=data_format, seed=seed, name=name, dtype=dtype, **kwargs
        )

    def get_noise_shape(self, shape: Shape) -> Shape:
        return per_axis(shape, 0, self.channel_axis)


@keras.saving.register_keras_serializable(package="kdropout")
class SpatialDropout1D(SpatialDropout):
    """Drops whole channels of a sequence, at a rate that is live.

    Args:
        rate: Float in [0, 1], the probability of dropping a channel; or a schedule;
            or a `kdropout.LearnedRate`.
        seed: Integer, or None for a random one. Defaults to None.
        name: Name of the layer.
        dtype: Dtype or dtype policy of the layer.
        data_format: "channels_last", "channels_first", or None for Keras's default.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` if
        `data_format="channels_first"`.

    Output shape:
        Same as the input shape.

    Example:

    >>> layer = kdropout.layers.SpatialDropout1D(0.2)
    >>> layer.get_noise_shape((8, 20, 16))
    (8, 1, 16)
    """

    rank = 1

    def __init__(
        self,
        rate: RateLike,
        seed: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        # In the order of Keras's class, which has no `data_format`.
        super().__init__(rate, data_format, seed, name, dtype, **kwargs)


@keras.saving.register_keras_serializable(package="kdropout")
class SpatialDropout2D(SpatialDropout):
    """Drops whole channels of an image, at a rate that is live.

    Args:
        rate: Float in [0, 1], the probability of dropping a channel; or a schedule;
            or a `kdropout.LearnedRate`.
        data_format: "channels_last", "channels_first", or None for Keras's default.
        seed: Integer, or None for a random one. Defaults to None.
        name: Name of the layer.
        dtype: Dtype or dtype policy of the layer.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, rows, columns, channels)`, or `(batch, channels, rows, columns)` if
        `data_format="channels_first"`.

    Output shape:
        Same as the input shape.

    Example:

    >>> layer = kdropout.layers.SpatialDropout2D(0.2)
    >>> layer.get_noise_shape((8, 5, 5, 16))
    (8, 1, 1, 16)
    """

    rank = 2


@keras.saving.register_keras_serializable(package="kdropout")
class SpatialDropout3D(SpatialDropout):
    """Drops whole channels of a volume, at a rate that is live.

    Args:
        rate: Float in [0, 1], the probability of dropping a channel; or a schedule;
            or a `kdropout.LearnedRate`.
        data_format: "channels_last", "channels_first", or None for Keras's default.
        seed: Integer, or None for a random one. Defaults to None.
        name: Name of the layer.
        dtype: Dtype or dtype policy of the layer.
        **kwargs: Other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, depth, rows, columns, channels)`, or
        `(batch, channels, depth, rows, columns)` if `data_format="channels_first"`.

    Output shape:
        Same as the input shape.

    Example:

    >>> layer = kdropout.layers.SpatialDropout3D(0.2)
    >>> layer.get_noise_shape((8, 3, 5, 5, 16))
    (8, 1, 1, 1, 16)
    """

    rank = 3
