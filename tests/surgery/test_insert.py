"""`insert` returns a copy with dropout after hidden layers only."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import kdropout
from kdropout.inspection import dropout_layers, walk
from tests.surgery.tools import inputs_of

RATE = 0.3


def numpy_of(model, x, **kwargs):
    outputs = keras.tree.flatten(model(x, **kwargs))
    return [ops.convert_to_numpy(output) for output in outputs]


def parents(model):
    """Map each dropout of a Functional model to the names of the layers before it."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, kdropout.layers.BaseDropout):
            nodes = _nodes(model, layer.name)
            tensors = [tensor for node in nodes for tensor in node.input_tensors]
            found[layer.name] = {one._keras_history.operation.name for one in tensors}
    return found


def separate_activations():
    inputs = keras.Input((4,))
    x = layers.Dense(8, activation="relu", name="one")(inputs)
    x = layers.Activation("relu", name="act")(layers.Dense(8, name="two")(x))
    x = layers.LayerNormalization(name="norm")(layers.Dense(8, name="three")(x))
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.Dense(3, name="out")(x)
    return keras.Model(inputs, layers.Softmax(name="softmax")(x))


def residual():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="conv1")(inputs)
    x = layers.ReLU(name="relu1")(layers.BatchNormalization(name="norm1")(x))
    y = layers.Conv2D(4, 3, padding="same", name="conv2")(x)
    y = layers.BatchNormalization(name="norm2")(y)
    x = ops.relu(layers.Add(name="add")([x, y]))
    x = layers.Dense(4, name="dense")(layers.GlobalAveragePooling2D()(x)) * 2.0
    return keras.Model(inputs, layers.Dense(1, name="out")(x))


def unet():
    inputs = keras.Input((8, 8, 3))
    conv = {"padding": "same", "activation": "relu"}
    down = layers.Conv2D(4, 3, name="down", **conv)(inputs)
    x = layers.Conv2D(4, 3, name="bottom", **conv)(layers.MaxPooling2D()(down))
    x = layers.Conv2DTranspose(4, 2, strides=2, name="up", activation="relu")(x)
    x = layers.Concatenate(name="skip")([down, x])
    return keras.Model(inputs, layers.Conv2D(1, 1, name="out")(x))


def shared():
    dense = layers.Dense(4, "relu", name="dense")
    a, b = keras.Input((4,)), keras.Input((4,))
    x = layers.Concatenate()([dense(a), dense(dense(b))])
    return keras.Model([a, b], layers.Dense(1, name="out")(x))


def output_that_feeds_on():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="hidden")(inputs)
    middle = layers.Dense(4, "relu", name="middle")(x)
    x = layers.Dense(4, "relu", name="later")(middle)
    out = layers.Dense(1, name="out")(x)
    return keras.Model(inputs, {"middle": middle, "out": out})


def two_heads():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="hidden")(inputs)
    heads = [layers.Dense(2, "softmax", name=f"head{i}")(x) for i in range(2)]
    return keras.Model(inputs, heads)


def attention():
    inputs = keras.Input((5, 4))
    x = layers.Dense(4, "relu", name="before")(inputs)
    x = layers.MultiHeadAttention(2, 3, name="attention")(query=x, value=x, key=inputs)
    return keras.Model(inputs, layers.Dense(1, name="out")(x))


def shared_activation():
    relu = layers.ReLU(name="relu")
    inputs = keras.Input((4,))
    x = relu(layers.Dense(4, name="one")(inputs))
    x = relu(layers.Dense(4, name="two")(x))
    return keras.Model(inputs, layers.Dense(1, name="out")(x))


def rescaled_output():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="hidden")(inputs)
    x = layers.Dense(1, name="out")(x)
    x = layers.Normalization(mean=0.0, variance=1.0, invert=True)(x)
    return keras.Model(inputs, x)


def embedded(last):
    """Build an inner model that ends with Dense, at the end or in the middle."""
    block = [layers.Dense(4, "relu", name="a"), layers.Dense(4, name="b")]
    block = keras.Sequential([keras.Input((4,)), *block], name="block")
    inner = keras.Input((4,))
    inner = keras.Model(inner, block(inner), name="inner")
    inputs = keras.Input((4,))
    x = inner(layers.Dense(4, "relu", name="first")(inputs))
    return keras.Model(inputs, x if last else layers.Dense(1, name="out")(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(),
            layers.ReLU(name="relu"),
            layers.Flatten(),
            layers.Dense(4, "relu", name="hidden"),
            layers.Dense(2, name="out"),
            layers.Activation("softmax", name="softmax"),
        ]
    )


