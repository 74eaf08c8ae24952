"""Layers that are random at inference draw again in each sample.

Layers that add standard normal noise at inference have a variance of 1 in `predict`,
and also in `mc_predict`. All bounds are five standard errors.
"""

import random
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import drop_fractions, layers
from kdropout.inference import randomness, sampler

BACKEND = keras.backend.backend()
SAMPLES = 200
X = np.ones((2, 8), "float32")
GENERATOR = keras.random.SeedGenerator(3)


class Noise(keras.layers.Layer):
    """Adds noise, in training or not."""

    def draw(self, shape):
        raise NotImplementedError

    def call(self, inputs):
        return inputs + self.draw(tuple(ops.shape(inputs)))

    def compute_output_shape(self, input_shape):
        return input_shape


class SeedGenerator(Noise):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def draw(self, shape):
        return keras.random.normal(shape, seed=self.seed_generator)


class TwoDraws(SeedGenerator):
    def draw(self, shape):
        return (super().draw(shape) + super().draw(shape)) / 2**0.5


class OneDrawForAllRows(SeedGenerator):
    def draw(self, shape):
        return super().draw((1, *shape[1:]))


class GeneratorOfNoLayer(Noise):
    def draw(self, shape):
        return keras.random.normal(shape, seed=GENERATOR)


class GeneratorOfKeras(Noise):
    def draw(self, shape):
        return keras.random.normal(shape)


class AlwaysTraining(Noise):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.noise = keras.layers.GaussianNoise(1.0)

    def call(self, inputs):
        return self.noise(inputs, training=True)


class NumPy(Noise):
    def draw(self, shape):
        return ops.convert_to_tensor(np.random.normal(size=8).astype("float32"))


class NumPyGenerator(Noise):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = np.random.default_rng(0)

    def draw(self, shape):
        return ops.convert_to_tensor(self.generator.normal(size=8).astype("float32"))


class NumPyState(Noise):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = np.random.RandomState(0)

    draw = NumPyGenerator.draw


class Python(Noise):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = random.Random(0)

    def draw(self, shape):
        return random.gauss(0.0, 0.8) + self.generator.gauss(0.0, 0.6)


class Torch(Noise):
    def draw(self, shape):
        import torch

        return torch.randn(shape)


class TorchGenerator(Noise):
    def __init__(self, **kwargs):
        import torch

        super().__init__(**kwargs)
        self.generator = torch.Generator()

    def draw(self, shape):
        import torch

        return torch.randn(shape, generator=self.generator)


class TensorFlow(Noise):
    def draw(self, shape):
        import tensorflow as tf

        return tf.random.normal(shape)


class TensorFlowLoop(Noise):
    def draw(self, shape):
        import tensorflow as tf

        def add(index, total):
            return index + 1, total + tf.random.normal(shape)

        return tf.while_loop(lambda i, _: i < 1, add, (0, tf.zeros(shape)))[1]


class TensorFlowGenerator(Noise):
    def __init__(self, **kwargs):
        import tensorflow as tf

        super().__init__(**kwargs)
        self.generator = tf.random.Generator.from_seed(1)

    def draw(self, shape):
        return self.generator.normal(shape)


class NumPyInGraph(Noise):
    def draw(self, shape):
        import tensorflow as tf

        def draw():
            return np.random.normal(size=8).astype("float32")

        return tf.ensure_shape(tf.numpy_function(draw, [], "float32"), (8,))


SEEDED = [
    SeedGenerator,
    TwoDraws,
    OneDrawForAllRows,
    GeneratorOfNoLayer,
    AlwaysTraining,
    # On JAX, Keras refuses to draw from it in a compiled function.
    *([GeneratorOfKeras] if BACKEND != "jax" else []),
    *([TensorFlowGenerator, NumPyInGraph] if BACKEND == "tensorflow" else []),
    *(
        [NumPy, NumPyGenerator, NumPyState, Python, Torch, TorchGenerator]
        if BACKEND == "torch"
        else []
    ),
]
UNSEEDED = [TensorFlow, TensorFlowLoop] if BACKEND == "tensorflow" else []


