"""A scheduled rate equals the schedule at every training step of the layer."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import Dropout, GaussianDropout
from kdropout.schedules import LateDropout, Ramp

ONES = np.ones((4, 3), "float32")


@keras.saving.register_keras_serializable(package="test_scheduled")
def halving(step):
    return 0.8 * 0.5**step


def unregistered(step):
    return 0.01 * step


class Steps:
    """A schedule as an instance of a user's class, without a name."""

    def __call__(self, step):
        return ops.minimum(0.1 * step, 0.9)


SCHEDULES = [
    (Ramp(0.1, 0.7, 6), lambda t: np.interp(t, [0, 6], [0.1, 0.7])),
    (halving, lambda t: 0.8 * 0.5**t),
    (Steps(), lambda t: np.minimum(0.1 * t, 0.9)),
    (
        keras.optimizers.schedules.CosineDecay(0.6, decay_steps=8, alpha=0.25),
        lambda t: 0.15 + 0.45 * np.cos(np.pi / 2 * np.minimum(t / 8, 1)) ** 2,
    ),
    (
        keras.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.5, 0.2, 0.0]),
        lambda t: np.select([t <= 3, t <= 5], [0.5, 0.2], 0.0),
    ),
]
IDS = ["ramp", "registered", "object", "cosine_decay", "piecewise"]


def in_model(layer):
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    return model


@pytest.mark.parametrize("schedule, formula", SCHEDULES, ids=IDS)
def test_rate_equals_the_schedule_at_every_training_call(schedule, formula):
    layer = Dropout(schedule)
    assert layer.rate == pytest.approx(float(formula(0.0)), abs=1e-6)
    for step in range(12):
        layer(ONES, training=True)
        assert layer.rate == pytest.approx(float(formula(float(step))), abs=1e-6)


@pytest.mark.parametrize("schedule, formula", SCHEDULES[:4], ids=IDS[:4])
def test_rate_equals_the_schedule_at_every_step_of_fit(schedule, formula):
    class Recorder(keras.callbacks.Callback):
        rates = []

        def on_train_batch_end(self, batch, logs=None):
            self.rates.append(self.model.get_layer("drop").rate)

    recorder = Recorder()
    model = in_model(Dropout(schedule, name="drop"))
    x, y = np.ones((20, 3), "float32"), np.ones((20, 1), "float32")
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[recorder])
    wanted = formula(np.arange(10.0))
    np.testing.assert_allclose(recorder.rates, wanted, atol=1e-6)


def test_mask_is_drawn_at_the_rate_of_the_same_step():
    layer = Dropout(LateDropout(1.0, steps=3))
    sums = [float(ops.sum(layer(ONES, training=True))) for _ in range(5)]
    assert sums == [12.0, 12.0, 12.0, 0.0, 0.0]


def test_steps_do_not_advance_outside_training():
    layer = Dropout(Ramp(0.1, 0.9, 8), name="drop")
    model = in_model(layer)
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    model.fit(x, y, batch_size=4, verbose=0)  # steps 0 and 1
    layer(ONES)
    layer(ONES, training=False)
    model.predict(x, verbose=0)
    model.evaluate(x, y, verbose=0)
    assert layer.rate == pytest.approx(0.2)
    assert int(ops.convert_to_numpy(layer.rate_variables["step"])) == 2
    model.train_on_batch(x, y)
    assert layer.rate == pytest.approx(0.3)


def test_each_layer_counts_its_own_calls():
    ramp = Ramp(0.0, 0.8, 8)
    once, twice = Dropout(ramp), Dropout(ramp)
    for layer, calls in [(once, 1), (twice, 2)]:
        for _ in range(3 * calls):
            layer(ONES, training=True)
    assert (once.rate, twice.rate) == (pytest.approx(0.2), pytest.approx(0.5))


def test_lambda_warns_once_at_construction():
    with pytest.warns(UserWarning) as caught:
        layer = Dropout(lambda step: 0.1 * step)
    (warning,) = (w for w in caught if w.category is UserWarning)
    message = str(warning.message)
    assert "'<lambda>'" in message and "will not load" in message
    assert "register_keras_serializable" in message
    for _ in range(3):  # warnings are errors
        layer(ONES, training=True)
    assert layer.rate == pytest.approx(0.2)


@pytest.mark.parametrize(
    "kind",
    [
        Dropout,
        GaussianDropout,
    ],
)
def test_warning_points_to_the_line_that_made_the_layer(kind):
    with pytest.warns(UserWarning) as caught:
        kind(lambda step: 0.1 + 0.0 * step)
    assert [w.filename for w in caught if w.category is UserWarning] == [__file__]


def test_unregistered_function_warns_and_registered_one_does_not():
    with pytest.warns(UserWarning, match="'unregistered' works in training, but"):
        Dropout(unregistered)
    Dropout(halving)  # warnings are errors


@pytest.mark.parametrize(
    "schedule, formula", [SCHEDULES[1], SCHEDULES[3]], ids=[IDS[1], IDS[3]]
)
def test_schedule_and_its_clock_survive_saving_in_safe_mode(
    schedule, formula, tmp_path
):
    model = in_model(Dropout(schedule, name="drop"))
    x, y = np.ones((12, 3), "float32"), np.ones((12, 1), "float32")
    model.fit(x, y, batch_size=4, verbose=0)  # steps 0, 1 and 2
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert restored.get_layer("drop").rate == pytest.approx(formula(2.0), abs=1e-6)
    restored.train_on_batch(x, y)
    assert restored.get_layer("drop").rate == pytest.approx(formula(3.0), abs=1e-6)


# The warnings of kdropout and of Keras announce the error that is tested here.
@pytest.mark.filterwarnings("ignore:The schedule '<lambda>':UserWarning")
@pytest.mark.filterwarnings("ignore:The object being serialized:UserWarning")
def test_lambda_does_not_load_as_its_warning_announces(tmp_path):
    model = in_model(Dropout(lambda step: 0.1 + 0.0 * step))
    model.save(tmp_path / "model.keras")
    with pytest.raises((TypeError, ValueError), match="lambda"):
        keras.saving.load_model(tmp_path / "model.keras")


def test_config_holds_the_schedule_and_not_the_current_rate():
    layer = Dropout(Ramp(0.1, 0.7, 6))
    for _ in range(4):
        layer(ONES, training=True)
    copy = Dropout.from_config(layer.get_config())
    assert copy.rate == 0.1
    copy(ONES, training=True)
    copy(ONES, training=True)
    assert copy.rate == pytest.approx(0.2)


def test_layer_with_schedule_may_be_made_inside_a_symbolic_call():
    class Inner(keras.layers.Layer):
        def build(self, input_shape):
            self.drop = Dropout(LateDropout(1.0, steps=2))
            super().build(input_shape)

        def call(self, inputs, training=False):
            return self.drop(inputs, training=training)

    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def call(self, inputs, training=False):
            return self.inner(inputs, training=training)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Outer()(inputs))
    sums = [float(ops.sum(model(ONES, training=True))) for _ in range(4)]
    assert sums == [12.0, 12.0, 0.0, 0.0]
