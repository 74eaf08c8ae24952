"""Dropout of contiguous blocks of a map."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kdropout import _block_mask, _validation
from kdropout._sampling import note_dropped
from kdropout._types import RateLike, Shape, Tensor
from kdropout.layers import axes
from kdropout.layers.base import BaseDropout, identity_at_zero


class DropBlock(BaseDropout):
    """Drops contiguous blocks of a map. Subclasses set the number of its dimensions."""

    _rank: int

    # The scale of kept units depends on the share of kept units in the whole batch.
    has_noise_per_sample = False

    def __init__(
        self,
        rate: RateLike,
        block_size: int | Sequence[int] = 7,
        sync_channels=False,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = axes.check_data_format(data_format)
        self.input_spec = keras.layers.InputSpec(ndim=self._rank + 2)
        self.block_size = _check_block_size(block_size, self._rank)
        if not isinstance(sync_channels, bool):
            raise _validation.type_error("sync_channels", "a bool", sync_channels)
        self.sync_channels = sync_channels

    @property
    def _channel_axis(self):
        return axes.channel_axis(self.data_format, self._rank)

    def get_noise_shape(self, shape: Shape) -> Shape:
        self._warn_if_larger_than_the_map(shape)
        sizes = list(shape)
        if self.sync_channels:
            sizes[self._channel_axis] = 1
        return tuple(sizes)

    @identity_at_zero
    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        if self.data_format == "channels_first":
            shape = (shape[0], *shape[2:], shape[1])
        drop = _block_mask.block_mask(
            shape, self.block_size, rate, seed, self._rate_rule.temperature
        )
        note_dropped(drop)
        keep = ops.moveaxis(1.0 - drop, -1, self._channel_axis)
        # In float32, the mean of many ones is not always 1.
        share_kept = ops.where(ops.equal(rate, 0.0), 1.0, ops.mean(keep))
        # In float32, because a scale rounded to bfloat16 would shift the mean.
        multiplier = ops.divide_no_nan(keep, share_kept)
        outputs = ops.cast(inputs, "float32") * multiplier
        return ops.cast(outputs, inputs.dtype)

    def _warn_if_larger_than_the_map(self, shape):
        sizes = [*shape[1:]]
        del sizes[self._channel_axis - 1]
        if any(
            isinstance(size, int) and size < length
            for size, length in zip(sizes, self.block_size, strict=True)
        ):
            warnings.warn(
                f"'block_size' of layer '{self.name}' is larger than the map, so a "
                "block covers a whole axis. Received: "
                f"block_size={self.block_size}, inputs of shape {tuple(shape)}. Pass a "
                "smaller block_size to drop parts of the axis.",
                stacklevel=2,
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "block_size": self.block_size,
            "sync_channels": self.sync_channels,
        }


def _check_block_size(block_size, rank):
    """The argument `block_size`, as a tuple of `rank` integers."""
    if isinstance(block_size, (tuple, list)):
        if len(block_size) != rank:
            expected = f"an integer or a sequence of {rank}"
            raise _validation.value_error("block_size", expected, block_size)
        sizes = block_size
    else:
        sizes = [block_size] * rank
    return tuple(_validation.integer("block_size", size, low=1) for size in sizes)


@keras.saving.register_keras_serializable(package="kdropout")
class DropBlock1D(DropBlock):
    """Drops contiguous stretches of a sequence, at a rate that you can change.

    Neighbouring units of a map carry the same information, so dropping a block removes
    more of it than dropping single units. Blocks start at random places where they fit
    entirely. They start so often that each unit is dropped with probability `rate`, on
    average over the map. This accounts for overlaps and edges. The formula of the paper
    does not, and drops less than the rate. Kept units are multiplied by the number of
    all units, divided by the number of kept units.

    Args:
        rate: Float in [0, 1], the probability of dropping a unit; or a schedule; or
            a `kdropout.LearnedRate`.
        block_size: Integer of at least 1, the length of a stretch in steps. Defaults
            to 7.
        sync_channels: If True, all channels of a sample drop the same blocks. Defaults
            to False.
        data_format: "channels_last", "channels_first", or None for Keras's default.
            Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

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

    >>> layer = kdropout.layers.DropBlock1D(0.1, block_size=5, seed=1)
    >>> layer(np.ones((2, 20, 4)), training=True).shape[1]
    20

    Reference:
        Ghiasi, Lin, Le 2018, "DropBlock: a regularization method for convolutional
        networks", arXiv:1810.12890.
    """

    _rank = 1


@keras.saving.register_keras_serializable(package="kdropout")
class DropBlock2D(DropBlock):
    """Drops contiguous blocks of an image, at a rate that you can change.

    Neighbouring units of a map carry the same information, so dropping a block removes
    more of it than dropping single units. Blocks start at random places where they fit
    entirely. They start so often that each unit is dropped with probability `rate`, on
    average over the map. This accounts for overlaps and edges. The formula of the paper
    does not, and drops less than the rate. Kept units are multiplied by the number of
    all units, divided by the number of kept units.

    Args:
        rate: Float in [0, 1], the probability of dropping a unit; or a schedule; or
            a `kdropout.LearnedRate`.
        block_size: Integer of at least 1, or a pair for rows and columns, in units of
            the map. Defaults to 7.
        sync_channels: If True, all channels of a sample drop the same blocks. Defaults
            to False.
        data_format: "channels_last", "channels_first", or None for Keras's default.
            Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

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

    >>> layer = kdropout.layers.DropBlock2D(0.1, block_size=3, seed=1)
    >>> layer(np.ones((2, 14, 14, 4)), training=True).shape[1]
    14

    Reference:
        Ghiasi, Lin, Le 2018, "DropBlock: a regularization method for convolutional
        networks", arXiv:1810.12890.
    """

    _rank = 2


@keras.saving.register_keras_serializable(package="kdropout")
class DropBlock3D(DropBlock):
    """Drops contiguous blocks of a volume, at a rate that you can change.

    Neighbouring units of a map carry the same information, so dropping a block removes
    more of it than dropping single units. Blocks start at random places where they fit
    entirely. They start so often that each unit is dropped with probability `rate`, on
    average over the map. This accounts for overlaps and edges. The formula of the paper
    does not, and drops less than the rate. Kept units are multiplied by the number of
    all units, divided by the number of kept units.

    Args:
        rate: Float in [0, 1], the probability of dropping a unit; or a schedule; or
            a `kdropout.LearnedRate`.
        block_size: Integer of at least 1, or three for depth, rows and columns, in
            units of the map. Defaults to 7.
        sync_channels: If True, all channels of a sample drop the same blocks. Defaults
            to False.
        data_format: "channels_last", "channels_first", or None for Keras's default.
            Defaults to None.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

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

    >>> layer = kdropout.layers.DropBlock3D(0.1, block_size=(1, 3, 3), seed=1)
    >>> layer(np.ones((2, 8, 10, 10, 4)), training=True).shape[1]
    8

    Reference:
        Ghiasi, Lin, Le 2018, "DropBlock: a regularization method for convolutional
        networks", arXiv:1810.12890.
    """

    _rank = 3
