"""`strip` returns a plain Keras model with the same predictions."""

import json

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers
from kdropout.inspection import walk
from tests.surgery.tools import TOKENS, bert, inputs_of
from tests.tools import DROPOUT_LAYERS, numpy

MOVED = 0.65


def dense():
    return keras.layers.Dense(4, activation="tanh")


def convolution():
    return keras.layers.Conv2D(4, 3, padding="same", activation="relu")


def einsum():
    return keras.layers.EinsumDense(
        "abc,cde->abde", output_shape=(5, 2, 3), bias_axes="de", activation="tanh"
    )


WRAPPED = {"Dense": (dense, (6,)), "Conv2D": (convolution, (5, 5, 3))}
WRAPPED["EinsumDense"] = (einsum, (5, 6))

# Layers of kdropout, their input shape, and the Keras class that replaces them.
MASKS = {
    "Dropout": (layers.Dropout, (6,), "Dropout"),
    "Dropout, noise_shape": (
        lambda rate: layers.Dropout(rate, noise_shape=(None, 1, 6)),
        (5, 6),
        "Dropout",
    ),
    "SpatialDropout1D": (layers.SpatialDropout1D, (5, 6), "SpatialDropout1D"),
    "SpatialDropout1D, channels_first": (
        lambda rate: layers.SpatialDropout1D(rate, data_format="channels_first"),
        (5, 6),
        "Identity",
    ),
    "SpatialDropout2D": (layers.SpatialDropout2D, (3, 3, 6), "SpatialDropout2D"),
    "SpatialDropout3D": (layers.SpatialDropout3D, (2, 3, 3, 4), "SpatialDropout3D"),
    "GaussianDropout": (layers.GaussianDropout, (6,), "GaussianDropout"),
    "AlphaDropout": (layers.AlphaDropout, (6,), "AlphaDropout"),
    "DropPath": (layers.DropPath, (5, 6), "Identity"),
    "DropBlock1D": (lambda rate: layers.DropBlock1D(rate, 3), (8, 4), "Identity"),
    "DropBlock2D": (lambda rate: layers.DropBlock2D(rate, 3), (8, 8, 4), "Identity"),
    "DropBlock3D": (lambda rate: layers.DropBlock3D(rate, 2), (4, 4, 4, 2), "Identity"),
    "TokenDropout": (layers.TokenDropout, (5, 6), "Identity"),
    "HeadDropout": (layers.HeadDropout, (2, 5, 6), "Identity"),
}
WRAPPERS = {
    "DropConnect": lambda layer: layers.DropConnect(layer, 0.3),
    "ConcreteDropout": lambda layer: layers.ConcreteDropout(layer, 0.3),
    "Standout": lambda layer: layers.Standout(layer, alpha=0.7, beta=0.3),
}
# A factory, its input shape and the Keras class, for every layer of kdropout.
ALL_MASKS = {
    name: (lambda make=make: make(0.3), shape, plain)
    for name, (make, shape, plain) in MASKS.items()
}
ALL_WRAPPERS = {
    f"{name} of {inner}": (
        lambda make=make, make_inner=make_inner: make(make_inner()),
        shape,
        "Functional" if name == "Standout" else inner,
    )
    for name, make in WRAPPERS.items()
    for inner, (make_inner, shape) in WRAPPED.items()
}
ALL = ALL_MASKS | ALL_WRAPPERS


def functional(make_layer, shape):
    inputs = keras.Input(shape)
    x = keras.layers.LayerNormalization()(inputs)
    layer = make_layer()
    x = keras.layers.Flatten()(layer(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x)), layer


def sequential(make_layer, shape):
    layer = make_layer()
    parts = [layer, keras.layers.Flatten(), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input(shape), *parts]), layer


def nested(make_layer, shape):
    (inner, layer), inputs = sequential(make_layer, shape), keras.Input(shape)
    middle = keras.Input(shape)
    middle = keras.Model(middle, inner(middle), name="middle")
    return keras.Model(inputs, keras.layers.Dense(2)(middle(inputs))), layer


def time_distributed(make_layer, shape):
    layer, inputs = make_layer(), keras.Input((4, *shape))
    x = keras.layers.TimeDistributed(layer)(inputs)
    x = keras.layers.Dense(2)(keras.layers.Flatten()(x))
    return keras.Model(inputs, x), layer


PLACES = {
    "Functional": functional,
    "Sequential": sequential,
    "nested": nested,
    "TimeDistributed": time_distributed,
}


def assert_plain(model):
    """Check that no part of kdropout is left, in memory and in the saved file."""
    for path, layer in walk(model):
        kinds = type(layer).__mro__
        assert not any(kind.__module__.startswith("kdropout") for kind in kinds), path
    config = json.dumps(keras.saving.serialize_keras_object(model))
    assert "kdropout" not in config


