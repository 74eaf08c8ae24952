"""`strip(model, in_place=True)` takes kdropout out of the layers of a model."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers, schedules
from tests.surgery.test_convert_also import StochasticDepth, make_drop_path
from tests.tools import BACKEND, call_in_training, numpy

X = np.random.default_rng(0).normal(size=(8, 5, 4)).astype("float32")
Y = np.ones((8, 1), "float32")


def graph():
    """A model with all kinds of layers that `convert` makes live."""
    x = inputs = keras.Input((5, 4))
    lstm = keras.layers.LSTM(4, dropout=0.2, return_sequences=True)
    x = keras.layers.Bidirectional(lstm, name="both")(x)
    cells = [keras.layers.LSTMCell(4, dropout=0.3), keras.layers.GRUCell(4)]
    x = keras.layers.RNN(cells, return_sequences=True, name="rnn")(x)
    x = keras.layers.Attention(dropout=0.3, name="attention")([x, x])
    x = keras.layers.MultiHeadAttention(2, 3, dropout=0.2, name="heads")(x, x)
    x = keras.layers.SpatialDropout1D(0.1, name="spatial")(x)
    x = StochasticDepth(0.2, name="depth")(x)
    x = keras.layers.GRU(4, dropout=0.2, recurrent_dropout=0.1, name="gru")(x)
    x = layers.DropConnect(keras.layers.Dense(3), 0.3, name="connect")(x)
    x = keras.layers.GaussianDropout(0.5, name="gauss")(x)
    outputs = keras.layers.Dense(1)(keras.layers.Dropout(0.5, name="drop")(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse", run_eagerly=True)  # much faster for a single step
    return kdropout.convert(model, also={StochasticDepth: make_drop_path})


def objects_of_kdropout(*roots):
    """Objects of classes of kdropout that are reachable by attributes."""
    found, seen, pending = [], set(), list(roots)
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        module = type(item).__module__
        if module.startswith("kdropout"):
            found.append(item)
        elif isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, (list, tuple, set)):
            pending += item
        elif hasattr(item, "__dict__") and module.startswith(("keras", "tests")):
            pending += vars(item).values()
    assert len(seen) > 100
    return found


def test_layers_are_those_of_keras_and_no_object_of_kdropout_remains():
    model = graph()
    model.fit(X, Y, verbose=0)
    kdropout.set_rates(model, {"gru/dropout": 0.15, "drop": 0.4})
    expected = model.predict(X, verbose=0)
    before = list(model.layers)
    assert kdropout.strip(model, in_place=True) is model
    assert all(old is new for old, new in zip(before, model.layers, strict=True))
    assert objects_of_kdropout(model) == []
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    kinds = {layer.name: type(layer) for layer in model.layers}
    assert kinds["depth"] is keras.layers.Identity
    assert kinds["connect"] is keras.layers.Dense
    assert kinds["drop"] is keras.layers.Dropout
    assert model.get_layer("drop").rate == 0.4
    gru = model.get_layer("gru")
    assert (gru.dropout, gru.recurrent_dropout) == (0.15, 0.1)
    model.fit(X, Y, verbose=0)  # still compiled


@pytest.mark.slow
def test_file_of_the_model_loads_without_kdropout(tmp_path):
    model = kdropout.strip(graph(), in_place=True)
    model.save(tmp_path / "model.keras")
    expected = model.predict(X, verbose=0)
    code = (
        "import keras, numpy as np, sys\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        f"x = np.load({str(tmp_path / 'x.npy')!r})\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, model.predict(x, verbose=0))\n"
        "assert 'kdropout' not in sys.modules\n"
    )
    np.save(tmp_path / "x.npy", X)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-6)


def test_convert_makes_it_live_again():
    model = graph()
    rates = kdropout.rates(model)
    kdropout.strip(model, in_place=True)
    kdropout.convert(model)
    del rates["depth"], rates["connect"]
    assert kdropout.rates(model) == rates


class Subclassed(keras.Model):
    """A model whose configuration does not exist."""

    def __init__(self):
        super().__init__()
        self.lstm = keras.layers.LSTM(3, dropout=0.5, name="lstm")
        self.drop = keras.layers.Dropout(0.5, name="drop")
        self.dense = keras.layers.Dense(1)

    def call(self, inputs, training=None):
        x = self.lstm(inputs, training=training)
        return self.dense(self.drop(x, training=training))


def test_subclassed_model_that_keras_cannot_copy():
    model = Subclassed()
    model(X)
    kdropout.convert(model)
    with pytest.raises(ValueError) as refused:
        kdropout.strip(model)
    assert "in_place=True" in "".join(refused.value.__notes__)
    expected = numpy(model(X))
    kdropout.strip(model, in_place=True)
    assert objects_of_kdropout(model) == []
    np.testing.assert_array_equal(numpy(model(X)), expected)
    assert type(model.lstm) is keras.layers.LSTM
    dropped = call_in_training(model.drop, np.ones((8, 3), "float32"))
    assert set(np.unique(dropped)) <= {0.0, 2.0}


class TrainsItself(keras.Model):
    """A model without a `call`: a pair of networks."""

    def __init__(self):
        super().__init__()
        drop = keras.layers.Dropout(0.5, name="drop")
        self.one = keras.Sequential([keras.Input((4,)), drop, keras.layers.Dense(2)])
        self.two = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def train_step(self, data):
        raise NotImplementedError


def test_model_without_call():
    model = TrainsItself()
    kdropout.convert(model)
    with pytest.raises(ValueError, match="in_place=True"):
        kdropout.strip(model)
    kdropout.strip(model, in_place=True)
    assert objects_of_kdropout(model.one, model.two) == []
    assert type(model.one.layers[0]) is keras.layers.Dropout


def test_part_of_which_samples_were_drawn():
    model = TrainsItself()
    kdropout.convert(model)
    kdropout.mc_predict(model.one, X[:, 0], 2, verbose=0)
    kdropout.strip(model, in_place=True)
    assert objects_of_kdropout(model.one) == []


def test_models_that_can_be_stripped_are_named():
    model = TrainsItself()
    kdropout.convert(model)
    with pytest.raises(ValueError, match=f"the models in it: '{model.one.name}'$"):
        kdropout.strip(model)


def test_schedules_and_learned_rates_leave_no_variable():
    inputs = keras.Input((5, 4))
    x = keras.layers.LSTM(3, dropout=0.5, name="lstm")(inputs)
    x = keras.layers.Dropout(0.5, name="drop")(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    names = [variable.path for variable in model.variables]
    rate = {"drop": kdropout.LearnedRate(0.3), "lstm/*": schedules.Ramp(0.2, 0.5, 9)}
    kdropout.convert(model, rate)
    kdropout.strip(model, in_place=True)
    # Keras counts a seed generator for each dropout layer.
    assert len(model.variables) == len(names)
    assert len(model.trainable_variables) == 5
    assert model.get_layer("drop").rate == pytest.approx(0.3)
    assert model.get_layer("lstm").dropout == pytest.approx(0.2)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="SavedModel is of TensorFlow")
def test_recurrent_model_exports_as_a_saved_model(tmp_path):
    import tensorflow as tf

    model = kdropout.strip(graph(), in_place=True)
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(numpy(loaded.serve(X)), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras exports from TensorFlow")
# Keras 3.15 uses NumPy names for tf2onnx that NumPy 2 removed.
@pytest.mark.filterwarnings("ignore:In the future `np.:FutureWarning")
def test_recurrent_model_exports_to_onnx(tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = kdropout.strip(graph(), in_place=True)
    expected = numpy(model(X))  # Keras exports to ONNX only what has been called
    path = str(tmp_path / "model.onnx")
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path)
    (outputs,) = session.run(None, {session.get_inputs()[0].name: X})
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_standout_is_refused_and_nothing_changes():
    standout = layers.Standout(keras.layers.Dense(3), name="gate")
    drop = layers.Dropout(0.5, name="drop")
    model = keras.Sequential([keras.Input((4,)), drop, standout])
    with pytest.raises(ValueError, match=r"'in_place' must be False.*'gate'.*copy"):
        kdropout.strip(model, in_place=True)
    assert type(drop) is layers.Dropout
