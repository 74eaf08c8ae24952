"""`convert` finds rates without effect, and dropout that is not a layer."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import kdropout
from tests.surgery.tools import needs_newer_keras_hub
from tests.tools import BACKEND

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
SEQUENCES = np.random.default_rng(0).normal(size=(8, 5, 4)).astype("float32")


class Own(layers.Layer):
    """Base of layers that set their attributes in `setup`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(0)
        self.setup()

    def setup(self):
        pass

    def drop_functionally(self, inputs, rate, training):
        if not training:
            return inputs
        return keras.random.dropout(inputs, rate, seed=self.generator)

    def call(self, inputs, training=False):
        return self.drop_functionally(inputs, 0.5, training)


class WithTensor(Own):
    def setup(self):
        self.rate = ops.convert_to_tensor(0.25)


class WithVariable(Own):
    def setup(self):
        self.rate = keras.Variable(0.25, trainable=False)


class WithP(Own):
    def setup(self):
        self.p = np.float32(0.25)


class WithPrivate(Own):
    def setup(self):
        self._rate = 0.25


class WithList(Own):
    def setup(self):
        self.rates = [0.0, 0.25, 0.5]


class WithDict(Own):
    def setup(self):
        self.attention_rate = {"first": 0.25}


class WithBoth(Own):
    """Drops with its layer, and a second time with the same rate in its code."""

    def setup(self):
        self.drop, self.rate = layers.Dropout(0.25, name="inner"), 0.25

    def call(self, inputs, training=False):
        inputs = self.drop(inputs, training=training)
        return self.drop_functionally(inputs, self.rate, training)


class WithAnotherRate(layers.Layer):
    """Has a second rate, as if code outside of the layer used it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop, self.attention_dropout = layers.Dropout(0.5, name="inner"), 0.25

    def call(self, inputs, training=False):
        return self.drop(inputs, training=training)


class WithDropProb(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop_prob = 0.25

    def call(self, inputs):
        return inputs


class OwnMask(Own):
    def setup(self):
        self.rate = 0.25

    def call(self, inputs, training=False):
        noise = keras.random.uniform(ops.shape(inputs), seed=self.generator)
        keep = ops.cast(noise >= self.rate, inputs.dtype)
        return inputs * keep if training else inputs


FROZEN = {
    WithTensor: "rate=0.25",
    WithVariable: "rate=0.25",
    WithP: "p=0.25",
    WithPrivate: "_rate=0.25",
    WithList: "rates=[0.25, 0.5]",
    WithDict: "attention_rate=0.25",
    WithBoth: "rate=0.25",
    WithAnotherRate: "attention_dropout=0.25",
    WithDropProb: "drop_prob=0.25",
    OwnMask: "rate=0.25",
}


def messages_of_convert(model, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        kdropout.convert(model, **kwargs)
    found = [one for one in caught if issubclass(one.category, UserWarning)]
    assert all(one.filename == __file__ for one in found)
    return [str(one.message) for one in found]


def beside_dropout(layer, shape=(4,)):
    drop = layers.Dropout(0.5, name="drop")
    return keras.Sequential([keras.Input(shape), drop, layer, layers.Dense(1)])


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_dropout_in_the_code_of_a_user_is_reported(kind):
    (message,) = messages_of_convert(beside_dropout(kind(name="own")))
    assert f"'own' ({kind.__name__} with {FROZEN[kind]})" in message


def test_call_of_dropout_with_a_constant_is_reported():
    (message,) = messages_of_convert(beside_dropout(Own(name="own")))
    assert "'own' (Own that calls dropout in its code)" in message
    function = layers.Lambda(lambda x: keras.random.dropout(x, 0.1), name="function")
    (message,) = messages_of_convert(beside_dropout(function))
    assert "'function' (Lambda that calls dropout in its code)" in message


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.drop, self.rate = layers.Dropout(0.5, name="drop"), 0.25
        self.generator = keras.random.SeedGenerator(0)

    def call(self, inputs, training=False):
        inputs = self.drop(inputs, training=training)
        if training:
            inputs = keras.random.dropout(inputs, self.rate, seed=self.generator)
        return inputs


def test_dropout_in_the_code_of_a_model_is_reported():
    model = OwnModel()
    model(X)
    (message,) = messages_of_convert(model)
    assert "'own' (OwnModel with rate=0.25)" in message


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="a layer of PyTorch")
def test_dropout_of_a_torch_module_is_reported():
    import torch

    parts = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.25))
    layer = layers.TorchModuleWrapper(parts, name="module")
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layer])
    (message,) = messages_of_convert(model)
    assert "'module' (TorchModuleWrapper with 1.p=0.25)" in message


class RepeatsItsRate(layers.Layer):
    """Repeats the arguments of its layers, and has attributes that are not dropout."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dropout, self.drop_path_rates = 0.1, [0.0, 0.1, 0.2]
        self.learning_rate, self.momentum, self.p, self.dilation_rate = 0.01, 0.9, 1, 2
        self.drops = [layers.Dropout(rate) for rate in self.drop_path_rates]
        self.generator = keras.random.SeedGenerator(0)

    def call(self, inputs, training=False):
        if self.dropout:
            for drop in self.drops:
                inputs = drop(inputs, training=training)
        noise = keras.random.normal(ops.shape(inputs), seed=self.generator)
        return inputs + 0.1 * noise


