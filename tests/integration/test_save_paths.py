"""Keras, TensorFlow, PyTorch and JAX each save and restore the state of a layer.

`weights` are those of a plain Keras model, so weight lists and legacy files are
interchangeable with it. Rate, clock and seed are state, which is in `variables`.
"""

import json
import pathlib

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers
from tests.tools import KERAS

BACKEND = keras.backend.backend()
OLD_FILES = pathlib.Path(__file__).parent / "files_of_0_1"
RAMP = {"start": 0.1, "end": 0.5, "steps": 20}
RATES = {
    "fixed": lambda: 0.3,
    "scheduled": lambda: kdropout.schedules.Ramp(**RAMP),
    "learned": lambda: kdropout.LearnedRate(0.2),
}
KEPT = {"fixed": {"rate"}, "scheduled": {"rate", "step"}, "learned": {"entropy_term"}}


def make_model(kind_of_layers, rate=0.3):
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, name="first"),
            kind_of_layers.Dropout(rate, seed=1, name="drop"),
            keras.layers.Dense(1, name="last"),
        ],
        name="net",
    )


def data(rows=32):
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype("float32")
    return x, x[:, :1]


def state_of(model):
    return model.get_layer("drop")._get_state()


def assert_same_state(model, other):
    mine, its = state_of(model), state_of(other)
    assert mine.keys() == its.keys()
    for name, value in mine.items():
        assert np.array_equal(value, its[name]), name


def trained(rate):
    """Build a model whose rate, clock and seed have moved."""
    model = make_model(layers, rate)
    for _ in range(5):
        model(data()[0], training=True)
    drop = model.get_layer("drop")
    if drop._rate_rule.settable:
        drop.rate = 0.7
    elif "logit" in drop.rate_variables:
        drop.rate_variables["logit"].assign(1.0)
    return model


@pytest.mark.parametrize("kind", RATES)
def test_weights_are_those_of_the_keras_model(kind):
    plain, live = make_model(keras.layers), make_model(layers, RATES[kind]())
    drop = live.get_layer("drop")
    learned = [drop.rate_variables["logit"]] if kind == "learned" else []
    assert [w.shape for w in drop.weights] == [w.shape for w in learned]
    assert len(drop.trainable_weights) == len(learned)
    assert drop.non_trainable_weights == []
    assert live.count_params() == plain.count_params() + len(learned)
    # `variables` has the rest of its state once.
    ids = [id(variable) for variable in drop.variables]
    assert len(set(ids)) == len(ids) == 1 + len(drop.rate_variables)
    assert {id(drop.rate_variables[name]) for name in KEPT[kind]} <= set(ids)
    if kind != "learned":
        live.set_weights(plain.get_weights())
        plain.set_weights(live.get_weights())
        assert np.array_equal(live.predict(data()[0]), plain.predict(data()[0]))


def test_weights_of_a_wrapper_are_those_of_its_layer():
    layer = layers.DropConnect(keras.layers.Dense(3), 0.5)
    layer.build((None, 4))
    assert [w.path for w in layer.weights] == [w.path for w in layer.layer.weights]
    layer.layer.trainable = False
    assert len(layer.non_trainable_weights) == 2
    standout = layers.Standout(keras.layers.Dense(3))
    standout.build((None, 4))
    assert len(standout.weights) == 2


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize(
    "source, target", [("keras", "live"), ("live", "keras"), ("live", "live")]
)
def test_legacy_weight_files_are_interchangeable(source, target, by_name, tmp_path):
    made = {"keras": make_model(keras.layers), "live": make_model(layers)}
    path = str(tmp_path / "model.h5")
    made[source].save(path)
    other = make_model({"keras": keras.layers, "live": layers}[target])
    other.load_weights(path, by_name=by_name)
    x = data()[0]
    assert np.array_equal(other.predict(x), made[source].predict(x))


def test_converted_models_load_legacy_weight_files(tmp_path):
    plain = make_model(keras.layers)
    plain.save(str(tmp_path / "model.h5"))
    live = kdropout.convert(make_model(keras.layers))
    live.load_weights(str(tmp_path / "model.h5"))
    assert np.array_equal(live.predict(data()[0]), plain.predict(data()[0]))