def move(layer):
    """Set the state that the user or a training may have moved."""
    if isinstance(layer, layers.Standout):
        layer.alpha, layer.beta = 1.3, -0.4
    elif not isinstance(layer, layers.ConcreteDropout):
        layer.rate = MOVED


def plain_layers(model):
    return [layer for _, layer in walk(model)]


def test_every_layer_of_kdropout_is_tested():
    tested = {type(make_layer()) for make_layer, *_ in ALL.values()}
    assert {kind.__name__ for kind in tested} == DROPOUT_LAYERS


@pytest.mark.parametrize("place", ["Functional", "Sequential", "nested"])
@pytest.mark.parametrize("name", ALL)
def test_stripped_model_is_plain_and_predicts_the_same(name, place):
    make_layer, shape, plain = ALL[name]
    check(PLACES[place], make_layer, shape, plain)


@pytest.mark.parametrize(
    "name",
    [
        # Other layers would take the time axis for that of heads, or get a map of
        # another rank.
        "Dropout",
        "GaussianDropout",
        "DropPath",
        "SpatialDropout2D",
        "DropBlock2D",
        "DropConnect of Dense",
        "ConcreteDropout of Conv2D",
        "Standout of Dense",
        "Standout of Conv2D",
    ],
)
def test_layer_inside_time_distributed_is_stripped(name):
    make_layer, shape, plain = ALL[name]
    check(time_distributed, make_layer, shape, plain)


def check(place, make_layer, shape, plain_kind):
    model, layer = place(make_layer, shape)
    x = inputs_of(model)
    model(x, training=True)
    move(layer)
    before = [numpy(variable) for variable in model.variables]
    rates = kdropout.rates(model)
    expected = numpy(model(x))
    plain = kdropout.strip(model)
    bound = 1e-5 if isinstance(layer, layers.Standout) else 1e-6
    np.testing.assert_allclose(numpy(plain(x)), expected, rtol=bound, atol=bound)
    assert_plain(plain)
    found = [one for one in plain_layers(plain) if type(one).__name__ == plain_kind]
    assert found
    if plain_kind.endswith(("Dropout", "1D", "2D", "3D")) and hasattr(found[0], "rate"):
        assert found[0].rate == pytest.approx(MOVED, abs=1e-7)
    assert plain.name == model.name
    # The original has not changed.
    assert kdropout.rates(model) == rates
    after = [numpy(variable) for variable in model.variables]
    assert all(map(np.array_equal, before, after))


@pytest.mark.slow
def test_every_wrapper_in_a_trained_model_is_stripped():
    inputs = keras.Input((6,))
    x = layers.DropConnect(dense(), 0.3)(inputs)
    x = layers.ConcreteDropout(dense(), 0.3)(keras.layers.BatchNormalization()(x))
    x = layers.Dropout(kdropout.schedules.Ramp(0.2, 0.5, 4), name="scheduled")(x)
    x = layers.Dropout(kdropout.LearnedRate(0.3), name="learned")(x)
    x = layers.Standout(dense(), name="standout")(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x = inputs_of(model, 16)
    model.fit(x, np.ones((16, 1)), batch_size=4, epochs=2, verbose=0)
    plain = kdropout.strip(model)
    assert_plain(plain)
    outputs = [numpy(one(x)) for one in (model, plain)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-5)
    for name in ("scheduled", "learned"):
        rate = model.get_layer(name).rate
        assert plain.get_layer(name).rate == pytest.approx(rate, abs=1e-7)
    assert plain.get_layer("scheduled").rate == pytest.approx(0.5)
    assert not plain.compiled and model.compiled
    model.fit(x, np.ones((16, 1)), verbose=0)
    plain.compile("sgd", "mse")
    plain.fit(x, np.ones((16, 1)), verbose=0)


def in_a_row(layer, a, b):
    return layer(layer(a))


def side_by_side(layer, a, b):
    return keras.layers.Subtract()([layer(a), layer(b)])


def two_outputs(layer, a, b):
    return layer(a), layer(b)


@pytest.mark.parametrize("connect", [in_a_row, side_by_side, two_outputs])
@pytest.mark.parametrize(
    "name", ["Dropout", "DropConnect of Dense", "Standout of Dense"]
)
def test_layer_called_twice_is_stripped(name, connect):
    layer, (a, b) = ALL[name][0](), (keras.Input((4,)), keras.Input((4,)))
    model = keras.Model([a, b], connect(layer, a, b))
    x = inputs_of(model)
    outputs = [
        [numpy(output) for output in keras.tree.flatten(one(x))]
        for one in (model, kdropout.strip(model))
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-5)


def test_operations_that_share_the_name_of_a_layer_are_kept():
    inputs = keras.Input((4,))
    x = layers.Dropout(0.5)(inputs) + 3.0
    x = keras.layers.Add()([x, keras.layers.Multiply()([x, inputs * 2.0])])
    model = keras.Model(inputs, x)
    x = inputs_of(model)
    assert np.array_equal(numpy(kdropout.strip(model)(x)), numpy(model(x)))


@pytest.mark.parametrize("name", ["Dropout", "DropConnect", "ConcreteDropout"])
def test_mixed_precision_and_frozen_layers_are_kept(name):
    inner = keras.layers.Dense(4, dtype="mixed_bfloat16", name="inner")
    make = WRAPPERS.get(
        name, lambda layer: layers.Dropout(0.5, dtype=layer.dtype_policy)
    )
    layer = make(inner)
    layer.trainable = False
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(2)])
    plain = kdropout.strip(model)
    (first, last) = plain.layers
    assert first.dtype_policy.name == "mixed_bfloat16"
    assert not first.trainable_variables and last.trainable
    x = inputs_of(model)
    assert np.array_equal(numpy(model(x)), numpy(plain(x)))


