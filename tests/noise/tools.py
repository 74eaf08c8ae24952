"""Helpers for the tests of masks."""

import keras
import ml_dtypes
import numpy as np
from keras import ops

from kdropout import noise

BACKEND = keras.backend.backend()
DTYPES = ("float32", "bfloat16", "float16")
HALF = ("bfloat16", "float16")


def _on_cpu():
    if BACKEND == "jax":
        import jax

        return jax.default_backend() == "cpu"
    if BACKEND == "torch":
        import torch

        return not torch.cuda.is_available()
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


ON_CPU = _on_cpu()


def rate_tensor(value):
    return ops.convert_to_tensor(value, "float32")


def seed_tensor(seed=1, calls_before=0):
    """Return the seed of a call of a layer with this seed."""
    generator = keras.random.SeedGenerator(seed)
    for _ in range(calls_before):
        generator.next()
    return generator.next()


def bernoulli(shape, rate, seed=1, dtype="float32"):
    return noise.bernoulli(shape, rate_tensor(rate), seed_tensor(seed), dtype)


def numpy(tensor):
    """Return a NumPy array in float64, or of booleans."""
    if keras.backend.standardize_dtype(tensor.dtype) in HALF:
        tensor = ops.cast(tensor, "float32")  # NumPy has no bfloat16
    array = ops.convert_to_numpy(tensor)
    return array if array.dtype == bool else array.astype("float64")


def assert_same(some, others):
    """Check that two sequences of tensors are equal to the last bit."""
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other))


def numpy_dtype(dtype):
    return np.dtype(getattr(ml_dtypes, dtype, dtype))


def rounded(values, dtype):
    """Round to the nearest numbers that a dtype can represent, in float64."""
    return np.asarray(values).astype(numpy_dtype(dtype)).astype("float64")


def drop_probability(rate):
    """Round the rate in float32 to the nearest multiple of 2^-24."""
    return float(np.rint(np.float64(np.float32(rate)) * 2.0**24) / 2.0**24)


def numbers(*shape, seed=0):
    """Draw numbers of both signs, not near 0, that any dtype can represent."""
    generator = np.random.default_rng(seed)
    return generator.choice([-1.0, 1.0], shape) * generator.integers(8, 32, shape) / 16


def gradient(function, x, of_outputs):
    """Return the outputs of a function and the gradient of its inputs."""
    return _GRADIENTS[BACKEND](function, x, of_outputs)


def _tape(function, x, of_outputs):
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y, tape.gradient(y, x, output_gradients=of_outputs)


def _vjp(function, x, of_outputs):
    import jax

    y, pull = jax.vjp(function, x)
    return y, *pull(of_outputs)


def _autograd(function, x, of_outputs):
    import torch

    x = x.detach().requires_grad_()
    y = function(x)
    return y, *torch.autograd.grad(y, x, of_outputs)


_GRADIENTS = {"tensorflow": _tape, "jax": _vjp, "torch": _autograd}