def first(layer):
    return keras.Sequential([keras.Input((8,)), layer, layers.Dropout(1e-7)])


def last(layer):
    return keras.Sequential([keras.Input((8,)), layers.Dropout(1e-7), layer])


def nested(layer):
    inner = keras.Sequential([keras.Input((8,)), layer], name="inner")
    return first(inner)


class OwnCall(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.drop = layer, layers.Dropout(1e-7)

    def call(self, inputs):
        return self.drop(self.layer(inputs))


def own_call(layer):
    model = OwnCall(layer)
    model(X)
    return model


def predict(model, x=X, num_samples=SAMPLES, **kwargs):
    kwargs = {"seed": 1, "verbose": 0, "return_samples": True, **kwargs}
    return kdropout.mc_predict(model, x, num_samples, **kwargs).samples


def assert_standard_normal(noise):
    """Check numbers that are drawn independently of each other."""
    error = 1 / np.sqrt(noise.size)
    assert abs(noise.mean()) < 5 * error
    assert abs((noise**2).mean() - 1) < 5 * np.sqrt(2) * error
    # The draws of one sample differ from those of another.
    for lag in (1, 2):
        assert abs((noise[lag:] * noise[:-lag]).mean()) < 5 * error


@pytest.mark.slow
@pytest.mark.on_one_backend
@pytest.mark.parametrize("build", [first, last, own_call])
@pytest.mark.parametrize("kind", [*SEEDED, *UNSEEDED])
def test_noise_of_layers_has_its_variance(kind, build):
    model = build(kind())
    with warnings.catch_warnings():
        if kind in UNSEEDED:  # a test below has this warning
            warnings.filterwarnings("ignore", "'seed' does not decide")
        noise = predict(model) - X
    # Python's generator gives one number for all units.
    assert_standard_normal(noise[:, 0, :1] if kind is Python else noise[:, 0])
    one_for_all = "One" in kind.__name__ or "NumPy" in kind.__name__ or kind is Python
    assert np.allclose(noise[:, 0], noise[:, 1]) == one_for_all


def states(model):
    variables = [v for v in model.variables if v is not GENERATOR.state]
    return [
        *[ops.convert_to_numpy(v).copy() for v in [*variables, GENERATOR.state]],
        np.random.get_state()[1],
        random.getstate(),
        *[source.get() for source in randomness.sources(model)],
    ]


def are_equal(one, other):
    return keras.tree.flatten(
        keras.tree.map_structure(lambda a, b: np.array_equal(a, b), one, other)
    )


@pytest.mark.parametrize("build", [first, last])
@pytest.mark.parametrize("kind", SEEDED)
def test_seed_decides_all_noise_and_no_generator_moves(kind, build):
    model = build(kind())
    before = states(model)
    samples = predict(model, num_samples=5)
    assert all(are_equal(states(model), before))
    np.random.seed(5)
    np.testing.assert_array_equal(predict(model, num_samples=5), samples)
    other = predict(model, num_samples=5, seed=2)
    assert not np.isclose(other[:, None], samples).any(axis=(-1, -2)).any()


@pytest.mark.skipif(not UNSEEDED, reason="of TensorFlow")
@pytest.mark.parametrize("build", [first, last, nested, own_call])
@pytest.mark.parametrize("kind", UNSEEDED)
def test_warning_names_a_layer_whose_noise_no_seed_decides(kind, build):
    model = build(kind(name="noisy"))
    path = "'inner/noisy'" if build is nested else "'noisy'"
    for _ in range(2):  # in eager mode and compiled
        with pytest.warns(UserWarning, match=f"'seed' does not decide.*: {path}"):
            predict(model, num_samples=2)
    predict(model, num_samples=2, seed=None)  # no promise here


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled there")
@pytest.mark.parametrize("kind", [NumPy, NumPyGenerator, NumPyState])
def test_warning_names_a_layer_whose_noise_is_compiled_in(kind):
    model = first(kind(name="noisy"))
    for _ in range(2):
        with pytest.warns(UserWarning, match="draw numbers with NumPy: 'noisy'"):
            samples = predict(model, num_samples=3)
    np.testing.assert_array_equal(samples[0], samples[1])  # same as in predict


class MonteCarloLSTM(keras.layers.LSTM):
    """The usual recipe for Monte-Carlo dropout in a recurrent layer."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(sequences, initial_state, mask=mask, training=True)


@pytest.mark.slow
@pytest.mark.parametrize("build", [first, own_call])
def test_recurrent_layer_that_always_drops_spreads_as_in_predict(build):
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).random((1, 3, 8)).astype("float32")
    layer = MonteCarloLSTM(4, dropout=0.5)
    if build is own_call:
        model = OwnCall(layer)
        model(x)
    else:
        stack = [layer, layers.Dropout(1e-7)]
        model = keras.Sequential([keras.Input((3, 8)), *stack])
    usual = np.stack([model.predict(x, verbose=0) for _ in range(40)])
    samples = predict(model, x)
    squares = [(s - s.mean(0)) ** 2 for s in (usual, samples)]
    for one, other in ((usual, samples), squares):
        error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
        assert (np.abs(one.mean(0) - other.mean(0)) < 5 * error).all()
    assert len(np.unique(samples[:, 0, 0])) > SAMPLES / 2


class NoisyCell(keras.layers.Layer):
    """Adds other noise at each step, so that the variance is the number of steps."""

    state_size = output_size = 8

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs, states):
        noise = keras.random.normal(ops.shape(inputs), seed=self.seed_generator)
        return states[0] + noise, [states[0] + noise]

    def compute_output_shape(self, input_shape):
        return input_shape


# JAX refuses to draw within a loop, and so does its `predict`.
@pytest.mark.parametrize("unroll", [True] if BACKEND == "jax" else [False, True])
def test_steps_of_a_recurrent_layer_draw_independently(unroll):
    rnn = keras.layers.RNN(NoisyCell(), unroll=unroll)
    stack = [rnn, layers.Dropout(1e-7)]
    model = keras.Sequential([keras.Input((4, 8)), *stack])
    x = np.zeros((1, 4, 8), "float32")
    samples = predict(model, x)
    assert_standard_normal(samples[:, 0] / 2)
    np.testing.assert_array_equal(predict(model, x), samples)


@pytest.mark.skipif(BACKEND != "jax", reason="others draw there")
def test_draws_within_a_loop_are_refused_on_jax():
    import jax

    rnn = keras.layers.RNN(NoisyCell())
    model = keras.Sequential([keras.Input((4, 8)), rnn, layers.Dropout(0.5)])
    with pytest.raises(jax.errors.UnexpectedTracerError):
        predict(model, np.zeros((1, 4, 8), "float32"))


class AlwaysNormalizes(keras.layers.BatchNormalization):
    def call(self, inputs, training=False, mask=None):
        return super().call(inputs, training=True, mask=mask)


@pytest.mark.parametrize("build", [first, last, own_call])
def test_batch_statistics_cover_the_rows_of_each_batch(build):
    model = build(AlwaysNormalizes(momentum=0.5))
    x = np.random.default_rng(0).normal(size=(7, 8)).astype("float32")
    before = states(model)
    samples = predict(model, x, num_samples=3, batch_size=4)
    assert all(are_equal(states(model), before))
    expected = model.predict(x, batch_size=4, verbose=0)
    np.testing.assert_allclose(samples, [expected] * 3, rtol=1e-3, atol=1e-5)


def test_models_without_other_noise_draw_many_samples_at_once():
    model = last(keras.layers.Dense(8))
    groups = sampler.Sampler(model, seed=1).draw(X, 9)
    assert [len(group) for group in groups] == [9]


def test_drop_fractions_moves_no_generator():
    for kind in SEEDED:
        model = first(kind())
        before = states(model)
        shares = drop_fractions(model, X, seed=1)
        assert all(are_equal(states(model), before))
        assert drop_fractions(model, X, seed=1) == shares


def test_seed_states_are_recognised_by_name():
    generator = keras.random.SeedGenerator(1)
    assert randomness.is_seed_state(generator.state)
    assert not randomness.is_seed_state(keras.Variable(1.0))
