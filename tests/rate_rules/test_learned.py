"""The mask, the penalty and the gradient of a learned rate agree with NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate
from kdropout.layers import AlphaDropout, Dropout, SpatialDropout1D
from tests.tools import entropy_term, sigmoid


def set_logit(layer, logit):
    layer.rate_variables["logit"].assign(logit)


@pytest.mark.parametrize("initial", [0.1, 0.5, 0.999, 1e-4])
def test_rate_starts_at_initial(initial):
    assert Dropout(LearnedRate(initial)).rate == pytest.approx(initial, rel=1e-6)


@pytest.mark.parametrize("logit", [-9.0, -1.5, 0.0, 0.3, 6.0])
def test_rate_is_the_sigmoid_of_its_logit(logit):
    layer = Dropout(LearnedRate())
    set_logit(layer, logit)
    assert layer.rate == pytest.approx(sigmoid(logit), rel=1e-6)
    assert [v.name for v in layer.trainable_variables] == ["rate_logit"]


# Layers with the number of units that they drop per sample of shape (6, 5).
UNITS = [
    (Dropout, {}, 30),
    (Dropout, {"noise_shape": (None, 1, None)}, 5),
    (Dropout, {"noise_shape": (None, None, 1)}, 6),
    (AlphaDropout, {}, 30),
    (SpatialDropout1D, {}, 5),
    (SpatialDropout1D, {"data_format": "channels_first"}, 6),
]


@pytest.mark.parametrize("kind, kwargs, units", UNITS)
def test_penalty_is_the_entropy_term_times_the_units(kind, kwargs, units):
    for rate in (0.03, 0.5, 0.9):
        layer = kind(LearnedRate(rate, regularizer=2e-3), **kwargs)
        layer(np.ones((4, 6, 5), "float32"), training=False)
        (penalty,) = layer.losses
        wanted = 2e-3 * units * entropy_term(rate)
        assert float(ops.convert_to_numpy(penalty)) == pytest.approx(wanted, rel=1e-5)


def test_penalty_is_the_same_in_training_and_inference():
    layer = Dropout(LearnedRate(0.2, regularizer=2e-3))
    for training in (False, True):
        layer(np.ones((6, 4), "float32"), training=training)
        (penalty,) = layer.losses
        wanted = 2e-3 * 4 * entropy_term(0.2)
        assert float(ops.convert_to_numpy(penalty)) == pytest.approx(wanted, rel=1e-5)


def model_with(*layers, **kwargs):
    model = keras.Sequential([keras.Input((4,)), *layers])
    # On JAX, compiling would take most of the time and is not needed here.
    model.compile(run_eagerly=keras.backend.backend() == "jax", **kwargs)
    return model


def test_penalty_is_part_of_the_loss_of_the_model():
    layer = Dropout(LearnedRate(0.2, regularizer=1e-2))
    model = model_with(layer, loss="mse", optimizer="sgd")
    x, y = np.ones((6, 4), "float32"), np.zeros((6, 4), "float32")
    loss = model.evaluate(x, y, batch_size=3, verbose=0)
    # Inputs of 1 with targets of 0 cost 1. The penalty adds that of 4 units at rate
    # 0.2.
    assert loss == pytest.approx(1.0 + 1e-2 * 4 * entropy_term(0.2), rel=1e-6)
    model(x)
    assert len(model.losses) == 1


@pytest.mark.parametrize("initial", [0.02, 0.3, 0.8])
def test_penalty_moves_the_rate_towards_one_half(initial):
    layer = Dropout(LearnedRate(initial, regularizer=0.5))
    model = model_with(
        layer,
        loss=lambda y, outputs: 0.0 * ops.mean(outputs, axis=-1),
        optimizer=keras.optimizers.SGD(0.1),
    )
    x = np.ones((6, 4), "float32")
    model.train_on_batch(x, x)
    # d/dz of p log p + (1 - p) log(1 - p) at p = sigmoid(z) is z p (1 - p).
    logit = np.log(initial / (1 - initial))
    wanted = logit - 0.1 * 0.5 * 4 * logit * initial * (1 - initial)
    assert layer.rate == pytest.approx(sigmoid(wanted), rel=1e-5)
    assert abs(layer.rate - 0.5) < abs(initial - 0.5)


def test_gradient_of_the_rate_is_the_slope_of_the_loss():
    layer = Dropout(LearnedRate(0.3, regularizer=0.0, temperature=0.5), seed=1)
    model = model_with(
        layer,
        loss=lambda y, outputs: ops.mean((outputs - y) ** 2, axis=-1),
        optimizer=keras.optimizers.SGD(1.0),
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 4)).astype("float32")
    logit = np.log(0.3 / 0.7)
    seed = ops.convert_to_numpy(layer.seed_generator.state)

    def loss(logit):
        set_logit(layer, logit)
        layer.seed_generator.state.assign(seed)
        outputs = ops.convert_to_numpy(layer(x, training=True)).astype("float64")
        return np.mean((outputs - y) ** 2)

    slope = (loss(logit + 1e-2) - loss(logit - 1e-2)) / 2e-2
    set_logit(layer, logit)
    layer.seed_generator.state.assign(seed)
    model.train_on_batch(x, y)
    moved = float(ops.convert_to_numpy(layer.rate_variables["logit"])) - logit
    assert abs(slope) > 0.1
    assert moved == pytest.approx(-slope, rel=1e-2)


@pytest.mark.parametrize("rate, temperature", [(0.1, 0.1), (0.7, 2 / 3)])
def test_mask_has_the_mean_and_variance_of_the_concrete_distribution(rate, temperature):
    layer = Dropout(LearnedRate(rate, temperature=temperature), seed=1)
    size = 400_000
    outputs = layer(np.ones((size // 100, 100), "float32"), training=True)
    keep = ops.convert_to_numpy(outputs) * (1 - rate)
    assert keep.min() >= 0.0 and keep.max() <= 1.0 + 1e-6

    # The two moments by quadrature over u, with 1e6 midpoints.
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    logits = np.log(rate / (1 - rate)) + np.log(u / (1 - u))
    wanted = 1 - sigmoid(np.clip(logits / temperature, -700, 700))
    assert abs(keep.mean() - wanted.mean()) < 5 * wanted.std() / np.sqrt(size)
    fourth = np.mean((wanted - wanted.mean()) ** 4)
    deviation = np.sqrt((fourth - wanted.var() ** 2) / size)
    assert abs(keep.var() - wanted.var()) < 5 * deviation


def test_cold_mask_is_almost_hard():
    layer = Dropout(LearnedRate(0.25, temperature=1e-3), seed=1)
    outputs = layer(np.ones((4000, 100), "float32"), training=True)
    keep = ops.convert_to_numpy(outputs) * 0.75
    hard = (keep < 1e-3) | (keep > 1 - 1e-3)
    # The probability of |logit(p) + logit(u)| < 7e-3 is 14e-3 * p * (1 - p).
    assert 1 - hard.mean() < 2 * 14e-3 * 0.25 * 0.75
    # Five standard deviations of a share of 4e5.
    assert abs((keep < 0.5).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4e5)


def test_inference_returns_the_inputs():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    outputs = Dropout(LearnedRate(0.4))(x, training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(outputs), x)


def test_learned_rate_survives_saving(tmp_path):
    layer = Dropout(LearnedRate(0.2, regularizer=1e-3, temperature=0.4), name="drop")
    model = model_with(layer, loss="mse", optimizer="sgd")
    set_logit(layer, 0.7)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras").get_layer("drop")
    assert restored.rate == pytest.approx(sigmoid(0.7), rel=1e-6)
    assert restored._rate_rule.get_config() == {
        "initial_rate": 0.2,
        "regularizer": 1e-3,
        "temperature": 0.4,
    }


def test_layers_that_share_a_learned_rate_learn_separately():
    spec = LearnedRate(0.3)
    first, second = Dropout(spec), Dropout(spec)
    set_logit(first, 2.0)
    assert first.rate == pytest.approx(sigmoid(2.0), rel=1e-6)
    assert second.rate == pytest.approx(0.3, rel=1e-6)


# A logit that is converted to a rate and back is 0 / 0 if float32 rounded to an end.
@pytest.mark.parametrize("logit", [-110.0, -80.0, 16.0, 18.0, 60.0])
def test_rate_driven_to_an_end_gives_no_nan(logit):
    layer = Dropout(LearnedRate(0.5), seed=1)
    dense = keras.layers.Dense(1)
    model = model_with(layer, dense, loss="mse", optimizer=keras.optimizers.SGD(0.1))
    set_logit(layer, logit)
    x, y = np.ones((6, 4), "float32"), np.ones((6, 1), "float32")
    losses = [model.train_on_batch(x, y) for _ in range(2)]
    assert np.isfinite(losses).all()
    assert np.isfinite(layer.rate)


def test_initial_rate_may_be_named_initial_as_in_version_0_1():
    with pytest.warns(DeprecationWarning, match="'initial' .* is 'initial_rate' now"):
        rate = LearnedRate(initial=0.3)
    assert rate.get_config() == LearnedRate(0.3).get_config()
    with pytest.raises(ValueError, match="'initial' is the old name"):
        LearnedRate(0.3, initial=0.3)
    config = {"initial": 0.3, "regularizer": 1e-5, "temperature": 0.1}
    assert LearnedRate.from_config(config).initial_rate == 0.3
