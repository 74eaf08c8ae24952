"""Dropout of single units."""

import numbers

import keras

from kdropout import validation
from kdropout.layers.base import BaseDropout


@keras.saving.register_keras_serializable(package="kdropout")
class Dropout(BaseDropout):
    """Drops units, as `keras.layers.Dropout` does, at a rate that is live.

    In training, `outputs = inputs * mask / (1 - rate)`, where each entry of `mask`
    is 0 with probability `rate`, else 1. Otherwise the outputs are the inputs.

    Args:
        rate: Float in [0, 1], the probability of dropping a unit; or a schedule; or
            a `kdropout.LearnedRate`.
        noise_shape: Sequence of positive integers or None, one for each dimension
            of the inputs: the shape of the mask, with None for the size of the
            inputs. `(None, 1, None)` drops the same features at all timesteps.
            Defaults to None: the shape of the inputs.
        seed: Integer in [0, 2**31), or None for a random one. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`.

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

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        self.noise_shape = check_noise_shape(noise_shape)

    @property
    def has_noise_per_sample(self):
        return self.noise_shape is None or self.noise_shape[0] is None

    def get_noise_shape(self, shape):
        return resolve_noise_shape(self.noise_shape, shape, self.name)

    def get_config(self):
        return {**super().get_config(), "noise_shape": self.noise_shape}


def check_noise_shape(noise_shape):
    """The argument `noise_shape` as a tuple, or None.

    Raises:
        TypeError: If it is not a sequence of integers and None.
        ValueError: If an integer is not positive.
    """
    if noise_shape is None:
        return None
    expected = "None or a sequence of positive integers and None"
    if not isinstance(noise_shape, (tuple, list)):
        raise TypeError(validation.received("noise_shape", expected, noise_shape))
    for size in noise_shape:
        if size is not None and (
            isinstance(size, bool) or not isinstance(size, numbers.Integral)
        ):
            raise TypeError(validation.received("noise_shape", expected, noise_shape))
        if size is not None and size < 1:
            raise ValueError(validation.received("noise_shape", expected, noise_shape))
    return tuple(None if size is None else int(size) for size in noise_shape)


def resolve_noise_shape(noise_shape, shape, layer_name):
    """`noise_shape` with None replaced by the size of the inputs.

    Raises:
        ValueError: If the mask could not broadcast against the inputs.
    """
    if noise_shape is None:
        return shape
    fits = len(noise_shape) == len(shape) and all(
        mask in (None, 1) or not isinstance(size, int) or mask == size
        for mask, size in zip(noise_shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"'noise_shape' of layer '{layer_name}' must have one entry for each "
            "dimension of the inputs: 1, None or the size of the inputs. Received: "
            f"noise_shape={noise_shape}, inputs of shape {tuple(shape)}"
        )
    return tuple(
        size if mask is None else mask
        for mask, size in zip(noise_shape, shape, strict=True)
    )
