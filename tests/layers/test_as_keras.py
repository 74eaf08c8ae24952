"""The layers accept the arguments of Keras's dropout layers and behave like them."""

import inspect
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from tests.tools import DROPOUT_LAYERS, numpy

BACKEND = keras.backend.backend()
SHAPES = {
    "Dropout": (2, 3),
    "AlphaDropout": (2, 3),
    "GaussianDropout": (2, 3),
    "SpatialDropout1D": (2, 3, 4),
    "SpatialDropout2D": (2, 3, 4, 5),
    "SpatialDropout3D": (2, 3, 4, 5, 6),
}
# All layers that kdropout and Keras share, with a shape of inputs.
OURS = {
    name: (lambda name=name: getattr(kdropout.layers, name)(0.5), shape)
    for name, shape in SHAPES.items()
} | {
    "DropPath": (lambda: kdropout.layers.DropPath(0.5), (2, 3)),
    "DropBlock1D": (lambda: kdropout.layers.DropBlock1D(0.5, 2), (2, 4, 3)),
    "DropBlock2D": (lambda: kdropout.layers.DropBlock2D(0.5, 2), (2, 4, 4, 3)),
    "DropBlock3D": (lambda: kdropout.layers.DropBlock3D(0.5, 2), (2, 4, 4, 4, 3)),
    "TokenDropout": (lambda: kdropout.layers.TokenDropout(0.5), (2, 4, 3)),
    "HeadDropout": (lambda: kdropout.layers.HeadDropout(0.5), (2, 4, 3)),
    "DropConnect": (
        lambda: kdropout.layers.DropConnect(keras.layers.Dense(2), 0.5),
        (2, 3),
    ),
    "ConcreteDropout": (
        lambda: kdropout.layers.ConcreteDropout(keras.layers.Dense(2)),
        (2, 3),
    ),
    "Standout": (lambda: kdropout.layers.Standout(keras.layers.Dense(2)), (2, 3)),
}
WITHOUT_WRAPPERS = sorted(OURS.keys() - {"DropConnect", "ConcreteDropout", "Standout"})

tensorflow_alone = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="only TensorFlow has such tensors"
)


def both(name):
    return getattr(keras.layers, name), getattr(kdropout.layers, name)


def test_every_layer_is_in_the_table():
    assert OURS.keys() == DROPOUT_LAYERS


@pytest.mark.parametrize("name", SHAPES)
def test_arguments_have_the_positions_of_keras(name):
    theirs, mine = (inspect.signature(kind).parameters for kind in both(name))
    positional = [n for n, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert list(mine)[: len(positional)] == positional
    for argument in positional:
        assert mine[argument].default == theirs[argument].default


def test_positional_arguments_are_stored():
    layer = kdropout.layers.SpatialDropout1D(0.5, 3, "one", "float16")
    assert (layer.seed, layer.name, layer.compute_dtype) == (3, "one", "float16")
    layer = kdropout.layers.SpatialDropout2D(0.5, "channels_first", 3, "two")
    assert (layer.data_format, layer.seed, layer.name) == ("channels_first", 3, "two")
    layer = kdropout.layers.SpatialDropout1D(0.5, data_format="channels_first")
    assert layer.get_noise_shape((2, 3, 4)) == (2, 3, 1)


@pytest.mark.parametrize("name", ["SpatialDropout2D", "SpatialDropout3D"])
def test_data_format_may_be_in_capitals(name):
    for kind in both(name):
        assert kind(0.5, data_format="CHANNELS_FIRST").data_format == "channels_first"


@pytest.mark.parametrize("name", WITHOUT_WRAPPERS)
def test_layers_without_weights_are_built_at_once(name):
    make, shape = OURS[name]
    layer = make()
    assert layer.built

    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layer

        def call(self, inputs, training=False):
            return self.drop(inputs, training=training)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Block().build(shape)
    state = [variable.value for variable in layer.non_trainable_variables]
    trainable = [variable.value for variable in layer.trainable_variables]
    x = np.ones(shape, "float32")
    outputs, _ = layer.stateless_call(trainable, state, x, training=True)
    assert tuple(outputs.shape) == shape


def test_subclass_may_add_weights_after_the_base_constructor():
    class Scaled(kdropout.layers.Dropout):
        def __init__(self):
            super().__init__(0.5, seed=1)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
            self.dense = keras.layers.Dense(3)

        def undropped(self, inputs):
            return self.dense(inputs) * self.scale

    layer = Scaled()
    assert layer(np.ones((2, 3), "float32")).shape == (2, 3)
    assert len(layer.trainable_variables) == 3


def test_subclass_with_its_build_method_is_built_when_called():
    class Scaled(kdropout.layers.Dropout):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=input_shape[1:], name="scale")

    layer = Scaled(0.5)
    assert not layer.built
    layer(np.ones((2, 3), "float32"))
    assert layer.scale.shape == (3,)


