"""Layers under `tf.distribute.MirroredStrategy`, on two logical CPUs.

TensorFlow needs the number of logical CPUs before it starts. So this file runs itself
as a script that prints its measurements, and the tests check these.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import kdropout
from kdropout import callbacks, layers, schedules

REPLICAS, UNITS, CALLS = 2, 100_000, 4
STEPS_PER_EPOCH, EPOCHS = 5, 3
STEPS = STEPS_PER_EPOCH * EPOCHS
START, END, RAMP_STEPS = 0.8, 0.1, 10
FIRST_RATE, MOVED_RATE = 0.5, 0.2
TARGET, GAIN = 0.05, 0.3
SIGMAS = 5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def measured(folder):
    from tests.tools import code_for_devices  # the script cannot import it

    done = subprocess.run(
        [sys.executable, __file__, folder, code_for_devices("MirroredStrategy")],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_replicas_draw_independent_masks(measured):
    ours = measured["kdropout"]
    assert ours["shared"] == []
    print(f"worst correlation of two masks: {ours['worst']:.2f} sigma")
    assert ours["worst"] <= SIGMAS


def test_comparison_finds_the_shared_masks_of_keras(measured):
    # Each mask of the second replica equals that of the first in the same call.
    assert measured["keras"]["shared"] == [[call, call] for call in range(CALLS)]


def test_masks_have_their_rate_on_each_replica(measured):
    for rate, shares in measured["shares"].items():
        bound = SIGMAS * np.sqrt(float(rate) * (1 - float(rate)) / UNITS)
        print(f"rate {rate}: dropped {shares}")
        assert len(shares) == REPLICAS
        assert np.max(np.abs(np.array(shares) - float(rate))) <= bound


def test_write_reaches_all_replicas(measured):
    assert measured["written"] == [float(np.float32(MOVED_RATE))] * REPLICAS
    assert list(measured["shares"]) == [str(FIRST_RATE), str(MOVED_RATE)]


def test_rate_reads_back_as_a_float(measured):
    assert measured["read"] == MOVED_RATE
    assert measured["types"] == {
        kind: "float" for kind in ("fixed", "scheduled", "learned")
    }


def test_schedule_counts_each_step_once(measured):
    # With steps_per_execution=1: Keras 3.15 fails with more for all layers.
    scheduled = measured["scheduled"]
    assert scheduled["step"] == [STEPS] * REPLICAS
    expected = [
        START + (END - START) * min(step / RAMP_STEPS, 1) for step in range(STEPS)
    ]
    assert len(scheduled["used"]) == REPLICAS
    for used in scheduled["used"]:  # inside the compiled step of that replica
        np.testing.assert_allclose(used, expected, rtol=0, atol=4 * 2.0**-24)
    assert scheduled["rate"] == pytest.approx(expected[-1], abs=2.0**-24)


def test_callback_moves_the_rate_with_one_trace(measured):
    moved = measured["moved"]
    assert moved["traces"] == measured["traces_with_a_constant_rate"]
    assert moved["shares"][0] == [0.0] * REPLICAS
    assert moved["shares"][1] == [1.0] * REPLICAS


def test_learned_rate_trains_and_stays_equal_on_all_replicas(measured):
    learned = measured["learned"]
    first, second = learned["logits"]
    print(f"learned rate: {learned['before']} to {learned['after']}")
    assert first == second
    assert learned["before"] == 0.5
    # Only the noise hinders the fit, so the rate falls.
    assert learned["after"] < 0.49
    assert learned["after"] == pytest.approx(1 / (1 + np.exp(-first)), abs=1e-6)


def test_seeds_continue_after_loading(measured):
    assert measured["masks_go_on_after_loading"] is True


def test_gap_controller_moves_the_rate_once_per_epoch(measured):
    history = measured["gap"]["history"]
    rates = np.array([*history["rate/drop"], measured["gap"]["rate"]])
    print(f"gaps {history['gap_loss']}, rates {rates}")
    assert len(set(rates)) == EPOCHS + 1
    steps = np.diff(np.log(rates / (1 - rates)))  # of the logit
    expected = GAIN * (np.array(history["gap_loss"]) - TARGET)
    np.testing.assert_allclose(steps, expected, atol=1e-5)
    assert measured["gap"]["rates"] == [measured["gap"]["rate"]] * REPLICAS


def test_gap_is_that_of_one_device(measured):
    gap = measured["gap"]
    names = {"clean_loss": gap["clean_loss"], "val_loss": gap["val_loss"]}
    for name, value in names.items():
        assert gap["history"][name][-1] == pytest.approx(value, rel=1e-5)


def test_auto_rate_moves_the_rate_once_per_epoch(measured):
    auto = measured["auto"]
    assert auto["steps"] == EPOCHS
    assert len(set(auto["history"]["rate/drop"])) == EPOCHS
    assert auto["rates"] == [auto["rate"]] * REPLICAS


def test_tensorboard_has_each_epoch_once(measured, folder):
    from tests.event_log.reading import read  # the script cannot import it

    log = read(folder / "board")
    history = measured["gap"]["history"]
    for tag, name in (
        ("dropout_rate/drop", "rate/drop"),
        ("overfitting_gap/loss", "gap_loss"),
    ):
        points = log.Scalars(tag)
        assert len({point.step for point in points}) == len(points) == EPOCHS
        values = [point.value for point in points]
        np.testing.assert_allclose(values, history[name], rtol=1e-6)


@pytest.mark.parametrize("way", ["model", "weights"])
def test_training_continues_bit_for_bit_after_loading(measured, way):
    assert measured["restored"][way] == []


def test_what_is_saved_continues_on_one_device(measured):
    restored = measured["restored"]
    assert restored["rates"] == restored["rates_on_one_device"]
    assert restored["rates"]["moved"] == MOVED_RATE
    assert restored["steps"] == [STEPS_PER_EPOCH] * 2


@pytest.mark.parametrize("way", ["convert", "insert", "set_rates"])
def test_surgery_outside_of_the_scope_gives_mirrored_layers(measured, way):
    # If they were not mirrored, each replica would count the step.
    assert measured[way]["step"] == [STEPS_PER_EPOCH] * REPLICAS
    assert measured[way]["rate"] == [measured[way]["rate"][0]] * REPLICAS


def test_learned_rate_that_comes_later_is_the_same_on_all_replicas(measured):
    first, second = measured["learned_later"]
    assert first == second != np.float32(np.log(0.1 / 0.9))  # the logit at the start


def test_mc_predict_returns_what_it_returns_on_one_device(measured):
    predicted, alone = measured["predicted"]
    assert min(predicted["std"]) > 0.0
    assert predicted == alone


def test_code_of_the_page_runs(measured):
    assert measured["documented"]["rates"]["moved"] == FIRST_RATE
    assert len(measured["documented"]["log"]) == 1


def make_restorable():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dropout(FIRST_RATE, seed=1, name="moved"),
            keras.layers.Dense(8),
            layers.Dropout(schedules.Ramp(START, END, STEPS), name="scheduled"),
            layers.Dropout(kdropout.LearnedRate(0.5), name="learned"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    return model


def main(folder, documented_code):
    import tensorflow as tf

    cpus = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration() for _ in range(REPLICAS)]
    tf.config.set_logical_device_configuration(cpus[0], logical)
    measured = {}

    # Two strategies in one process disturb each other, so all use that of the page.
    x = np.random.default_rng(0).normal(size=(64, 16))
    page = {"tf": tf, "keras": keras, "kdropout": kdropout, "x": x, "y": x[:, :1]}
    page["make_model"] = make_restorable
    exec(documented_code, page)
    model, strategy = page["model"], page["strategy"]
    log = model.history.history["rate/scheduled"]
    measured["documented"] = {"rates": kdropout.rates(model), "log": log}
    keras.utils.set_random_seed(0)

    class Recorder(keras.layers.Layer):
        """Records the rate that made its input, for each step and replica."""

        def build(self, input_shape):
            def vector(name):
                return tf.Variable(
                    tf.zeros(STEPS),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.NONE,
                    name=name,
                )

            self.rates, self.shares = vector("rates"), vector("shares")
            self.count = tf.Variable(
                0,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.NONE,
            )
            self.traces = []

        def call(self, inputs, training=False):
            if training:
                self.traces.append(1)
                here = tf.range(STEPS) == self.count
                largest = tf.reduce_max(inputs)
                rate = 1.0 - tf.math.divide_no_nan(1.0, largest)
                share = tf.reduce_mean(tf.cast(inputs == 0, "float32"))
                self.rates.assign(tf.where(here, rate, self.rates))
                self.shares.assign(tf.where(here, share, self.shares))
                self.count.assign_add(1)
            return inputs

    def locals_of(variable):
        if isinstance(variable, keras.Variable):
            variable = variable.value
        results = strategy.experimental_local_results(variable)
        return [result.numpy().tolist() for result in results]

    def runner(layer):
        """Return the masks of one call on each replica."""
        ones = tf.ones(UNITS)

        @tf.function
        def run():
            return strategy.run(lambda: layer(ones, training=True))

        return lambda: [
            result.numpy() != 0 for result in strategy.experimental_local_results(run())
        ]

    def compare(layer):
        run = runner(layer)
        masks = [run() for _ in range(CALLS)]
        pairs = [(i, j) for i in range(CALLS) for j in range(CALLS)]
        shared = [p for p in pairs if np.array_equal(masks[p[0]][0], masks[p[1]][1])]
        correlations = [
            np.corrcoef(masks[i][0], masks[j][1])[0, 1] * UNITS**0.5 for i, j in pairs
        ]
        return {"shared": shared, "worst": np.max(np.abs(correlations))}

    def make_model(rate, optimizer=None):
        with strategy.scope():
            inputs = keras.Input((200,))
            drop = kdropout.layers.Dropout(rate, seed=3, name="drop")
            outputs = keras.layers.Dense(1)(Recorder(name="recorder")(drop(inputs)))
            model = keras.Model(inputs, outputs)
            model.compile(optimizer or keras.optimizers.SGD(1e-3), "mse")
        return model

    def fit(model, **arguments):
        x = np.ones((STEPS_PER_EPOCH * 8, 200), "float32")
        model.fit(x, x[:, :1], 8, EPOCHS, verbose=0, shuffle=False, **arguments)
        return model.get_layer("drop"), model.get_layer("recorder")

    with strategy.scope():
        layer = kdropout.layers.Dropout(FIRST_RATE, seed=3)
        measured["kdropout"] = compare(layer)
        measured["keras"] = compare(keras.layers.Dropout(FIRST_RATE, seed=3))

    run = runner(layer)
    shares = {}
    for rate in (FIRST_RATE, MOVED_RATE):
        layer.rate = rate
        shares[rate] = [1 - float(np.mean(mask)) for mask in run()]
    measured["shares"] = shares
    measured["written"] = locals_of(layer.rate_variables["rate"])
    measured["read"] = layer.rate

    schedule = kdropout.schedules.Ramp(START, END, RAMP_STEPS)
    drop, recorder = fit(make_model(schedule))
    measured["scheduled"] = {
        "step": locals_of(drop.rate_variables["step"]),
        "used": locals_of(recorder.rates),
        "rate": drop.rate,
    }
    types = {"fixed": layer.rate, "scheduled": drop.rate}

    _, recorder = fit(make_model(0.5))
    measured["traces_with_a_constant_rate"] = len(recorder.traces)

    def move(epoch, logs):
        mover.model.get_layer("drop").rate = (0.0, 1.0, 0.5)[epoch]

    mover = keras.callbacks.LambdaCallback(on_epoch_begin=move)
    _, recorder = fit(make_model(0.5), callbacks=[mover])
    per_epoch = np.reshape(locals_of(recorder.shares), (REPLICAS, EPOCHS, -1))
    measured["moved"] = {
        "traces": len(recorder.traces),
        "shares": np.mean(per_epoch, axis=2).T.tolist(),
    }

    rate = kdropout.LearnedRate(0.5, regularizer=0.0, temperature=0.5)
    with strategy.scope():
        optimizer = keras.optimizers.Adam(0.02)
    model = make_model(rate, optimizer)
    drop = model.get_layer("drop")
    measured["learned"] = {"before": drop.rate}
    fit(model)
    measured["learned"]["logits"] = locals_of(drop.rate_variables["logit"])
    measured["learned"]["after"] = types["learned"] = drop.rate
    measured["types"] = {kind: type(rate).__name__ for kind, rate in types.items()}

    with strategy.scope():
        first, second = (kdropout.layers.Dropout(0.5, seed=s) for s in (3, 4))
        run_first, run_second = runner(first), runner(second)
    run_first(), run_second()
    second._set_state(first._get_state())
    measured["masks_go_on_after_loading"] = all(
        np.array_equal(one, other)
        for one, other in zip(run_first(), run_second(), strict=True)
    )

    def fit_noise(the_callbacks):
        """Train a model that overfits, and return its history and its rates."""
        draw = np.random.default_rng(0).normal
        x, y = draw(size=(48, 16)), draw(size=(48, 1))
        with strategy.scope():
            inputs = keras.Input((16,))
            hidden = keras.layers.Dense(64, "relu")(inputs)
            dropped = layers.Dropout(0.3, seed=3, name="drop")(hidden)
            model = keras.Model(inputs, keras.layers.Dense(1)(dropped))
            model.compile(keras.optimizers.Adam(0.01), "mse")
        history = model.fit(
            x[:32],
            y[:32],
            8,
            EPOCHS,
            verbose=0,
            validation_data=(x[32:], y[32:]),
            callbacks=the_callbacks(x[:32], y[:32]),
        )
        drop = model.get_layer("drop")
        fitted, expected = model.predict(x, verbose=0), {}
        for name, rows in (("clean_loss", slice(32)), ("val_loss", slice(32, None))):
            expected[name] = float(np.mean((fitted[rows] - y[rows]) ** 2))
        return {
            **expected,
            "history": {
                name: list(map(float, v)) for name, v in history.history.items()
            },
            "rate": float(np.float32(drop.rate)),
            "rates": locals_of(drop.rate_variables["rate"]),
        }

    def controlled(x, y):
        limits = {"lowering_gain": GAIN, "slew_limit": 1.0}
        return [
            callbacks.OverfittingGap((x, y)),
            callbacks.GapController(TARGET, gain=GAIN, **limits),
            callbacks.RateLogger(),
            callbacks.TensorBoardRates(os.path.join(folder, "board")),
        ]

    measured["gap"] = fit_noise(controlled)
    auto = CountedAutoRate()
    measured["auto"] = fit_noise(lambda x, y: [auto, callbacks.RateLogger()])
    measured["auto"]["steps"] = auto.steps

    def continued(model):
        """Train for an epoch, and return the values of all replicas by name."""
        x = np.random.default_rng(0).normal(size=(STEPS_PER_EPOCH * 8, 16))
        model.fit(x, x[:, :1], 8, verbose=0, shuffle=False)
        return [locals_of(variable) for variable in model.variables]

    def clock(model):
        return model.get_layer("scheduled").rate_variables["step"]

    with strategy.scope():
        model, other = make_restorable(), make_restorable()
    continued(model)
    model.get_layer("moved").rate = MOVED_RATE
    path = os.path.join(folder, "saved.keras")
    model.save(path)
    model.save_weights(path.replace(".keras", ".weights.h5"))
    alone = keras.saving.load_model(path)
    with strategy.scope():
        others = {"model": keras.saving.load_model(path), "weights": other}
    other.load_weights(path.replace(".keras", ".weights.h5"))
    restored = measured["restored"] = {
        "rates": kdropout.rates(model),
        "rates_on_one_device": kdropout.rates(alone),
        "steps": [int(clock(model).numpy()), int(clock(alone).numpy())],
    }
    expected = continued(model)
    for way, loaded in others.items():
        paths = [variable.path for variable in loaded.variables]
        pairs = zip(paths, continued(loaded), expected, strict=True)
        restored[way] = [path for path, one, other in pairs if one != other]

    def make_plain(rate):
        keras.utils.set_random_seed(0)
        hidden = keras.layers.Dense(8, "relu", name="hidden")
        drop = [keras.layers.Dropout(rate, name="drop")] if rate else []
        model = keras.Sequential(
            [keras.Input((16,)), hidden, *drop, keras.layers.Dense(1)]
        )
        model.compile(keras.optimizers.SGD(1e-3), "mse")
        return model

    ramp = schedules.Ramp(START, END, STEPS)
    with strategy.scope():
        to_convert, to_insert = make_plain(0.5), make_plain(0.0)
        to_set = make_plain(0.5)
    converted = kdropout.convert(to_convert, ramp)
    inserted = kdropout.insert(to_insert, ramp)
    inserted.compile(keras.optimizers.SGD(1e-3), "mse")
    kdropout.convert(to_set)
    continued(to_set)
    kdropout.set_rates(to_set, kdropout.LearnedRate())  # the optimizer is built
    continued(to_set)
    measured["learned_later"] = locals_of(
        to_set.get_layer("drop").rate_variables["logit"]
    )
    kdropout.set_rates(to_set, ramp)
    for way, model, name in (
        ("convert", converted, "drop"),
        ("set_rates", to_set, "drop"),
        ("insert", inserted, "hidden_dropout"),
    ):
        continued(model)
        variables = model.get_layer(name).rate_variables
        measured[way] = {kind: locals_of(v) for kind, v in variables.items()}

    with strategy.scope():
        mirrored = make_restorable()
    measured["predicted"] = []
    x = np.random.default_rng(0).normal(size=(5, 16))
    for model in (mirrored, make_restorable()):
        prediction = kdropout.mc_predict(model, x, 20, seed=1)
        numbers = {"mean": prediction.mean, "std": prediction.std}
        measured["predicted"].append(
            {name: array.ravel().tolist() for name, array in numbers.items()}
        )
    print(json.dumps(measured))


class CountedAutoRate(callbacks.AutoRate):
    steps = 0

    def step(self, loss, val_loss):
        self.steps += 1
        return super().step(loss, val_loss)


if __name__ == "__main__":
    main(*sys.argv[1:])
