"""Dropout of single units."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras

from kdropout import _validation
from kdropout._sampling import active_scope
from kdropout._types import RateLike, Shape, Tensor
from kdropout.layers.base import BaseDropout


@keras.saving.register_keras_serializable(package="kdropout")
class Dropout(BaseDropout):
    """Drops units, like `keras.layers.Dropout`, at a rate that you can change.

    In training, `outputs = inputs * mask / (1 - rate)`, where each entry of `mask`
    is 0 with probability `rate`, else 1. At inference, the layer returns its inputs.

    Args:
        rate: Float in [0, 1], the probability of dropping a unit; or a schedule; or
            a `kdropout.LearnedRate`.
        noise_shape: Sequence of positive integers and None, the shape of the mask. It
            has one entry for each dimension of the inputs, and None stands for the size
            of the inputs. For example, `(None, 1, None)` drops the same features at all
            time steps. A shorter sequence gives the last dimensions of the mask, and
            the first ones are 1. Defaults to None, for the shape of the inputs.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Input shape:
        Any.

    Output shape:
        Same as the input shape.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.Dropout(0.5, seed=1)
    >>> layer.rate = 0.3
    >>> layer.rate
    0.3
    >>> layer(np.ones((2, 3))).shape[1]
    3

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks
        from overfitting", JMLR 15.
    """

    def __init__(
        self,
        rate: RateLike,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(rate, seed=seed, **kwargs)
        self.noise_shape = _check_noise_shape(noise_shape)
        first = None if self.noise_shape is None else self.noise_shape[:1]
        self.has_noise_per_sample = first in (None, (None,))

    def _drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        if self.noise_shape is not None or _has_known_rank(inputs):
            return super()._drop(inputs, rate, seed)
        import tensorflow as tf  # only TensorFlow has tensors of unknown rank

        flat = (-1,) if active_scope() is None else (tf.shape(inputs)[0], -1)
        units = super()._drop(tf.reshape(inputs, flat), rate, seed)
        return tf.reshape(units, tf.shape(inputs))

    def get_noise_shape(self, shape: Shape) -> Shape:
        return _resolve_noise_shape(self.noise_shape, shape, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "noise_shape": self.noise_shape}


def _has_known_rank(inputs):
    return getattr(inputs.shape, "rank", 0) is not None


def _check_noise_shape(noise_shape: Sequence[int | None] | None):
    """The argument `noise_shape` as a tuple, or None."""
    if noise_shape is None:
        return None
    expected = "None or a sequence of positive integers and None"
    if not isinstance(noise_shape, (tuple, list)):
        raise _validation.type_error("noise_shape", expected, noise_shape)
    for size in noise_shape:
        if size is not None and (
            isinstance(size, bool) or not isinstance(size, numbers.Integral)
        ):
            raise _validation.type_error("noise_shape", expected, noise_shape)
        if size is not None and size < 1:
            raise _validation.value_error("noise_shape", expected, noise_shape)
    return tuple(None if size is None else int(size) for size in noise_shape)


def _resolve_noise_shape(
    noise_shape: Sequence[int | None] | None, shape: Shape, layer_name
):
    """`noise_shape` with None replaced by the size of the inputs."""
    if noise_shape is None:
        return shape
    if len(noise_shape) <= len(shape):
        # As in Keras, None stands for the size at the same place from the left, and a
        # mask with fewer dimensions broadcasts along the first ones.
        resolved = tuple(
            size if mask is None else mask
            for mask, size in zip(noise_shape, shape, strict=False)
        )
        resolved = (1,) * (len(shape) - len(resolved)) + resolved
        if all(map(_fits, resolved, shape)):
            return resolved
    raise ValueError(
        f"'noise_shape' of layer '{layer_name}' must have at most one entry for each "
        "dimension of the inputs: 1, None or the size of the inputs. Received: "
        f"noise_shape={noise_shape}, inputs of shape {tuple(shape)}"
    )


def _fits(mask_size, size):
    """Return whether a mask broadcasts along a dimension, if the sizes are known."""
    if not (isinstance(mask_size, int) and isinstance(size, int)):
        return True
    return mask_size in (1, size)
