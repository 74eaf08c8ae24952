"""Relaxed masks, Gaussian noise, and masks without their scale."""

from keras import ops

from kdropout.noise.backend import bernoulli, normal, uniform

# Keeps logit(u) finite: the float32 next below 1 is 1 - 6e-8.
_EPSILON = 1e-7


def concrete(shape, rate, seed, temperature):
    """Draw a soft mask in (0, 1) that is differentiable in `rate`.

    This is the concrete relaxation: with `u` uniform in (0, 1),

        keep = 1 - sigmoid((logit(rate) + logit(u)) / temperature)

    It approaches a hard mask as the temperature goes to 0.

    Args:
        shape: Tuple of integers or scalar tensors, the shape of the mask.
        rate: Float32 scalar tensor in (0, 1).
        seed: Tensor of two integers.
        temperature: Float above 0, the softness of the mask.

    Returns:
        Float32 tensor of `shape`.

    Reference:
        Gal, Hron, Kendall 2017, "Concrete Dropout", arXiv:1705.07832, eq. 5.
    """
    u = ops.clip(uniform(shape, seed), _EPSILON, 1.0 - _EPSILON)
    return ops.sigmoid(-(_logit(rate) + _logit(u)) / temperature)


def gaussian(shape, rate, seed, dtype="float32"):
    """Draw multiplicative noise `N(1, rate / (1 - rate))`, or zeros at rate 1.

    Args:
        shape: Tuple of integers or scalar tensors, the shape of the noise.
        rate: Float32 scalar tensor in [0, 1].
        seed: Tensor of two integers.
        dtype: Floating-point dtype of the result. The noise is computed in float32.
            Defaults to "float32".

    Returns:
        Tensor of `shape` and `dtype`.

    Reference:
        Kingma, Salimans, Welling 2015, arXiv:1506.02557, section 3.1.
    """
    deviation = ops.sqrt(ops.divide_no_nan(rate, 1.0 - rate))
    multiplier = 1.0 + deviation * normal(shape, seed)
    return ops.cast(ops.where(ops.equal(rate, 1.0), 0.0, multiplier), dtype)


def keep_mask(shape, rate, seed, temperature=None):
    """Draw a mask of the units to keep, for layers that scale in another way.

    Args:
        shape: Tuple of integers or scalar tensors, the shape of the mask.
        rate: Float32 scalar tensor in [0, 1].
        seed: Tensor of two integers.
        temperature: None for a mask of 0 and 1, or a float above 0 for `concrete`.
            Defaults to None.

    Returns:
        Float32 tensor of `shape`.
    """
    if temperature is not None:
        return concrete(shape, rate, seed, temperature)
    keep, _ = bernoulli(shape, rate, seed)
    return ops.cast(keep, "float32") + 0.0 * rate  # NaN stays NaN


def _logit(probability):
    return ops.log(probability) - ops.log1p(-probability)