def test_stateless_calls_carry_the_state():
    drop = layers.Dropout(kdropout.schedules.Ramp(**RAMP), seed=1)
    state = [variable.value for variable in drop.non_trainable_variables]
    for step in range(3):
        outputs, state = drop.stateless_call([], state, data()[0], training=True)
        assert (ops.convert_to_numpy(outputs) == 0).any()
        names = [variable.name for variable in drop.non_trainable_variables]
        clock = dict(zip(names, state, strict=True))["step"]
        assert int(ops.convert_to_numpy(clock)) == step + 1
    assert int(ops.convert_to_numpy(drop.rate_variables["step"])) == 0


def test_restoring_the_best_weights_keeps_rates_and_clocks():
    """The rates are a state of the training, like that of the optimizer."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dropout(0.3, name="fixed"),
            layers.Dropout(kdropout.schedules.Ramp(**RAMP), name="scheduled"),
            keras.layers.Dense(1, name="last"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(10.0), "mse"
    )  # the loss rises, so epoch 1 is best
    weights = {}

    def move(epoch, logs):
        weights[epoch] = model.get_layer("last").get_weights()
        model.get_layer("fixed").rate = 0.1 * (epoch + 1)

    stop = keras.callbacks.EarlyStopping(
        "loss", patience=2, mode="min", restore_best_weights=True
    )
    move = keras.callbacks.LambdaCallback(on_epoch_end=move)
    model.fit(*data(), batch_size=8, epochs=9, verbose=0, callbacks=[move, stop])
    assert stop.best_epoch == 0
    for before, after in zip(
        weights[0], model.get_layer("last").get_weights(), strict=True
    ):
        assert np.array_equal(before, after)
    assert model.get_layer("fixed").rate == pytest.approx(0.1 * 3)
    clock = model.get_layer("scheduled").rate_variables["step"]
    assert int(ops.convert_to_numpy(clock)) == 3 * 4


def test_state_tree_has_layers_with_one_name_in_two_blocks():
    def block(name):
        drop = layers.Dropout(0.3, name="drop")
        return keras.Sequential([keras.Input((6,)), drop], name=name)

    model = keras.Sequential([block("one"), block("two")], name="net")
    model.compile("sgd", "mse")
    model.layers[0].layers[0].rate = 0.1
    model.layers[1].layers[0].rate = 0.2
    tree = model.get_state_tree(value_format="numpy_array")
    leaves = keras.tree.flatten(tree["non_trainable_variables"])
    rates = sorted(float(leaf) for leaf in leaves if np.ndim(leaf) == 0)
    assert rates == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5"])
def test_files_of_keras_hold_the_state(kind, file, tmp_path):
    model = trained(RATES[kind]())
    path = tmp_path / file
    if file.endswith(".keras"):
        model.save(path)
        other = keras.saving.load_model(path)
    else:
        model.save_weights(path)
        other = make_model(layers, RATES[kind]())
        other.load_weights(path)
    assert_same_state(model, other)


@pytest.mark.skipif(KERAS < (3, 15), reason="Keras 3.15 saved them")
@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5"])
def test_files_of_kdropout_0_1_load(file):
    expected = json.loads((OLD_FILES / "values.json").read_text())
    model = keras.saving.load_model(OLD_FILES / "model.keras")
    if file.endswith(".h5"):
        model = keras.models.clone_model(model)
        model.load_weights(OLD_FILES / file)
    for name, state in expected["state"].items():
        for key, value in model.get_layer(name)._get_state().items():
            assert np.allclose(value, state[key], rtol=1e-6), (name, key)
    predictions = model.predict(data()[0], verbose=0)
    assert np.allclose(predictions, expected["predictions"], atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's checkpoints")
@pytest.mark.parametrize("kind", RATES)
def test_checkpoints_of_tensorflow_hold_the_state(kind, tmp_path):
    import tensorflow as tf

    model = trained(RATES[kind]())
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "checkpoint"))
    other = make_model(layers, RATES[kind]())
    status = tf.train.Checkpoint(model=other).restore(path)
    status.assert_existing_objects_matched().assert_consumed()
    assert_same_state(model, other)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's checkpoints")
def test_checkpoints_of_tensorflow_hold_the_state_of_every_layer(tmp_path):
    """Wrappers are included, and layers that became live later."""
    import tensorflow as tf

    def make():
        model = keras.Sequential(
            [
                keras.Input((6,)),
                layers.Standout(keras.layers.Dense(4), name="standout"),
                layers.ConcreteDropout(keras.layers.Dense(4), name="concrete"),
                keras.layers.Dropout(0.3, name="converted"),
            ]
        )
        return kdropout.convert(model)

    model, other = make(), make()
    model.get_layer("standout").alpha = 0.3
    model.get_layer("converted").rate = 0.6
    model(data()[0], training=True)
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(model=other).restore(path).assert_existing_objects_matched()
    for name in ("standout", "concrete", "converted"):
        mine, its = (m.get_layer(name)._get_state() for m in (model, other))
        for key, value in mine.items():
            assert np.array_equal(value, its[key]), (name, key)


torch_alone = pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's state_dict")


@torch_alone
@pytest.mark.parametrize("kind", RATES)
def test_state_dict_of_a_layer_holds_its_state(kind):
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(RATES[kind](), seed=1, name="drop")

        def forward(self, x):
            return self.drop(x, training=True)

    keras.utils.clear_session()  # otherwise the names of variables differ
    net = Net()
    for _ in range(3):
        net(torch.ones(4, 6))
    if kind == "fixed":
        net.drop.rate = 0.7
    keras.utils.clear_session()
    other = Net()
    other.load_state_dict(net.state_dict())
    mine, its = net.drop._get_state(), other.drop._get_state()
    assert all(np.array_equal(value, its[name]) for name, value in mine.items())
    assert other.drop.rate == net.drop.rate
    # The entries are those of Keras's layer: the seed, and here the learned rate.
    assert len(net.drop.torch_params) == 1 + (kind == "learned")


@torch_alone
def test_state_dict_of_layers_with_one_name_holds_both():
    """The two blocks are instances of one class."""

    class Block(keras.layers.Layer):
        def __init__(self, rate, name):
            super().__init__(name=name)
            self.drop = layers.Dropout(kdropout.LearnedRate(rate), name="drop")

        def call(self, inputs, training=False):
            return self.drop(inputs, training=training)

    def make(rates):
        keras.utils.clear_session()
        blocks = [Block(rate, f"block{i}") for i, rate in enumerate(rates)]
        return keras.Sequential([keras.Input((6,)), *blocks], name="net")

    model, other = make([0.1, 0.2]), make([0.3, 0.4])
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert len(trainable) == 2
    other.load_state_dict(model.state_dict())
    assert list(kdropout.rates(other).values()) == pytest.approx([0.1, 0.2])


@torch_alone
def test_state_dict_of_a_keras_model_omits_the_rates_of_the_constructor():
    def make(kind_of_layers, rate):
        keras.utils.clear_session()
        return make_model(kind_of_layers, rate)

    plain = make(keras.layers, 0.3)
    live = make(layers, kdropout.schedules.Ramp(0.6, 0.1, 10))
    # PyTorch's strict loading needs every entry, and the rates are not there.
    missing, unexpected = live.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == []
    assert all(key.endswith(("drop/rate", "drop/step")) for key in missing)
    assert kdropout.rates(live) == {"drop": pytest.approx(0.6)}
    assert np.array_equal(live.predict(data()[0]), plain.predict(data()[0]))


@torch_alone
def test_layer_moves_between_devices_with_all_its_state():
    layer = layers.Dropout(kdropout.schedules.Ramp(**RAMP))
    layer.to("meta")
    on = {name: tensor.device.type for name, tensor in layer.state_dict().items()}
    assert set(on.values()) == {"meta"}
    assert len(on) == 3


@torch_alone
def test_state_dict_of_a_converted_model_holds_its_rates():
    def make():
        keras.utils.clear_session()
        return kdropout.convert(make_model(keras.layers))

    model, other = make(), make()
    kdropout.set_rates(model, 0.7)
    other.load_state_dict(model.state_dict())
    assert kdropout.rates(other) == {"drop": 0.7}
