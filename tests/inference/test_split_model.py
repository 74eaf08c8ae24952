"""A model is split at its first dropout: the head runs once, the tail per sample."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers
from tests.tools import numpy

BACKEND = keras.backend.backend()
SAMPLES = 2000
X = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
SEQUENCES = np.random.default_rng(1).normal(size=(4, 5, 3)).astype("float32")


def predict(model, x=X, num_samples=SAMPLES, **kwargs):
    kwargs = {"return_samples": True, "seed": 1, "verbose": 0, **kwargs}
    return kdropout.mc_predict(model, x, num_samples, **kwargs)


def dense(units=2, **kwargs):
    return keras.layers.Dense(units, bias_initializer="ones", **kwargs)


def linear(x, kernel, rate=0.5, bias=1.0):
    """Return mean and variance of a linear map after dropout."""
    x, kernel = np.asarray(x, "float64"), numpy(kernel).astype("float64")
    return x @ kernel + bias, rate / (1 - rate) * x**2 @ kernel**2


class WithoutShape(keras.layers.Layer):
    """A layer in the usual form of a user's: `call` is its only method."""

    def call(self, inputs):
        return 2.0 * inputs


class OwnCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.drop, self.last = layers.Dropout(0.5), dense()

    def call(self, inputs):
        return self.last(self.drop(inputs))


class InheritedCall(keras.Model):
    """A subclass of Functional."""


def nested(kind):
    inner = keras.Sequential([keras.Input((6,)), layers.Dropout(0.5)])
    if kind == "functional":
        inputs = keras.Input((6,))
        inner = keras.Model(inputs, layers.Dropout(0.5)(inputs))
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inner(inputs)))
    return keras.Sequential([keras.Input((6,)), model, dense()])


def of_class(kind):
    if kind is OwnCall:
        model = OwnCall()
        model(X)
        return model
    inputs = keras.Input((6,))
    return kind(inputs, dense()(layers.Dropout(0.5)(inputs)))


@pytest.mark.parametrize(
    "build",
    [
        lambda: nested("functional"),
        lambda: nested("sequential"),
        lambda: of_class(OwnCall),
        lambda: of_class(InheritedCall),
        lambda: keras.Sequential([of_class(OwnCall)]),
    ],
    ids=["functional inside", "sequential inside", "own call", "class", "own inside"],
)
def test_models_of_all_kinds_have_the_same_moments(build, assert_moments):
    model = build()
    model(X)
    kernel = [w for w in model.trainable_variables if w.shape == (6, 2)][0]
    assert_moments(predict(model), *linear(X, kernel))


def test_custom_layers_may_lack_an_output_shape(assert_moments):
    last = dense()
    stack = [WithoutShape(), layers.Dropout(0.5), WithoutShape(), last]
    model = keras.Sequential([keras.Input((6,)), *stack])
    assert_moments(predict(model), *linear(4 * X, last.kernel))


def test_nested_model_may_be_used_twice(assert_moments):
    inner = keras.Sequential([keras.Input((6,)), layers.Dropout(0.5), last := dense()])
    inputs = keras.Input((6,))
    model = keras.Model(inputs, inner(inputs) - inner(2.0 * inputs))
    one, two = linear(X, last.kernel), linear(2 * X, last.kernel)
    assert_moments(predict(model), one[0] - two[0], one[1] + two[1])


def test_dict_of_outputs_may_have_a_deterministic_one():
    inputs = keras.Input((6,))
    hidden = dense(3)(inputs)
    random = dense()(layers.Dropout(0.5)(hidden))
    model = keras.Model(inputs, {"fixed": hidden, "random": [random, dense()(random)]})
    x = np.concatenate([X, X[:1]])
    prediction = predict(model, x, 50, batch_size=2)
    expected = model.predict(x, verbose=0)
    assert prediction.mean.keys() == prediction.samples.keys() == {"fixed", "random"}
    assert [part.shape for part in prediction.std["random"]] == [(5, 2)] * 2
    np.testing.assert_allclose(prediction.mean["fixed"], expected["fixed"], rtol=1e-5)
    np.testing.assert_array_equal(prediction.variance["fixed"], 0.0)
    assert (prediction.variance["random"][0] > 0.0).all()


def test_each_output_has_an_entropy():
    inputs = keras.Input((6,))
    hidden = layers.Dropout(0.5)(inputs)
    outputs = [dense(activation="softmax")(hidden), dense()(hidden)]
    prediction = predict(keras.Model(inputs, outputs), num_samples=3)
    assert prediction.entropy[0].shape == prediction.mutual_information[0].shape == (4,)
    assert prediction.entropy[1] is prediction.mutual_information[1] is None


class Constant(keras.layers.Layer):
    """Weights of a fixed shape for every batch size."""

    def __init__(self, shape):
        super().__init__()
        self.constant = self.add_weight(shape=shape, initializer="random_normal")

    def call(self, inputs):
        return ops.convert_to_tensor(self.constant)

    def compute_output_shape(self, input_shape):
        return tuple(self.constant.shape)


@pytest.mark.parametrize("shape", [(1, 6), (6,)])
def test_constant_without_a_batch_axis_reaches_the_tail(shape, assert_moments):
    inputs = keras.Input((6,))
    constant, last = Constant(shape), dense()
    outputs = last(ops.add(layers.Dropout(0.5)(inputs), constant(inputs)))
    mean, variance = linear(X, last.kernel)
    shift = numpy(constant.constant) @ numpy(last.kernel)
    assert_moments(predict(keras.Model(inputs, outputs)), mean + shift, variance)