def test_layer_without_separate_dropout_gives_no_warning():
    model = beside_dropout(RepeatsItsRate(name="own"))
    for _ in range(2):  # also not when it is converted again
        assert messages_of_convert(model) == []


def keras_layers():
    return [
        layers.LSTM(3, return_sequences=True),
        layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        layers.ConvLSTM1D(3, 2, return_sequences=True),
        layers.BatchNormalization(momentum=0.9),
        layers.GaussianNoise(0.3),
        layers.ActivityRegularization(0.1),
        layers.UnitNormalization(),
        layers.SpectralNormalization(layers.Dense(4)),
        layers.LeakyReLU(0.3),
        layers.Conv1D(4, 2, dilation_rate=2),
        layers.Lambda(lambda x: x * 0.5),
    ]


def test_keras_layers_give_no_warning():
    for layer in keras_layers():
        shape = (3, 6, 4) if "ConvLSTM" in type(layer).__name__ else (6, 4)
        assert messages_of_convert(beside_dropout(layer, shape)) == [], layer
    for attention in (
        layers.MultiHeadAttention(2, 3),
        layers.MultiHeadAttention(2, 3, dropout=0.1),
        layers.GroupQueryAttention(3, 2, 1),
    ):
        inputs = keras.Input((5, 4))
        x = layers.Dropout(0.5)(attention(inputs, inputs))
        assert messages_of_convert(keras.Model(inputs, x)) == []


class Gated(layers.Layer):
    """Calls its dropout like the blocks of large language models."""

    def __init__(self, dropout=0.0, called=True, **kwargs):
        super().__init__(**kwargs)
        self.dropout, self.called = dropout, called
        self.dense = layers.Dense(4)
        self.dropout_layer = layers.Dropout(dropout, name="inner")

    def call(self, inputs, training=False):
        x = self.dense(inputs)
        if self.dropout and self.called:
            x = self.dropout_layer(x, training=training)
        return x


@pytest.mark.parametrize("arguments", [{"dropout": 0.0}, {"dropout": 0.3}])
def test_layer_that_is_never_called_is_reported_and_not_listed(arguments):
    model = beside_dropout(Gated(**arguments, called=False, name="block"))
    (message,) = messages_of_convert(model)
    assert "never calls" in message
    assert "'block/inner' (Dropout in Gated)" in message
    assert "small rate" in message
    assert kdropout.rates(model) == {"drop": 0.5}
    assert messages_of_convert(beside_dropout(Gated(0.3))) == []


@needs_newer_keras_hub
@pytest.mark.slow
def test_gemma_block_without_dropout_is_reported():
    from keras_hub import models

    model = models.GemmaBackbone(20, 1, 2, 1, 8, 16, 4)
    with pytest.raises(ValueError, match=r"Dropout in CachedGemmaAttention.*above 0"):
        kdropout.convert(model)
    model = models.GemmaBackbone(20, 1, 2, 1, 8, 16, 4, dropout=0.2)
    # KerasHub 0.32 makes a dropout for the feed-forward part and never calls it.
    (message,) = messages_of_convert(model)
    assert (
        "'decoder_block_0/" in message and "(Dropout in GemmaDecoderBlock)" in message
    )
    x = {
        "token_ids": np.arange(12).reshape(2, 6),
        "padding_mask": np.ones((2, 6), "int32"),
    }
    kdropout.set_rates(model, 0.0)
    expected = ops.convert_to_numpy(model(x))
    rates = kdropout.rates(model)
    assert len(rates) == 2
    for path in rates:
        kdropout.set_rates(model, {"*": 0.0, path: 1.0})
        moved = ops.convert_to_numpy(model(x, training=True)) - expected
        assert np.abs(moved).max() > 1e-4, path


@pytest.mark.parametrize("build", ["called", "functional"])
def test_probe_changes_nothing(build):
    block = Gated(0.3, name="block")
    model = beside_dropout(block)
    if build == "called":
        model = keras.Sequential([layers.Dropout(0.5, name="drop"), block])
        model(X)
    nodes = len(block._inbound_nodes)
    kdropout.convert(model)
    assert kdropout.rates(model) == {"drop": 0.5, "block/inner": 0.3}
    assert "call" not in vars(block.dropout_layer)
    assert len(block._inbound_nodes) == nodes
    schedule = kdropout.schedules.Ramp(0.0, 1.0, 10)
    model = kdropout.convert(beside_dropout(Gated(0.3)), rate=schedule)
    assert [*kdropout.rates(model).values()] == [0.0, 0.0]