@pytest.mark.on_one_backend
@pytest.mark.slow
def test_converted_efficient_net_becomes_plain_again():
    model = keras.applications.EfficientNetB0(
        weights=None, input_shape=(32, 32, 3), classes=4
    )
    x = inputs_of(model)
    expected = numpy(model(x))
    kinds = [type(layer) for layer in model.layers]
    kdropout.convert(model, rate=0.4)
    plain = kdropout.strip(model)
    assert_plain(plain)
    assert [type(layer) for layer in plain.layers] == kinds
    assert [layer.name for layer in plain.layers] == [one.name for one in model.layers]
    assert plain.get_layer("top_dropout").rate == pytest.approx(0.4)
    np.testing.assert_allclose(numpy(plain(x)), expected, rtol=1e-6, atol=1e-6)


def test_converted_attention_becomes_plain_again():
    inputs = keras.Input((5, 4))
    attention = keras.layers.MultiHeadAttention(2, 3, dropout=0.2, name="attention")
    model = keras.Model(inputs, attention(inputs, inputs))
    x = inputs_of(model)
    expected = numpy(model(x))
    kdropout.set_rates(kdropout.convert(model), MOVED)
    plain = kdropout.strip(model)
    assert_plain(plain)
    assert np.array_equal(numpy(plain(x)), expected)
    drops = [one for one in plain_layers(plain) if hasattr(one, "rate")]
    assert [drop.rate for drop in drops] == [pytest.approx(MOVED)]


@pytest.mark.on_one_backend
def test_converted_bert_becomes_plain_again():
    model, x = bert(), TOKENS
    expected = keras.tree.map_structure(numpy, model(x))
    kdropout.set_rates(kdropout.convert(model), MOVED)
    plain = kdropout.strip(model)
    assert_plain(plain)
    assert type(plain) is type(model)
    outputs = plain(x)
    for name, output in expected.items():
        assert np.array_equal(numpy(outputs[name]), output), name
    drops = [one for one in plain_layers(plain) if type(one) is keras.layers.Dropout]
    assert [drop.rate for drop in drops] == [pytest.approx(MOVED)] * 7


@keras.saving.register_keras_serializable(package="test_strip")
class Configured(keras.Model):
    """Makes Keras's dropout in its code, or ours if `live`."""

    def __init__(self, units, live=False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.live = units, live
        self.dense = keras.layers.Dense(units)
        kind = layers.Dropout if live else keras.layers.Dropout
        self.drop = kind(0.5, name="drop")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, inputs, training=False):
        return self.drop(self.dense(inputs), training=training)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "live": self.live}


def test_subclassed_model_with_a_config_is_stripped():
    model, x = Configured(3), np.ones((2, 4), "float32")
    model(x)
    kdropout.set_rates(kdropout.convert(model), MOVED)
    plain = kdropout.strip(model)
    assert_plain(plain)
    assert plain.drop.rate == pytest.approx(MOVED)
    assert np.array_equal(numpy(plain(x)), numpy(model(x)))


def test_dropout_made_by_the_code_of_a_class_is_reported():
    model, x = Configured(3, live=True), np.ones((2, 4), "float32")
    model(x)
    try:
        plain = kdropout.strip(model)
    except ValueError as error:
        assert "drop" in str(error) and "Configured" in str(error)
    else:
        assert_plain(plain)


class NotSavable(keras.Model):
    def __init__(self, schedule):
        super().__init__(name="own")
        self.schedule, self.drop = schedule, layers.Dropout(0.5)

    def call(self, inputs, training=False):
        return self.drop(inputs, training=training)


def test_model_that_keras_cannot_save_is_refused():
    model = NotSavable(object())
    model(np.ones((2, 3)))
    # Older versions of Keras save it and fail to load it.
    message = r"'model' must be one that Keras can (save|load). Received: 'own'"
    with pytest.raises(ValueError, match=message) as error:
        kdropout.strip(model)
    assert "get_config" in str(error.value)