# Models, with the inserted dropout and the layers before it.
MODELS = {
    "separate activations": (
        separate_activations,
        {"one_dropout": {"one"}, "two_dropout": {"act"}, "three_dropout": {"leaky"}},
    ),
    "residual": (
        residual,
        {
            "conv1_dropout": {"relu1"},
            "conv2_dropout": {"norm2"},
            "dense_dropout": {"dense"},
        },
    ),
    "U-Net": (
        unet,
        {"down_dropout": {"down"}, "bottom_dropout": {"bottom"}, "up_dropout": {"up"}},
    ),
    "shared": (shared, {"dense_dropout": {"dense"}}),
    "output that feeds on": (
        output_that_feeds_on,
        {"hidden_dropout": {"hidden"}, "later_dropout": {"later"}},
    ),
    "two heads": (two_heads, {"hidden_dropout": {"hidden"}}),
    "shared activation": (shared_activation, {"one_dropout": {"relu"}}),
    "rescaled output": (rescaled_output, {"hidden_dropout": {"hidden"}}),
    "attention": (attention, {"before_dropout": {"before"}}),
}


@pytest.mark.parametrize("name", MODELS)
def test_dropout_follows_the_activation_of_each_hidden_layer(name):
    make_model, expected = MODELS[name]
    model = make_model()
    copy = kdropout.insert(model, RATE)
    assert parents(copy) == expected
    assert kdropout.rates(copy) == dict.fromkeys(expected, RATE)
    assert kdropout.rates(model) == {}
    x = inputs_of(model, size=3)
    assert all(map(np.array_equal, numpy_of(model, x), numpy_of(copy, x)))
    kdropout.set_rates(copy, 1.0)
    last = numpy_of(copy, x, training=True)[-1]
    assert (last == last[0]).all()  # the input does not reach the last output


@pytest.mark.parametrize(
    "last, expected",
    [
        (True, ["first_dropout", "inner/block/a_dropout"]),
        (
            False,
            ["first_dropout", "inner/block/a_dropout", "inner/block/b_dropout"],
        ),
    ],
)
def test_nested_models_get_dropout_except_after_the_output(last, expected):
    model = embedded(last)
    copy = kdropout.insert(model, RATE)
    assert kdropout.rates(copy) == dict.fromkeys(expected, RATE)
    x = inputs_of(model, size=3)
    assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])


@pytest.mark.parametrize("structure", ["tensor", "list", "dict"])
def test_output_of_a_nested_model_gets_dropout_if_a_layer_follows(structure):
    inputs = keras.Input((4,))
    output = layers.Dense(4, name="dense")(inputs)
    other = layers.Dense(4, "relu", name="other")(inputs)
    outputs = {
        "tensor": output,
        "list": [output, other],
        "dict": {"b": output, "a": other},
    }
    inner = keras.Model(inputs, outputs[structure], name="inner")
    # As the output of a graph, Keras counts the calls of a graph from 1.
    inputs = keras.Input((4,))
    middle = keras.Model(inputs, inner(inputs), name="middle")
    inputs = keras.Input((4,))
    x = keras.tree.flatten(middle(inputs))
    x = layers.Concatenate()(x) if len(x) > 1 else x[0]
    model = keras.Model(inputs, layers.Dense(1, use_bias=False)(x))
    for after in ("*/dense", "middle/inner", "middle"):
        copy = kdropout.insert(model, 1.0, after)
        (path,) = kdropout.rates(copy)
        assert path == {"*/dense": "middle/inner/dense"}.get(after, after) + "_dropout"
        x = inputs_of(model, size=3)
        assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])
        if structure == "tensor":
            assert not numpy_of(copy, x, training=True)[0].any()


def test_sequential_model_stays_sequential():
    model = sequential()
    copy = kdropout.insert(model, RATE)
    assert isinstance(copy, keras.Sequential)
    names = [layer.name for layer in copy.layers]
    assert names[2:4] == ["relu", "conv_dropout"]
    assert names[-4:] == ["hidden", "hidden_dropout", "out", "softmax"]
    x = inputs_of(model, size=3)
    assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])


def test_names_and_weights_stay_the_same():
    model = residual()
    for variable in model.weights:
        variable.assign(np.random.default_rng(0).uniform(0.1, 1, variable.shape))
    model.get_layer("conv2").trainable = False
    copy = kdropout.insert(model, RATE)
    assert (copy.name, type(copy)) == (model.name, type(model))
    kept = [one.name for one in copy.layers if not one.name.endswith("_dropout")]
    assert kept == [one.name for one in model.layers]
    sides = [
        {one.path: one for one in side.weights if "_dropout" not in one.path}
        for side in (model, copy)
    ]
    assert sides[0].keys() == sides[1].keys()
    for path, variable in sides[0].items():
        assert variable is not sides[1][path]
        assert variable.trainable == sides[1][path].trainable
        values = [ops.convert_to_numpy(side[path]) for side in sides]
        assert np.array_equal(*values), path


