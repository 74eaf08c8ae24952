"""DropPath makes one decision for each sample; stochastic depth is built from it."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import DropPath
from kdropout.schedules import Ramp, depth_rates
from tests.tools import call_in_training

# On JAX, the tests compile only where they test the compiled step.
EAGERLY = keras.backend.backend() == "jax"

# The residual network of the paper: 54 blocks, the last dropped with probability 0.5.
DEPTH, LAST = 54, 0.5


def residual_network(depth, rates, branch):
    """Adds the output of a branch to its input, block by block."""
    x = inputs = keras.Input((1,))
    for index in range(depth):
        dropped = DropPath(rates[index], seed=index, name=f"path_{index}")(branch(x))
        x = keras.layers.Add(name=f"block_{index}")([x, dropped])
    return keras.Model(inputs, x)


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 2, 2)])
@pytest.mark.parametrize("rate", [0.1, 0.75])
def test_each_sample_is_dropped_as_a_whole_or_scaled(rate, shape):
    samples = 4000
    x = np.random.default_rng(0).uniform(0.5, 1.5, (samples, *shape)).astype("float32")
    outputs = call_in_training(DropPath(rate, seed=1), x)
    kept = (outputs != 0).reshape(samples, -1)
    assert (kept == kept[:, :1]).all()
    wanted = np.where(outputs != 0, x / (1 - rate), 0.0)
    np.testing.assert_allclose(outputs, wanted, rtol=1e-6)
    # Five standard deviations of the share of 4000 samples.
    deviation = np.sqrt(rate * (1 - rate) / samples)
    assert abs(kept[:, 0].mean() - (1 - rate)) < 5 * deviation


def test_decisions_of_samples_and_of_calls_are_independent():
    layer = DropPath(0.5, seed=1)
    x = np.ones((4000, 2), "float32")
    first, second = (call_in_training(layer, x)[:, 0] != 0 for _ in range(2))
    for one, other in [(first, second), (first[1:], first[:-1])]:
        # Independent decisions are equal in half of the pairs.
        assert abs((one == other).mean() - 0.5) < 5 * np.sqrt(0.25 / len(one))


def test_gradient_of_a_branch_comes_from_the_samples_that_kept_it():
    branch = keras.layers.EinsumDense("bi,i->bi", output_shape=1)
    layer = DropPath(0.75, seed=2)
    model = keras.Sequential([keras.Input((1,)), branch, layer])
    state = ops.convert_to_numpy(layer.seed_generator.state)
    x = np.arange(1.0, 51.0, dtype="float32")[:, None]
    kept = call_in_training(layer, x) != 0
    layer.seed_generator.state.assign(state)
    model.compile(
        optimizer=keras.optimizers.SGD(1.0),
        loss=lambda y, outputs: ops.sum(outputs, axis=-1),
        run_eagerly=EAGERLY,
    )
    branch.kernel.assign([0.0])
    model.train_on_batch(x, x)
    gradient = -float(ops.convert_to_numpy(branch.kernel)[0])
    # The loss is the mean over the batch of kernel * x / (1 - rate).
    assert gradient == pytest.approx(np.mean(np.where(kept, 4 * x, 0)), rel=1e-6)


def test_rates_by_depth_give_the_depth_of_the_paper():
    rates = depth_rates(DEPTH, last=LAST, first=LAST / DEPTH)
    wanted = [block / DEPTH * LAST for block in range(1, DEPTH + 1)]
    np.testing.assert_allclose(rates, wanted, rtol=1e-12)
    paths = [DropPath(rate, seed=block) for block, rate in enumerate(rates)]
    np.testing.assert_allclose([path.rate for path in paths], wanted, rtol=1e-6)
    samples = 2000
    ones = np.ones((samples, 1), "float32")
    kept = np.hstack([call_in_training(path, ones) != 0 for path in paths])
    deviation = np.sqrt(np.multiply(wanted, np.subtract(1, wanted)) / samples)
    assert (np.abs(1 - kept.mean(0) - wanted) < 5 * deviation).all()
    # Huang et al. 2016, section 3: (3 L - 1) / 4 of L blocks survive, 40 of 54.
    survivors = kept.sum(1)
    assert abs(survivors.mean() - (3 * DEPTH - 1) / 4) < 5 * np.sqrt(
        np.sum(deviation**2)
    )
    # Blocks are dropped independently: the variances of their decisions add up.
    variance = samples * np.sum(deviation**2)
    assert abs(survivors.var() / variance - 1) < 5 * np.sqrt(2 / samples)


def test_residual_network_skips_dropped_blocks_and_keeps_its_expectation():
    rates = depth_rates(6, last=0.6, first=0.1)
    ones = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")
    model = residual_network(6, rates, ones)
    samples = 3000
    x = np.random.default_rng(0).normal(size=(samples, 1)).astype("float32")
    added = ops.convert_to_numpy(model(x, training=True)) - x
    # Each block adds 0 or 1 / (1 - rate): one of 64 sums, by the kept blocks.
    choices = np.array([[i >> block & 1 for block in range(6)] for i in range(64)])
    sums = choices @ (1 / (1 - np.array(rates)))
    distances = np.abs(added - sums)
    assert distances.min(1).max() < 1e-5
    shares = np.bincount(distances.argmin(1), minlength=64) / samples
    chances = np.where(choices, 1 - np.array(rates), rates).prod(1)
    deviation = np.sqrt(chances * (1 - chances) / samples)
    assert (np.abs(shares - chances) < 5 * deviation + 1 / samples).all()
    variance = np.sum(np.divide(rates, np.subtract(1, rates)))
    assert abs(added.mean() - 6) < 5 * np.sqrt(variance / samples)
    inference = ops.convert_to_numpy(model(x, training=False))
    np.testing.assert_allclose(inference, x + 6, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_residual_network_learns():
    model = residual_network(
        4,
        depth_rates(4, last=0.3),
        lambda x: keras.layers.Dense(1)(keras.layers.Dense(8, activation="relu")(x)),
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = np.linspace(-1, 1, 32, dtype="float32")[:, None]
    y = np.abs(x)
    before = model.evaluate(x, y, verbose=0)
    for _ in range(40):
        model.train_on_batch(x, y)
    assert model.evaluate(x, y, verbose=0) < before / 4


def test_scheduled_drop_path_has_the_rate_of_its_formula_after_each_step():
    # Zoph et al. 2018: min(1, t / T) * (l / L) * p_end, at step t in block l.
    depth, steps, rate = 3, 10, 0.6
    rates = [Ramp(0.0, block / depth * rate, steps) for block in range(1, depth + 1)]
    model = residual_network(depth, rates, keras.layers.Dense(1))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x = np.ones((8, 1), "float32")
    read = []
    for _ in range(steps + 4):
        model.train_on_batch(x, x)
        read.append([model.get_layer(f"path_{block}").rate for block in range(depth)])
    share = np.minimum(1.0, np.arange(steps + 4) / steps)
    wanted = share[:, None] * np.arange(1, depth + 1) / depth * rate
    np.testing.assert_allclose(read, wanted, rtol=0, atol=1e-7)


def test_rate_1_leaves_only_the_shortcut_and_rate_0_the_whole_block():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    assert (
        call_in_training(DropPath(1.0), np.full((5, 3), np.inf, "float32")) == 0
    ).all()
    np.testing.assert_array_equal(call_in_training(DropPath(0.0), x), x)
