"""`dropout` equals `drop_units` with a mask, on every backend and at every rate."""

import numpy as np
import pytest
from keras import ops

from kdropout import noise
from tests.noise.test_drop_units import (
    SHAPE,
    SPECIAL,
    each_case,
    each_dtype,
)
from tests.noise.tools import gradient, numbers, numpy, rate_tensor, seed_tensor

each_rate = pytest.mark.parametrize("rate", [0.0, 0.3, 0.8, 1.0, np.nan])


def in_two_steps(x, mask_shape, rate, seed):
    return noise.drop_units(x, *noise.bernoulli(mask_shape, rate, seed, x.dtype))


@each_dtype
@each_case
@each_rate
def test_outputs_and_gradient_equal_those_of_the_two_steps(
    shape, mask_shape, rate, dtype
):
    x = ops.convert_to_tensor(numbers(*shape), dtype)
    of_outputs = ops.convert_to_tensor(numbers(*shape, seed=1), dtype)
    arguments = mask_shape, rate_tensor(rate), seed_tensor()
    found = gradient(lambda x: noise.dropout(x, *arguments), x, of_outputs)
    wanted = gradient(lambda x: in_two_steps(x, *arguments), x, of_outputs)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == x.dtype
        assert np.array_equal(numpy(one), numpy(other), equal_nan=True)


@each_dtype
def test_rate_zero_passes_all_inputs_unchanged(dtype):
    special = ops.convert_to_tensor(np.resize(SPECIAL, SHAPE), dtype)
    arguments = SHAPE, rate_tensor(0.0), seed_tensor()
    found = gradient(lambda x: noise.dropout(x, *arguments), special, special)
    for one in found:
        assert np.array_equal(numpy(one), numpy(special), equal_nan=True)