def test_constant_kernel_reaches_the_tail(assert_moments):
    inputs = keras.Input((6,))
    constant = Constant((6, 2))
    outputs = ops.matmul(layers.Dropout(0.5)(inputs), constant(inputs))
    moments = linear(X, constant.constant, bias=0.0)
    assert_moments(predict(keras.Model(inputs, outputs)), *moments)


def flat_moments(model):
    return linear(SEQUENCES.reshape(4, -1), model.layers[-1].kernel)


def test_batch_may_be_merged_with_time_in_the_head(assert_moments):
    inputs = keras.Input((5, 3))
    hidden = layers.Dropout(0.5)(ops.reshape(inputs, (-1, 3)))
    outputs = dense()(ops.reshape(hidden, (-1, 15)))
    model = keras.Model(inputs, outputs)
    assert_moments(predict(model, SEQUENCES), *flat_moments(model))


@pytest.mark.parametrize(
    "num_samples", [2, pytest.param(SAMPLES, marks=pytest.mark.slow)]
)
def test_batch_may_be_on_another_axis_at_the_first_dropout(num_samples, assert_moments):
    inputs = keras.Input((5, 3))
    hidden = layers.Dropout(0.5)(ops.transpose(inputs, (1, 0, 2)))
    hidden = keras.layers.Flatten()(ops.transpose(hidden, (1, 0, 2)))
    model = keras.Model(inputs, dense()(hidden))
    prediction = predict(model, SEQUENCES, num_samples)
    assert prediction.mean.shape == (4, 2)
    if num_samples == SAMPLES:
        assert_moments(prediction, *flat_moments(model))


@pytest.mark.slow
def test_batch_size_may_be_fixed(assert_moments):
    inputs = keras.Input(batch_shape=(4, 6))
    last = dense()
    # This reshape needs a batch of 4.
    hidden = ops.reshape(layers.Dropout(0.5)(inputs), (4, 6))
    model = keras.Model(inputs, last(hidden))
    x = np.concatenate([X, X[:2]])
    prediction = predict(model, x, 1000, batch_size=4)
    assert_moments(prediction, *linear(x, last.kernel))


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_float16"])
def test_precisions_have_the_moments_of_the_closed_form(policy, assert_moments):
    dropout = layers.Dropout(0.5, dtype=policy)
    last = dense(dtype=policy, kernel_initializer="ones")
    inputs = keras.Input((6,), dtype="float16" if policy == "float16" else None)
    model = keras.Model(inputs, last(dropout(inputs)))
    # Multiples of 1/2 add without rounding in all dtypes.
    x = np.random.default_rng(0).integers(1, 4, (4, 6)) / 2
    assert_moments(predict(model, x), *linear(x, np.ones((6, 2))))


def test_integer_inputs_are_accepted():
    inputs = keras.Input((6,), dtype="uint8")
    hidden = layers.Dropout(0.5)(keras.layers.Rescaling(1 / 255)(inputs))
    prediction = predict(keras.Model(inputs, hidden), np.full((3, 6), 255))
    assert set(np.unique(prediction.samples)) == {0.0, 2.0}


@pytest.mark.parametrize("dropped", ["embedding", "states"])
def test_padding_is_masked_in_head_and_tail(dropped):
    tokens = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    if dropped == "embedding":
        hidden = layers.Dropout(0.5)(hidden)
    hidden = keras.layers.GRU(3, return_sequences=True)(hidden)
    if dropped == "states":
        hidden = layers.Dropout(0.5)(hidden)
    model = keras.Model(tokens, keras.layers.GRU(3)(hidden))
    x = np.random.default_rng(0).integers(1, 9, (4, 3))
    padded, longer = (
        np.concatenate([x, np.full((4, 3), token)], axis=1) for token in (0, 8)
    )
    one, other = (predict(model, rows, 1000).samples for rows in (x, padded))
    for moment in (lambda s: s, lambda s: (s - s.mean(0)) ** 2):
        pair = moment(one), moment(other)
        error = np.sqrt(sum(samples.var(0) for samples in pair) / 1000)
        assert (np.abs(pair[0].mean(0) - pair[1].mean(0)) < 5 * error).all()
    # Tokens that are not masked change the result.
    mean = predict(model, longer, 1000).mean
    assert (np.abs(mean - one.mean(0)) > 5 * error).any()


def count_runs(count):
    """Call `count` at each execution of the compiled code around this call."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.py_function(count, [], [])
    elif BACKEND == "jax":
        import jax

        jax.debug.callback(count)
    else:
        count()


class Counting(keras.layers.Layer):
    def __init__(self, runs):
        super().__init__()
        # Not the list itself, because Keras would keep a copy.
        self.count = lambda: runs.append(1)

    def call(self, inputs):
        count_runs(self.count)
        return inputs

    def compute_output_spec(self, inputs):  # does not run the call
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize("is_nested", [False, True])
def test_head_runs_once_per_batch_and_tail_once_per_pass(is_nested, monkeypatch):
    # Two samples of two rows at a time, with 6 numbers each.
    monkeypatch.setattr(kdropout.inference.sampler, "_MAX_NUMBERS", 6 * 2 * 2)
    head, tail = [], []
    stack = [Counting(head), layers.Dropout(0.5), Counting(tail)]
    model = keras.Sequential([keras.Input((6,)), *stack])
    if is_nested:
        model = keras.Sequential([keras.Input((6,)), model])
    predict(model, np.concatenate([X, X[:1]]), 6, batch_size=2)
    if BACKEND == "jax":
        import jax

        jax.effects_barrier()
    assert (len(head), len(tail)) == (3, 9)
