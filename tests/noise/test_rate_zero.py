"""At rate 0, a layer in training returns its inputs and draws no random numbers.

This holds on a CPU. An accelerator draws, because it would have to wait for the rate.
"""

import functools

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers, noise
from kdropout.noise import backend, continuous
from tests.contract.test_contract import LAYERS
from tests.noise.tools import BACKEND, ON_CPU, gradient, numbers, numpy, rate_tensor

BATCH = 5

where_it_branches = pytest.mark.skipif(not ON_CPU, reason="an accelerator draws")
each_layer = pytest.mark.parametrize("kind", LAYERS)


def make(kind, rate, seed=1):
    """Return a layer, and inputs for it."""
    layer, arguments, shape = LAYERS[kind]
    layer = layer(rate, seed=seed, **arguments)
    layer.build((BATCH, *shape))
    return layer, ops.convert_to_tensor(numbers(BATCH, *shape), "float32")


@pytest.fixture
def draws(monkeypatch):
    """A list that grows with each draw at run time, not at tracing time."""
    noted = []
    if BACKEND == "tensorflow":  # this one draws few units without a branch
        monkeypatch.setattr(backend.module, "_MANY_UNITS", 1)
    for owner, name in (
        (backend.module, "ByteDraw"),
        (backend.module, "uniform"),
        (backend.module, "normal"),
        (continuous, "uniform"),
        (continuous, "normal"),
    ):
        draw = getattr(owner, name)
        monkeypatch.setattr(owner, name, _noting(draw, noted))
    return noted


def _noting(draw, noted):
    @functools.wraps(draw)
    def wrapper(*arguments):
        if BACKEND == "tensorflow":
            import tensorflow as tf

            tf.numpy_function(lambda: noted.append(1), [], [])
        elif BACKEND == "jax":
            import jax

            jax.debug.callback(lambda: noted.append(1))
        else:
            noted.append(1)
        return draw(*arguments)

    return wrapper


def compiled(layer, traces):
    """Return outputs and gradient of a training step, compiled where possible."""
    if BACKEND == "jax":
        return _jitted(layer, traces)

    def step(x, of_outputs):
        traces.append(1)
        return gradient(lambda x: layer(x, training=True), x, of_outputs)

    if BACKEND == "torch":
        return step
    import tensorflow as tf

    return tf.function(step)


def _jitted(layer, traces):
    import jax

    @jax.jit
    def step(state, x, of_outputs):
        traces.append(1)

        def call(x):
            return layer.stateless_call([], state, x, training=True)

        y, pull, state = jax.vjp(call, x, has_aux=True)
        return (y, *pull(of_outputs)), state

    def run(x, of_outputs):
        state = [variable.value for variable in layer.variables]
        results, state = step(state, x, of_outputs)
        for variable, value in zip(layer.variables, state, strict=True):
            variable.assign(value)
        jax.effects_barrier()
        return results

    return run


@where_it_branches
@each_layer
def test_eager_calls_draw_no_random_numbers(kind, draws):
    layer, x = make(kind, 0.0)
    for _ in range(3):
        assert np.array_equal(numpy(layer(x, training=True)), numpy(x))
    assert not draws
    layer.rate = 0.5  # only draws are counted
    layer(x, training=True)
    assert draws


@where_it_branches
@each_layer
def test_one_trace_draws_only_while_the_rate_is_not_zero(kind, draws):
    (layer, x), traces = make(kind, 0.0), []
    of_outputs = ops.convert_to_tensor(numbers(*x.shape, seed=1), "float32")
    step = compiled(layer, traces)
    for rate in (0.0, 0.5, 0.0):
        layer.rate = rate
        draws.clear()
        outputs, of_inputs = step(x, of_outputs)
        assert bool(draws) == (rate > 0.0)
        if rate == 0.0:
            assert np.array_equal(numpy(outputs), numpy(x))
            assert np.array_equal(numpy(of_inputs), numpy(of_outputs))
        else:
            assert not np.array_equal(numpy(outputs), numpy(x))
    assert len(traces) == (3 if BACKEND == "torch" else 1)  # which runs step by step


@each_layer
def test_phase_at_rate_zero_does_not_change_later_masks(kind):
    (layer, x), (other, _) = make(kind, 0.0), make(kind, 0.5)
    for _ in range(3):
        layer(x, training=True)
        other(x, training=True)
    layer.rate = 0.5
    wanted = numpy(other(x, training=True))
    assert np.array_equal(numpy(layer(x, training=True)), wanted)
    fresh, _ = make(kind, 0.5)
    assert not np.array_equal(numpy(fresh(x, training=True)), wanted)


@each_layer
def test_gradient_is_that_of_the_outputs(kind):
    layer, x = make(kind, 0.0)
    of_outputs = ops.convert_to_tensor(numbers(*x.shape, seed=1), "float32")
    outputs, of_inputs = gradient(lambda x: layer(x, training=True), x, of_outputs)
    assert np.array_equal(numpy(outputs), numpy(x))
    assert np.array_equal(numpy(of_inputs), numpy(of_outputs))


@where_it_branches
def test_drop_connect_uses_the_whole_kernel(draws):
    dense = keras.layers.Dense(3)
    layer = layers.DropConnect(dense, 0.0, seed=1)
    x = ops.convert_to_tensor(numbers(BATCH, 4), "float32")
    outputs = layer(x, training=True)
    assert np.array_equal(numpy(outputs), numpy(dense(x)))
    assert not draws


@where_it_branches
def test_nan_rate_is_not_treated_as_zero():
    x = rate_tensor(3.0)
    for rate, wanted in ((0.0, 3.0), (-0.0, 3.0), (1e-30, 6.0), (np.nan, 6.0)):
        outputs = noise.skip_at_zero(rate_tensor(rate), x, lambda: 2.0 * x)
        assert float(numpy(outputs)) == wanted


@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.5, 0.0)])
def test_mc_predict_samples_if_only_one_of_the_rates_is_zero(rates):
    drops = [layers.Dropout(rate, name=f"drop_{i}") for i, rate in enumerate(rates)]
    model = keras.Sequential([keras.Input((50,)), *drops])
    prediction = kdropout.mc_predict(
        model, np.ones((4, 50), "float32"), 20, seed=1, return_samples=True, verbose=0
    )
    assert set(np.unique(prediction.samples)) == {0.0, 2.0}
    # The bound is five sigma of 4000 units.
    assert abs(prediction.mean.mean() - 1.0) < 5 / np.sqrt(4000)
