"""Multiplicative Gaussian noise."""

import keras

from kdropout import noise
from kdropout._types import Shape, Tensor
from kdropout.layers.base import BaseDropout, identity_at_zero


@keras.saving.register_keras_serializable(package="kdropout")
class GaussianDropout(BaseDropout):
    """Multiplies by noise, like `keras.layers.GaussianDropout`, with a live rate.

    In training, `outputs = inputs * N(1, rate / (1 - rate))`. This noise has the mean
    and the variance of dropout at the same rate. At rate 1, where the variance would
    be infinite, the outputs are 0.

    Args:
        rate: Float in [0, 1], the rate of dropout whose noise to imitate; or a
            schedule. A `kdropout.LearnedRate` is not supported, because Gaussian noise
            has no mask to relax.
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

    >>> kdropout.layers.GaussianDropout(0.2, seed=1).rate
    0.2

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks
        from overfitting", JMLR 15, section 10.
    """

    can_learn_rate = False

    @identity_at_zero
    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        return inputs * noise.gaussian(shape, rate, seed, inputs.dtype)
