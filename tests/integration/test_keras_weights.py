"""Weights move between Keras's dropout layers and ours, and between kinds of rate."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout

FIXED = 0.3
STEPS_PER_EPOCH, BATCH_SIZE = 4, 8
# Kinds of rate that a layer accepts, and the rate at which each begins.
RATES = {
    "fixed": (lambda: FIXED, FIXED),
    "scheduled": (lambda: kdropout.schedules.Ramp(0.6, 0.2, 8), 0.6),
    "learned": (lambda: kdropout.LearnedRate(0.4), 0.4),
}


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(STEPS_PER_EPOCH * BATCH_SIZE, 8, 8, 3))
    return x.astype("float32"), generator.normal(size=(len(x), 1)).astype("float32")


def image_model(layers, rate=lambda: FIXED, gaussian_rate=lambda: FIXED):
    """Build a model with four kinds of dropout, of Keras or of kdropout."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    x = layers.SpatialDropout2D(rate())(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Flatten()(x)
    block = keras.Sequential(
        [
            keras.layers.Dense(16, "selu"),
            layers.AlphaDropout(rate()),
            keras.layers.Dense(16, "relu"),
            layers.GaussianDropout(gaussian_rate()),
        ],
        name="block",
    )
    x = layers.Dropout(rate())(block(x))
    x = keras.layers.Dense(8, "relu")(x)
    x = layers.Dropout(rate())(x)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def fit(model):
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(*data(), batch_size=BATCH_SIZE, verbose=0)


def predict(model):
    return model.predict(data()[0], verbose=0)


def small_model(rate, seed=None):
    inputs = keras.Input((200,))
    outputs = kdropout.layers.Dropout(rate, seed=seed, name="drop")(inputs)
    return keras.Model(inputs, outputs)


def train(model, calls=3):
    """Return the outputs of consecutive training calls on ones."""
    ones = np.ones((4, 200), "float32")
    outputs = [model(ones, training=True) for _ in range(calls)]
    return np.stack([ops.convert_to_numpy(output) for output in outputs])


def rate_of(model):
    return model.get_layer("drop").rate


def move_through(model, path):
    """Save weights of `model` to `path`; return a function that loads them."""
    model.save_weights(path)

    def load_into(other):
        other.load_weights(path)
        return other

    return load_into


@pytest.fixture(scope="module")
def trained_with_keras(tmp_path_factory):
    """Return the path of weights trained with Keras's layers, and predictions."""
    model = image_model(keras.layers)
    fit(model)
    path = tmp_path_factory.mktemp("keras") / "keras.weights.h5"
    model.save_weights(path)
    return path, predict(model), numpy_of(model.optimizer.variables)


def numpy_of(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("kind", RATES)
def test_weights_saved_with_keras_layers_load_and_predict_the_same(
    kind, trained_with_keras
):
    make_rate, begin = RATES[kind]
    # Gaussian noise is not a mask, so its rate cannot be learned.
    gaussian_rate, gaussian_begin = RATES["fixed" if kind == "learned" else kind]
    ours = image_model(kdropout.layers, make_rate, gaussian_rate)
    path, predictions, _ = trained_with_keras
    ours.load_weights(path)
    assert np.array_equal(predict(ours), predictions)
    rates = kdropout.rates(ours)
    assert len(rates) == 5
    for path, rate in rates.items():
        expected = gaussian_begin if "gaussian" in path else begin
        assert rate == pytest.approx(expected, abs=1e-7), path


def test_state_of_the_optimizer_loads(trained_with_keras):
    path, predictions, optimizer_state = trained_with_keras
    ours = image_model(kdropout.layers)
    fit(ours)
    assert not np.array_equal(predict(ours), predictions)
    ours.load_weights(path)
    assert np.array_equal(predict(ours), predictions)
    state = numpy_of(ours.optimizer.variables)
    assert all(map(np.array_equal, state, optimizer_state))
    assert len(state) == len(optimizer_state)


def test_moved_rate_is_restored(tmp_path):
    model = small_model(FIXED)
    model.get_layer("drop").rate = 0.7
    other = move_through(model, tmp_path / "moved.weights.h5")(small_model(FIXED))
    assert rate_of(other) == 0.7
    share = np.mean(train(other, calls=100) == 0)
    assert abs(share - 0.7) <= 5 * np.sqrt(0.7 * 0.3 / (100 * 4 * 200))
    # The config holds the constructor arguments.
    assert other.get_layer("drop").get_config()["rate"] == FIXED


@pytest.mark.parametrize("kind", RATES)
def test_masks_continue_after_loading(kind, tmp_path):
    make_rate, _ = RATES[kind]
    model, other = small_model(make_rate(), seed=1), small_model(make_rate(), seed=2)
    assert not np.array_equal(train(model), train(other))
    move_through(model, tmp_path / "seed.weights.h5")(other)
    went_on = train(model)
    assert np.array_equal(went_on, train(other))
    fresh = train(small_model(make_rate(), seed=1))
    assert not np.array_equal(went_on, fresh)


def test_schedule_continues_after_loading(tmp_path):
    model, other = (small_model(RATES["scheduled"][0]()) for _ in range(2))
    train(model, calls=5)
    move_through(model, tmp_path / "step.weights.h5")(other)
    assert rate_of(other) == rate_of(model) == pytest.approx(0.6 - 0.4 * 4 / 8)
    train(other, calls=1)
    assert rate_of(other) == pytest.approx(0.6 - 0.4 * 5 / 8)


def test_weights_of_a_schedule_load_into_a_fixed_rate(tmp_path):
    model = small_model(RATES["scheduled"][0]())
    train(model, calls=5)
    load_into = move_through(model, tmp_path / "scheduled.weights.h5")
    fixed = load_into(small_model(FIXED))
    # The rate stays at the value that was in effect, and can be moved from there.
    assert rate_of(fixed) == rate_of(model) == pytest.approx(0.6 - 0.4 * 4 / 8)
    train(fixed)
    assert rate_of(fixed) == rate_of(model)
    fixed.get_layer("drop").rate = 0.1
    assert rate_of(fixed) == 0.1


def test_weights_of_a_fixed_rate_load_into_a_schedule(tmp_path):
    model = small_model(FIXED)
    train(model, calls=5)
    load_into = move_through(model, tmp_path / "fixed.weights.h5")
    scheduled = load_into(small_model(RATES["scheduled"][0]()))
    for step in range(10):  # the schedule starts at its beginning
        train(scheduled, calls=1)
        assert rate_of(scheduled) == pytest.approx(0.6 - 0.4 * min(step / 8, 1))


@pytest.mark.parametrize("other_kind", ["fixed", "scheduled"])
def test_weights_of_a_learned_rate_load_into_others_and_back(other_kind, tmp_path):
    make_other, begin = RATES[other_kind]
    learned = small_model(RATES["learned"][0](), seed=1)
    other = small_model(make_other(), seed=2)
    learned.get_layer("drop").rate_variables["logit"].assign(1.0)
    move_through(learned, tmp_path / "learned.weights.h5")(other)
    assert rate_of(other) == pytest.approx(begin)

    other.get_layer("drop").rate_variables["rate"].assign(0.9)
    move_through(other, tmp_path / "other.weights.h5")(learned)
    assert rate_of(learned) == pytest.approx(1 / (1 + np.exp(-1.0)))
