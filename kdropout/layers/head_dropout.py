"""Dropout of whole attention heads."""

import numbers
from typing import Any

import keras
from keras import ops

from kdropout import _validation, noise
from kdropout._sampling import note_dropped
from kdropout._types import RateLike, Shape, Tensor
from kdropout.layers.axes import per_axis
from kdropout.layers.base import BaseDropout, identity_at_zero


@keras.saving.register_keras_serializable(package="kdropout")
class HeadDropout(BaseDropout):
    """Drops whole attention heads (DropHead).

    In training, `outputs = inputs * m * H / sum(m)`, with one `m` for each sample
    and head: 0 with probability `rate`, else 1. `H` is the number of heads. The layer
    divides by the number of kept heads, and not by its expectation, so that the sum
    over the heads has the same size in every sample. If all heads are dropped, the
    outputs are 0, so their expectation is `(1 - rate ** H) * inputs`.

    Args:
        rate: Float in [0, 1], the probability of dropping a head; or a schedule; or
            a `kdropout.LearnedRate`.
        axis: Integer other than 0, the axis of the heads. Defaults to 1.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Input shape:
        With the default `axis`, `(batch, heads, ...)`: the outputs of the heads, or
        their attention scores after the softmax.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range, or inputs have no such axis.

    Example:

    >>> layer = kdropout.layers.HeadDropout(0.2, axis=2, seed=1)
    >>> layer.get_noise_shape((8, 50, 12, 64))
    (8, 1, 12, 1)

    Reference:
        Zhou et al. 2020, "Scheduled DropHead: a regularization method for
        transformer models", arXiv:2004.13342.
    """

    def __init__(
        self, rate: RateLike, axis: int = 1, seed: int | None = None, **kwargs
    ):
        super().__init__(rate, seed=seed, **kwargs)
        expected = "an integer other than 0, which is the batch"
        if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
            raise _validation.type_error("axis", expected, axis)
        if axis == 0:
            raise _validation.value_error("axis", expected, axis)
        self.axis: int = int(axis)

    def get_noise_shape(self, shape: Shape) -> Shape:
        return per_axis(shape, 0, self._positive_axis(len(shape)))

    @identity_at_zero
    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        keep = noise.keep_mask(shape, rate, seed, self._rate_rule.temperature)
        note_dropped(1.0 - keep)
        axis = self._positive_axis(len(shape))
        num_kept = ops.sum(keep, axis=axis, keepdims=True)
        # In float32, because H / sum(m) rounded to bfloat16 would shift the mean.
        scale = ops.divide_no_nan(ops.cast(shape[axis], "float32"), num_kept)
        outputs = ops.cast(inputs, "float32") * (keep * scale)
        return ops.cast(outputs, inputs.dtype)

    def _positive_axis(self, rank):
        axis = self.axis + rank if self.axis < 0 else self.axis
        if not 0 < axis < rank:
            raise ValueError(
                f"'axis' of layer '{self.name}' must be an axis of the inputs other "
                f"than the batch. Received: axis={self.axis}, inputs of rank {rank}"
            )
        return axis

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
