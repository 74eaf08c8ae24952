"""`convert` makes each kind of Keras dropout live, and changes nothing else."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import kdropout
from kdropout.inspection import walk
from tests.tools import CountedModel

SATURATION = -1.7580993408473766  # -scale * alpha of SELU (Klambauer et al. 2017)
BATCH = 400
# Keras layers, their input shape, and the number of masked units in a batch.
LAYERS = {
    "Dropout": (lambda: layers.Dropout(0.3), (50,), BATCH * 50),
    "noise_shape": (
        lambda: layers.Dropout(0.3, noise_shape=(None, 1, 20)),
        (5, 20),
        BATCH * 20,
    ),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.3), (5, 20), BATCH * 20),
    "SpatialDropout2D": (lambda: layers.SpatialDropout2D(0.3), (3, 3, 20), BATCH * 20),
    "channels_first": (
        lambda: layers.SpatialDropout2D(0.3, data_format="channels_first"),
        (20, 3, 3),
        BATCH * 20,
    ),
    "SpatialDropout3D": (
        lambda: layers.SpatialDropout3D(0.3),
        (2, 2, 2, 20),
        BATCH * 20,
    ),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.3), (50,), BATCH * 50),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.3), (50,), BATCH * 50),
}


def numpy_of(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def data(*shape, size=16):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(size, *shape)).astype("float32")
    return x, generator.normal(size=(size, 1)).astype("float32")


def chain(rate=0.3):
    """Follow each dropout by Dense without bias, so that rate 1 anywhere gives zero."""
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="tanh")(inputs)
    x = layers.Dropout(rate, name="drop")(x)
    x = layers.Dense(8, use_bias=False)(x)
    x = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Reshape((2, 4)),
            layers.SpatialDropout1D(rate, name="spatial"),
            layers.Flatten(),
            layers.Dense(8, use_bias=False),
        ],
        name="block",
    )(x)
    inner = keras.Input((8,))
    inner = keras.Model(inner, layers.Dropout(rate, name="drop")(inner), name="inner")
    outputs = layers.Dense(1, use_bias=False)(inner(x))
    return CountedModel(inputs, outputs)


PATHS = ["drop", "block/spatial", "inner/drop"]


class Mover(keras.callbacks.Callback):
    """Sets the rates of each epoch."""

    def __init__(self, rates):
        super().__init__()
        self.rates = rates

    def on_epoch_begin(self, epoch, logs=None):
        kdropout.set_rates(self.model, self.rates[epoch])


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("name", LAYERS)
def test_rate_of_each_kind_is_live(name, rate):
    make_layer, shape, units = LAYERS[name]
    layer = make_layer()
    model = keras.Sequential([keras.Input(shape), layer])
    ones = np.ones((BATCH, *shape), "float32")
    model(ones, training=True)  # Keras's rate is now in its trace
    kdropout.convert(model)
    assert layer.rate == 0.3
    layer.rate = rate
    outputs = ops.convert_to_numpy(model(ones, training=True)).astype("float64")
    if rate in (0.0, 1.0):
        assert (outputs == 1.0 - rate).all()
    elif name == "GaussianDropout":
        variance = rate / (1 - rate)
        # The variance of a sample variance of a normal distribution.
        deviation = 5 * variance * np.sqrt(2 / (units - 1))
        assert abs(outputs.var() - variance) < deviation
    else:
        low, high = 0.0, 1 / (1 - rate)
        if name == "AlphaDropout":
            a = ((1 - rate) * (1 + rate * SATURATION**2)) ** -0.5
            low, high = a * np.array([SATURATION, 1.0]) - a * rate * SATURATION
        dropped = np.isclose(outputs, low, atol=1e-6)
        assert np.allclose(outputs[~dropped], high, rtol=1e-6)
        deviation = 5 * np.sqrt(rate * (1 - rate) / units)
        assert abs(dropped.mean() - rate) < deviation


def test_mask_keeps_the_shape_that_keras_gave_it():
    for name in ("noise_shape", "SpatialDropout1D", "SpatialDropout3D"):
        make_layer, shape, _ = LAYERS[name]
        model = kdropout.convert(keras.Sequential([keras.Input(shape), make_layer()]))
        y = ops.convert_to_numpy(model(np.ones((BATCH, *shape)), training=True))
        y = y.reshape(BATCH, -1, 20)
        assert (y == y[:, :1]).all() and len(np.unique(y)) == 2
    make_layer, shape, _ = LAYERS["channels_first"]
    model = kdropout.convert(keras.Sequential([keras.Input(shape), make_layer()]))
    y = ops.convert_to_numpy(model(np.ones((BATCH, *shape)), training=True))
    assert (y == y[:, :, :1, :1]).all() and len(np.unique(y)) == 2


def test_objects_names_weights_and_predictions_stay_the_same():
    model = chain()
    x, _ = data(6)
    before = numpy_of([*model.weights, model(x)]), model.weights, model.layers
    names = [layer.name for layer in model.layers]
    drop = model.get_layer("drop")
    assert kdropout.convert(model) is model
    assert model.get_layer("drop") is drop
    assert isinstance(drop, kdropout.layers.Dropout)
    assert model.layers == before[2] and [one.name for one in model.layers] == names
    rate_variables = {
        id(variable)
        for path in PATHS
        for variable in _layer(model, path).rate_variables.values()
    }
    kept = [one for one in model.weights if id(one) not in rate_variables]
    assert [one.path for one in kept] == [one.path for one in before[1]]
    assert all(map(np.array_equal, numpy_of([*kept, model(x)]), before[0]))
    assert kdropout.rates(model) == dict.fromkeys(PATHS, 0.3)


def _layer(model, path):
    for name in path.split("/"):
        model = model.get_layer(name)
    return model


@pytest.mark.parametrize("trained", [False, True])
def test_one_compiled_step_follows_every_rate(trained):
    model = chain()
    x, y = data(6)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    if trained:
        model.fit(x, y, verbose=0)
    kdropout.convert(model)
    model.entered = 0
    rates = [{"*": 0.0}, *({"*": 0.0, path: 1.0} for path in PATHS), 0.0, 0.5]
    losses = model.fit(
        x, y, batch_size=16, epochs=len(rates), verbose=0, callbacks=[Mover(rates)]
    ).history["loss"]
    eager = keras.backend.backend() == "torch"
    assert model.entered == (len(rates) if eager else 1)
    of_zeros = np.mean(y**2)
    np.testing.assert_allclose(losses[1:4], of_zeros, rtol=1e-6)
    undropped = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose([losses[0], losses[4]], undropped, rtol=1e-5)
    assert abs(losses[5] - undropped) > 1e-4 < abs(losses[5] - of_zeros)
    assert abs(undropped - of_zeros) > 1e-4


def test_training_continues_with_the_same_optimizer_state():
    x, y = data(6)
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = chain(rate=0.0)  # nothing random
        model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        models.append(model)
    model, twin = models
    optimizer, state = model.optimizer, numpy_of(model.optimizer.variables)
    kdropout.convert(model)
    assert model.optimizer is optimizer
    assert all(map(np.array_equal, state, numpy_of(model.optimizer.variables)))
    for one in models:
        one.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 8
    weights = (numpy_of(one.trainable_variables) for one in models)
    for value, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_converting_twice_is_harmless():
    model = kdropout.convert(chain())
    kdropout.set_rates(model, 0.7)
    variables = model.variables
    kdropout.convert(model)
    assert [id(one) for one in model.variables] == [id(one) for one in variables]
    assert kdropout.rates(model) == dict.fromkeys(PATHS, 0.7)


@pytest.mark.parametrize(
    "rate", [0.3, lambda step: 0.3, kdropout.LearnedRate(), {"*": 0.3}]
)
def test_a_rate_for_layers_that_are_live_already_is_refused(rate):
    model = kdropout.convert(chain())
    before = kdropout.rates(model)
    with pytest.raises(ValueError, match=r"'rate' would have no effect.*set_rates"):
        kdropout.convert(model, rate)
    assert kdropout.rates(model) == before


class Composite(layers.Layer):
    """Holds dropout in an attribute, in a list, in a dict, and inside another layer."""

    def __init__(self, depth=1, **kwargs):
        super().__init__(**kwargs)
        self.drop = layers.Dropout(0.1, name="drop")
        self.many = [layers.Dropout(0.2, name="in_list")]
        self.named = {"key": layers.GaussianDropout(0.3, name="in_dict")}
        self.inner = Composite(depth - 1, name="inner") if depth else None

    def call(self, inputs, training=False):
        x = self.drop(inputs, training=training)
        for layer in self.many:
            x = layer(x, training=training)
        x = self.named["key"](x, training=training)
        return x if self.inner is None else self.inner(x, training=training)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.part = Composite(name="part")
        self.head = layers.Dense(1)

    def call(self, inputs, training=False):
        return self.head(self.part(inputs, training=training))


def test_dropout_inside_layers_of_a_subclassed_model_is_live():
    model = Subclassed()
    x, _ = data(6)
    expected = ops.convert_to_numpy(model(x))
    kdropout.convert(model)
    assert np.array_equal(ops.convert_to_numpy(model(x)), expected)
    own = {"drop": 0.1, "in_list": 0.2, "in_dict": 0.3}
    outer = {f"part/{name}": rate for name, rate in own.items()}
    inner = {f"part/inner/{name}": rate for name, rate in own.items()}
    assert kdropout.rates(model) == {**outer, **inner}
    bias = ops.convert_to_numpy(model.head.bias)
    for path in kdropout.rates(model):
        kdropout.set_rates(model, {"*": 0.0, path: 1.0})
        assert (ops.convert_to_numpy(model(x, training=True)) == bias).all(), path
    kdropout.set_rates(model, 0.0)
    outputs = ops.convert_to_numpy(model(x, training=True))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


def test_layer_that_is_not_a_model_is_converted():
    layer = Composite(depth=0)
    layer(np.ones((2, 3), "float32"))
    kdropout.convert(layer)
    assert kdropout.rates(layer) == {"drop": 0.1, "in_list": 0.2, "in_dict": 0.3}


def test_shared_layer_is_converted_once():
    drop, inputs = layers.Dropout(0.5, name="drop"), keras.Input((3,))
    model = kdropout.convert(keras.Model(inputs, drop(drop(inputs))))
    assert kdropout.rates(model) == {"drop": 0.5}


def test_one_rate_may_be_given_for_all():
    assert set(kdropout.rates(kdropout.convert(chain(), rate=0.6)).values()) == {0.6}
    model = kdropout.convert(chain(), rate=kdropout.schedules.Ramp(0.2, 0.4, 2))
    x, _ = data(6)
    for expected in (0.2, 0.2, 0.3, 0.4, 0.4):
        # Before the first call, the rate in effect is that of the first step.
        assert kdropout.rates(model) == dict.fromkeys(PATHS, pytest.approx(expected))
        model(x, training=True)


def test_rate_may_be_learned():
    model = kdropout.convert(chain(), rate=kdropout.LearnedRate(0.3))
    x, y = data(6)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(x, y, epochs=2, verbose=0)
    assert all(abs(rate - 0.3) > 1e-3 for rate in kdropout.rates(model).values())


def test_rate_may_be_a_dict_by_path_and_glob():
    rates = {"*drop": 0.1, "inner/drop": kdropout.schedules.Ramp(0.5, 0.9, 10)}
    model = kdropout.convert(chain(), rate=rates)
    expected = {"drop": 0.1, "block/spatial": 0.3, "inner/drop": 0.5}
    assert kdropout.rates(model) == expected


@pytest.mark.parametrize(
    "rate",
    [
        1.5,
        "0.5",
        {"drop": 0.1, "no_such": 0.2},
        {"drop": 0.1, "inner/drop": -0.1},
        {"drop": 0.1, 3: 0.2},
    ],
)
def test_bad_rate_changes_nothing(rate):
    model = chain()
    kinds = [type(layer) for _, layer in walk(model)]
    variables = [id(variable) for variable in model.variables]
    with pytest.raises((TypeError, ValueError), match="'rate' must"):
        kdropout.convert(model, rate=rate)
    assert [type(layer) for _, layer in walk(model)] == kinds
    assert [id(variable) for variable in model.variables] == variables
    assert model.get_layer("drop").rate == 0.3


def test_mixed_precision_is_kept():
    drop = layers.Dropout(0.5, dtype="mixed_bfloat16", name="drop")
    model = kdropout.convert(keras.Sequential([keras.Input((3,)), drop]))
    assert drop.dtype_policy.name == "mixed_bfloat16"
    outputs = model(np.ones((2, 3), "float32"), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_callbacks_drive_a_converted_model():
    model = chain()
    model.compile("sgd", "mse")
    kdropout.convert(model)
    x, y = data(6)
    history = model.fit(
        x,
        y,
        validation_data=(x, y),
        epochs=4,
        verbose=0,
        callbacks=[
            kdropout.callbacks.RateScheduler(
                lambda epoch, rate: 0.1 * epoch, layers="drop"
            ),
            kdropout.callbacks.OverfittingGap((x, y)),
            kdropout.callbacks.RateLogger(),
            # The gap of data with itself is 0, so the controller lowers the rate.
            kdropout.callbacks.GapController(target=1.0, layers="inner/*"),
        ],
    ).history
    np.testing.assert_allclose(history["rate/drop"], [0, 0.1, 0.2, 0.3], atol=1e-7)
    assert history["rate/block/spatial"] == [0.3] * 4
    inner = history["rate/inner/drop"]
    assert inner[0] == 0.3 and inner == sorted(inner, reverse=True) and inner[3] < 0.3


@pytest.mark.parametrize("noise_shape", [(8,), (3, 1), (None, 1, None)])
@pytest.mark.parametrize(
    "seed",
    # The dtype decides which seeds Keras itself accepts.
    {"tensorflow": [-1, 2**32 - 1], "jax": [2**32 - 1], "torch": [-1]}[
        keras.backend.backend()
    ],
)
def test_arguments_that_keras_layers_accept_are_converted(noise_shape, seed):
    model = keras.Sequential(
        [
            keras.Input((3, 8)),
            keras.layers.Dropout(0.5, noise_shape=noise_shape, seed=seed, name="drop"),
        ]
    )
    kdropout.convert(model)
    drop = model.get_layer("drop")
    assert drop.seed == seed
    mask = ops.convert_to_numpy(model(np.ones((4, 3, 8)), training=True)) != 0
    same = [
        axis for axis, size in enumerate(drop.get_noise_shape(mask.shape)) if size == 1
    ]
    assert same
    for axis in same:
        first = np.take(mask, [0], axis)
        assert (mask == first).all()
    again = keras.Sequential.from_config(model.get_config())
    assert again.get_layer("drop").noise_shape == noise_shape
