"""`drop_units` and its gradient agree with `where(keep, scale * x, 0)`."""

import numpy as np
import pytest
from keras import ops

from kdropout import noise
from tests.noise.tools import (
    BACKEND,
    DTYPES,
    bernoulli,
    gradient,
    numbers,
    numpy,
    rounded,
)

SHAPE = (40, 6, 50)
# Masks per unit, timestep, channel and sample; and in one dimension.
CASES = [
    (SHAPE, SHAPE),
    (SHAPE, (40, 6, 1)),
    (SHAPE, (40, 1, 50)),
    (SHAPE, (40, 1, 1)),
    ((700,), (700,)),
    ((700,), (1,)),
]
# JAX has no float64 unless it is configured.
ALL_DTYPES = DTYPES if BACKEND == "jax" else (*DTYPES, "float64")
SPECIAL = (np.inf, -np.inf, np.nan, -0.0)

each_dtype = pytest.mark.parametrize("dtype", ALL_DTYPES)
each_case = pytest.mark.parametrize(("shape", "mask_shape"), CASES)
each_rate = pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])


def wanted(x, keep, scale, dtype):
    """Compute the formula, in which a product is rounded once."""
    return np.where(keep, rounded(np.where(keep, x, 0.0) * scale, dtype), 0.0)


def drawn(shape, mask_shape, rate, dtype):
    """Draw inputs, a mask and a scale."""
    keep, scale = bernoulli(mask_shape, rate, dtype=dtype)
    return ops.convert_to_tensor(numbers(*shape), dtype), keep, scale


@each_dtype
@each_case
@each_rate
def test_outputs_follow_the_formula(shape, mask_shape, rate, dtype):
    x, keep, scale = drawn(shape, mask_shape, rate, dtype)
    outputs = noise.drop_units(x, keep, scale)
    assert tuple(outputs.shape) == shape
    assert outputs.dtype == x.dtype
    expected = wanted(numpy(x), numpy(keep), numpy(scale), dtype)
    assert np.array_equal(numpy(outputs), expected)
    assert np.array_equal(numpy(x), numbers(*shape))  # not changed in place


@each_dtype
@each_case
@each_rate
def test_gradient_follows_the_formula(shape, mask_shape, rate, dtype):
    x, keep, scale = drawn(shape, mask_shape, rate, dtype)
    of_outputs = ops.convert_to_tensor(numbers(*shape, seed=1), dtype)
    _, of_inputs = gradient(lambda x: noise.drop_units(x, keep, scale), x, of_outputs)
    assert of_inputs.dtype == x.dtype
    expected = wanted(numpy(of_outputs), numpy(keep), numpy(scale), dtype)
    assert np.array_equal(numpy(of_inputs), expected)


@each_dtype
@each_case
def test_dropped_units_are_zero_for_every_input(shape, mask_shape, dtype):
    x, keep, scale = drawn(shape, mask_shape, 0.6, dtype)
    special = np.resize(SPECIAL, shape)
    kept = np.broadcast_to(numpy(keep), shape)
    outputs = noise.drop_units(ops.convert_to_tensor(special, dtype), keep, scale)
    assert (numpy(outputs)[~kept] == 0.0).all()
    assert np.array_equal(numpy(outputs)[kept], special[kept], equal_nan=True)


@each_dtype
@each_case
def test_dropped_units_pass_no_gradient(shape, mask_shape, dtype):
    x, keep, scale = drawn(shape, mask_shape, 0.6, dtype)
    of_outputs = ops.convert_to_tensor(np.resize(SPECIAL, shape), dtype)
    kept = np.broadcast_to(numpy(keep), shape)
    for inputs in (x, of_outputs):  # finite and nonfinite ones
        _, of_inputs = gradient(
            lambda x: noise.drop_units(x, keep, scale), inputs, of_outputs
        )
        assert (numpy(of_inputs)[~kept] == 0.0).all()
        passed, wanted = numpy(of_inputs)[kept], numpy(of_outputs)[kept]
        assert np.array_equal(passed, wanted, equal_nan=True)


@each_dtype
def test_inputs_and_masks_may_have_any_memory_order(dtype):
    x, keep, scale = drawn((30, 4, 50), (30, 4, 50), 0.5, dtype)
    outputs = noise.drop_units(x, keep, scale)

    def turned(tensor):
        return ops.transpose(tensor, (2, 1, 0)) if len(tensor.shape) else tensor

    of_turned = noise.drop_units(turned(x), turned(keep), turned(scale))
    assert np.array_equal(numpy(turned(of_turned)), numpy(outputs))
    every_other = noise.drop_units(
        x[:, ::2], keep[:, ::2], scale[:, ::2] if len(scale.shape) else scale
    )
    assert np.array_equal(numpy(every_other), numpy(outputs)[:, ::2])


def test_lists_and_arrays_are_accepted_as_inputs():
    keep, scale = bernoulli((2, 3), 0.5)
    outputs = noise.drop_units(np.ones((2, 3), "float32"), keep, scale)
    assert np.array_equal(numpy(outputs), np.where(numpy(keep), 2.0, 0.0))
