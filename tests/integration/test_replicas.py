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

REPLICAS, UNITS, CALLS = 2, 100_000, 4
STEPS_PER_EPOCH, EPOCHS = 5, 3
STEPS = STEPS_PER_EPOCH * EPOCHS
START, END, RAMP_STEPS = 0.8, 0.1, 10
FIRST_RATE, MOVED_RATE = 0.5, 0.2
SIGMAS = 5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
    ),
]


@pytest.fixture(scope="module")
def measured():
    done = subprocess.run(
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        check=False,
        timeout=300,
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


def main():
    import tensorflow as tf

    cpus = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration() for _ in range(REPLICAS)]
    tf.config.set_logical_device_configuration(cpus[0], logical)
    keras.utils.set_random_seed(0)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    measured = {}

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
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
