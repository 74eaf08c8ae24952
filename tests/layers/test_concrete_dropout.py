"""The mask, the terms and the gradient of concrete dropout agree with NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import noise
from kdropout.callbacks import RateLogger
from kdropout.layers import ConcreteDropout
from tests.tools import entropy_term, logit, numpy, sigmoid

# On JAX, compiling the models would take most of the time and is not needed here.
EAGERLY = keras.backend.backend() == "jax"
RATE, WEIGHT, ENTROPY = 0.3, 2e-2, 0.2


def dropped(x, u, rate, temperature):
    """Compute the paper's equation, inputs times their relaxed mask, in double
    precision.
    """
    z = sigmoid((logit(rate) + logit(u.astype("float64"))) / temperature)
    return x * (1 - z) / (1 - rate)


# Layers, the shape of their inputs, that of the mask, and the number K of inputs.
CASES = {
    "dense": (lambda: keras.layers.Dense(4, "relu"), (6, 5), (6, 5), 5),
    "dense over time": (lambda: keras.layers.Dense(4), (6, 3, 5), (6, 3, 5), 5),
    "einsum": (
        lambda: keras.layers.EinsumDense("abcd,cde->abe", (None, 4), bias_axes="e"),
        (6, 2, 3, 5),
        (6, 2, 3, 5),
        15,
    ),
    "conv1d": (lambda: keras.layers.Conv1D(4, 2), (6, 5, 3), (6, 1, 3), 3),
    "conv2d": (
        lambda: keras.layers.Conv2D(4, 2, padding="same", activation="tanh"),
        (6, 5, 4, 3),
        (6, 1, 1, 3),
        3,
    ),
    "conv2d, channels first": (
        lambda: keras.layers.Conv2D(4, 2, data_format="channels_first"),
        (6, 3, 5, 4),
        (6, 3, 1, 1),
        3,
    ),
    "conv3d": (lambda: keras.layers.Conv3D(4, 1), (6, 2, 3, 2, 3), (6, 1, 1, 1, 3), 3),
}


def make(name, **kwargs):
    factory, shape, mask_shape, num_inputs = CASES[name]
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    return ConcreteDropout(factory(), RATE, seed=7, **kwargs), x, mask_shape, num_inputs


def first_uniform(shape):
    """Return the uniform numbers of the first call of a layer with seed 7."""
    return numpy(noise.uniform(shape, keras.random.SeedGenerator(7).next()))


@pytest.mark.parametrize("temperature", [None, 0.4])
@pytest.mark.parametrize("name", CASES)
def test_inputs_are_dropped_by_the_formula(name, temperature):
    layer, x, mask_shape, _ = make(name, temperature=temperature)
    outputs = numpy(layer(x, training=True))
    used = temperature or (2 / 3 if name.startswith("conv") else 0.1)
    inputs = dropped(x, first_uniform(mask_shape), RATE, used)
    wanted = numpy(layer.layer(inputs.astype("float32")))
    # The temperature of 0.1 magnifies the float32 rounding of a logit tenfold.
    np.testing.assert_allclose(outputs, wanted, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_terms_follow_the_formula(name, training):
    layer, x, _, num_inputs = make(
        name, weight_regularizer=WEIGHT, dropout_regularizer=ENTROPY
    )
    layer(x, training=training)
    kernel = numpy(layer.layer.kernel).astype("float64")
    wanted = {
        "weight_term": WEIGHT * np.sum(kernel**2) / (1 - RATE),
        "entropy_term": ENTROPY * num_inputs * entropy_term(RATE),
    }
    terms = sorted(float(numpy(loss)) for loss in layer.losses)
    assert terms == pytest.approx(sorted(wanted.values()), rel=1e-5)
    if training:
        shown = layer.log_values()
        assert {name: shown[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


def test_inference_keeps_the_terms_of_the_last_step():
    layer, x, _, _ = make("dense", weight_regularizer=WEIGHT)
    layer(x, training=True)
    shown = layer.log_values()
    layer.layer.kernel.assign(2 * layer.layer.kernel)
    layer(x)
    assert layer.log_values() == shown


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_terms_are_summed_in_single_precision(policy):
    # The step computes with the kernel in bfloat16, where 0.1 is 0.10010.
    dense = keras.layers.Dense(
        50, kernel_initializer=keras.initializers.Constant(0.1), dtype=policy
    )
    layer = ConcreteDropout(dense, RATE, WEIGHT, ENTROPY)
    layer(np.ones((2, 40), "float32"), training=True)
    wanted = WEIGHT * 2000 * 0.1**2 / (1 - RATE) + ENTROPY * 40 * entropy_term(RATE)
    total = sum(float(numpy(loss)) for loss in layer.losses)
    assert total == pytest.approx(wanted, rel=2**-8)


@pytest.mark.parametrize("name", CASES)
def test_inference_equals_the_wrapped_layer(name):
    layer, x, _, _ = make(name)
    np.testing.assert_array_equal(numpy(layer(x)), numpy(layer.layer(x)))


def one_layer_model(learning_rate=1.0, **kwargs):
    layer = ConcreteDropout(
        keras.layers.Dense(2),
        RATE,
        WEIGHT,
        ENTROPY,
        temperature=0.5,
        seed=7,
        name="concrete",
        **kwargs,
    )
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(
        keras.optimizers.SGD(learning_rate),
        loss="mse",
        metrics=["mse"],
        run_eagerly=EAGERLY,
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4)).astype("float32")
    return model, layer, x, rng.normal(size=(6, 2)).astype("float32")


def test_gradient_of_the_rate_is_the_slope_of_the_whole_loss():
    model, layer, x, y = one_layer_model()
    kernel, bias = (w.astype("float64") for w in layer.layer.get_weights())
    u = first_uniform((6, 4))

    def loss(logit):
        rate = sigmoid(logit)
        outputs = dropped(x, u, rate, 0.5) @ kernel + bias
        weight_term = WEIGHT * np.sum(kernel**2) / (1 - rate)
        terms = weight_term + ENTROPY * 4 * entropy_term(rate)
        return np.mean((outputs - y) ** 2) + terms

    start = logit(RATE)
    slope = (loss(start + 1e-5) - loss(start - 1e-5)) / 2e-5
    values = model.train_on_batch(x, y, return_dict=True)
    assert values["loss"] == pytest.approx(loss(start), rel=1e-5)
    moved = float(numpy(layer.rate_variables["logit"])) - start
    assert abs(slope) > 0.01
    assert moved == pytest.approx(-slope, rel=1e-3)


def test_loss_of_fit_is_the_data_loss_plus_the_logged_terms():
    model, _, x, y = one_layer_model(0.1)
    logs = model.fit(
        x, y, batch_size=6, epochs=3, verbose=0, callbacks=[RateLogger()]
    ).history
    terms = [logs["weight_term/concrete"], logs["entropy_term/concrete"]]
    np.testing.assert_allclose(logs["loss"], np.sum([logs["mse"], *terms], 0), 1e-5)
    assert min(terms[0]) > 0 > max(terms[1])
    # The terms are those before the step, the rate is that after it.
    assert terms[1][0] == pytest.approx(ENTROPY * 4 * entropy_term(RATE), rel=1e-5)
    wanted = ENTROPY * 4 * entropy_term(np.array(logs["rate/concrete"][:-1]))
    np.testing.assert_allclose(terms[1][1:], wanted, rtol=1e-5)


def test_loss_of_evaluate_is_the_data_loss_plus_the_terms():
    model, layer, x, y = one_layer_model()
    logs = model.evaluate(x, y, batch_size=3, verbose=0, return_dict=True)
    kernel, bias = (w.astype("float64") for w in layer.layer.get_weights())
    mse = np.mean((x @ kernel + bias - y) ** 2)
    terms = WEIGHT * np.sum(kernel**2) / (1 - RATE) + ENTROPY * 4 * entropy_term(RATE)
    assert logs["mse"] == pytest.approx(mse, rel=1e-5)
    assert logs["loss"] == pytest.approx(mse + terms, rel=1e-5)


def test_terms_of_all_layers_add_up():
    layers = [
        ConcreteDropout(keras.layers.Dense(3), rate, weight_regularizer=0.0, name=name)
        for rate, name in ((0.1, "first"), (0.4, "second"))
    ]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model(np.ones((2, 5), "float32"))
    wanted = 1e-5 * (5 * entropy_term(0.1) + 3 * entropy_term(0.4))
    total = sum(float(numpy(loss)) for loss in model.losses)
    assert total == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("initial", [0.05, 0.9])
def test_strong_entropy_term_moves_the_rate_to_one_half(initial):
    layer = ConcreteDropout(
        keras.layers.Dense(1),
        initial,
        weight_regularizer=0.0,
        dropout_regularizer=10.0,
        seed=7,
    )
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=EAGERLY)
    assert layer.rate == initial
    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    model.fit(x, x[:, :1], batch_size=4, epochs=3, verbose=0)
    assert abs(layer.rate - 0.5) < 0.5 * abs(initial - 0.5)


def test_large_weights_lower_the_rate():
    # Only the weight term has a slope: d/dz of 1 / (1 - sigmoid(z)) is exp(z).
    layer = ConcreteDropout(
        keras.layers.Dense(3, kernel_initializer="ones"),
        RATE,
        weight_regularizer=0.01,
        dropout_regularizer=0.0,
    )
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(
        keras.optimizers.SGD(1.0),
        loss=lambda y, outputs: 0.0 * ops.mean(outputs, axis=-1),
        run_eagerly=EAGERLY,
    )
    x = np.ones((2, 4), "float32")
    model.train_on_batch(x, x[:, :3])
    wanted = sigmoid(logit(RATE) - 0.01 * 12 * RATE / (1 - RATE))
    assert layer.rate == pytest.approx(wanted, rel=1e-5)


def test_training_continues_after_saving(tmp_path):
    model, layer, x, y = one_layer_model(0.1)
    model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    restored.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=EAGERLY)
    other = restored.get_layer("concrete")
    for name in ("initial_rate", "weight_regularizer", "dropout_regularizer", "seed"):
        assert other.get_config()[name] == layer.get_config()[name]
    assert other._rate_rule.temperature == 0.5
    assert other.rate == layer.rate != RATE
    for each in (model, restored):
        each.train_on_batch(x, y)
    assert other.rate == layer.rate
    for one, two in zip(
        layer.layer.get_weights(), other.layer.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind, temperature", [("dense", 0.1), ("conv2d", 2 / 3)])
def test_default_temperature_is_that_of_the_authors(kind, temperature):
    layer, _, _, _ = make(kind)
    assert layer._rate_rule.temperature == temperature
    assert layer.get_config()["temperature"] is None


def test_setting_the_rate_is_refused_with_a_remedy_that_exists():
    layer = ConcreteDropout(keras.layers.Dense(2), name="concrete")
    with pytest.raises(TypeError, match="'concrete' is decided by gradient") as raised:
        layer.rate = 0.3
    # There is no argument 'rate' to pass.
    assert "kdropout.set_rates" not in str(raised.value)
