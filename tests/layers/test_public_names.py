"""The public names of a layer, and the names of version 0.1 that became private."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers

# Names that a user reads, or that a subclass overrides.
API = {
    "apply_noise",
    "can_learn_rate",
    "get_noise_shape",
    "has_noise_per_sample",
    "log_values",
    "rate",
    "rate_variables",
    "undropped",
}
# Where the state is stored: in files of Keras, and in a `state_dict` of PyTorch.
PLACES = {"rate_state", "saved_state"}
# Keras has this name from version 3.9 on.
KERAS = {"rematerialized_call"}
DEPRECATED = {"get_state", "rate_rule", "set_state"}


def parameters(kind):
    return set(inspect.signature(kind).parameters)


def make(kind):
    if "layer" not in parameters(kind):
        return kind(0.3)
    wrapped = keras.layers.Dense(2)
    return kind(wrapped, 0.3) if "rate" in parameters(kind) else kind(wrapped)


def public_names(layer):
    return {name for name in dir(layer) if not name.startswith("_")}


def is_of_keras(kind):
    """Return whether the layer is one of Keras with rates among its arguments."""
    return not issubclass(kind, layers.BaseDropout)


OURS = [name for name in layers.__all__ if not is_of_keras(getattr(layers, name))]
OF_KERAS = {
    "Attention": (),
    "AdditiveAttention": (),
    "ConvLSTM1D": (2, 3),
    "ConvLSTM2D": (2, 3),
    "ConvLSTM3D": (2, 3),
    "GRU": (2,),
    "GRUCell": (2,),
    "LSTM": (2,),
    "LSTMCell": (2,),
    "SimpleRNN": (2,),
    "SimpleRNNCell": (2,),
}


def test_all_layers_are_listed():
    assert {*OURS, *OF_KERAS} == {*layers.__all__}


@pytest.mark.parametrize("name", OF_KERAS)
def test_layer_of_keras_has_only_the_names_of_its_rates_in_addition(name):
    arguments = OF_KERAS[name]
    ours = getattr(layers, name)(*arguments)
    theirs = getattr(keras.layers, name)(*arguments)
    assert public_names(ours) - public_names(theirs) <= {
        "dropout_layer",
        "dropout_mask_count",
        "recurrent_dropout_layer",
        "seed_generator",
    }
    assert parameters(type(ours)) == parameters(type(theirs))


@pytest.mark.parametrize("name", OURS)
def test_layer_has_only_names_of_keras_its_arguments_and_the_api(name):
    kind = getattr(layers, name)
    added = public_names(make(kind)) - public_names(keras.layers.Layer())
    arguments = parameters(kind) - API
    assert added - arguments - PLACES - KERAS - {"seed_generator"} == API


def test_keras_saves_the_layer_without_a_deprecation_warning(tmp_path, recwarn):
    model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.3)])
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras")
    assert not [w for w in recwarn if "of a dropout layer" in str(w.message)]


@pytest.mark.parametrize("name", sorted(DEPRECATED))
def test_name_of_0_1_works_with_a_warning(name):
    layer = layers.Dropout(0.3, seed=1)
    with pytest.warns(DeprecationWarning, match=f"'{name}' of a dropout layer"):
        value = getattr(layer, name)
    assert value == getattr(layer, f"_{name}")


def test_state_of_a_layer_moves_by_the_names_of_0_1():
    first, second = layers.Dropout(0.3, seed=1), layers.Dropout(0.5, seed=2)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        second.set_state(first.get_state())
    x = np.ones((4, 100), "float32")
    outputs = [
        ops.convert_to_numpy(layer(x, training=True)) for layer in (first, second)
    ]
    assert second.rate == 0.3
    assert np.array_equal(*outputs)


class SubclassOf01(layers.BaseDropout):
    """Overrides every method that the documentation of version 0.1 named."""

    can_learn_rate = False
    has_noise_per_sample = False

    def get_noise_shape(self, shape):
        return (1, *shape[1:])

    def apply_noise(self, inputs, shape, rate, seed):
        assert self.rate_rule.temperature is None
        return super().apply_noise(inputs, shape, rate, seed)

    def undropped(self, inputs):
        return inputs * 2.0

    def log_values(self):
        return {**super().log_values(), "one": 1.0}


def test_subclass_of_0_1_works():
    layer, x = SubclassOf01(0.5, seed=1), np.ones((4, 100), "float32")
    with pytest.warns(DeprecationWarning, match="'rate_rule' of a dropout layer"):
        outputs = ops.convert_to_numpy(layer(x, training=True))
    assert (outputs == outputs[:1]).all() and set(outputs.flat) == {0.0, 2.0}
    assert np.array_equal(ops.convert_to_numpy(layer(x)), 2.0 * x)
    assert layer.log_values() == {"rate": 0.5, "one": 1.0}
    with pytest.raises(TypeError, match="not a mask that could be relaxed"):
        SubclassOf01(kdropout.LearnedRate())
    model = keras.Sequential([keras.Input((100,)), layer])
    with pytest.warns(DeprecationWarning, match="'rate_rule' of a dropout layer"):
        samples = kdropout.mc_predict(
            model, x, num_samples=2, seed=1, return_samples=True
        ).samples
    assert (samples == samples[:, :1]).all()


@pytest.mark.parametrize(
    "name",
    [
        "add_rate_penalty",
        "get_state",
        "next_rate",
        "next_seed",
        "set_state",
        "thin_out",
    ],
)
def test_subclass_with_a_hook_of_0_1_is_refused(name):
    with pytest.raises(TypeError, match=f"'Mine' must not define '{name}', which"):
        type("Mine", (layers.Dropout,), {name: lambda self: None})
