"""The masks and noises of dropout, as pure functions of shape, rate and seed.

`rate` is a float32 scalar tensor in [0, 1]: the probability of dropping. It is
never tested in Python, so one trace serves every value. A NaN rate gives NaN
outputs: it never hides as "nothing dropped".

`seed` is what `keras.random.SeedGenerator.next()` returns: two integers. Random
numbers come from the backend's own counter-based source and are drawn in float32
whatever the compute dtype: in bfloat16 a uniform number has 8 bits, which turns a
rate of 0.1 % into 0.78 %.
"""

import keras
from keras import ops

# Uniform numbers of TensorFlow and JAX are multiples of 2^-23, those of PyTorch of
# 2^-24. A rate rounded to this grid is the exact probability of `uniform < rate`.
_GRID = float(2**23)

# Keeps logit(u) finite: the float32 next below 1 is 1 - 6e-8.
_EPSILON = 1e-7

# Spreads replica ids over the seeds, away from small seeds that users pick.
_REPLICA_STRIDE = 0x3C6EF372

# Distance from 1 to the next number, the widest relative gap between neighbours.
_SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895314e38}


def bernoulli(shape, rate, seed, dtype="float32"):
    """Which units to drop, and by what to multiply the kept ones.

    A unit is dropped where `u < rate`, with `u` uniform in [0, 1): nothing is
    dropped at rate 0 and everything at rate 1. The expectation of
    `where(drop, 0, scale)` is exactly 1 below rate 1: `scale` is the inverse of
    the keep probability used, and where `dtype` cannot hold that number, each unit
    gets one of its two neighbours with the probabilities that average to it.

    Args:
        shape: Shape of the mask, a tuple of integers or scalar tensors.
        rate: Float32 scalar tensor in [0, 1].
        seed: Two integers, as a tensor.
        dtype: Floating dtype of `scale`.

    Returns:
        Tuple of a boolean tensor of `shape`, and `scale`: a scalar, or a tensor
        of `shape` in float16 and bfloat16.
    """
    rate = ops.ceil(rate * _GRID) * (1.0 / _GRID)
    u = uniform(shape, seed)
    drop = ops.less(u, rate)
    keep_probability = 1.0 - rate
    scale = ops.divide_no_nan(1.0, keep_probability)
    dtype = keras.backend.standardize_dtype(dtype)
    if dtype not in _SPACING:
        return drop, ops.cast(scale, dtype)
    # Above rate 0.99998, float16 has no number as large as the exact scale.
    scale = ops.minimum(scale, _LARGEST[dtype])
    near = ops.cast(scale, dtype)
    near_exact = ops.cast(near, "float32")
    error = scale - near_exact
    # A step of 5/8 to 5/4 of the distance to the neighbour, which rounds to it.
    step = ops.sign(error) * near_exact * (0.625 * _SPACING[dtype])
    other = ops.cast(near_exact + step, dtype)
    distance = ops.cast(other, "float32") - near_exact
    other_share = ops.divide_no_nan(error, distance)
    use_other = ops.greater_equal(u, 1.0 - keep_probability * other_share)
    return drop, ops.where(use_other, other, near)


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


def keep_mask(shape, rate, seed, temperature=None):
    """Which units to keep, for those who scale in a way of their own.

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
    drop, _ = bernoulli(shape, rate, seed)
    return ops.cast(ops.logical_not(drop), "float32") + 0.0 * rate  # NaN stays NaN


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


def uniform(shape, seed):
    """Float32 tensor of `shape`, uniform in [0, 1)."""
    return _source()(shape, seed, "uniform")


def normal(shape, seed):
    """Float32 tensor of `shape`, standard normal."""
    return _source()(shape, seed, "normal")


def _logit(probability):
    return ops.log(probability) - ops.log1p(-probability)


def _source():
    backend = keras.backend.backend()
    if backend not in _SOURCES:
        raise NotImplementedError(
            f"kdropout trains on {', '.join(_SOURCES)}. Received: backend "
            f"'{backend}'. Set the environment variable KERAS_BACKEND to one of these."
        )
    return _SOURCES[backend]


def _tensorflow(shape, seed, distribution):
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        # Replicas share the seed's variable: without this, their masks are equal.
        stride = replica.replica_id_in_sync_group * _REPLICA_STRIDE
        seed += tf.stack([tf.cast(stride, seed.dtype), tf.zeros((), seed.dtype)])
    seed = tf.cast(tf.math.floormod(seed, tf.int32.max), tf.int32)
    draw = getattr(tf.random, f"stateless_{distribution}")
    return draw(shape, seed, dtype=tf.float32)


def _jax(shape, seed, distribution):
    import jax

    key = seed.astype("uint32")
    return getattr(jax.random, distribution)(key, shape, "float32")


def _torch(shape, seed, distribution):
    import torch

    draw = {"uniform": torch.rand, "normal": torch.randn}[distribution]
    if seed.device.type == "meta":  # shape inference: there is nothing to draw
        return draw(shape, dtype=torch.float32, device="meta")
    # A generator cannot be traced by torch.compile.
    return torch.compiler.disable(_torch_draw)(draw, tuple(shape), seed)


def _torch_draw(draw, shape, seed):
    import torch

    generator = torch.Generator(device=seed.device)
    generator.manual_seed(_mix(*seed.tolist()))
    return draw(shape, generator=generator, dtype=torch.float32, device=seed.device)


def _mix(seed, counter):
    """One 32-bit seed of two: PyTorch's CPU generator reads no more than 32 bits.

    A sum would let a layer seeded 1 replay the masks of a layer seeded 0, one step
    later. This is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    """
    mask = (1 << 64) - 1
    word = ((seed << 32) + counter + 0x9E3779B97F4A7C15) & mask
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return (word ^ (word >> 31)) >> 32


_SOURCES = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
