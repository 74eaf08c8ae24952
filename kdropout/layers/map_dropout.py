"""What the layers that drop parts of a map have in common."""

from typing import Any

import keras

from kdropout import _validation
from kdropout._types import RateLike
from kdropout.layers.base import BaseDropout


class MapDropout(BaseDropout):
    """Base class of dropout on sequences, images and volumes with channels.

    A subclass sets `rank`, the number of dimensions of the map.

    Args:
        rate: As for `BaseDropout`.
        data_format: "channels_last", "channels_first", or None for Keras's default.
        seed: Integer, or None for a random one. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, or inputs have the wrong rank.
    """

    rank = None

    def __init__(
        self,
        rate: RateLike,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(rate, seed=seed, **kwargs)
        if data_format is None:
            data_format = keras.config.image_data_format()
        elif isinstance(data_format, str):
            data_format = data_format.lower()
        self.data_format = _validation.choice(
            "data_format", data_format, ("channels_last", "channels_first")
        )
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2)

    @property
    def channel_axis(self) -> int:
        """The axis of the inputs that holds the channels."""
        return 1 if self.data_format == "channels_first" else self.rank + 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
