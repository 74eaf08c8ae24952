"""Noises that are not masks of zeros and ones, and masks without their scale."""

from keras import ops

from kdropout.noise.backend import bernoulli, normal, uniform

# Keeps logit(u) finite: the float32 next below 1 is 1 - 6e-8.
_EPSILON = 1e-7


def concrete(shape, rate, seed, temperature):
    """Soft keep mask in (0, 1), differentiable in `rate`: the concrete relaxation.

    `keep = 1 - sigmoid((logit(rate) + logit(u)) / temperature)`, u uniform in
    (0, 1). As the temperature goes to 0 it tends to a hard mask.

    Args:
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in (0, 1).
        seed: Two integers, as a tensor.
        temperature: Float above 0.

    Returns:
        Float32 tensor of `shape`.

    Reference:
        Gal, Hron, Kendall 2017, "Concrete Dropout", arXiv:1705.07832, eq. 5.
    """
    u = ops.clip(uniform(shape, seed), _EPSILON, 1.0 - _EPSILON)
    return ops.sigmoid(-(_logit(rate) + _logit(u)) / temperature)


def gaussian(shape, rate, seed, dtype="float32"):
    """Multiplicative noise `N(1, rate / (1 - rate))`; zeros at rate 1.

    Args:
        shape: Shape of the noise, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in [0, 1].
        seed: Two integers, as a tensor.
        dtype: Floating dtype of the result; the noise is computed in float32.

    Returns:
        Tensor of `shape` and `dtype`.

    Reference:
        Kingma, Salimans, Welling 2015, arXiv:1506.02557, section 3.1.
    """
    deviation = ops.sqrt(ops.divide_no_nan(rate, 1.0 - rate))
    multiplier = 1.0 + deviation * normal(shape, seed)
    return ops.cast(ops.where(ops.equal(rate, 1.0), 0.0, multiplier), dtype)


def keep_mask(shape, rate, seed, temperature=None):
    """The keep mask alone, for layers that scale in another way.

    Args:
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in [0, 1].
        seed: Two integers, as a tensor.
        temperature: None for a mask of 0 and 1, or a float above 0 for `concrete`.

    Returns:
        Float32 tensor of `shape`.
    """
    if temperature is not None:
        return concrete(shape, rate, seed, temperature)
    keep, _ = bernoulli(shape, rate, seed)
    return ops.cast(keep, "float32") + 0.0 * rate  # NaN stays NaN


def _logit(probability):
    return ops.log(probability) - ops.log1p(-probability)
