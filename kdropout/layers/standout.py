"""Standout: dropout at rates that depend on the input."""

from typing import Any

import keras
from keras import ops

from kdropout import _replay, _validation, noise
from kdropout._sampling import active_scope, noise_shape, note_dropped
from kdropout._types import Tensor
from kdropout.layers import linear_map
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.rate_rules.base import ObservedRate, add_scalar, read, write


@keras.saving.register_keras_serializable(package="kdropout")
class Standout(DropoutWrapper):
    r"""Drops outputs of a layer at rates that depend on its input.

    A unit with a larger input is kept more often. With the inputs $a$ and the kernel
    $W$ of the wrapped layer, unit $j$ is kept with the probability

    $$
    k_j = \text{sigmoid}(\alpha (a W)_j + \beta)
    $$

    In training, the outputs are `mask * layer(a)`, where entry $j$ of the mask is 1
    with probability $k_j$, else 0. At inference, they are `k * layer(a)`, which is the
    expectation of the outputs in training. `rate` is the mean of $1 - k$ in the last
    training step, and 0 before the first one.

    Args:
        layer: A Dense, Conv1D, Conv2D, Conv3D or EinsumDense layer of Keras.
        alpha: Number that scales how much the rates depend on the input. At 0, all
            units are kept with probability `sigmoid(beta)`. You can set it at any time.
            Defaults to 1.
        beta: Number that shifts the rates: a larger one keeps more units. You can set
            it at any time. Defaults to 0.
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
    >>> layer = kdropout.layers.Standout(dense, beta=1.0, seed=1)
    >>> layer.beta = 2.0
    >>> layer(np.ones((2, 3)), training=True).shape[1]
    8

    Reference:
        Ba, Frey 2013, "Adaptive dropout for training deep neural networks", NIPS 26.
        The weights of the rates are tied to those of the layer.
    """

    _how_to_set_rate = "Set 'alpha' and 'beta' of the layer instead."

    def __init__(
        self,
        layer: keras.layers.Layer,
        alpha: float = 1.0,
        beta: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(layer, ObservedRate(), seed=seed, **kwargs)
        self._initial_alpha = _float32("alpha", alpha)
        self._initial_beta = _float32("beta", beta)
        self.rate_variables["alpha"] = add_scalar(self, "alpha", self._initial_alpha)
        self.rate_variables["beta"] = add_scalar(self, "beta", self._initial_beta)

    @property
    def alpha(self) -> float:
        """The dependence of the rates on the input. You can set it."""
        return read(self.rate_variables["alpha"])

    @alpha.setter
    def alpha(self, value: float) -> None:
        write(self.rate_variables["alpha"], _float32("alpha", value))

    @property
    def beta(self) -> float:
        """The shift of the rates: a larger one keeps more units. You can set it."""
        return read(self.rate_variables["beta"])

    @beta.setter
    def beta(self, value: float) -> None:
        write(self.rate_variables["beta"], _float32("beta", value))

    def undropped(self, inputs: Tensor) -> Tensor:
        outputs, keep_probability = self._drive(inputs)
        return outputs * ops.cast(keep_probability, outputs.dtype)

    def _drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        outputs, keep_probability = self._drive(inputs)
        if active_scope() is None:
            # The mean over an empty batch would be NaN.
            has_units = ops.size(keep_probability) > 0
            mean = ops.where(has_units, ops.mean(keep_probability), 1.0)
            self._observe(1.0 - mean)
        shape = ops.shape(outputs)
        u = noise.uniform(noise_shape(self, shape, shape), seed)
        keep = ops.less(u, keep_probability)
        note_dropped(ops.logical_not(keep))
        return ops.where(keep, outputs, ops.zeros((), outputs.dtype))

    def _observe(self, rate):
        if not _replay.may_write():
            raise RuntimeError(
                f"Layer '{self.name}' cannot record the mean of its rates in a "
                "function that jax.checkpoint, keras.remat on JAX or torch.func "
                "transforms. Call the layer outside of that function."
            )
        self._rate_rule.observe(self, rate)

    def _drive(self, inputs):
        """The outputs of the wrapped layer, and the probabilities of keeping them."""
        driven = linear_map.apply_kernel(self.layer, inputs, self.layer.kernel)
        outputs = linear_map.add_bias_and_activate(self.layer, driven)
        # In float32, because half precision cannot hold the mean over many units.
        alpha, beta = (self.rate_variables[name] for name in ("alpha", "beta"))
        return outputs, ops.sigmoid(alpha * ops.cast(driven, "float32") + beta)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["rate"]
        return {**config, "alpha": self._initial_alpha, "beta": self._initial_beta}


def _float32(name, value):
    largest = _validation.FLOAT32_MAX
    return _validation.number(name, value, -largest, largest)
