"""A scheduled rate follows its formula step by step in every kind of training."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout

UNITS, BATCH_SIZE = 500, 4
STEPS_PER_EPOCH, EPOCHS = 20, 2
STEPS = STEPS_PER_EPOCH * EPOCHS
BEGIN, END, RAMP_STEPS = 0.8, 0.1, 32
LAST = 3  # steps recorded beyond STEPS


def ramp(step):
    """Compute `Ramp(BEGIN, END, RAMP_STEPS)` in NumPy and float64."""
    share = np.clip(step / RAMP_STEPS, 0, 1)
    return BEGIN + (END - BEGIN) * share


def cosine(step):
    """Compute `CosineDecay(BEGIN, STEPS)` in NumPy and float64."""
    return BEGIN * (1 + np.cos(np.pi * np.minimum(step / STEPS, 1))) / 2


SCHEDULES = {
    "Ramp": (lambda: kdropout.schedules.Ramp(BEGIN, END, RAMP_STEPS), ramp),
    "CosineDecay": (
        lambda: keras.optimizers.schedules.CosineDecay(BEGIN, STEPS),
        cosine,
    ),
}
# Bounds for a float32 rate, and for a rate computed from a float32 quotient.
TOLERANCE = 4 * 2.0**-24


@keras.saving.register_keras_serializable(package="test_schedule_clock")
class RateRecorder(keras.layers.Layer):
    """Records the rate that made its input, inside the compiled step.

    For ones, dropout returns zeros and `1 / (1 - rate)`. The largest value gives the
    rate without a look at the variables of the dropout layer.
    """

    def build(self, input_shape):
        self.rates = self.add_weight(
            shape=(STEPS + LAST,), initializer="zeros", trainable=False, name="rates"
        )
        self.count = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="count"
        )

    def call(self, inputs, training=False):
        if training:
            rate = 1.0 - 1.0 / ops.max(inputs)
            here = ops.arange(STEPS + LAST) == ops.convert_to_tensor(self.count)
            rates = ops.convert_to_tensor(self.rates)
            self.rates.assign(ops.where(here, rate, rates))
            self.count.assign(self.count + 1)
        return inputs


def make_model(schedule, steps_per_execution=1, **optimizer_arguments):
    inputs = keras.Input((UNITS,))
    dropped = kdropout.layers.Dropout(schedule, seed=1, name="drop")(inputs)
    recorded = RateRecorder(name="recorder")(dropped)
    model = keras.Model(inputs, keras.layers.Dense(1)(recorded))
    model.compile(
        keras.optimizers.SGD(1e-4, **optimizer_arguments),
        "mse",
        steps_per_execution=steps_per_execution,
    )
    return model


def data(steps=STEPS_PER_EPOCH):
    return np.ones((steps * BATCH_SIZE, UNITS)), np.ones((steps * BATCH_SIZE, 1))


def fit(model, epochs=EPOCHS, **arguments):
    arguments = {"batch_size": BATCH_SIZE, "verbose": 0, **arguments}
    return model.fit(*data(), epochs=epochs, **arguments)


def recorded_rates(model):
    recorder = model.get_layer("recorder")
    count = int(ops.convert_to_numpy(recorder.count))
    return ops.convert_to_numpy(recorder.rates)[:count]


def assert_follows(rates, formula, first=0):
    expected = formula(np.arange(first, first + len(rates)))
    np.testing.assert_allclose(rates, expected, rtol=0, atol=TOLERANCE)
    print(f"{len(rates)} steps, largest error {np.max(np.abs(rates - expected)):.1e}")


steps_per_execution_1_and_8 = pytest.mark.parametrize(
    "steps_per_execution",
    [
        1,
        pytest.param(
            8,
            marks=pytest.mark.skipif(
                keras.backend.backend() == "torch",
                reason="Keras has steps_per_execution=1 only on PyTorch",
            ),
        ),
    ],
)


@pytest.fixture(params=SCHEDULES)
def schedule_and_formula(request):
    make, formula = SCHEDULES[request.param]
    return make(), formula


@steps_per_execution_1_and_8
def test_rate_equals_the_formula_at_every_step(
    steps_per_execution, schedule_and_formula
):
    # 20 steps are not a multiple of 8, so the last execution of an epoch is shorter.
    schedule, formula = schedule_and_formula
    model = make_model(schedule, steps_per_execution)
    fit(model)
    rates = recorded_rates(model)
    assert len(rates) == STEPS
    assert_follows(rates, formula)


def test_rate_read_after_each_batch_is_the_one_it_was_trained_with(
    schedule_and_formula,
):
    schedule, formula = schedule_and_formula
    model = make_model(schedule)
    read = []

    class Reader(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            read.append(self.model.get_layer("drop").rate)

    assert abs(model.get_layer("drop").rate - formula(0)) <= TOLERANCE
    fit(model, callbacks=[Reader()])
    assert len(read) == STEPS
    assert_follows(np.array(read), formula)
    assert abs(model.get_layer("drop").rate - formula(STEPS - 1)) <= TOLERANCE


def test_gradient_accumulation_counts_each_step(schedule_and_formula):
    schedule, formula = schedule_and_formula
    model = make_model(schedule, gradient_accumulation_steps=4)
    fit(model)
    rates = recorded_rates(model)
    assert len(rates) == STEPS
    assert_follows(rates, formula)


@steps_per_execution_1_and_8
def test_evaluation_and_prediction_do_not_advance_the_clock(
    steps_per_execution, schedule_and_formula
):
    schedule, formula = schedule_and_formula
    model = make_model(schedule, steps_per_execution)

    def look():
        before = model.get_layer("drop").rate
        model.evaluate(*data(8), batch_size=BATCH_SIZE, verbose=0)
        model.predict(data(8)[0], batch_size=BATCH_SIZE, verbose=0)
        model(data(1)[0])
        model.get_layer("drop")(data(1)[0], training=False)
        assert model.get_layer("drop").rate == before

    look()
    fit(model, epochs=1, validation_data=data(8))
    look()
    fit(model, epochs=EPOCHS, initial_epoch=1, validation_data=data(8))
    look()
    rates = recorded_rates(model)
    assert len(rates) == STEPS
    assert_follows(rates, formula)


@pytest.mark.parametrize("form", ["model.keras", "model.weights.h5"])
def test_loaded_model_continues_in_mid_schedule(form, schedule_and_formula, tmp_path):
    schedule, formula = schedule_and_formula
    model = make_model(schedule)
    fit(model, epochs=1)
    if form == "model.keras":
        model.save(tmp_path / form)
        loaded = keras.saving.load_model(tmp_path / form)
    else:
        model.save_weights(tmp_path / form)
        loaded = make_model(schedule)
        loaded.load_weights(tmp_path / form)
    assert loaded.get_layer("drop").rate == model.get_layer("drop").rate
    # The recorded rates are weights, so `loaded` has them.
    fit(loaded, epochs=EPOCHS, initial_epoch=1)
    rates = recorded_rates(loaded)
    assert len(rates) == STEPS
    assert_follows(rates, formula)


@steps_per_execution_1_and_8
def test_resumed_fit_continues_from_the_backup(
    steps_per_execution, schedule_and_formula, tmp_path
):
    schedule, formula = schedule_and_formula

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if len(recorded_rates(self.model)) > STEPS_PER_EPOCH + 8:
                raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    model = make_model(schedule, steps_per_execution)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[backup, Interrupt()])
    assert STEPS_PER_EPOCH < len(recorded_rates(model)) < STEPS

    # The backup is of the end of epoch 1, so later steps are repeated.
    resumed = make_model(schedule, steps_per_execution)
    fit(resumed, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")])
    rates = recorded_rates(resumed)
    assert len(rates) == STEPS
    assert_follows(rates, formula)


def test_second_fit_continues_and_holds_the_end():
    model = make_model(SCHEDULES["Ramp"][0]())
    fit(model)
    model.fit(*data(LAST), batch_size=BATCH_SIZE, verbose=0)
    rates = recorded_rates(model)
    assert len(rates) == STEPS + LAST
    assert_follows(rates, ramp)
    assert rates[-1] == pytest.approx(END, abs=TOLERANCE)
