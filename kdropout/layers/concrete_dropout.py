"""Concrete dropout: the paper's layer, with its weight and entropy terms."""

from typing import Any

import keras
from keras import ops

from kdropout import _validation
from kdropout._types import Shape, Tensor
from kdropout.layers import linear_map
from kdropout.layers.axes import per_axis
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.rate_rules import LearnedRate
from kdropout.rate_rules.base import add_scalar, read
from kdropout.rate_rules.learned import HIGHEST_REGULARIZER

# The temperatures of the authors' code.
_TEMPERATURE_DENSE = 0.1
_TEMPERATURE_CONVOLUTION = 2.0 / 3.0


@keras.saving.register_keras_serializable(package="kdropout")
class ConcreteDropout(DropoutWrapper):
    r"""Drops the inputs of a layer at a rate learned by variational inference.

    The layer multiplies the inputs $x$ of the wrapped layer by a relaxed mask, which
    has a gradient in the rate $p$. With $u$ uniform in (0, 1) and the temperature $t$:

    $$
    z = \text{sigmoid}((\log p - \log(1 - p) + \log u - \log(1 - u)) / t)
    $$

    $$
    \text{outputs} = \text{layer}(x (1 - z) / (1 - p))
    $$

    Around a convolution, it drops whole channels. The layer adds two terms to the loss.
    `W` is the kernel, and `K` is the number of inputs that can be dropped (for a
    convolution, the number of channels):

        weight term  = weight_regularizer * sum(W ** 2) / (1 - p)
        entropy term = dropout_regularizer * K * (p log p + (1 - p) log(1 - p))

    The entropy term is never positive, so a loss may become negative.
    `kdropout.callbacks.RateLogger` logs both terms of the last step as
    "weight_term/<layer>" and "entropy_term/<layer>".

    Args:
        layer: A Dense, Conv1D, Conv2D, Conv3D or EinsumDense layer of Keras.
        initial_rate: Float in (0, 1), the rate to start from. Defaults to 0.1.
        weight_regularizer: Float in [0, 1e20], the weight of the weight term. For a
            prior of length scale `l`, model precision `tau` and `N` training samples,
            it is `l ** 2 / (tau * N)`. Defaults to 1e-6.
        dropout_regularizer: Float in [0, 1e20], the weight of the entropy term. It is
            `2 / (tau * N)` for squared loss, and `1 / N` for cross-entropy. Defaults
            to 1e-5.
        temperature: Float of at least 1e-6, the softness of the mask; or None for the
            values of the authors, which are 2/3 for convolutions and 0.1 for other
            layers. Defaults to None.
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

    >>> N = 1000
    >>> layer = kdropout.layers.ConcreteDropout(
    ...     keras.layers.Dense(64, activation="relu"),
    ...     weight_regularizer=1e-4 / N,
    ...     dropout_regularizer=2.0 / N,
    ... )
    >>> layer.rate
    0.1

    Reference:
        Gal, Hron, Kendall 2017, "Concrete Dropout", arXiv:1705.07832. Terms and
        defaults have the form of the authors' code.
    """

    _how_to_set_rate = (
        "Use kdropout.layers.Dropout before the layer to set it yourself."
    )

    _rate_rule: LearnedRate

    def __init__(
        self,
        layer: keras.layers.Layer,
        initial_rate: float = 0.1,
        weight_regularizer: float = 1e-6,
        dropout_regularizer: float = 1e-5,
        temperature: float | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        linear_map.check_layer(layer)
        softness = temperature
        if softness is None:
            convolution = linear_map.is_convolution(layer)
            softness = _TEMPERATURE_CONVOLUTION if convolution else _TEMPERATURE_DENSE
        rate = LearnedRate(
            initial_rate,
            _validation.number(
                "dropout_regularizer", dropout_regularizer, 0.0, HIGHEST_REGULARIZER
            ),
            softness,
        )
        super().__init__(layer, rate, seed=seed, **kwargs)
        self.temperature = temperature
        self.weight_regularizer = _validation.number(
            "weight_regularizer", weight_regularizer, 0.0, HIGHEST_REGULARIZER
        )
        self.rate_variables["weight_term"] = add_scalar(self, "weight_term", 0.0)

    def get_noise_shape(self, shape: Shape) -> Shape:
        if not linear_map.is_convolution(self.layer):
            return shape
        channels = linear_map.channel_axis(self.layer) % len(shape)
        return per_axis(shape, 0, channels)

    def _drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        shape = self._noise_shape(inputs)
        return self.layer(self.apply_noise(inputs, shape, rate, seed))

    def _add_rate_penalty(self, inputs: Tensor, training: bool) -> None:
        super()._add_rate_penalty(inputs, training)
        kernel = ops.cast(self.layer.kernel, "float32")
        keep_probability = 1.0 - self._rate_rule.current_rate(self)
        weight_term = (
            self.weight_regularizer * ops.sum(ops.square(kernel)) / keep_probability
        )
        self.add_loss(weight_term)
        if training:
            self.rate_variables["weight_term"].assign(weight_term)

    def log_values(self) -> dict[str, float]:
        weight_term = read(self.rate_variables["weight_term"])
        return {**super().log_values(), "weight_term": weight_term}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["rate"]
        return {
            **config,
            "initial_rate": self._rate_rule.initial_rate,
            "weight_regularizer": self.weight_regularizer,
            "dropout_regularizer": self._rate_rule.regularizer,
            "temperature": self.temperature,
        }