@pytest.mark.parametrize("seed", [-1, 2**31, 2**32 - 1, 2**63, -(2**40), np.int64(7)])
def test_any_integer_is_accepted_as_a_seed(seed):
    x = np.ones((4, 100), "float32")
    first, again, other = (
        numpy(kdropout.layers.Dropout(0.5, seed=s)(x, training=True))
        for s in (seed, seed, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    config = kdropout.layers.Dropout(0.5, seed=seed).get_config()
    assert config["seed"] == seed
    assert kdropout.layers.Dropout.from_config(config).seed == seed


def test_seeds_that_differ_by_a_power_of_two_draw_different_masks():
    x = np.ones((4, 1000), "float32")
    seeds = [3, 3 - 2**31, 3 + 2**31, 3 + 2**32, 3 + 2**40, -3]
    masks = [
        numpy(kdropout.layers.Dropout(0.5, seed=s)(x, training=True)) for s in seeds
    ]
    assert len({mask.tobytes() for mask in masks}) == len(seeds)


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "GaussianDropout"])
def test_lists(name):
    shape = SHAPES[name]
    _, mine = both(name)
    arrays = [ops.ones(shape[1:])] * shape[0]
    outputs = mine(0.5)(arrays)
    assert isinstance(outputs, list)
    for output, array in zip(outputs, arrays, strict=True):
        assert np.array_equal(numpy(output), numpy(array))
    symbolic = kdropout.layers.Dropout(0.5)([keras.Input((3,)), keras.Input((4,))])
    assert [tensor.shape for tensor in symbolic] == [(None, 3), (None, 4)]


def test_list_in_training_is_a_batch():
    arrays = [ops.ones((3,)), ops.ones((3,))]
    listed = kdropout.layers.Dropout(0.5, seed=1)(arrays, training=True)
    stacked = kdropout.layers.Dropout(0.5, seed=1)(ops.stack(arrays), training=True)
    assert np.array_equal(numpy(listed), numpy(stacked))


@pytest.mark.parametrize(
    "noise_shape", [(8,), (3, 1), (1, 8), (), (1,), (3, 8), (4, 3, 8), (None, 1, None)]
)
def test_noise_shapes_shorter_than_the_inputs_broadcast_as_in_keras(noise_shape):
    x = np.ones((4, 3, 8), "float32")
    layer = kdropout.layers.Dropout(0.5, noise_shape=noise_shape, seed=2)
    mask = numpy(layer(x, training=True)) != 0
    sizes = [n or size for n, size in zip(noise_shape, x.shape, strict=False)]
    drawn = mask
    for axis, size in enumerate([1] * (3 - len(sizes)) + sizes):
        if size == 1:
            drawn = drawn[(slice(None),) * axis + (slice(0, 1),)]
    assert np.array_equal(mask, np.broadcast_to(drawn, x.shape))
    symbolic = layer(keras.Input((3, 8)))
    assert symbolic.shape == (None, 3, 8)
    # Keras's layer accepts the same.
    keras.layers.Dropout(0.5, noise_shape=noise_shape)(x, training=True)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", OURS)
def test_empty_inputs_are_accepted(name, axis):
    make, shape = OURS[name]
    if axis == 1 and name in ("DropConnect", "ConcreteDropout", "Standout"):
        shape = (0, 3)
    else:
        shape = tuple(0 if i == axis else size for i, size in enumerate(shape))
    layer = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a block is larger than an empty map
        for training in (False, True):
            outputs = layer(np.zeros(shape, "float32"), training=training)
            assert tuple(outputs.shape)[axis] == 0 or axis == 1
    assert 0.0 <= layer.rate <= 1.0


@pytest.mark.parametrize("rate", [0.0, 0.5])
@pytest.mark.parametrize("shape, noise_shape", [((0, 8), (1, None)), ((2, 0, 8), None)])
def test_empty_inputs_compile_with_a_mask_that_broadcasts(shape, noise_shape, rate):
    if noise_shape is None:
        layer = kdropout.layers.SpatialDropout1D(rate)
    else:
        layer = kdropout.layers.Dropout(rate, noise_shape=noise_shape)

    def call(x):
        return layer(x, training=True)

    if BACKEND == "tensorflow":
        import tensorflow as tf

        for xla in (False, True):
            compiled = tf.function(call, jit_compile=xla)
            assert tuple(compiled(tf.ones(shape)).shape) == shape
    assert tuple(call(np.ones(shape, "float32")).shape) == shape


def test_integers_pass_at_inference_and_are_refused_in_training():
    x = np.arange(6, dtype="int32").reshape(2, 3)
    layer = kdropout.layers.Dropout(0.5)
    assert np.array_equal(numpy(layer(x)), x)
    with pytest.raises(TypeError, match="must be floating point"):
        layer(x, training=True)


@tensorflow_alone
@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout"])
@pytest.mark.parametrize("training", [False, True])
def test_unknown_rank_is_accepted(name, training):
    import tensorflow as tf

    layer = getattr(kdropout.layers, name)(0.5, seed=1)
    spec = [tf.TensorSpec(None)]
    call = tf.function(lambda x: layer(x, training=training), input_signature=spec)
    outputs = call(tf.ones((4, 5, 6)))
    other = getattr(kdropout.layers, name)(0.5, seed=1)
    expected = other(tf.ones((4, 5, 6)), training=training)
    assert np.array_equal(outputs.numpy(), expected.numpy())


@tensorflow_alone
@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "GaussianDropout"])
def test_ragged_inputs_pass_at_inference(name):
    import tensorflow as tf

    ragged = tf.ragged.constant([[1.0, 2.0], [3.0]])
    for kind in both(name):
        assert kind(0.5)(ragged, training=False).to_list() == ragged.to_list()


@pytest.mark.parametrize("regularizer", [0.0, 1.0, 1e20])
@pytest.mark.parametrize("temperature", [1e-6, 0.1, 1e30])
def test_learned_rates_stay_finite_at_the_limits(regularizer, temperature):
    rate = kdropout.LearnedRate(0.1, regularizer, temperature)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            kdropout.layers.Dropout(rate, name="drop"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    x = np.ones((32, 4), "float32")
    model.fit(x, x[:, :1], batch_size=32, verbose=0)  # one step
    assert 0.0 <= model.get_layer("drop").rate <= 1.0
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