@pytest.mark.parametrize(
    "after, expected",
    [
        ("conv1", ["conv1_dropout"]),
        ("conv*", ["conv1_dropout", "conv2_dropout"]),
        (["dense", "conv2"], ["conv2_dropout", "dense_dropout"]),
        ("add", ["add_dropout"]),
        (lambda layer: isinstance(layer, layers.ReLU), ["relu1_dropout"]),
        (lambda layer: layer.name == "conv1", ["conv1_dropout"]),
        (lambda layer: layer.name == "norm1", ["norm1_dropout"]),
    ],
)
def test_after_chooses_layers(after, expected):
    assert list(kdropout.rates(kdropout.insert(residual(), RATE, after))) == expected


def test_after_accepts_the_path_of_a_nested_layer():
    copy = kdropout.insert(embedded(True), RATE, after="inner/*/a")
    assert kdropout.rates(copy) == {"inner/block/a_dropout": RATE}


def test_rate_may_be_a_dict_by_path_and_glob():
    rates = {"conv*": 0.1, "conv2": kdropout.schedules.Ramp(0.5, 0.9, 10)}
    copy = kdropout.insert(residual(), rates)
    assert kdropout.rates(copy) == {"conv1_dropout": 0.1, "conv2_dropout": 0.5}
    copy = kdropout.insert(embedded(True), {"inner/block/a": 0.2})
    assert kdropout.rates(copy) == {"inner/block/a_dropout": 0.2}


def test_schedule_or_learned_rate_applies_to_all():
    ramp = kdropout.schedules.Ramp(0.2, 0.4, 2)
    copy = kdropout.insert(separate_activations(), ramp)
    for expected in (0.2, 0.2, 0.3, 0.4):
        found = kdropout.rates(copy)
        assert found == dict.fromkeys(found, pytest.approx(expected))
        copy(inputs_of(copy, size=3), training=True)
    copy = kdropout.insert(separate_activations(), kdropout.LearnedRate(0.2))
    assert len(copy.trainable_variables) == 10 + 3


@pytest.mark.parametrize(
    "make_layer, kind",
    [
        (kdropout.layers.SpatialDropout2D, "SpatialDropout2D"),
        (lambda rate: kdropout.layers.DropBlock2D(rate, block_size=3), "DropBlock2D"),
        (lambda rate: kdropout.layers.Dropout(rate, name="mine"), "Dropout"),
    ],
)
def test_make_layer_decides_the_kind_of_dropout(make_layer, kind):
    copy = kdropout.insert(residual(), RATE, after="conv?", make_layer=make_layer)
    found = dropout_layers(copy)
    assert list(found) == ["conv1_dropout", "conv2_dropout"]
    assert {type(layer).__name__ for layer in found.values()} == {kind}
    config = found["conv1_dropout"].get_config()
    assert config.get("block_size") == ((3, 3) if kind == "DropBlock2D" else None)


def test_layers_with_dropout_get_no_more():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="keras")(inputs)
    x = layers.Dense(4, name="ours")(layers.Dropout(0.5)(x))
    x = kdropout.layers.Dropout(0.5, name="drop")(layers.ReLU()(x))
    x = layers.Dense(4, "relu", name="bare")(x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    copy = kdropout.insert(model, RATE)
    assert kdropout.rates(copy) == {"drop": 0.5, "bare_dropout": RATE}
    with pytest.raises(ValueError, match="Dropout already stands at these places"):
        kdropout.insert(copy, RATE)


def test_operations_that_share_the_name_of_a_layer_are_kept():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="dense")(inputs) + 3.0
    x = layers.Add()([x, layers.Multiply()([x, inputs * 2.0])])
    model = keras.Model(inputs, layers.Dense(1)(x))
    copy = kdropout.insert(model, RATE)
    assert kdropout.rates(copy) == {"dense_dropout": RATE}
    x = inputs_of(model, size=3)
    assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])


def test_taken_name_is_numbered():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="a")(inputs)
    x = layers.Dense(4, "relu", name="a_dropout")(x)
    copy = kdropout.insert(keras.Model(inputs, layers.Dense(1)(x)), RATE)
    assert list(kdropout.rates(copy)) == ["a_dropout_2", "a_dropout_dropout"]


def test_dropout_after_a_layer_with_several_outputs_keeps_predictions():
    inputs = keras.Input((5, 4))
    lstm = layers.LSTM(3, return_state=True, return_sequences=True, name="lstm")
    sequence, state, _ = lstm(inputs)
    sequence = layers.Dense(2)(layers.Flatten()(sequence))
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()([sequence, state[:, :2]])))
    copy = kdropout.insert(model, RATE, after="lstm")
    x = inputs_of(model, size=3)
    assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])


