"""`convert` makes the rates live that are arguments of layers of Keras."""

import inspect
import pathlib

import keras
import numpy as np
import pytest
from keras import layers

import kdropout
from kdropout import schedules
from tests.tools import call_in_training, numpy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5, 4)).astype("float32")
MAPS = RNG.normal(size=(6, 3, 4, 4, 2)).astype("float32")

BOTH = {"dropout": 0.4, "recurrent_dropout": 0.3}


# For each model: a function from its inputs to its outputs, and the paths of its rates.
MODELS = {
    "LSTM": (
        lambda x: layers.LSTM(3, **BOTH, name="lstm")(x),
        ["lstm/dropout", "lstm/recurrent_dropout"],
    ),
    "GRU": (
        lambda x: layers.GRU(3, **BOTH, name="gru")(x),
        ["gru/dropout", "gru/recurrent_dropout"],
    ),
    "SimpleRNN": (
        lambda x: layers.SimpleRNN(3, dropout=0.4, name="rnn")(x),
        ["rnn/dropout"],
    ),
    "ConvLSTM2D": (
        lambda x: layers.ConvLSTM2D(2, 3, **BOTH, name="conv")(x),
        ["conv/dropout", "conv/recurrent_dropout"],
    ),
    "cell": (
        lambda x: layers.RNN(layers.LSTMCell(3, **BOTH, name="cell"), name="rnn")(x),
        ["rnn/cell/dropout", "rnn/cell/recurrent_dropout"],
    ),
    "stack": (
        lambda x: layers.RNN(
            [
                layers.LSTMCell(3, dropout=0.4, name="one"),
                layers.GRUCell(3, recurrent_dropout=0.3, name="two"),
            ],
            name="rnn",
        )(x),
        [
            "rnn/stacked_rnn_cells/one/dropout",
            "rnn/stacked_rnn_cells/two/recurrent_dropout",
        ],
    ),
    "Bidirectional": (
        lambda x: layers.Bidirectional(
            layers.GRU(3, dropout=0.4, name="gru"), name="both"
        )(x),
        ["both/forward_gru/dropout", "both/backward_gru/dropout"],
    ),
    "TimeDistributed": (
        lambda x: layers.TimeDistributed(
            layers.LSTM(3, dropout=0.4, name="lstm"), name="time"
        )(layers.Reshape((1, 5, 4))(x)),
        ["time/lstm/dropout"],
    ),
    "Attention": (
        lambda x: layers.Attention(dropout=0.4, name="attention")([x, x]),
        ["attention/dropout"],
    ),
    "AdditiveAttention": (
        lambda x: layers.AdditiveAttention(dropout=0.4, name="attention")([x, x]),
        ["attention/dropout"],
    ),
}


def model_of(name):
    inputs = keras.Input((MAPS if name == "ConvLSTM2D" else X).shape[1:])
    return keras.Model(inputs, MODELS[name][0](inputs))


def data_of(name):
    return MAPS if name == "ConvLSTM2D" else X


@pytest.mark.parametrize("name", MODELS)
def test_rates_are_live_and_predictions_stay(name):
    model, x = model_of(name), data_of(name)
    paths = MODELS[name][1]
    expected = numpy(model(x))
    assert kdropout.convert(model) is model
    rates = kdropout.rates(model)
    assert list(rates) == paths
    assert rates == {path: 0.3 if "recurrent" in path else 0.4 for path in paths}
    np.testing.assert_allclose(numpy(model(x)), expected, atol=1e-6)
    kdropout.set_rates(model, 0.0)
    np.testing.assert_allclose(call_in_training(model, x), expected, atol=1e-6)
    for path in paths:
        kdropout.set_rates(model, {"*": 0.0, path: 1.0})
        changed = np.abs(call_in_training(model, x) - expected).max()
        assert changed > 1e-3, f"'{path}' is listed, but its rate has no effect"


@pytest.mark.parametrize("name", MODELS)
def test_strip_gives_the_layers_of_keras_with_the_rates_in_effect(name):
    model, x = kdropout.convert(model_of(name)), data_of(name)
    kdropout.set_rates(model, 0.25)
    plain = kdropout.strip(model)
    np.testing.assert_array_equal(numpy(plain(x)), numpy(model(x)))
    assert kdropout.rates(kdropout.convert(plain)) == kdropout.rates(model)


