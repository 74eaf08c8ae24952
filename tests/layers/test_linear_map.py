"""The linear map of a layer computes the layer; layers of other kinds are refused."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.layers import Conv1D, Conv2D, Conv3D, Dense, EinsumDense

from kdropout.layers import ConcreteDropout, DropConnect, Standout, linear_map

FIRST = {"data_format": "channels_first"}


def einsum(equation, output_shape, **kwargs):
    return EinsumDense(equation, output_shape, **kwargs)


# Layers, the shape of their inputs, and the number of inputs that an output sums.
CASES = {
    "dense": (lambda: Dense(4, "relu"), (2, 5), 5),
    "dense of rank 4": (lambda: Dense(4, "tanh"), (2, 3, 2, 5), 5),
    "dense without bias": (lambda: Dense(4, use_bias=False), (2, 5), 5),
    "einsum as dense": (lambda: einsum("ab,bc->ac", 4), (2, 5), 5),
    "einsum over time": (
        lambda: einsum("abc,cd->abd", (None, 4), bias_axes="d", activation="relu"),
        (2, 3, 5),
        5,
    ),
    "einsum to heads": (
        lambda: einsum("abc,cde->abde", (None, 2, 4), bias_axes="de"),
        (2, 3, 5),
        5,
    ),
    "einsum of two axes": (
        lambda: einsum("abcd,cde->abe", (None, 4), bias_axes="e"),
        (2, 3, 4, 5),
        20,
    ),
    "einsum of two axes apart": (
        lambda: einsum("abcd,bde->ace", (None, 4)),
        (2, 3, 4, 5),
        15,
    ),
    "einsum with a kernel per position": (
        lambda: einsum("abc,bcd->abd", (3, 4), bias_axes="bd"),
        (2, 3, 5),
        5,
    ),
    "einsum without a sum": (lambda: einsum("ab,b->ab", 5), (2, 5), 1),
    "einsum with dots": (
        lambda: einsum("...a,ab->...b", 4, bias_axes="b"),
        (2, 3, 2, 5),
        5,
    ),
    "einsum of two axes with dots": (
        lambda: einsum("...ab,abc->...c", 4, bias_axes="c"),
        (2, 3, 4, 5),
        20,
    ),
    "einsum with dots at the end": (
        lambda: einsum("ab...,bc->ac...", (4, None), bias_axes=None),
        (2, 3, 5),
        3,
    ),
    "conv1d": (lambda: Conv1D(4, 3), (2, 7, 3), 3),
    "conv1d same": (lambda: Conv1D(4, 3, 2, "same"), (2, 7, 3), 3),
    "conv1d causal": (
        lambda: Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu"),
        (2, 9, 3),
        3,
    ),
    "conv1d causal strided": (
        lambda: Conv1D(4, 2, strides=3, padding="causal"),
        (2, 8, 3),
        3,
    ),
    "conv1d causal, channels first": (
        lambda: Conv1D(4, 3, padding="causal", dilation_rate=2, **FIRST),
        (2, 3, 9),
        3,
    ),
    "conv2d": (lambda: Conv2D(4, (3, 2), activation="tanh"), (2, 6, 5, 3), 3),
    "conv2d without bias": (lambda: Conv2D(4, 2, use_bias=False), (2, 6, 5, 3), 3),
    "conv2d strided": (lambda: Conv2D(4, 3, (2, 1), "same"), (2, 6, 5, 3), 3),
    "conv2d dilated": (
        lambda: Conv2D(4, 2, padding="same", dilation_rate=(2, 1)),
        (2, 6, 5, 3),
        3,
    ),
    "conv2d of groups": (lambda: Conv2D(4, 2, groups=2), (2, 6, 5, 6), 6),
    "conv2d, channels first": (lambda: Conv2D(4, 2, **FIRST), (2, 3, 6, 5), 3),
    "conv3d": (lambda: Conv3D(4, (2, 1, 2), padding="same"), (2, 3, 4, 3, 2), 2),
    "conv3d, channels first": (lambda: Conv3D(4, 2, **FIRST), (2, 5, 3, 4, 3), 5),
}


def make(name):
    """Build the layer with a random bias, its inputs, and the number that it sums."""
    factory, shape, num_inputs = CASES[name]
    layer = factory()
    layer.build(shape)
    rng = np.random.default_rng(0)
    if layer.bias is not None:
        layer.bias.assign(rng.normal(size=layer.bias.shape))
    return layer, rng.normal(size=shape).astype("float32"), num_inputs


@pytest.mark.parametrize("name", CASES)
def test_parts_of_a_layer_compute_the_layer(name):
    layer, x, _ = make(name)
    outputs = linear_map.apply_kernel(layer, x, layer.kernel)
    outputs = linear_map.add_bias_and_activate(layer, outputs)
    wanted = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), wanted, rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_number_of_inputs_is_that_of_the_dropped_features_or_channels(name):
    layer, x, num_inputs = make(name)
    assert linear_map.num_inputs(layer, x.shape) == num_inputs


@pytest.mark.parametrize("name", ["dense", "einsum to heads", "conv2d of groups"])
def test_drop_connect_at_rate_0_equals_the_layer(name):
    layer, x, _ = make(name)
    wanted = ops.convert_to_numpy(layer(x))
    outputs = DropConnect(layer, 0.0)(x, training=True)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), wanted, rtol=1e-6)


class OwnCall(Dense):
    def call(self, inputs):
        return 2 * super().call(inputs)


class OwnInitializer(Dense):
    def __init__(self, units, **kwargs):
        super().__init__(units, kernel_initializer="ones", **kwargs)


REFUSED = [
    lambda: OwnCall(4),
    lambda: keras.layers.LSTM(4),
    lambda: keras.layers.DepthwiseConv2D(2),
    lambda: keras.layers.SeparableConv1D(4, 2),
    lambda: keras.layers.Conv2DTranspose(4, 2),
    lambda: keras.layers.Embedding(4, 2),
    lambda: keras.layers.Dropout(0.5),
    lambda: DropConnect(Dense(4), 0.5),
    lambda: Dense,
    lambda: "dense",
    lambda: None,
]


@pytest.mark.parametrize("factory", REFUSED)
def test_layers_of_other_kinds_are_refused(factory):
    wanted = "'layer' must be one of Dense, EinsumDense, Conv1D, Conv2D, Conv3D"
    with pytest.raises(TypeError, match=wanted):
        linear_map.check_layer(factory())


def test_subclass_that_computes_the_same_is_accepted():
    linear_map.check_layer(OwnInitializer(4))  # does not raise


def test_quantized_layer_is_refused():
    layer = Dense(4)
    layer.build((None, 3))
    layer.quantize("int8")
    with pytest.raises(ValueError, match="'layer' must not be quantized"):
        linear_map.check_layer(layer)


WRAPPERS = {
    "DropConnect": lambda layer, **kwargs: DropConnect(layer, 0.4, seed=1, **kwargs),
    "ConcreteDropout": lambda layer, **kwargs: ConcreteDropout(
        layer, weight_regularizer=0.0, dropout_regularizer=0.0, seed=1, **kwargs
    ),
    "Standout": lambda layer, **kwargs: Standout(layer, beta=1.0, seed=1, **kwargs),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_wrapper_computes_in_the_dtype_of_the_layer(wrapper, policy):
    wrapped = WRAPPERS[wrapper](Dense(4, dtype=policy))
    assert wrapped.dtype_policy.name == policy
    for training in (False, True):
        outputs = wrapped(np.ones((2, 3), "float32"), training=training)
        dtype = keras.backend.standardize_dtype(outputs.dtype)
        assert dtype == keras.DTypePolicy(policy).compute_dtype
    kernel = keras.backend.standardize_dtype(wrapped.layer.kernel.dtype)
    assert kernel == keras.DTypePolicy(policy).variable_dtype


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_dtype_is_that_of_the_layer(wrapper):
    with pytest.raises(ValueError, match="'dtype' must be left out.*mixed_bfloat16"):
        WRAPPERS[wrapper](Dense(4, dtype="float32"), dtype="mixed_bfloat16")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("training", [False, True])
def test_regularizers_of_the_layer_add_to_the_loss(wrapper, training):
    dense = Dense(
        4,
        "relu",
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer=keras.regularizers.L1(0.2),
        bias_initializer="ones",
    )
    model = keras.Sequential([keras.Input((3,)), WRAPPERS[wrapper](dense)])
    model(np.ones((2, 3), "float32"), training=training)
    kernel = ops.convert_to_numpy(dense.kernel)
    total = sum(float(ops.convert_to_numpy(loss)) for loss in model.losses)
    assert total == pytest.approx(0.1 * np.sum(kernel**2) + 0.2 * 4, rel=1e-5)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_weights_move_between_the_wrapper_and_a_plain_layer(wrapper):
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    plain, other = Dense(4), Dense(4)
    outputs = plain(x)
    wrapped = WRAPPERS[wrapper](Dense(4))
    wrapped(x)
    wrapped.layer.set_weights(plain.get_weights())
    other.build(x.shape)
    other.set_weights(wrapped.layer.get_weights())
    for copy in (wrapped.layer, other):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(copy(x)), ops.convert_to_numpy(outputs)
        )
    # Training moves the weights of the layer itself.
    model = keras.Sequential([keras.Input((3,)), wrapped])
    model.compile("sgd", "mse", run_eagerly=keras.backend.backend() == "jax")
    model.train_on_batch(x, np.ones((6, 4), "float32"))
    assert (wrapped.layer.get_weights()[0] != plain.get_weights()[0]).any()


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_built_layer_keeps_its_weights(wrapper):
    plain = Dense(4)
    plain.build((None, 3))
    before = plain.get_weights()
    wrapped = WRAPPERS[wrapper](plain)
    wrapped(np.ones((2, 3), "float32"), training=True)
    assert wrapped.layer is plain
    for old, new in zip(before, plain.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_activity_regularizer_of_the_wrapper_adds_to_the_loss(wrapper):
    regularizer = keras.regularizers.L1(0.1)
    wrapped = WRAPPERS[wrapper](Dense(4), activity_regularizer=regularizer)
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    outputs = wrapped(x, training=True)
    # Keras divides by the size of the batch from version 3.14 on.
    keras_layer = keras.layers.Identity(activity_regularizer=regularizer)
    keras_layer(outputs)

    def total(layer):
        return sum(float(ops.convert_to_numpy(loss)) for loss in layer.losses)

    assert total(wrapped) == pytest.approx(total(keras_layer), rel=1e-5)
    assert total(wrapped) > 0


# Keras warns that it cannot quantize its own InputLayer.
@pytest.mark.filterwarnings("ignore:Layer InputLayer:UserWarning")
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_quantizing_a_model_skips_the_wrapped_layer(wrapper, tmp_path):
    model = keras.Sequential(
        [keras.Input((3,)), WRAPPERS[wrapper](Dense(4)), Dense(2, name="plain")]
    )
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    before = ops.convert_to_numpy(model.layers[0](x))
    with pytest.warns(UserWarning, match="not quantized.*kdropout.strip"):
        model.quantize("int8")
    assert model.layers[1].quantization_mode == "int8"
    np.testing.assert_array_equal(ops.convert_to_numpy(model.layers[0](x)), before)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(kept(x)) for kept in (restored, model))
    )
