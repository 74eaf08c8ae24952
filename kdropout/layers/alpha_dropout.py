"""Dropout for self-normalising networks."""

import keras
from keras import ops

from kdropout import noise
from kdropout._sampling import note_dropped
from kdropout._types import Shape, Tensor
from kdropout.layers.base import identity_at_zero
from kdropout.layers.dropout import Dropout

# -lambda * alpha of SELU: the limit of its output for small inputs.
_SATURATION = -1.0507009873554805 * 1.6732632423543772


@keras.saving.register_keras_serializable(package="kdropout")
class AlphaDropout(Dropout):
    r"""Drops units, like `keras.layers.AlphaDropout`, at a rate that you can change.

    In training, dropped units are set to $s$, SELU's negative saturation value. An
    affine map then restores the mean of 0 and the variance of 1 that SELU networks
    keep. With $p$ the rate and $x$ the inputs, or $s$ where units are dropped:

    $$
    y = a x + b, \qquad a = ((1 - p) (1 + p s^2))^{-1/2}, \qquad b = -a p s
    $$

    At rate 1, where $a$ would be infinite, the outputs are 0.

    Args:
        rate: Float in [0, 1], the probability of dropping a unit; or a schedule; or
            a `kdropout.LearnedRate`.
        noise_shape: Sequence of positive integers and None, the shape of the mask, as
            in `kdropout.layers.Dropout`. Defaults to None, for the shape of the inputs.
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

    >>> kdropout.layers.AlphaDropout(0.1, seed=1).rate
    0.1

    Reference:
        Klambauer et al. 2017, "Self-normalizing neural networks",
        arXiv:1706.02515, section "Dropout for SNNs".
    """

    @identity_at_zero
    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        # In float32, because constants rounded to bfloat16 would shift the mean.
        units = ops.cast(inputs, "float32")
        temperature = self._rate_rule.temperature
        if temperature is not None:
            keep = noise.concrete(shape, rate, seed, temperature)
            note_dropped(1.0 - keep)
            mixed = units * keep + _SATURATION * (1.0 - keep)
        else:
            keep, _ = noise.bernoulli(shape, rate, seed)
            note_dropped(ops.logical_not(keep))
            mixed = ops.where(keep, units, _SATURATION)
        is_one = ops.equal(rate, 1.0)
        safe_rate = ops.where(is_one, 0.0, rate)
        a = ops.rsqrt((1.0 - safe_rate) * (1.0 + safe_rate * _SATURATION**2))
        outputs = a * (mixed - safe_rate * _SATURATION)
        return ops.cast(ops.where(is_one, 0.0, outputs), inputs.dtype)
