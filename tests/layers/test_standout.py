"""In Standout, the inputs decide which units are kept, by the formula in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import Standout
from tests.tools import CountedModel, numpy, sigmoid

BACKEND = keras.backend.backend()
EAGERLY = BACKEND == "jax"  # the small models need no compiling
ALPHA, BETA = 0.8, -0.3


def make(activation="sigmoid", units=4, **kwargs):
    """Return a layer with a random bias, and inputs."""
    dense = keras.layers.Dense(
        units, activation, bias_initializer=keras.initializers.RandomNormal(seed=3)
    )
    kwargs = {"alpha": ALPHA, "beta": BETA, "seed": 1, "name": "standout", **kwargs}
    layer = Standout(dense, **kwargs)
    layer.build((None, 5))
    return layer, np.random.default_rng(0).normal(size=(6, 5)).astype("float32")


def driven(layer, x):
    """Compute inputs times kernel, plus the bias, in double precision."""
    kernel, bias = (w.astype("float64") for w in layer.layer.get_weights())
    return x @ kernel, bias


def test_inference_is_the_expectation():
    layer, x = make()
    product, bias = driven(layer, x)
    wanted = sigmoid(ALPHA * product + BETA) * sigmoid(product + bias)
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-5)
    assert layer.rate == 0.0


@pytest.mark.parametrize(
    "wrapped, plain",
    [
        (
            keras.layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d"),
            keras.layers.EinsumDense("abc,cd->abd", (None, 4)),
        ),
        (
            keras.layers.Conv1D(4, 2, padding="causal", bias_initializer="ones"),
            keras.layers.Conv1D(4, 2, padding="causal", use_bias=False),
        ),
    ],
)
def test_inference_of_other_layers_is_the_expectation(wrapped, plain):
    layer = Standout(wrapped, alpha=ALPHA, beta=BETA)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    outputs = numpy(layer(x))
    plain.build(x.shape)
    plain.kernel.assign(wrapped.kernel)
    product = numpy(plain(x)).astype("float64")
    wanted = sigmoid(ALPHA * product + BETA) * (product + numpy(wrapped.bias))
    np.testing.assert_allclose(outputs, wanted, rtol=1e-4, atol=1e-6)


def test_units_are_kept_with_their_probability_and_not_scaled():
    layer, x = make(units=30)
    x, draws = 3 * x, 4000
    outputs = numpy(layer(np.repeat(x, draws, axis=0), training=True))
    outputs = outputs.reshape(len(x), draws, 30)
    product, bias = driven(layer, x)
    kept = outputs != 0.0  # the sigmoid itself is never 0
    wanted = np.where(kept, sigmoid(product + bias)[:, None], 0.0)
    np.testing.assert_allclose(outputs, wanted, rtol=1e-5)
    probability = sigmoid(ALPHA * product + BETA)
    # The bound is five standard deviations for each of 180 units.
    deviation = np.sqrt(probability * (1 - probability) / draws)
    assert (np.abs(kept.mean(axis=1) - probability) < 5 * deviation).all()
    assert np.ptp(probability) > 0.5


def test_alpha_0_keeps_all_units_with_the_same_probability():
    layer, x = make(units=400, alpha=0, beta=1.5)
    kept = numpy(layer(x, training=True)) != 0.0
    keep = sigmoid(1.5)
    assert abs(kept.mean() - keep) < 5 * np.sqrt(keep * (1 - keep) / kept.size)
    assert layer.rate == pytest.approx(1 - keep, rel=1e-5)


def test_rate_is_the_mean_of_the_last_training_step():
    layer, x = make()
    for inputs in (x, 2 * x):
        layer(inputs, training=True)
        product, _ = driven(layer, inputs)
        wanted = np.mean(1 - sigmoid(ALPHA * product + BETA))
        assert layer.rate == pytest.approx(wanted, rel=1e-5)
    layer(5 * x)  # inference does not count
    assert layer.rate == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mean_rate_of_many_units_is_finite_in_half_precision(dtype):
    # The sum over 2e5 units exceeds float16.
    layer = Standout(keras.layers.Dense(1000, dtype=dtype), beta=-2.0)
    layer(np.zeros((200, 3), "float32"), training=True)
    assert layer.rate == pytest.approx(1 - sigmoid(-2.0), rel=1e-5)


def test_gradient_passes_only_the_kept_units():
    # The loss is the sum of the outputs, so a bias moves by its number of kept units.
    layer, x = make("linear", units=50)
    model = keras.Sequential([keras.Input((5,)), layer])
    model.compile(
        optimizer=keras.optimizers.SGD(1.0),
        loss=lambda y, outputs: ops.sum(outputs, axis=-1),
        run_eagerly=EAGERLY,
    )
    state = numpy(layer.seed_generator.state)
    kept = (numpy(layer(x, training=True)) != 0.0).mean(axis=0)
    layer.seed_generator.state.assign(state)
    before = numpy(layer.layer.bias)
    model.train_on_batch(x, np.zeros((6, 50), "float32"))
    np.testing.assert_allclose(before - numpy(layer.layer.bias), kept, atol=1e-5)


class Mover(keras.callbacks.Callback):
    """Sets alpha and beta before each epoch, and records the rate after it."""

    def __init__(self, values):
        super().__init__()
        self.values = values
        self.rates = []

    def on_epoch_begin(self, epoch, logs=None):
        layer = self.model.get_layer("standout")
        layer.alpha, layer.beta = self.values[epoch]

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(self.model.get_layer("standout").rate)


def test_alpha_and_beta_move_in_a_compiled_fit_with_one_trace():
    layer, x = make()
    inputs = keras.Input((5,))
    model = CountedModel(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=BACKEND == "jax")
    mover = Mover([(0.8, 0.0), (0, 20), (0, -20), (-3.0, 0.5)])
    y = np.zeros((6, 4), "float32")
    model.fit(x, y, batch_size=6, epochs=4, verbose=0, callbacks=[mover])
    # PyTorch runs step by step, so each training step enters `train_step` again.
    assert model.entered == (4 if BACKEND == "torch" else 1)
    product, _ = driven(layer, x)
    for (alpha, beta), rate in zip(mover.values, mover.rates, strict=True):
        wanted = np.mean(1 - sigmoid(alpha * product + beta))
        assert rate == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    assert (layer.alpha, layer.beta) == (-3.0, 0.5)


def test_setting_the_rate_is_refused_with_a_remedy_that_exists():
    layer, _ = make()
    with pytest.raises(TypeError, match="rate of layer 'standout' is dec") as raised:
        layer.rate = 0.3
    message = str(raised.value)
    assert "rate=0.3" in message
    # There is no argument 'rate' to pass: 'beta' and 'alpha' move the rate.
    assert "kdropout.set_rates" not in message
    assert "beta" in message


def test_alpha_beta_and_rate_survive_saving(tmp_path):
    layer, x = make()
    model = keras.Sequential([keras.Input((5,)), layer])
    layer.alpha, layer.beta = 0.25, 1.5
    layer(x, training=True)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    fresh, _ = make()
    other = keras.Sequential([keras.Input((5,)), fresh])
    other.load_weights(tmp_path / "model.weights.h5")
    for copy in (restored.get_layer("standout"), fresh):
        assert (copy.alpha, copy.beta, copy.rate) == (0.25, 1.5, layer.rate)
        np.testing.assert_array_equal(numpy(copy(x)), numpy(layer(x)))
    # The config holds the constructor arguments.
    config = restored.get_layer("standout").get_config()
    assert (config["alpha"], config["beta"], config["seed"]) == (ALPHA, BETA, 1)


def test_training_continues_after_saving_with_the_same_masks(tmp_path):
    layer, x = make()
    model = keras.Sequential([keras.Input((5,)), layer])
    layer(x, training=True)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras").get_layer("standout")
    wanted = numpy(layer(x, training=True))
    np.testing.assert_array_equal(numpy(restored(x, training=True)), wanted)
