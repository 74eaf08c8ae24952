"""`convert` makes the dropout of attention, applications and KerasHub live."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import kdropout
from kdropout import noise
from kdropout.inspection import dropout_layers, walk
from kdropout.layers import BaseDropout
from tests.surgery.tools import TOKENS, bert, needs_newer_keras_hub

ATTENTION = {
    "MultiHeadAttention": lambda rate: layers.MultiHeadAttention(
        2, 3, dropout=rate, name="attention"
    ),
    "GroupQueryAttention": lambda rate: layers.GroupQueryAttention(
        3, 2, 1, dropout=rate, name="attention"
    ),
}
SAMPLES = 4000
IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")


def efficient_net():
    return keras.applications.EfficientNetB0(
        weights=None, input_shape=(32, 32, 3), classes=4
    )


def conv_next():
    return keras.applications.ConvNeXtTiny(
        weights=None, input_shape=(32, 32, 3), classes=4
    )


def vit():
    import keras_hub

    return keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3),
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        dropout_rate=0.1,
        attention_dropout=0.1,
    )


# The model, a batch, and its number of dropouts. EfficientNet has one in each of 9
# residual blocks and one before the head. ConvNeXt has one in each of 18 blocks. BERT
# has one for the embeddings, and in 2 blocks for attention scores, attention and
# feed-forward part. ViT has one for the embeddings, and in 2 blocks for scores,
# attention and MLP.
MODELS = {
    "EfficientNetB0": (efficient_net, IMAGES, 10),
    "ConvNeXtTiny": (conv_next, IMAGES, 18),
    "BERT": (bert, TOKENS, 7),
    "ViT": (vit, IMAGES, 7),
}
# Compiling 18 blocks is slow.
SLOW = [pytest.mark.slow, pytest.mark.on_one_backend]
MARKS = {
    "EfficientNetB0": pytest.mark.on_one_backend,
    "ConvNeXtTiny": SLOW,
    "ViT": needs_newer_keras_hub,
}
NAMES = [pytest.param(name, marks=MARKS.get(name, ())) for name in MODELS]


def many(x, times=4):
    """Repeat the batch."""
    return keras.tree.map_structure(lambda array: np.repeat(array, times, axis=0), x)


class OwnCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(4)
        self.drops = [layers.Dropout(0.5), layers.SpatialDropout1D(0.5)]

    def call(self, inputs, training=False):
        for drop in self.drops:
            inputs = drop(self.hidden(inputs), training=training)
        return inputs


def own_call(x):
    model = OwnCall()
    model(x)
    return model


SEQUENCES = np.random.default_rng(0).normal(size=(16, 5, 4)).astype("float32")
FITTED = {
    name: lambda make=make, x=x: (make(), many(x))
    for name, (make, x, _) in MODELS.items()
} | {
    "MultiHeadAttention": lambda: (
        attention_model("MultiHeadAttention", 0.2),
        SEQUENCES,
    ),
    "subclassed": lambda: (own_call(SEQUENCES), SEQUENCES),
}


def mean_output(y, outputs):
    return ops.mean(ops.reshape(outputs, (outputs.shape[0], -1)), axis=-1)


def outputs_of(model, x, **kwargs):
    outputs = keras.tree.flatten(model(x, **kwargs))
    return np.concatenate([ops.convert_to_numpy(one).ravel() for one in outputs])


def attention_model(kind, rate):
    inputs = keras.Input((5, 4))
    layer = ATTENTION[kind](rate)
    return keras.Model(inputs, layers.Dense(1, use_bias=False)(layer(inputs, inputs)))


@pytest.mark.parametrize("name", NAMES)
def test_all_dropout_of_a_known_model_is_live(name):
    make_model, x, count = MODELS[name]
    model = make_model()
    expected = outputs_of(model, x)
    names = [layer.name for layer in model.layers]
    weights = {variable.path for variable in model.trainable_variables}
    with warnings.catch_warnings(record=True) as caught:
        assert kdropout.convert(model) is model
    assert caught == []  # all dropout could be converted
    found = dropout_layers(model)
    assert len(found) == count
    assert np.array_equal(outputs_of(model, x), expected)
    assert [layer.name for layer in model.layers] == names
    assert {variable.path for variable in model.trainable_variables} == weights

    ones = np.ones((SAMPLES, 1, 1, 1), "float32")
    deviations = {rate: 5 * np.sqrt(rate * (1 - rate) / SAMPLES) for rate in (0.8, 0.0)}
    for rate, deviation in deviations.items():
        kdropout.set_rates(model, rate)
        for path, layer in found.items():
            y = ops.convert_to_numpy(layer(ones, training=True))
            assert abs(np.mean(y == 0) - rate) <= deviation, path


@pytest.mark.parametrize("name", NAMES[-2:])  # the transformers
def test_each_rate_of_a_transformer_changes_the_outputs(name):
    make_model, x, _ = MODELS[name]
    model = kdropout.convert(make_model())
    expected = outputs_of(model, x)
    for path in kdropout.rates(model):
        kdropout.set_rates(model, 0.0)
        np.testing.assert_allclose(
            outputs_of(model, x, training=True), expected, rtol=1e-5, atol=1e-6
        )
        kdropout.set_rates(model, {path: 1.0})
        moved = np.abs(outputs_of(model, x, training=True) - expected).max()
        assert moved > 1e-3, path


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="a training step has no values there"
)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("EfficientNetB0", marks=SLOW),
        *NAMES[1:],
        "MultiHeadAttention",
        "subclassed",
    ],
)
def test_callback_moves_each_rate_and_fit_drops_at_it(name, monkeypatch):
    model, x = FITTED[name]()
    kdropout.convert(model)
    called, dropped = [], []  # per mask: the layer; dropped units, and all units
    apply_noise = BaseDropout.apply_noise

    def watched(layer, inputs, shape, rate, seed):
        called.append(layer)
        outputs = apply_noise(layer, inputs, shape, rate, seed)
        keep, scale = noise.bernoulli(shape, rate, seed, inputs.dtype)
        expected = noise.drop_units(inputs, keep, scale)
        assert np.array_equal(
            ops.convert_to_numpy(outputs), ops.convert_to_numpy(expected)
        )
        mask = ops.convert_to_numpy(keep)
        dropped.append((mask.size - mask.sum(), mask.size))
        return outputs

    monkeypatch.setattr(BaseDropout, "apply_noise", watched)
    rates, epochs = [1.0, 0.0, 0.3], []

    def end_epoch(epoch, logs):
        epochs.append(([*called], [*dropped]))
        called.clear(), dropped.clear()

    num_rows = len(keras.tree.flatten(x)[0])
    y = keras.tree.map_structure(lambda _: np.zeros(num_rows), model(x))
    loss = keras.tree.map_structure(lambda _: mean_output, y)
    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    model.fit(
        x,
        y,
        batch_size=num_rows,
        epochs=len(rates),
        verbose=0,
        callbacks=[
            kdropout.callbacks.RateScheduler(lambda epoch, rate: rates[epoch]),
            keras.callbacks.LambdaCallback(on_epoch_end=end_epoch),
        ],
    )
    live = dropout_layers(model).values()
    for rate, (layers_called, drawn) in zip(rates, epochs, strict=True):
        # KerasHub's transformer block calls one of its dropout layers twice.
        assert {id(layer) for layer in layers_called} == {id(layer) for layer in live}
        counts, sizes = np.transpose(drawn)
        off = abs(counts.sum() / sizes.sum() - rate)
        assert off <= 5 * np.sqrt(rate * (1 - rate) / sizes.sum())
        if rate in (0.0, 1.0):  # exact in each layer, even for a small mask
            assert np.array_equal(counts, rate * sizes)


@pytest.mark.on_one_backend
@pytest.mark.slow
def test_head_dropout_of_efficient_net_moves_in_a_compiled_fit():
    model = kdropout.convert(efficient_net())
    kdropout.set_rates(model, {"*": 0.0, "top_dropout": 1.0})
    loss = "sparse_categorical_crossentropy"
    # With XLA, TensorFlow takes six times as long to compile; JAX always uses it.
    jit_compile = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=jit_compile)
    losses, y = [], np.array([0, 1])
    for rate in (1.0, 0.0, 1.0):
        kdropout.set_rates(model, {"top_dropout": rate})
        losses.append(model.fit(IMAGES, y, verbose=0).history["loss"][0])
    # Without features, and with a bias of 0, all 4 classes are equally likely.
    np.testing.assert_allclose([losses[0], losses[2]], np.log(4), rtol=1e-6)
    assert abs(losses[1] - np.log(4)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ATTENTION)
def test_dropout_of_attention_scores_is_live_in_a_compiled_fit(kind):
    model = attention_model(kind, 0.2)
    x = np.random.default_rng(0).normal(size=(8, 5, 4)).astype("float32")
    y = np.ones((8, 5, 1), "float32")
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, y, verbose=0)
    expected = outputs_of(model, x)
    kdropout.convert(model)
    assert list(kdropout.rates(model).values()) == [0.2]
    assert np.array_equal(outputs_of(model, x), expected)
    losses = []
    for rate in (0.0, 1.0):
        kdropout.set_rates(model, rate)
        losses.append(model.fit(x, y, verbose=0).history["loss"][0])
    # At rate 1, all scores are 0, and so are the outputs, because biases are 0.
    expected_losses = [model.evaluate(x, y, verbose=0), 1.0]
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert abs(losses[0] - 1.0) > 1e-3


@pytest.mark.parametrize("kind", [*ATTENTION, "BERT"])
def test_listed_rate_is_live_where_keras_had_zero(kind):
    # Keras's attention calls its dropout layer only if its own argument is above 0.
    if kind == "BERT":
        model, x = bert(dropout=0.0), TOKENS
    else:
        x = np.random.default_rng(0).normal(size=(8, 5, 4)).astype("float32")
        model = attention_model(kind, 0.0)
        model = keras.Sequential([model, layers.Dropout(0.5, name="other")])
        model.build((None, 5, 4))
    kdropout.convert(model)
    kdropout.set_rates(model, 0.0)
    expected = outputs_of(model, x)
    for path in kdropout.rates(model):
        kdropout.set_rates(model, {"*": 0.0, path: 1.0})
        moved = np.abs(outputs_of(model, x, training=True) - expected).max()
        assert moved > 1e-3, f"'{path}' is listed, but its rate has no effect"


class OwnDropout(layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=training) * 1.0


class OwnAttention(layers.Attention):
    """A class that may use its rate in another way."""


class OwnCell(layers.GRUCell):
    """A cell that may use its rates in another way."""


FROZEN = {
    "cell": (
        lambda: layers.RNN(OwnCell(3, recurrent_dropout=0.3, name="own"), name="cell"),
        "OwnCell with recurrent_dropout=0.3",
    ),
    "subclass": (lambda: OwnDropout(0.4, name="cell"), "OwnDropout with rate=0.4"),
    "Attention": (lambda: OwnAttention(dropout=0.35, name="cell"), "dropout=0.35"),
}


def with_frozen(make_layer, live=True):
    inputs = keras.Input((5, 4))
    drop = layers.Dropout(0.5, name="drop")
    x = drop(inputs) if live else inputs
    layer = make_layer()
    pairs = isinstance(layer, layers.Attention)
    inner = keras.Input((5, 4))
    nested = layer([inner, inner]) if pairs else layer(inner)
    nested = keras.Model(inner, nested, name="nested")
    return keras.Model(inputs, nested(x), name="model")


@pytest.mark.parametrize("kind", FROZEN)
def test_warning_names_dropout_that_is_not_a_layer(kind):
    make_layer, what = FROZEN[kind]
    model = with_frozen(make_layer)
    with pytest.warns(UserWarning, match="cannot make some dropout live") as caught:
        kdropout.convert(model)
    (warning,) = caught
    assert "'nested/cell" in str(warning.message)
    assert what in str(warning.message)
    assert warning.filename == __file__
    assert kdropout.rates(model) == {"drop": 0.5}


def test_one_warning_lists_all_dropout_that_stays():
    inputs = keras.Input((5, 4))
    x = layers.Dropout(0.5)(inputs)
    x = OwnDropout(0.1, name="first")(x)
    x = layers.RNN(OwnCell(3, dropout=0.2, name="own"), name="both")(x)
    with pytest.warns(UserWarning) as caught:
        kdropout.convert(keras.Model(inputs, x))
    (warning,) = caught
    assert "'first' (OwnDropout with rate=0.1)" in str(warning.message)
    assert "'both/own' (OwnCell with dropout=0.2)" in str(warning.message)


def test_complete_conversion_gives_no_warning():
    inputs = keras.Input((5, 4))
    x = layers.LSTM(3, return_sequences=True)(layers.Dropout(0.5)(inputs))
    x = layers.Attention(name="plain")([x, x])
    x = ATTENTION["MultiHeadAttention"](0.5)(x, x)
    kdropout.convert(keras.Model(inputs, x))  # warnings are errors


def test_model_with_only_frozen_dropout_raises_with_its_place():
    model = with_frozen(FROZEN["cell"][0], live=False)
    with pytest.raises(ValueError, match=r"'nested/cell/own' \(OwnCell with "):
        kdropout.convert(model)


@pytest.mark.parametrize("in_effect", [0.3, 0.0])
def test_saved_model_keeps_its_rates(in_effect, tmp_path):
    inputs = keras.Input((4,))
    outputs = layers.Dense(2)(layers.Dropout(0.5, name="drop")(inputs))
    model = kdropout.convert(keras.Model(inputs, outputs))
    kdropout.set_rates(model, in_effect)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert kdropout.rates(loaded) == {"drop": in_effect}
    x = np.ones((3, 4), "float32")
    assert np.array_equal(outputs_of(loaded, x), outputs_of(model, x))
    np.testing.assert_array_equal(
        outputs_of(loaded, x, training=True), outputs_of(model, x, training=True)
    )


@pytest.mark.parametrize("kind", [*ATTENTION, "BERT"])
def test_saved_keras_layer_loads_plain_and_converts_again(kind, tmp_path):
    if kind == "BERT":
        model, x = bert(), TOKENS
    else:
        model, x = attention_model(kind, 0.2), np.ones((2, 5, 4), "float32")
    kdropout.convert(model)
    for number, path in enumerate(kdropout.rates(model)):
        kdropout.set_rates(model, {path: 0.05 * (number + 1)})
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    plain = [one for _, one in walk(loaded) if isinstance(one, layers.Dropout)]
    assert plain  # layers inside layers of Keras are saved as Keras's
    kdropout.convert(loaded)
    loaded.load_weights(path)
    # By position, because Keras numbers the layers inside its layers anew.
    assert [*kdropout.rates(loaded).values()] == [*kdropout.rates(model).values()]
    for training in (False, True):  # the seeds are restored as well
        np.testing.assert_array_equal(
            outputs_of(loaded, x, training=training),
            outputs_of(model, x, training=training),
        )


def test_weights_of_the_plain_model_load_into_the_converted_one(tmp_path):
    plain, model = (attention_model("MultiHeadAttention", 0.2) for _ in range(2))
    kdropout.convert(model)
    x = np.ones((2, 5, 4), "float32")
    plain.save_weights(tmp_path / "plain.weights.h5")
    model.load_weights(tmp_path / "plain.weights.h5")
    assert np.array_equal(outputs_of(model, x), outputs_of(plain, x))
    kdropout.set_rates(model, 0.7)
    model.save_weights(tmp_path / "live.weights.h5")
    plain.load_weights(tmp_path / "live.weights.h5")
    assert np.array_equal(outputs_of(model, x), outputs_of(plain, x))
