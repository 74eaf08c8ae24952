"""`strip` and `insert` copy all state of a model, not only its variables."""

import os

import keras
import numpy as np
import pytest
from keras import layers, ops

import kdropout
from tests.tools import KERAS

X = np.random.default_rng(0).normal(50, 10, (32, 6)).astype("float32")
COPIES = {
    "strip": kdropout.strip,
    "insert": lambda model: kdropout.insert(model, 0.2, after="*hidden"),
}
uses_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="a graph of strings is TensorFlow's alone",
)


def outputs_of(model, x):
    outputs = keras.tree.flatten(model(x))
    return [ops.convert_to_numpy(output) for output in outputs]


def network(*first, inputs=None):
    """Convert a model of `first`, then dropout, a hidden layer and an output."""
    rest = [
        layers.Dropout(0.3, name="drop"),
        layers.Dense(4, activation="relu", name="hidden"),
        layers.Dense(2),
    ]
    inputs = keras.Input((6,)) if inputs is None else inputs
    return kdropout.convert(keras.Sequential([inputs, *first, *rest]))


def assert_copied(copy, model, x=X):
    for output, expected in zip(outputs_of(copy, x), outputs_of(model, x), strict=True):
        assert np.array_equal(output, expected)
    assert np.ptp(expected) > 0  # a layer without weights has only zeros


@keras.saving.register_keras_serializable("test_copied_state")
class Scaled(layers.Layer):
    """Stores a number and a file beside its weights, and does not save its name."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.words = 1.0, "none"

    def build(self, input_shape):
        self.shift = self.add_weight(shape=input_shape[1:], initializer="normal")

    def call(self, inputs):
        return inputs * self.scale * len(self.words) + self.shift

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["scale"] = self.scale

    def load_own_variables(self, store):
        self.scale = float(store["scale"])
        self.shift.assign(store["0"])

    def save_assets(self, dir_path):
        with open(os.path.join(dir_path, "words.txt"), "w") as file:
            file.write(self.words)

    def load_assets(self, dir_path):
        with open(os.path.join(dir_path, "words.txt")) as file:
            self.words = file.read()


@keras.saving.register_keras_serializable("test_copied_state")
class Holder(layers.Layer):
    """Holds layers in lists, dicts and a model, which its code names again."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.Normalization()
        self.many = [layers.Dense(6), {"a": Scaled(), "b": (layers.Dense(6),)}]
        self.block = keras.Sequential([layers.Dense(6), layers.Dropout(0.1)])
        self.drop = layers.Dropout(0.2)

    def build(self, input_shape):
        self.norm.build(input_shape)
        self.norm.finalize_state()
        for layer in self.layers():
            layer.build(input_shape)

    def layers(self):
        first, others = self.many
        return [first, others["a"], *others["b"], self.block]

    def call(self, inputs, training=False):
        x = self.norm(inputs)
        for layer in self.layers():
            x = layer(x)
        return self.drop(x, training=training)


def normalization():
    layer = layers.Normalization()
    layer.adapt(X)
    return network(layer)


def discretization():
    pytest.importorskip("tensorflow", reason="Keras computes the borders with it")
    layer = layers.Discretization(num_bins=4)
    layer.adapt(X)
    return network(layer, layers.Embedding(4, 3), layers.Flatten())


def scaled():
    first, second = Scaled(), Scaled()
    model = network(first, second)
    first.scale, first.words, second.scale = 0.1, "many words", 0.2
    return model


def holder():
    holders = Holder(), Holder()
    model = network(*holders)
    holders[0].norm.adapt(X)
    holders[1].many[1]["a"].scale = 0.5
    return model


@pytest.mark.parametrize("copy", COPIES)
# Discretization of older versions of Keras, on JAX.
@pytest.mark.filterwarnings("ignore:.*Explicitly requested dtype int64:UserWarning")
@pytest.mark.parametrize("make", [normalization, discretization, scaled, holder])
def test_predictions_of_the_copy_are_those_of_the_model(make, copy):
    model = make()
    assert_copied(COPIES[copy](model), model)


@pytest.mark.on_one_backend
@pytest.mark.slow
@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantized_layers_are_kept(mode, copy):
    model = network(layers.Dense(8), layers.EinsumDense("ab,bc->ac", 8))
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize(mode)  # of its dropout layer
    if mode == "float8":  # which learns its scales
        model.compile("sgd", "mse")
        model.fit(X, np.ones((32, 2)), batch_size=16, verbose=0)
    made = COPIES[copy](model)
    assert made.layers[0].dtype_policy == model.layers[0].dtype_policy
    assert_copied(made, model)


