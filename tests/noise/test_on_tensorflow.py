"""On TensorFlow, graphs, unknown sizes and XLA do not change the results."""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import noise
from tests.noise.tools import (
    DTYPES,
    assert_same,
    gradient,
    numbers,
    numpy,
    rate_tensor,
    seed_tensor,
)

if keras.backend.backend() != "tensorflow":
    pytest.skip("what TensorFlow alone has", allow_module_level=True)
tf = pytest.importorskip("tensorflow")

RATES = (0.0, 0.001, 0.3, 0.5, 0.8, 1.0)
# The last shape has so many units that other operations draw the mask.
SIZES = [(0, 5), (1, 1), (30, 40), (3, 4096), (70, 4096)]

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_compiler = pytest.mark.parametrize("xla", [False, True])


@each_dtype
@each_compiler
@pytest.mark.parametrize("shape", SIZES[2:])
def test_mask_in_a_graph_is_the_same(shape, xla, dtype):
    def mask(rate, seed):
        return noise.bernoulli(shape, rate, seed, dtype)

    traced = tf.function(mask, jit_compile=xla)
    for rate in map(rate_tensor, RATES):
        for seed in (seed_tensor(1), seed_tensor(2, calls_before=3)):
            assert_same(traced(rate, seed), mask(rate, seed))


@each_dtype
def test_mask_of_unknown_sizes_is_the_same(dtype):
    def mask(sizes, rate, seed):
        return noise.bernoulli(tuple(tf.unstack(sizes)), rate, seed, dtype)

    traced = tf.function(mask)
    for sizes in SIZES:
        for rate in map(rate_tensor, RATES):
            drawn = traced(tf.constant(sizes), rate, seed_tensor())
            assert_same(drawn, noise.bernoulli(sizes, rate, seed_tensor(), dtype))
    assert traced.experimental_get_tracing_count() == 1


@each_dtype
@each_compiler
@pytest.mark.parametrize("mask_shape", [(30, 40), (30, 1)])
def test_dropping_in_a_graph_is_the_same(mask_shape, xla, dtype):
    special = np.resize([np.inf, -np.inf, np.nan, 1.0], (30, 40))

    def both(x, of_outputs, rate, seed):
        keep, scale = noise.bernoulli(mask_shape, rate, seed, dtype)
        return gradient(lambda x: noise.drop_units(x, keep, scale), x, of_outputs)

    traced = tf.function(both, jit_compile=xla)
    for rate in map(rate_tensor, (0.0, 0.3, 0.8, 1.0)):
        for values in (numbers(30, 40), special):
            x, of_outputs = (tf.cast(v, dtype) for v in (values, values[::-1]))
            arguments = (x, of_outputs, rate, seed_tensor())
            assert_same(traced(*arguments), both(*arguments))
    assert traced.experimental_get_tracing_count() == 1


@each_compiler
@pytest.mark.parametrize("mask_shape", [(30, 40), (30, 1)])
def test_penalty_of_a_gradient_has_a_gradient(mask_shape, xla):
    x, weights = (tf.constant(numbers(30, 40, seed=i), tf.float32) for i in (0, 1))

    @tf.function(jit_compile=xla)
    def of_penalty(rate, seed):
        with tf.GradientTape() as outer:
            outer.watch(weights)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = noise.dropout(x * weights, mask_shape, rate, seed) ** 2
            penalty = tf.reduce_sum(inner.gradient(y, x))
        return outer.gradient(penalty, weights)

    for rate in map(rate_tensor, (0.0, 0.3)):
        keep, scale = noise.bernoulli(mask_shape, rate, seed_tensor())
        factor = tf.where(keep, scale, 0.0)
        # The gradient of y is 2 x (w f)^2; the gradient of its sum is 4 x w f^2.
        np.testing.assert_allclose(
            numpy(of_penalty(rate, seed_tensor())),
            numpy(4 * x * weights * factor**2),
            rtol=1e-6,
        )


def test_dropped_weights_have_a_gradient():
    kernel = tf.Variable(numbers(30, 40), dtype=tf.float32)
    for rate in map(rate_tensor, (0.0, 0.3)):
        with tf.GradientTape() as tape:
            outputs = noise.dropout(kernel, (30, 40), rate, seed_tensor())
        keep, scale = noise.bernoulli((30, 40), rate, seed_tensor())
        wanted = tf.where(keep, scale, 0.0)
        assert_same([tape.gradient(outputs, kernel)], [wanted])


def test_few_units_take_no_branch_and_are_unchanged_at_rate_zero():
    layer, x = kdropout.layers.Dropout(0.0, seed=1), tf.random.normal((8, 16))
    step = tf.function(lambda x: layer(x, training=True))
    assert np.array_equal(step(x), x)
    kinds = {
        node.op for node in step.get_concrete_function(x).graph.as_graph_def().node
    }
    assert not kinds & {"If", "StatelessIf"}
    layer.rate = 0.5
    assert not np.array_equal(step(x), x)
