"""The placements of `insert`: before the classifier, the ends of blocks, hidden."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

import kdropout
from kdropout import Placement
from kdropout.layers import DropBlock2D, DropConnect, DropPath, SpatialDropout2D
from tests.surgery.tools import inputs_of

HEAD, BLOCKS, HIDDEN = Placement.HEAD, Placement.BLOCKS, Placement.HIDDEN


def output(model, x, **kwargs):
    return ops.convert_to_numpy(model(x, **kwargs))


def conv(x, name, filters=4, size=3, strides=1, norm=False, active=True):
    x = layers.Conv2D(filters, size, strides, padding="same", name=name)(x)
    if norm:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if active else x


def classify(inputs, x, name="pool"):
    x = layers.GlobalAveragePooling2D(name=name)(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


def mlp():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, "relu", name="one"),
            layers.Dense(8, name="two"),
            layers.ReLU(name="relu"),
            layers.Dense(2, name="out"),
            layers.Softmax(),
        ]
    )


def vgg():
    """Two stages of conv-norm-relu, each with pooling, and a dense head."""
    inputs = x = keras.Input((8, 8, 3))
    for stage in (1, 2):
        x = conv(conv(x, f"conv{stage}a", norm=True), f"conv{stage}b", norm=True)
        x = layers.MaxPooling2D(name=f"pool{stage}")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(8, "relu", name="fc1")(x)
    x = layers.Dense(8, "relu", name="fc2")(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


def strided():
    """Stages that end with a convolution with strides, and one that pools before."""
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, "stem", strides=2)
    x = layers.ZeroPadding2D(name="pad")(x)
    x = conv(x, "one", strides=2)
    x = layers.MaxPooling2D(1, strides=1, name="same")(conv(x, "two"))
    return classify(inputs, x)


def resnet_v1():
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, "stem")
    for block, strides in (("one", 1), ("two", 2)):
        shortcut = x
        if strides == 2:
            shortcut = conv(x, f"{block}_0", 4, 1, strides, True, active=False)
        x = conv(x, f"{block}_1", strides=strides)
        x = conv(x, f"{block}_2", norm=True, active=False)
        x = layers.Add(name=f"{block}_add")([shortcut, x])
        x = layers.ReLU(name=f"{block}_out")(x)
    return classify(inputs, x)


def resnet_v2():
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, "stem", active=False)
    for block, strides in (("one", 1), ("two", 2)):
        before = layers.ReLU()(layers.BatchNormalization()(x))
        if strides == 1:
            shortcut = x
        else:
            shortcut = layers.MaxPooling2D(1, strides, name=f"{block}_0")(x)
        x = conv(before, f"{block}_1", strides=strides)
        x = conv(x, f"{block}_2", active=False)
        x = shortcut + x
    x = layers.ReLU(name="last_relu")(layers.BatchNormalization()(x))
    return classify(inputs, x)


def inverted_residuals():
    """Build blocks of MobileNetV2 with squeeze-and-excite. Two have an addition."""
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, "stem", strides=2)
    for block, strides in (("one", 1), ("two", 2), ("three", 1)):
        y = conv(x, f"{block}_expand", 8, 1)
        y = layers.DepthwiseConv2D(3, strides, padding="same", name=block)(y)
        weight = layers.GlobalAveragePooling2D(keepdims=True)(y)
        weight = layers.Conv2D(8, 1, activation="sigmoid", name=f"{block}_se")(weight)
        y = layers.Multiply()([y, weight])
        y = conv(y, f"{block}_project", 4, 1, active=False)
        x = layers.Add()([x, y]) if strides == 1 else y
    return classify(inputs, conv(x, "last"))


def densenet():
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, "stem")
    for stage in (1, 2):
        for layer in (1, 2):
            y = conv(x, f"conv{stage}_{layer}")
            x = layers.Concatenate(name=f"concat{stage}_{layer}")([x, y])
        if stage == 1:
            x = layers.AveragePooling2D(2)(conv(x, "transition", 4, 1))
    return classify(inputs, x)


def unet():
    inputs = keras.Input((8, 8, 3))
    down = conv(inputs, "down")
    x = conv(layers.MaxPooling2D()(down), "bottom")
    x = layers.Concatenate()([layers.UpSampling2D()(x), down])
    x = layers.Conv2D(2, 1, name="out")(conv(x, "up"))
    return keras.Model(inputs, x)


def squeeze_without_residual():
    inputs = keras.Input((8, 8, 3))
    x = conv(inputs, "conv")
    weight = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    weight = layers.Conv2D(4, 1, activation="sigmoid", name="excite")(weight)
    x = conv(layers.Multiply()([x, weight]), "last")
    return classify(inputs, x)


def transformer(dropout=None):
    """Build two encoder layers. `dropout` is a class to put on the branches."""
    inputs = keras.Input((5,))
    x = layers.Embedding(10, 8, name="tokens")(inputs)
    x = x + layers.Embedding(5, 8, name="positions")(ops.arange(5))
    for block in ("a", "b"):
        y = layers.LayerNormalization(name=f"{block}_norm1")(x)
        y = layers.MultiHeadAttention(2, 4, name=f"{block}_attention")(y, y)
        x = layers.Add()([x, dropout(0.1)(y) if dropout else y])
        y = layers.LayerNormalization(name=f"{block}_norm2")(x)
        y = layers.Dense(16, "gelu", name=f"{block}_up")(y)
        y = layers.Dense(8, name=f"{block}_down")(y)
        x = layers.Add()([x, dropout(0.1)(y) if dropout else y])
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(x[:, 0]))


def scaled_branches():
    """Build branches that end with a scale, one in a nested model, and three terms."""
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="stem")(inputs)
    x = x + 0.1 * layers.Dense(4, name="branch")(x)
    block = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, "relu", name="a"), layers.Dense(4)],
        name="block",
    )
    x = layers.Add()([x, block(x)])
    terms = [layers.Dense(4, name="left")(x), x, layers.Dense(4, name="right")(x)]
    return keras.Model(inputs, layers.Dense(1, name="out")(layers.Add()(terms)))


def sums_that_are_not_residual():
    one, two = keras.Input((4,)), keras.Input((4,))
    x = layers.Add()([layers.Dense(4, name="a")(one), layers.Dense(4, name="b")(two)])
    same = [layers.Dense(4, name="c")(x), layers.Dense(4, name="d")(x)]
    x = layers.Add()([*same]) + 1.0
    x = x + layers.Rescaling(2.0)(layers.LayerNormalization()(x))
    x = layers.Dense(4, "relu", name="e")(x)
    wide = layers.Dense(1, name="wide")(one)  # the sum of outputs is an output
    return keras.Model([one, two], layers.Add()([wide, layers.Dense(1, name="f")(x)]))


def backbone_with_head():
    """Build a nested backbone that pools, and a nested head of two dense layers."""
    inputs = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D()(conv(inputs, "one"))
    x = layers.GlobalAveragePooling2D(name="pool")(conv(x, "two"))
    backbone = keras.Model(inputs, x, name="backbone")
    dense = [layers.Dense(4, "relu", name="fc"), layers.Dense(2, name="out")]
    head = keras.Sequential([keras.Input((4,)), *dense], name="head")
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, head(backbone(inputs)))


def backbone_with_classifier():
    inputs = keras.Input((8, 8, 3))
    backbone = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv")], name="backbone"
    )
    head = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, name="out"),
        ],
        name="head",
    )
    return keras.Model(inputs, head(backbone(inputs)))


def two_outputs():
    inputs = keras.Input((4,))
    x = layers.Dense(4, "relu", name="body")(inputs)
    one = layers.Dense(4, "relu", name="side")(x)
    outputs = [layers.Dense(1, name="a")(one), layers.Dense(1, name="b")(x)]
    return keras.Model(inputs, outputs)


def recurrent():
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Embedding(10, 4),
            layers.LSTM(4, name="lstm"),
            layers.Dense(1, name="out"),
        ]
    )


def wrapped():
    inputs = keras.Input((4, 4))
    x = layers.LSTM(4, return_sequences=True, name="lstm")(inputs)
    x = layers.Activation("relu", name="relu")(x)
    out = layers.TimeDistributed(layers.Dense(2), name="out")(x)
    other = layers.Dense(4, "relu", name="dense")(layers.Flatten()(x))
    other = layers.LayerNormalization(name="norm")(other)
    return keras.Model(inputs, [out, layers.Dense(1, name="other")(other)])


# Models, with the layers that name the dropout of HEAD, BLOCKS and HIDDEN. None: none.
MODELS = {
    "MLP": (mlp, ["one", "two"], None, ["one", "two"]),
    "VGG": (
        vgg,
        ["fc1", "fc2"],
        ["conv1b_relu", "conv2b_relu"],
        ["conv1a", "conv1b", "conv2a", "conv2b", "fc1", "fc2"],
    ),
    "strides": (
        strided,
        ["pool"],
        ["stem_relu", "same"],
        ["stem", "one", "two"],
    ),
    "ResNet v1": (
        resnet_v1,
        ["pool"],
        ["one_2_norm", "two_2_norm"],
        ["stem", "one_1", "one_2", "two_1", "two_0", "two_2"],
    ),
    "ResNet v2": (
        resnet_v2,
        ["pool"],
        ["one_2", "two_2"],
        ["stem", "one_1", "one_2", "two_1", "two_2"],
    ),
    "inverted residuals": (
        inverted_residuals,
        ["pool"],
        ["one_project", "three_project"],
        14,
    ),
    "DenseNet": (
        densenet,
        ["pool"],
        ["transition_relu", "concat2_2"],
        6,
    ),
    "U-Net": (
        unet,
        ["up_relu"],
        ["down_relu", "bottom_relu"],
        ["down", "bottom", "up"],
    ),
    "squeeze": (
        squeeze_without_residual,
        ["pool"],
        ["last_relu"],
        ["conv", "excite", "last"],
    ),
    "transformer": (
        transformer,
        ["get_item"],
        ["a_attention", "a_down", "b_attention", "b_down"],
        ["a_up", "a_down", "b_up", "b_down"],
    ),
    "scaled branches": (
        scaled_branches,
        ["add"],
        ["multiply", "block", "left", "right"],
        6,
    ),
    "other sums": (sums_that_are_not_residual, ["e"], None, 5),
    "backbone and head": (
        backbone_with_head,
        ["head/fc"],
        ["backbone/one_relu", "backbone/two_relu"],
        ["backbone/one", "backbone/two", "head/fc"],
    ),
    "backbone and classifier": (
        backbone_with_classifier,
        ["head/pool"],
        ["backbone"],
        ["backbone/conv"],
    ),
    "two outputs": (two_outputs, ["body", "side"], None, ["body", "side"]),
    "recurrent": (recurrent, ["lstm"], None, None),
    "wrapped": (wrapped, ["relu", "dense"], None, ["dense"]),
}


def places(model, placement, **arguments):
    """The layers that name the dropout, in the order of their names."""
    copy = kdropout.insert(model, 0.3, after=placement, verbose=0, **arguments)
    return sorted(path.removesuffix("_dropout") for path in kdropout.rates(copy))


def same_names(names):
    """The names without the numbers that Keras gives to operations."""
    return sorted(re.sub(r"^(add|multiply|get_item)(_\d+)?$", r"\1", n) for n in names)


@pytest.mark.parametrize("name", MODELS)
def test_each_placement_finds_its_places(name):
    make_model, *expected = MODELS[name]
    model = make_model()
    for placement, wanted in zip((HEAD, BLOCKS, HIDDEN), expected, strict=True):
        if wanted is None:
            with pytest.raises(ValueError, match="'after' must be a placement"):
                places(model, placement)
        elif isinstance(wanted, int):
            assert len(places(model, placement)) == wanted
        else:
            assert same_names(places(model, placement)) == sorted(wanted)


@pytest.mark.parametrize("make_layer", [DropPath, kdropout.layers.Dropout])
def test_without_its_branches_a_residual_network_is_its_shortcuts(make_layer):
    inputs = keras.Input((4,))
    stem = layers.Dense(4, name="stem")
    out = layers.Dense(2, name="out")
    x = stem(inputs)
    for block in ("a", "b"):
        y = layers.LayerNormalization()(x)
        y = layers.Dense(8, "relu", name=f"{block}_up")(y)
        x = x + layers.Dense(4, name=f"{block}_down")(y)
    model = keras.Model(inputs, out(x))
    copy = kdropout.insert(model, 1.0, BLOCKS, make_layer, verbose=0)
    x = inputs_of(model, size=3)
    expected = ops.convert_to_numpy(out(stem(x)))
    assert np.allclose(output(copy, x, training=True), expected, atol=1e-6)
    assert not np.allclose(output(model, x), expected, atol=1e-2)
    assert np.array_equal(output(copy, x), output(model, x))


def test_stochastic_depth_drops_branches_of_whole_samples():
    inputs = keras.Input((4,))
    x = inputs + layers.Dense(4, use_bias=False, name="branch")(inputs)
    model = keras.Model(inputs, layers.Dense(4, use_bias=False, name="out")(x))
    model.get_layer("branch").set_weights([3 * np.eye(4)])
    model.get_layer("out").set_weights([np.eye(4)])
    copy = kdropout.insert(model, 0.25, BLOCKS, DropPath, verbose=0)
    found = output(copy, np.ones((64, 4), "float32"), training=True)
    assert (found == found[:, :1]).all()
    assert {*found[:, 0]} == {1.0, 1.0 + 3.0 / 0.75}


@pytest.mark.parametrize("dropout", [layers.Dropout, kdropout.layers.Dropout, DropPath])
def test_branches_with_dropout_get_no_more(dropout):
    model = transformer(dropout)
    with pytest.raises(ValueError, match="Dropout already stands at these places"):
        kdropout.insert(model, 0.3, after=BLOCKS)


def test_dropout_between_the_pooling_and_the_classifier_is_found():
    layers_of_head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.5)]
    body = [keras.Input((4, 4, 1)), layers.Conv2D(2, 3)]
    model = [*body, *layers_of_head, layers.Reshape((2,)), layers.Dense(1)]
    with pytest.raises(ValueError, match="Dropout already stands at these places"):
        kdropout.insert(keras.Sequential(model), 0.3, after=HEAD)


def test_no_dropout_follows_the_input():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    for placement in Placement:
        with pytest.raises(ValueError, match="Pass the paths of layers"):
            kdropout.insert(model, 0.3, after=placement)


def test_classifier_inside_a_wrapper_is_found():
    classifier = DropConnect(layers.Dense(1, name="dense"), 0.1, name="out")
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, "relu", name="hidden"), classifier]
    )
    with pytest.raises(ValueError, match="Dropout already stands at these places"):
        kdropout.insert(model, 0.3, after=HEAD)  # DropConnect drops here


def test_placements_and_globs_combine():
    assert places(vgg(), [HEAD, "conv1a"]) == ["conv1a", "fc1", "fc2"]
    found = places(vgg(), [BLOCKS, HEAD, HIDDEN])
    # Dropout that BLOCKS places after the activation is not placed again.
    assert found == ["conv1a", "conv1b_relu", "conv2a", "conv2b_relu", "fc1", "fc2"]


def test_rate_may_be_a_dict_within_a_placement():
    copy = kdropout.insert(vgg(), {"fc*": 0.5, "fc2": 0.1}, after=HEAD)
    assert kdropout.rates(copy) == {"fc1_dropout": 0.5, "fc2_dropout": 0.1}


@pytest.mark.parametrize(
    "make_layer",
    [SpatialDropout2D, lambda rate: DropBlock2D(rate, block_size=3)],
)
def test_other_kinds_stand_at_the_ends_of_stages(make_layer):
    found = places(vgg(), BLOCKS, make_layer=make_layer)
    assert found == ["conv1b_relu", "conv2b_relu"]


def test_drop_path_needs_a_residual_branch():
    with pytest.raises(ValueError, match="'make_layer' must.*follows 'conv1b_relu'"):
        kdropout.insert(vgg(), 0.3, after=BLOCKS, make_layer=DropPath)
    with pytest.raises(ValueError, match="'make_layer' must"):
        kdropout.insert(resnet_v1(), 0.3, [HEAD, BLOCKS], DropPath)


def test_message_names_what_was_added_where(capsys):
    copy = kdropout.insert(vgg(), 0.3, after=BLOCKS, make_layer=SpatialDropout2D)
    assert capsys.readouterr().out == (
        f"Added 2 SpatialDropout2D layers to '{copy.name}': 'conv1b_relu_dropout' "
        "after 'conv1b_relu', 'conv2b_relu_dropout' after 'conv2b_relu'.\n"
    )
    kdropout.insert(copy, 0.3, verbose=0)
    assert capsys.readouterr().out == ""
    kdropout.summary(copy)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "conv1b_relu_dropout  SpatialDropout2D  0.3000  you",
        "conv2b_relu_dropout  SpatialDropout2D  0.3000  you",
    ]


def test_message_for_a_deep_convolutional_network_names_the_usual_places(capsys):
    model = inverted_residuals()
    kdropout.insert(model, 0.3)
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        f"Added 14 Dropout layers to '{model.name}': 'stem_dropout' after 'stem_relu', "
        "'one_expand_dropout' after 'one_expand_relu', ..., 'last_dropout' after "
        "'last_relu'."
    )
    assert "before the classifier: after=kdropout.Placement.HEAD (1 place)" in second
    assert "after=kdropout.Placement.BLOCKS with make_layer" in second
    assert "DropPath (2 places)" in second


def test_message_for_other_networks_names_only_what_was_added(capsys):
    sizes = [layers.Dense(4, "relu") for _ in range(12)]
    deep = keras.Sequential([keras.Input((4,)), *sizes, layers.Dense(1)])
    kdropout.insert(deep, 0.3)  # not convolutional
    kdropout.insert(vgg(), 0.3)  # not deep
    assert len(capsys.readouterr().out.splitlines()) == 2


# Networks of Keras, with the numbers of places. None: dropout stands there already.
APPLICATIONS = {
    "MobileNetV2": (1, 10, 52),
    "EfficientNetB0": (None, None, 72),
    "ConvNeXtTiny": (1, 18, 58),
    "DenseNet121": (1, 5, 120),
    "ResNet50": (1, 16, 53),
    "ResNet50V2": (1, 16, 53),
    "VGG16": (2, 5, 15),
}


@pytest.mark.slow
@pytest.mark.on_one_backend
@pytest.mark.parametrize("name", APPLICATIONS)
def test_networks_of_keras_have_these_places(name):
    make_model = getattr(keras.applications, name)
    model = make_model(weights=None, input_shape=(32, 32, 3), classes=4)
    for placement, count in zip(Placement, APPLICATIONS[name], strict=True):
        if count is None:
            with pytest.raises(ValueError, match="Dropout already stands"):
                places(model, placement)
        else:
            assert len(places(model, placement)) == count