def lookup_models():
    import tensorflow as tf

    words = tf.constant([["the cat sat"], ["a dog"]])
    embed = [layers.Embedding(20, 4), layers.Flatten()]
    vectorization = layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    weighted = layers.TextVectorization(output_mode="tf_idf")
    for layer in (vectorization, weighted):
        layer.adapt(words)
    # Before version 3.13, Keras cannot load the state of this layer.
    weighted = [("string", [weighted], words)] if KERAS >= (3, 13) else []
    strings = tf.constant([["a", "b"], ["c", "a"]])
    string_lookup = layers.StringLookup()
    string_lookup.adapt(strings)
    integers = tf.constant([[3, 9], [4, 3]], "int64")
    integer_lookup = layers.IntegerLookup()
    integer_lookup.adapt(integers)
    hashing = layers.Hashing(num_bins=7)
    return [
        ("string", [vectorization, *embed], words),
        *weighted,
        ("string", [string_lookup, *embed], strings),
        ("int64", [integer_lookup, *embed], integers),
        ("string", [hashing, *embed], strings),
    ]


@uses_tensorflow
@pytest.mark.parametrize("copy", COPIES)
def test_tables_of_lookup_layers_are_copied(copy):
    for dtype, first, x in lookup_models():
        keras.utils.set_random_seed(1)  # with others, all predictions may be 0
        model = network(*first, inputs=keras.Input(x.shape[1:], dtype=dtype))
        assert_copied(COPIES[copy](model), model, x)


@uses_tensorflow
def test_feature_space_is_copied():
    import tensorflow as tf

    space = keras.utils.FeatureSpace(
        features={"s": "string_categorical", "f": "float_normalized"},
        output_mode="concat",
    )
    data = {"f": [1.0, 5.0, 7.0], "s": ["a", "b", "c"]}
    space.adapt(tf.data.Dataset.from_tensor_slices(data))
    inputs = dict(sorted(space.get_inputs().items()))
    x = layers.Dense(4, activation="relu", name="hidden")(space.get_encoded_features())
    x = layers.Dropout(0.5)(layers.Dense(4)(x))
    model = kdropout.convert(keras.Model(inputs, layers.Dense(2)(x)))
    rows = {name: tf.constant(values)[:, None] for name, values in data.items()}
    for copy in COPIES.values():
        assert_copied(copy(model), model, rows)


@pytest.mark.slow
@uses_tensorflow
def test_keras_hub_task_is_copied_after_use():
    from keras_hub import models

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat"]
    tokenizer = models.BertTokenizer(words, lowercase=True)
    task = models.BertTextClassifier(
        models.BertBackbone(8, 1, 2, 8, 16, dropout=0.1),
        num_classes=3,
        preprocessor=models.BertTextClassifierPreprocessor(tokenizer, 8),
        dropout=0.2,
    )
    texts = np.array(["the cat sat", "the cat", "cat", "sat sat"])
    kdropout.convert(task)
    task.compile("adam", "sparse_categorical_crossentropy")
    task.predict(texts, verbose=0)  # makes layers of the preprocessor
    task.fit(texts, np.array([0, 1, 2, 0]), verbose=0, shuffle=False)
    plain = kdropout.strip(task)
    # The inputs are raw text, so the vocabulary must be copied.
    expected = task.predict(texts, verbose=0)
    assert np.array_equal(plain.predict(texts, verbose=0), expected)