def test_compiled_training_uses_the_live_rates():
    model = model_of("LSTM")
    model.compile("sgd", "mse")
    model.fit(X, np.ones((6, 3)), verbose=0)
    kdropout.convert(model, schedules.Ramp(0.0, 0.5, 10))
    model.fit(X, np.ones((6, 3)), batch_size=3, epochs=2, verbose=0)
    assert kdropout.rates(model) == pytest.approx(
        {"lstm/dropout": 0.15, "lstm/recurrent_dropout": 0.15}
    )


def test_rates_are_chosen_by_path():
    rate = {"lstm/dropout": kdropout.LearnedRate(0.2), "*/recurrent_*": 0.1}
    model = kdropout.convert(model_of("LSTM"), rate)
    assert kdropout.rates(model) == {"lstm/dropout": 0.2, "lstm/recurrent_dropout": 0.1}
    assert len(model.trainable_variables) == 4


def test_argument_of_zero_becomes_live_only_if_it_is_named():
    model = model_of("Bidirectional")
    kdropout.convert(model, {"*": 0.2})
    assert "both/forward_gru/recurrent_dropout" not in kdropout.rates(model)
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layers.GRU(3, name="gru")(inputs))
    expected = model.predict(X, verbose=0)
    kdropout.convert(model, {"gru/recurrent_dropout": 0.9})
    assert kdropout.rates(model) == {"gru/recurrent_dropout": 0.9}
    assert not np.allclose(call_in_training(model, X), expected)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=1e-6)


def test_saved_model_keeps_its_rates_and_schedules(tmp_path):
    rate = {"lstm/dropout": schedules.Ramp(0.0, 0.5, 10), "lstm/*": 0.1}
    rate = dict(reversed(rate.items()))
    model = kdropout.convert(model_of("LSTM"), rate)
    model.compile("sgd", "mse")
    model.fit(X, np.ones((6, 3)), batch_size=3, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert kdropout.rates(loaded) == kdropout.rates(model)
    for each in (model, loaded):
        each.fit(X, np.ones((6, 3)), batch_size=3, verbose=0, shuffle=False)
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(numpy(ours), numpy(theirs))
    assert kdropout.rates(loaded) == kdropout.rates(model)


def test_summary_names_arguments_that_are_not_live():
    lines = []
    kdropout.summary(model_of("LSTM"), print_fn=lines.append)
    assert "'lstm/dropout', 'lstm/recurrent_dropout'" in lines[-1]


def layers_with_dropout(module):
    """Names of the public layers of a module that have an argument for dropout."""
    return {
        name
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, keras.layers.Layer)
        and any(
            "drop" in parameter
            for parameter in inspect.signature(kind.__init__).parameters
        )
    }


def test_every_layer_of_keras_with_an_argument_for_dropout_is_known():
    hold_dropout_layers = {"GroupQueryAttention", "MultiHeadAttention"}
    live = {
        name
        for name in kdropout.layers.__all__
        if issubclass(
            getattr(kdropout.layers, name), kdropout.layers.rate_arguments.RateArguments
        )
    }
    assert layers_with_dropout(layers) == live | hold_dropout_layers


def test_all_dropout_of_keras_hub_is_in_layers():
    keras_hub = pytest.importorskip("keras_hub")
    files = list(pathlib.Path(keras_hub.__file__).parent.rglob("*.py"))
    assert len(files) > 100
    draws = [file for file in files if "random.dropout" in file.read_text("utf-8")]
    assert draws == []


class OwnLSTM(layers.LSTM):
    """A class whose cell is that of Keras."""


def test_cell_in_a_class_of_the_user_is_live():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, OwnLSTM(3, **BOTH, name="own")(inputs))
    expected = model.predict(X, verbose=0)
    kdropout.convert(model)
    assert list(kdropout.rates(model)) == [f"own/lstm_cell/{name}" for name in BOTH]
    # The fast kernel of Keras would not draw samples.
    assert model.get_layer("own").use_cudnn is False
    kdropout.set_rates(model, 0.0)
    np.testing.assert_allclose(call_in_training(model, X), expected, atol=1e-6)
    kdropout.set_rates(model, 0.5)
    assert kdropout.mc_predict(model, X, 5, seed=1, verbose=0).std.min() > 0