def test_shared_model_gets_dropout_once():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, "relu", name="dense")], name="tower"
    )
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model(
        [a, b], layers.Dense(1)(layers.Subtract()([inner(a), inner(b)]))
    )
    copy = kdropout.insert(model, RATE)
    assert kdropout.rates(copy) == {"tower/dense_dropout": RATE}
    x = inputs_of(model, size=3)
    assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])


def test_layer_called_three_times_has_dropout_after_each_call():
    copy = kdropout.insert(shared(), 1.0)
    tensors = [node.input_tensors[0] for node in _nodes(copy, "dense_dropout")]
    calls = [tensor._keras_history.node_index for tensor in tensors]
    assert sorted(calls) == [0, 1, 2]


def _nodes(model, name):
    return model.get_layer(name)._inbound_nodes


def test_optimizer_and_compilation_of_the_original_are_kept():
    model = two_heads()
    model.compile(keras.optimizers.Adam(), ["mse", "mse"])
    x = inputs_of(model, size=3)
    y = [np.zeros((3, 2))] * 2
    model.fit(x, y, verbose=0)
    optimizer = model.optimizer
    state = [ops.convert_to_numpy(one) for one in optimizer.variables]
    weights = [ops.convert_to_numpy(one) for one in model.weights]
    copy = kdropout.insert(model, RATE)
    assert not copy.compiled and model.optimizer is optimizer
    copy.compile("sgd", ["mse", "mse"])
    copy.fit(x, y, verbose=0)
    for before, after in ((state, optimizer.variables), (weights, model.weights)):
        after = [ops.convert_to_numpy(one) for one in after]
        assert all(map(np.array_equal, before, after))
    model.fit(x, y, verbose=0)
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 2


def test_result_trains_saves_and_loads(tmp_path):
    copy = kdropout.insert(embedded(False), RATE)
    copy.compile("adam", "mse")
    x = inputs_of(copy, 8)
    mover = kdropout.callbacks.RateScheduler(lambda epoch, rate: [0.1, 0.6][epoch])
    copy.fit(x, np.ones((8, 1)), epochs=2, verbose=0, callbacks=[mover])
    copy.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert set(kdropout.rates(loaded).values()) == {0.6}
    assert kdropout.rates(loaded).keys() == kdropout.rates(copy).keys()
    for training in (False, True):
        outputs = [numpy_of(one, x, training=training)[0] for one in (copy, loaded)]
        assert np.array_equal(*outputs)


@pytest.mark.slow
@pytest.mark.on_one_backend
def test_efficient_net_takes_dropout_after_chosen_layers():
    model = keras.applications.EfficientNetB0(
        weights=None, input_shape=(32, 32, 3), classes=4
    )
    copy = kdropout.insert(
        model,
        0.2,
        after=lambda layer: layer.name.endswith("expand_activation"),
        make_layer=kdropout.layers.SpatialDropout2D,
    )
    blocks = [one.name for _, one in walk(model) if "expand_activation" in one.name]
    assert len(blocks) == 15  # all of the 16 blocks but the first expand
    assert list(kdropout.rates(copy)) == [f"{name}_dropout" for name in blocks]
    x = inputs_of(model, size=3)
    assert np.array_equal(numpy_of(model, x)[0], numpy_of(copy, x)[0])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"after": "no_such"}, ValueError, "'after' must name.*no_such"),
        ({"after": ["hidden", "no_such"]}, ValueError, "'after' must name.*no_such"),
        ({"after": "head0"}, ValueError, "'after' must name.*hidden layers"),
        ({"after": []}, ValueError, "'after' must name"),
        ({"make_layer": layers.Dropout}, TypeError, "'make_layer' must be a function"),
        ({"make_layer": 3}, TypeError, "'make_layer' must be a function"),
        ({"rate": 1.5}, ValueError, "'rate' must be a number"),
        ({"rate": {"no_such": 0.1}}, ValueError, "'rate' must name.*no_such"),
    ],
)
def test_error_names_the_bad_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        kdropout.insert(two_heads(), **{"rate": RATE, **arguments})


def test_hidden_as_a_string_means_the_placement_until_it_is_removed():
    with pytest.warns(DeprecationWarning, match="pass after=kdropout.Placement.HIDDEN"):
        copy = kdropout.insert(unet(), RATE, after="hidden")
    assert len(kdropout.rates(copy)) == 3
    copy = kdropout.insert(output_that_feeds_on(), RATE, after=["hidden"])
    assert list(kdropout.rates(copy)) == ["hidden_dropout"]


def test_subclassed_model_is_refused():
    model = Subclassed()
    model(np.ones((1, 2)))
    with pytest.raises(TypeError, match="only the code of Subclassed knows"):
        kdropout.insert(model, RATE)
