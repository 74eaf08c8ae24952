"""`convert(also=...)` makes the dropout layers of a user live."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers, schedules
from tests.tools import call_in_training

X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")


class StochasticDepth(keras.layers.Layer):
    """Drops whole samples, as many vision models write it."""

    def __init__(self, drop_prob, **kwargs):
        super().__init__(**kwargs)
        self.drop_prob = drop_prob
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, x, training=None):
        if not training:
            return x
        keep_prob = 1 - self.drop_prob
        shape = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        random = keras.random.uniform(shape, seed=self.seed_generator)
        return x / keep_prob * ops.floor(keep_prob + random)


class MCDropout(keras.layers.Dropout):
    """Drops at inference as well, as many tutorials write it."""

    def call(self, inputs):
        return super().call(inputs, training=True)


def make_drop_path(layer):
    return layers.DropPath(layer.drop_prob)


def make_dropout(layer):
    return layers.Dropout(layer.rate)


def model_with(*parts):
    return keras.Sequential([keras.Input((5,)), *parts], name="model")


def test_layer_of_the_user_is_live():
    layer = StochasticDepth(0.25, name="depth")
    scale = keras.layers.Dense(5, kernel_initializer="identity", use_bias=False)
    model = model_with(layer, keras.layers.Dropout(0.5, name="drop"), scale)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(X, X, verbose=0)
    kdropout.convert(model, also={StochasticDepth: make_drop_path})
    assert model.layers[0] is layer
    assert type(layer) is layers.DropPath
    assert kdropout.rates(model) == {"depth": 0.25, "drop": 0.5}
    kdropout.set_rates(model, {"drop": 0.0, "depth": 0.5})
    model.fit(X, X, verbose=0)
    outputs = call_in_training(model, X)
    kept = (outputs != 0).all(axis=1)
    np.testing.assert_array_equal(outputs[kept], 2 * X[kept])
    assert (outputs[~kept] == 0).all()
    assert abs(kept.mean() - 0.5) < 5 * np.sqrt(0.25 / len(X))


def test_layer_that_always_drops_predicts_without_dropout():
    model = model_with(MCDropout(0.5, name="always"))
    assert (model.predict(X, verbose=0) == 0).any()
    kdropout.convert(model, also={MCDropout: make_dropout})
    np.testing.assert_array_equal(model.predict(X, verbose=0), X)
    assert kdropout.mc_predict(model, X, 20, seed=1, verbose=0).std.min() > 0


def test_rate_of_the_function_may_be_a_schedule_and_the_user_may_choose_another():
    ramp = schedules.Ramp(0.1, 0.5, 10)
    also = {StochasticDepth: lambda layer: layers.DropPath(ramp, seed=3)}
    layer = StochasticDepth(0.25, name="depth")
    kdropout.convert(model_with(layer), also=also)
    assert layer.get_config()["rate"] == keras.saving.serialize_keras_object(ramp)
    assert layer.seed == 3
    layer = StochasticDepth(0.25, name="depth")
    model = kdropout.convert(model_with(layer), {"depth": 0.4}, also=also)
    assert kdropout.rates(model) == {"depth": 0.4}


def test_class_of_keras_can_become_another_kind():
    inputs = keras.Input((4, 5))
    model = keras.Model(inputs, keras.layers.Dropout(0.5, name="drop")(inputs))
    also = {
        keras.layers.Dropout: lambda layer: layers.Dropout(
            layer.rate, noise_shape=(None, 1, None)
        )
    }
    kdropout.convert(model, also=also)
    outputs = call_in_training(model, np.ones((64, 4, 5), "float32"))
    assert (outputs == outputs[:, :1]).all()


def test_arguments_of_the_layer_of_kdropout_stay():
    also = {StochasticDepth: lambda layer: layers.TokenDropout(0.5, 2)}
    layer = StochasticDepth(0.25, name="depth")
    inputs = keras.Input((6, 5))
    kdropout.convert(keras.Model(inputs, layer(inputs)), also=also)
    assert layer.num_prefix_tokens == 2


def test_warning_of_dropout_that_stays_shows_the_way():
    model = model_with(keras.layers.Dropout(0.1), StochasticDepth(0.25, name="depth"))
    way = r"'depth' \(StochasticDepth with drop_prob=0.25\).*also={TheClass: make_live}"
    with pytest.warns(UserWarning, match=way):
        kdropout.convert(model)


def test_strip_of_a_layer_of_the_user_gives_plain_layers():
    model = model_with(StochasticDepth(0.25, name="depth"), keras.layers.Dense(2))
    kdropout.convert(model, also={StochasticDepth: make_drop_path})
    plain = kdropout.strip(model)
    assert type(plain.get_layer("depth")) is keras.layers.Identity
