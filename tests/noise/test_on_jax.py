"""On JAX, compiling, mapping and differentiating do not change the results."""

import keras
import numpy as np
import pytest

from kdropout import noise
from tests.noise.tools import (
    DTYPES,
    assert_same,
    bernoulli,
    numbers,
    numpy,
    rate_tensor,
    seed_tensor,
)

if keras.backend.backend() != "jax":
    pytest.skip("what JAX alone has", allow_module_level=True)
jax = pytest.importorskip("jax")

RATES = (0.0, 0.001, 0.3, 0.5, 0.8, 1.0)

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@each_dtype
@pytest.mark.parametrize("shape", [(30, 40), (3, 4097)])
def test_compiled_mask_is_the_same(shape, dtype):
    def mask(rate, seed):
        return noise.bernoulli(shape, rate, seed, dtype)

    compiled = jax.jit(mask)
    for rate in map(rate_tensor, RATES):
        assert_same(compiled(rate, seed_tensor()), mask(rate, seed_tensor()))


@each_dtype
@pytest.mark.parametrize("mask_shape", [(30, 40), (30, 1)])
def test_compiled_dropping_and_its_gradient_are_the_same(mask_shape, dtype):
    special = np.resize([np.inf, -np.inf, np.nan, 1.0], (30, 40))

    def both(x, of_outputs, rate, seed):
        keep, scale = noise.bernoulli(mask_shape, rate, seed, dtype)
        y, pull = jax.vjp(lambda x: noise.drop_units(x, keep, scale), x)
        return y, *pull(of_outputs)

    compiled = jax.jit(both)
    for rate in map(rate_tensor, (0.0, 0.3, 0.8, 1.0)):
        for values in (numbers(30, 40), special):
            x, of_outputs = (
                jax.numpy.asarray(v, dtype) for v in (values, values[::-1])
            )
            arguments = (x, of_outputs, rate, seed_tensor())
            assert_same(compiled(*arguments), both(*arguments))


@each_dtype
def test_dropping_can_be_mapped_over_inputs_or_masks(dtype):
    x = jax.numpy.asarray(numbers(5, 30, 40), dtype)
    keep, scale = bernoulli((30, 40), 0.3, dtype=dtype)
    of_each = jax.vmap(lambda x: noise.drop_units(x, keep, scale))(x)
    expected = [noise.drop_units(one, keep, scale) for one in x]
    assert_same(of_each, expected)

    seeds = jax.numpy.stack([seed_tensor(number) for number in range(5)])

    def dropped(seed):
        return noise.drop_units(
            x[0], *noise.bernoulli((30, 40), rate_tensor(0.3), seed, dtype)
        )

    of_each = jax.vmap(dropped)(seeds)
    assert_same(of_each, [dropped(seed) for seed in seeds])
    assert len({numpy(one).tobytes() for one in of_each}) == 5


def test_all_kinds_of_derivatives_agree():
    x = jax.numpy.asarray(numbers(50), "float32")
    keep, scale = bernoulli((50,), 0.3)
    factor = np.where(numpy(keep), numpy(scale), 0.0)

    def cubes(x):
        return (noise.drop_units(x, keep, scale) ** 3).sum()

    values = numpy(x)
    np.testing.assert_allclose(
        numpy(jax.grad(cubes)(x)), 3 * factor**3 * values**2, rtol=1e-6
    )
    np.testing.assert_allclose(
        numpy(jax.hessian(cubes)(x)), np.diag(6 * factor**3 * values), rtol=1e-6
    )
    of_each = jax.vmap(jax.grad(cubes))(jax.numpy.stack([x, 2 * x]))
    np.testing.assert_allclose(numpy(of_each[1]), 12 * factor**3 * values**2, rtol=1e-6)