class Baked(keras.Model):
    """Decides by itself when dropout is on."""

    def __init__(self, mode):
        super().__init__(name="baked")
        self.mode = mode
        self.drop = layers.Dropout(0.5, name="drop")
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(self.drop(inputs, training=self.mode))


def test_schedule_that_predictions_move_is_reported():
    model = Baked(True)
    model(X)
    schedule = kdropout.schedules.Ramp(0.0, 1.0, 10)
    (message,) = messages_of_convert(model, rate=schedule)
    assert "'drop' (Dropout)" in message and "advances their schedule" in message
    assert "kdropout.mc_predict" in message
    model = Baked(True)
    model(X)
    assert messages_of_convert(model, rate=0.3) == []  # has no clock


def test_dropout_that_is_off_in_training_is_reported():
    model = Baked(False)
    model(X)
    (message,) = messages_of_convert(model)
    assert "'drop' (Dropout)" in message and "even in training" in message
    assert kdropout.rates(model) == {"drop": 0.5}
    samples = kdropout.mc_predict(model, X, num_samples=20, seed=0, verbose=0)
    assert samples.std.max() > 0  # as the warning says


class NeedsData(keras.Model):
    """Cannot run without data."""

    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.5, name="drop")

    def call(self, inputs, training=False):
        if ops.convert_to_numpy(inputs).max() > 1e9:
            return inputs
        return self.drop(inputs, training=training)


def test_model_that_needs_data_is_converted_without_a_probe():
    model = NeedsData()
    model(ops.convert_to_tensor(X))
    assert messages_of_convert(model) == []
    assert kdropout.rates(model) == {"drop": 0.5}


class Wrapped(keras.Model):
    """Trains in its own step and has no call, like many examples of keras.io."""

    def __init__(self, net):
        super().__init__(name="wrapped")
        self.net = net
        self.tracker = keras.metrics.Mean(name="loss")
        self.built = keras.backend.backend() == "torch"  # fit looks for it there

    def compute_loss(self, x, y, y_pred=None, sample_weight=None, training=True):
        return ops.mean((self.net(x, training=training) - y) ** 2)

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, *args):
        if keras.backend.backend() == "jax":
            return self.jax_step(*args)
        x, y = args[0]
        if keras.backend.backend() == "torch":
            self.zero_grad()
            loss = self.compute_loss(x, y)
            loss.backward()
            gradients = [one.value.grad for one in self.trainable_weights]
        else:
            import tensorflow as tf

            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y)
            gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    def test_step(self, data):
        x, y = data
        self.tracker.update_state(self.compute_loss(x, y, training=False))
        return {"loss": self.tracker.result()}


def network():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(16, "relu"),
            layers.Dropout(0.3, name="drop"),
            layers.Dense(1, use_bias=False),
        ],
        name="net",
    )


def test_model_without_call_is_converted_by_its_parts():
    model = Wrapped(network())
    assert messages_of_convert(model) == []
    assert kdropout.rates(model) == {"net/drop": 0.3}
    with pytest.raises(ValueError, match="Use strip.*'net'"):
        kdropout.strip(model)
    with pytest.raises(TypeError, match=r"no call\(\).*kdropout.insert"):
        kdropout.insert(model, 0.1)
    plain = kdropout.strip(model.net)
    assert np.array_equal(*(ops.convert_to_numpy(one(X)) for one in (plain, model.net)))
    samples = kdropout.mc_predict(model.net, X, num_samples=20, seed=0, verbose=0)
    assert samples.std.min() > 0


def test_unbuilt_parts_are_named():
    net = keras.Sequential([layers.Dense(3), layers.Dropout(0.5)], name="net")
    with pytest.raises(ValueError, match=r"no call\(\).*'net'.* Call each of them"):
        kdropout.convert(Wrapped(net))


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="a training step is written otherwise"
)
@pytest.mark.parametrize("part", ["whole", "net"])
def test_rates_are_live_in_a_step_that_was_compiled_before(part):
    model = Wrapped(network())
    model.compile(keras.optimizers.SGD(0.0))
    y = np.ones((8, 1), "float32")
    model.fit(X, y, verbose=0)
    kdropout.convert(model if part == "whole" else model.net)
    rates = [0.0, 1.0]
    callbacks = [
        kdropout.callbacks.RateScheduler(lambda epoch, rate: rates[epoch]),
        kdropout.callbacks.RateLogger(),
    ]
    history = model.fit(X, y, epochs=2, verbose=0, callbacks=callbacks).history
    undropped = np.mean((ops.convert_to_numpy(model.net(X)) - y) ** 2)
    np.testing.assert_allclose(history["loss"], [undropped, 1.0], rtol=1e-5)
    assert history["rate/net/drop"] == rates


