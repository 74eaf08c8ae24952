"""Dropout of single weights."""

import math

import keras
from keras import ops

from kdropout._types import Tensor
from kdropout.layers import linear_map
from kdropout.layers.wrapper import DropoutWrapper


@keras.saving.register_keras_serializable(package="kdropout")
class DropConnect(DropoutWrapper):
    """Drops single weights of a Dense, Conv or EinsumDense layer.

    In training, `outputs = activation(inputs @ (kernel * mask / (1 - rate)) + bias)`,
    where each entry of `mask` is 0 with probability `rate`, else 1. The bias is never
    dropped. The whole batch shares one mask, so that the step stays one matrix product
    or convolution. At inference, the outputs are those of the wrapped layer.

    Args:
        layer: A Dense, Conv1D, Conv2D, Conv3D or EinsumDense layer of Keras.
        rate: Float in [0, 1], the probability of dropping a weight; or a schedule;
            or a `kdropout.LearnedRate`.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and
            `activity_regularizer`. The dtype is that of `layer`.

    Input shape:
        That of `layer`.

    Output shape:
        That of `layer`.

    Raises:
        TypeError: If an argument is of the wrong type, `layer` is of another kind, or
            inputs are not floating point.
        ValueError: If an argument is out of range, or `layer` is quantized or has an
            activity regularizer.

    Example:

    >>> dense = keras.layers.Dense(8, activation="relu")
    >>> layer = kdropout.layers.DropConnect(dense, rate=0.5, seed=1)
    >>> layer(np.ones((2, 3)), training=True).shape[1]
    8

    Reference:
        Wan et al. 2013, "Regularization of neural networks using DropConnect",
        ICML 28. The paper draws a mask for each sample.
    """

    has_noise_per_sample = False

    def _num_units(self, inputs: Tensor) -> int | Tensor:
        return math.prod(self.layer.kernel.shape)

    def _drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        kernel = ops.convert_to_tensor(self.layer.kernel)
        kernel = self.apply_noise(kernel, tuple(kernel.shape), rate, seed)
        outputs = linear_map.apply_kernel(self.layer, inputs, kernel)
        return linear_map.add_bias_and_activate(self.layer, outputs)
