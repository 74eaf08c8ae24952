"""A live ramp equals `schedules.Ramp` at every step and moves without retracing."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import Dropout
from kdropout.rate_rules import ScheduledRate
from kdropout.rate_rules.ramped import RampedRate
from kdropout.schedules import Ramp
from tests.tools import KERAS, CountedModel

ONES = np.ones((4, 3), "float32")
EAGER = keras.backend.backend() == "torch"

RAMPS = [
    Ramp(0.1, 0.7, 6),
    Ramp(0.7, 0.0, 5, curve="cosine"),
    Ramp(0.0, 1.0, 7, begin=2, curve="cosine"),
    Ramp(0.01, 0.9, 8, curve="exponential"),
    Ramp(1.0, 0.003, 4, begin=1, curve="exponential"),
    Ramp(0.4, 0.4, 1),
]


def formula(ramp, step):
    """Compute the rate at `step` in NumPy and double precision."""
    share = np.clip((step - ramp.begin) / ramp.steps, 0.0, 1.0)
    if ramp.curve == "exponential":
        return ramp.start ** (1.0 - share) * ramp.end**share
    if ramp.curve == "cosine":
        share = np.sin(0.5 * np.pi * share) ** 2
    return ramp.start + (ramp.end - ramp.start) * share


def move(layer, ramp):
    layer._rate_rule.set_ramp(layer, ramp)


def number(variable):
    return int(ops.convert_to_numpy(variable))


class Recorder(keras.callbacks.Callback):
    """Records the rate of each step, and moves the ramp before an epoch."""

    def __init__(self, ramps=()):
        super().__init__()
        self.ramps = list(ramps)
        self.rates = []

    def on_epoch_begin(self, epoch, logs=None):
        if self.ramps:
            layer = self.model.get_layer("drop")
            layer.rate_variables["step"].assign(0)
            move(layer, self.ramps[epoch])

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(self.model.get_layer("drop").rate)


def in_model(rate, kind=keras.Model):
    inputs = keras.Input((3,))
    dropped = Dropout(rate, name="drop")(inputs)
    model = kind(inputs, keras.layers.Dense(1)(dropped))
    model.compile(optimizer="sgd", loss="mse")
    return model


def data(batches):
    return np.ones((4 * batches, 3), "float32"), np.ones((4 * batches, 1), "float32")


@pytest.mark.parametrize("ramp", RAMPS, ids=repr)
def test_rate_equals_the_schedule_at_every_training_call(ramp):
    live, plain = Dropout(RampedRate(ramp)), Dropout(ramp)
    assert live.rate == plain.rate
    for step in range(12):
        live(ONES, training=True)
        plain(ONES, training=True)
        assert live.rate == plain.rate, step
        assert live.rate == pytest.approx(formula(ramp, step), abs=1e-6)


@pytest.mark.parametrize("ramp", RAMPS, ids=repr)
def test_moved_ramp_equals_the_schedule_it_was_moved_to(ramp):
    live, plain = Dropout(RampedRate(Ramp(0.2, 0.9, 3))), Dropout(ramp)
    move(live, ramp)
    assert live.rate == plain.rate
    for step in range(12):
        live(ONES, training=True)
        plain(ONES, training=True)
        assert live.rate == plain.rate, step


def test_one_trace_serves_all_ramps():
    model = in_model(RampedRate(RAMPS[0]), CountedModel)
    recorder = Recorder(RAMPS)
    x, y = data(batches=9)
    model.fit(x, y, 4, epochs=len(RAMPS), verbose=0, callbacks=[recorder])
    assert model.entered == (9 * len(RAMPS) if EAGER else 1)
    wanted = [formula(ramp, step) for ramp in RAMPS for step in range(9)]
    np.testing.assert_allclose(recorder.rates, wanted, atol=1e-6)


def test_mask_is_drawn_at_the_rate_of_the_same_step():
    layer = Dropout(RampedRate(Ramp(0.0, 1.0, 1)))
    sums = [float(ops.sum(layer(ONES, training=True))) for _ in range(3)]
    assert sums == [12.0, 0.0, 0.0]
    move(layer, Ramp(0.0, 1.0, 4, begin=3))
    sums = [float(ops.sum(layer(ONES, training=True))) for _ in range(6)]
    assert sums[0] == 12.0 and sums[4:] == [0.0, 0.0]


def test_rate_in_effect_follows_a_move_in_mid_training():
    layer = Dropout(RampedRate(Ramp(0.0, 0.8, 8)))
    for _ in range(5):
        layer(ONES, training=True)
    move(layer, Ramp(0.8, 0.0, 8))
    assert layer.rate == pytest.approx(0.4)  # the rate of the last call, at step 4
    layer(ONES, training=True)
    assert layer.rate == pytest.approx(0.3)
    assert number(layer.rate_variables["step"]) == 6


def test_clock_stands_still_outside_training():
    layer = Dropout(RampedRate(Ramp(0.0, 0.8, 8)))
    layer(ONES, training=True)
    layer(ONES)
    layer(ONES, training=False)
    assert number(layer.rate_variables["step"]) == 1


def test_config_has_a_plain_ramp_with_the_current_values():
    layer = Dropout(RampedRate(Ramp(0.0, 0.8, 8)))
    assert (
        layer._rate_rule.ramp_of(layer).get_config() == Ramp(0.0, 0.8, 8).get_config()
    )
    wanted = Ramp(0.1, 0.7, 30, begin=2, curve="exponential")
    move(layer, wanted)
    copy = Dropout.from_config(layer.get_config())
    assert type(copy._rate_rule) is ScheduledRate
    assert copy._rate_rule.schedule.get_config() == wanted.get_config()


@pytest.mark.parametrize("ramp", RAMPS[:4], ids=repr)
def test_saved_model_resumes_at_its_step(ramp, tmp_path):
    model = in_model(RampedRate(Ramp(0.5, 0.2, 3)))
    move(model.get_layer("drop"), ramp)
    x, y = data(batches=3)
    model.fit(x, y, 4, verbose=0)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert restored.get_layer("drop").rate == model.get_layer("drop").rate
    for either in (model, restored):
        either.train_on_batch(x[:4], y[:4])
        assert either.get_layer("drop").rate == pytest.approx(
            formula(ramp, 3), abs=1e-6
        )
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), restored.predict(x, verbose=0)
    )


def test_weights_restore_the_ramp(tmp_path):
    model, other = (in_model(RampedRate(Ramp(0.5, 0.2, 3))) for _ in range(2))
    ramp = Ramp(0.1, 0.6, 9, curve="cosine")
    move(model.get_layer("drop"), ramp)
    x, y = data(batches=4)
    model.fit(x, y, 4, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    moved = other.get_layer("drop")
    assert moved._rate_rule.ramp_of(moved).get_config() == ramp.get_config()
    assert other.get_layer("drop").rate == model.get_layer("drop").rate


def test_rate_cannot_be_set():
    layer = Dropout(RampedRate(Ramp(0.0, 0.8, 8)), name="drop")
    with pytest.raises(TypeError, match="'drop' is decided by schedule Ramp"):
        layer.rate = 0.3


def test_gradients_are_finite_where_those_of_an_exponential_ramp_are_not():
    model = in_model(RampedRate(Ramp(0.0, 0.5, 4)))
    x, y = data(batches=6)
    history = model.fit(x, y, 4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: RampedRate(0.5), TypeError, ["'ramp'", "schedules.Ramp", "0.5"]),
        (
            lambda: RampedRate(Ramp(0.0, 0.5, 2**31)),
            ValueError,
            ["at most 2147483647 steps", "steps=2147483648"],
        ),
        (
            lambda: move(Dropout(RampedRate(Ramp(0.0, 0.5, 3))), {"start": 0.1}),
            TypeError,
            ["'ramp'", "start"],
        ),
    ],
)
def test_other_rates_than_a_ramp_are_refused(make, error, words):
    with pytest.raises(error) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


def test_layers_that_share_a_rule_move_separately():
    rule = RampedRate(Ramp(0.0, 0.5, 3))
    layer, other = Dropout(rule), Dropout(rule)
    move(layer, RAMPS[1])
    assert rule.ramp_of(layer).get_config() == RAMPS[1].get_config()
    assert rule.ramp_of(other).get_config() == Ramp(0.0, 0.5, 3).get_config()


class MovesBetweenBatches(keras.callbacks.Callback):
    """Holds the layer itself, whose variables Keras on JAX has removed."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def on_train_batch_end(self, batch, logs=None):
        move(self.layer, RAMPS[1])


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="elsewhere it is not lost")
def test_move_that_would_be_lost_is_refused():
    layer = Dropout(RampedRate(RAMPS[0]))
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="has no value, because on JAX"):
        model.fit(ONES, ONES, callbacks=[MovesBetweenBatches(layer)], verbose=0)
    if KERAS >= (3, 11):  # older versions leave the variables without values
        assert layer._rate_rule.ramp_of(layer).get_config() == RAMPS[0].get_config()