@pytest.mark.parametrize("copy", COPIES)
def test_frozen_layers_stay_frozen(copy):
    inner = Holder()
    model = network(inner, layers.BatchNormalization(), layers.Dense(6))
    inner.block.trainable = False
    inner.many[0].kernel.trainable = False
    model.layers[2].trainable = False
    made = COPIES[copy](model)
    partner = made.layers[0]
    assert not partner.block.trainable and partner.norm.trainable
    assert not partner.many[0].kernel.trainable and partner.many[0].bias.trainable
    counts = [len(one.trainable_variables) for one in (model, made)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("copy", COPIES)
def test_layer_shared_by_two_models_becomes_two_with_the_same_weights(copy):
    shared = layers.Dense(6, name="shared")
    tower = keras.Sequential(
        [keras.Input((6,)), shared, layers.Dropout(0.2), layers.Dense(4, name="hidden")]
    )
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    outputs = {"p": layers.Dense(2)(tower(a)), "q": [layers.Dense(1)(shared(b))]}
    model = kdropout.convert(keras.Model({"a": a, "b": b}, outputs))
    with pytest.warns(UserWarning, match="separate ones in the copy: 'shared'"):
        made = COPIES[copy](model)
    assert_copied(made, model, {"a": X, "b": 2 * X})


def test_insert_keeps_the_state_of_existing_dropout():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            kdropout.layers.DropConnect(layers.Dense(5), 0.3, name="connect"),
            kdropout.layers.ConcreteDropout(layers.Dense(5), name="concrete"),
            kdropout.layers.Dropout(kdropout.schedules.Ramp(0, 0.5, 10), name="ramp"),
            layers.Dense(4, activation="relu", name="hidden"),
            kdropout.layers.Dropout(0.5, name="drop"),
            layers.Dense(4, activation="relu", name="other_hidden"),
            layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(X, np.ones((32, 2)), batch_size=16, epochs=2, verbose=0)
    kdropout.set_rates(model, {"drop": 0.1})
    copy = kdropout.insert(model, {"other_hidden": 0.0})
    rates = kdropout.rates(model)
    assert rates["ramp"] > 0
    assert kdropout.rates(copy) == {**rates, "other_hidden_dropout": 0.0}
    assert_copied(copy, model)


def test_layers_without_a_get_config_keep_their_names():
    model = network(Scaled(), Scaled(name="second"))
    for copy in COPIES.values():
        names = [layer.name for layer in copy(model).layers]
        assert [layer.name for layer in model.layers][:3] == names[:3]


class Shifted(layers.Layer):
    """A layer that is not registered."""

    def build(self, input_shape):
        self.shift = self.add_weight(shape=input_shape[1:], initializer="normal")

    def call(self, inputs):
        return inputs + self.shift


def saved_model(path):
    """Save a model with a shared layer, a nested model, adapted and custom layers."""
    normalization, shared = layers.Normalization(), layers.Dense(5, name="shared")
    normalization.adapt(X)
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    inner = [layers.Dense(4, "relu", name="hidden"), layers.Dropout(0.2, name="drop")]
    inner = keras.Sequential([keras.Input((5,)), *inner, layers.Dense(3)], name="inner")
    x = layers.Add()([shared(normalization(a)), shared(b)])
    x = layers.Dropout(0.4, name="outer_drop")(Shifted(name="shifted")(x))
    x = layers.Multiply()([inner(x), inner(layers.Rescaling(2.0)(x))])
    model = keras.Model([a, b], [x, layers.Dense(1)(x)])
    model.save(path)
    return outputs_of(model, [X, 2 * X])


@pytest.mark.slow
@pytest.mark.parametrize("format", ["h5", "keras"])
def test_models_from_files_are_converted_and_copied(format, tmp_path):
    path = tmp_path / f"model.{format}"
    expected = saved_model(path)
    model = keras.saving.load_model(
        path, custom_objects={"Shifted": Shifted}, compile=False
    )
    kdropout.convert(model)
    assert kdropout.rates(model) == {"outer_drop": 0.4, "inner/drop": 0.2}
    made = [model, kdropout.strip(model), kdropout.insert(model, 0.1, after="shared")]
    for one in made:
        assert all(map(np.array_equal, outputs_of(one, [X, 2 * X]), expected))
        one.compile("sgd", ["mse", "mse"])
        one.fit([X, X], [np.ones((32, 3)), np.ones((32, 1))], verbose=0)
    assert set(kdropout.rates(made[2])) > set(kdropout.rates(model))


@keras.saving.register_keras_serializable("test_copied_state")
class Late(layers.Layer):
    """Holds a layer that is not in its config."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.extra = []

    def build(self, input_shape):
        for layer in self.extra:
            layer.build(input_shape)

    def call(self, inputs):
        for layer in self.extra:
            inputs = layer(inputs)
        return inputs


def test_state_without_a_place_in_the_copy_is_an_error():
    late = Late(name="late")
    late.extra.append(layers.Dense(6, name="extra"))
    model = network(late)
    for copy in COPIES.values():
        with pytest.raises(ValueError, match="'late' .* holds 'extra'"):
            copy(model)


@keras.saving.register_keras_serializable("test_copied_state")
class Growing(layers.Layer):
    """Has a weight whose shape is not in its config."""

    def __init__(self, size=1, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, input_shape):
        self.shift = self.add_weight(shape=(self.size,))

    def call(self, inputs):
        return inputs + self.shift

    def get_config(self):
        return {"name": self.name}


def test_error_for_weights_of_another_shape_names_the_layer():
    model = network(Growing(6, name="growing"))
    with pytest.raises(ValueError, match=r"'growing' \(Growing\).*cannot take"):
        kdropout.strip(model)


def own_loss(y, outputs):
    return ops.sum(outputs)


def test_inner_compiled_model_is_not_compiled_in_the_copy():
    inner = network()
    inner.compile("adam", loss=own_loss)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(1)(inner(inputs)))
    for copy in COPIES.values():
        made = copy(model)
        assert_copied(made, model)
        assert not made.get_layer(inner.name).compiled