def test_model_around_the_converted_one_is_traced_again():
    net = network()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, net(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    y = np.ones((8, 1), "float32")
    model.fit(X, y, verbose=0)
    kdropout.convert(net)
    kdropout.set_rates(net, 1.0)
    history = model.fit(X, y, verbose=0).history
    np.testing.assert_allclose(history["loss"], [1.0], rtol=1e-6)


def test_warning_turned_into_an_error_leaves_the_model_unchanged():
    model = beside_dropout(WithP(name="own"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            kdropout.convert(model)
    assert type(model.layers[0]) is layers.Dropout


# Each backend of Keras accepts some of these.
SEEDS = {"tensorflow": [-1, 2**32 - 1], "jax": [2**32 - 1], "torch": [-1]}


@pytest.mark.parametrize("seed", [*SEEDS[keras.backend.backend()], 7])
def test_seeds_that_keras_accepts_are_converted(seed):
    def masks(model):
        return ops.convert_to_numpy(model(np.ones((4, 50), "float32"), training=True))

    models = [
        keras.Sequential([keras.Input((50,)), layers.Dropout(0.5, seed=seed)])
        for _ in range(2)
    ]
    for model in models:
        kdropout.convert(model)
    first, again = masks(models[0]), masks(models[0])
    assert np.array_equal(first, masks(models[1]))
    assert not np.array_equal(first, again)


@pytest.mark.parametrize("function", [kdropout.convert, kdropout.strip])
def test_errors_for_a_wrong_model_say_what_to_do(function):
    with pytest.raises(TypeError, match="keras.saving.load_model"):
        function("model.keras")
    with pytest.raises(TypeError, match="Make an object of this class"):
        function(Baked)
    with pytest.raises(ValueError, match="keras.Input"):
        function(keras.Sequential([layers.Dropout(0.5)]))


@pytest.mark.parametrize("function", [kdropout.strip, kdropout.insert])
def test_errors_for_a_single_layer_say_what_to_do(function):
    arguments = [0.5] if function is kdropout.insert else []
    with pytest.raises(TypeError, match="keras.Sequential"):
        function(layers.Dense(3), *arguments)


def test_callbacks_on_a_plain_model_name_convert():
    model = network()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="kdropout.convert"):
        kdropout.set_rates(model, 0.5)


class WithoutMode(keras.Model):
    """Its `call` does not take the mode, so that `fit` does not pass it."""

    def __init__(self):
        super().__init__(name="without_mode")
        self.drop = layers.Dropout(0.5, name="drop")
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(self.drop(inputs))


class WithMode(WithoutMode):
    """Its `call` does not pass the mode on, which Keras needs on JAX."""

    def call(self, inputs, training=None):
        return super().call(inputs)


class PassesMode(WithoutMode):
    def call(self, inputs, training=None):
        return self.dense(self.drop(inputs, training=training))


@pytest.mark.parametrize(
    ("kind", "is_off"),
    [(WithoutMode, True), (WithMode, BACKEND == "jax"), (PassesMode, False)],
)
def test_model_that_keras_trains_without_its_dropout_is_reported(kind, is_off):
    model = kind()
    model(X)
    model.compile("sgd", "mse")
    schedule = kdropout.schedules.Ramp(0.0, 1.0, 10)
    messages = messages_of_convert(model, rate=schedule)
    model.fit(X, np.ones((8, 1)), epochs=3, verbose=0)
    stands_still = kdropout.rates(model)["drop"] == 0.0
    assert stands_still == is_off == bool(messages)
    for message in messages:
        assert f"let call() of {kind.__name__} take the argument 'training'" in message
        assert "'drop' (Dropout)" in message and "pass it on" in message


def test_schedule_that_predictions_move_is_reported_by_set_rates():
    model = Baked(True)
    model(X)
    kdropout.convert(model)
    with pytest.warns(
        UserWarning, match=r"advances their schedule.*'drop' \(Dropout\)"
    ):
        kdropout.set_rates(model, kdropout.schedules.Ramp(0.0, 1.0, 10))
    kdropout.set_rates(model, 0.3)  # has no clock, so no warning


def test_refusal_of_a_model_with_other_dropout_names_the_way_out():
    model = keras.Sequential([keras.Input((4,)), WithP(name="own"), layers.Dense(1)])
    with pytest.raises(
        ValueError, match=r"'own' \(WithP with p=0.25\).*also={TheClass"
    ):
        kdropout.convert(model)
