"""Layers under `keras.distribution` on JAX, on two devices of one CPU.

JAX needs the number of devices before it starts. So this file runs itself as a script
that prints its measurements, and the tests check these. The script measures the same on
a single device, because two devices must draw the masks of one.
"""

import contextlib
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import callbacks, layers, schedules

DEVICES, UNITS, CALLS = 2, 100_000, 4
STEPS_PER_EPOCH, EPOCHS = 5, 3
STEPS = STEPS_PER_EPOCH * EPOCHS
BATCH_SIZE, FEATURES = 8, 200
START, END, RAMP_STEPS = 0.8, 0.1, 10
RATES = (0.5, 0.2, 0.1)
TARGET, GAIN = 0.05, 0.3
SIGMAS = 5

ALONE = "one device"
KINDS = ("DataParallel", "ModelParallel")
# The two ways to draw masks. CPUs run the second one for this test only.
CPU, ACCELERATOR = "on a CPU", "on an accelerator"

OTHER_LAYERS = {
    "SpatialDropout2D": lambda: layers.SpatialDropout2D(0.5, seed=1),
    "DropBlock2D": lambda: layers.DropBlock2D(0.3, 3, seed=1),
    "DropPath": lambda: layers.DropPath(0.5, seed=1),
    "TokenDropout": lambda: layers.TokenDropout(0.5, seed=1),
    "HeadDropout": lambda: layers.HeadDropout(0.5, seed=1),
    "GaussianDropout": lambda: layers.GaussianDropout(0.5, seed=1),
    "AlphaDropout": lambda: layers.AlphaDropout(0.5, seed=1),
    "LearnedRate": lambda: layers.Dropout(kdropout.LearnedRate(0.5), seed=1),
    "DropConnect": lambda: layers.DropConnect(hidden(), 0.5, seed=1),
    "ConcreteDropout": lambda: layers.ConcreteDropout(hidden(), seed=1),
    "Standout": lambda: layers.Standout(hidden(), seed=1),
}
SHAPE, TOKENS = (6, 6, 8), (36, 8)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "jax", reason="keras.distribution is for JAX"
    ),
]

each_kind = pytest.mark.parametrize("kind", KINDS)
each_way = pytest.mark.parametrize("way", [CPU, ACCELERATOR])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


@pytest.fixture(scope="module")
def measured(folder):
    from tests.tools import code_for_devices  # the script cannot import it

    codes = [code_for_devices(f"keras.distribution.{kind}") for kind in KINDS]
    flag = f"--xla_force_host_platform_device_count={DEVICES}"
    done = subprocess.run(
        [sys.executable, __file__, folder, *codes],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flag}",
        },
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@each_kind
@each_way
def test_devices_draw_independent_masks(measured, kind, way):
    masks = measured[kind][way]["masks"]
    # Each device holds a half of the units, and not a copy of all.
    assert masks["sizes"] == [[UNITS] * DEVICES] * CALLS
    assert masks["shared"] == []
    print(f"worst correlation of two masks: {masks['worst']:.2f} sigma")
    assert masks["worst"] <= SIGMAS


@each_kind
@each_way
def test_devices_draw_together_what_one_device_draws(measured, kind, way):
    assert measured[kind][way]["masks"]["are_those_of_one_device"] is True


@each_kind
@each_way
def test_masks_have_their_rate_on_each_device(measured, kind, way):
    shares = measured[kind][way]["shares"]
    assert list(shares) == [str(rate) for rate in RATES]
    for rate, of_devices in shares.items():
        bound = SIGMAS * np.sqrt(float(rate) * (1 - float(rate)) / UNITS)
        print(f"rate {rate}: dropped {of_devices}")
        assert len(of_devices) == DEVICES
        assert np.max(np.abs(np.array(of_devices) - float(rate))) <= bound


@each_kind
def test_write_reaches_all_devices(measured, kind):
    written = measured[kind][CPU]["written"]
    assert written == [[float(np.float32(rate))] * DEVICES for rate in RATES]
    assert measured[kind][CPU]["read"] == list(RATES)


@each_kind
def test_callback_moves_the_rate_without_another_trace(measured, kind):
    moved = measured[kind]["moved"]
    constant = measured[kind]["constant"]
    assert moved["traces"] == constant["traces"]
    # Programs that XLA compiled, counted when each epoch begins and at the end.
    assert len(moved["compiled"]) == EPOCHS + 1
    assert moved["compiled"][0] < moved["compiled"][1]
    assert len(set(moved["compiled"][1:])) == 1
    assert moved["shares"][0] == [0.0] * DEVICES
    assert moved["shares"][1] == [1.0] * DEVICES
    assert 0.0 < min(moved["shares"][2])
    assert max(moved["shares"][2]) < 1.0


@each_kind
def test_schedule_counts_each_step_once(measured, kind):
    scheduled = measured[kind]["scheduled"]
    assert scheduled["step"] == [STEPS] * DEVICES
    expected = [
        START + (END - START) * min(step / RAMP_STEPS, 1) for step in range(STEPS)
    ]
    used = np.transpose(scheduled["used"])
    assert len(used) == DEVICES
    for of_device in used:  # inside the compiled step
        np.testing.assert_allclose(of_device, expected, rtol=0, atol=4 * 2.0**-24)
    assert scheduled["rate"] == pytest.approx(expected[-1], abs=2.0**-24)


@each_kind
def test_learned_rate_trains_and_is_equal_on_all_devices(measured, kind):
    learned, alone = measured[kind]["learned"], measured[ALONE]["learned"]
    first, second = learned["logits"]
    print(f"learned rate: {learned['before']} to {learned['after']}")
    assert first == second
    assert learned["before"] == 0.5
    # Only the noise hinders the fit, so the rate falls.
    assert learned["after"] < 0.49
    assert learned["after"] == pytest.approx(1 / (1 + np.exp(-first)), abs=1e-6)
    # The gradients are the same, but their sums are rounded in another order.
    assert learned["after"] == pytest.approx(alone["after"], rel=1e-4)


@each_kind
def test_gap_controller_moves_the_rate_once_per_epoch(measured, kind):
    history = measured[kind]["gap"]["history"]
    rates = [*history["rate/drop"], measured[kind]["gap"]["rate"]]
    print(f"gaps {history['gap_loss']}, rates {rates}")
    assert len(rates) == EPOCHS + 1
    assert len(set(rates)) == len(rates)
    rates = np.array(rates)
    steps = np.diff(np.log(rates / (1 - rates)))  # of the logit
    expected = GAIN * (np.array(history["gap_loss"]) - TARGET)
    np.testing.assert_allclose(steps, expected, atol=1e-5)


@each_kind
def test_auto_rate_moves_the_rate_once_per_epoch(measured, kind):
    assert measured[kind]["auto"]["steps"] == EPOCHS
    rates = measured[kind]["auto"]["history"]["rate/drop"]
    assert len(set(rates)) == EPOCHS


@each_kind
@pytest.mark.parametrize("training", ["gap", "auto"])
def test_callbacks_see_what_they_see_on_one_device(measured, kind, training):
    history = measured[kind][training]["history"]
    alone = measured[ALONE][training]["history"]
    assert history.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(history[name], values, 1e-4, 1e-5, err_msg=name)


@each_kind
def test_tensorboard_has_each_epoch_once(measured, folder, kind):
    from tests.event_log.reading import read  # the script cannot import it

    log = read(folder / kind)
    history = measured[kind]["gap"]["history"]
    for tag, name in (
        ("dropout_rate/drop", "rate/drop"),
        ("overfitting_gap/loss", "gap_loss"),
    ):
        points = log.Scalars(tag)
        assert len({point.step for point in points}) == len(points) == EPOCHS
        values = [point.value for point in points]
        np.testing.assert_allclose(values, history[name], rtol=1e-6)
    assert len(log.Scalars("drop_fraction/drop")) == EPOCHS


@each_kind
@pytest.mark.parametrize("way", ["model", "weights"])
def test_training_continues_bit_for_bit_after_loading(measured, kind, way):
    assert measured[kind]["restored"][way] == []


@each_kind
def test_what_is_saved_continues_on_one_device(measured, kind):
    restored = measured[kind]["restored"]
    assert restored["rates"] == restored["rates_on_one_device"]
    assert restored["rates"]["moved"] == RATES[1]
    assert restored["masks_go_on_on_one_device"] is True


@each_kind
def test_mc_predict_returns_what_it_returns_on_one_device(measured, kind):
    predicted, alone = measured[kind]["predicted"], measured[ALONE]["predicted"]
    assert min(predicted["std"]) > 0.0
    for name in ("mean", "std"):
        np.testing.assert_allclose(predicted[name], alone[name], 1e-4, 1e-5)
    assert predicted["state_changed"] is False


@each_kind
def test_convert_makes_rates_live_on_all_devices(measured, kind):
    converted, alone = measured[kind]["converted"], measured[ALONE]["converted"]
    assert converted["written"] == [float(np.float32(RATES[1]))] * DEVICES
    np.testing.assert_allclose(converted["losses"], alone["losses"], rtol=1e-4)


@each_kind
def test_other_noise_is_that_of_one_device(measured, kind):
    differences = measured[kind]["others"]["differences"]
    assert differences.keys() == OTHER_LAYERS.keys()
    # Outputs are of order 1, and sums of eight products are rounded.
    assert max(differences.values()) < 1e-5, differences


@each_kind
def test_models_with_other_noise_train_as_on_one_device(measured, kind):
    others, alone = measured[kind]["others"], measured[ALONE]["others"]
    assert np.isfinite(others["losses"]).all()
    np.testing.assert_allclose(others["losses"], alone["losses"], rtol=1e-4)
    assert len(others["rates"]) == len(OTHER_LAYERS)
    assert others["rates"] == pytest.approx(alone["rates"], rel=1e-4)


@each_kind
def test_code_of_the_page_runs(measured, kind):
    rate = float(np.float32(RATES[0]))
    assert measured[kind]["documented"] == {"rate": [rate] * DEVICES, "kind": kind}


def hidden():
    return keras.layers.Dense(8, name="hidden")


def make_distribution(kind):
    """Return a distribution over all devices, or None for a single device."""
    if kind == ALONE:
        return None
    if kind == "DataParallel":
        return keras.distribution.DataParallel()
    mesh = keras.distribution.DeviceMesh(
        (1, DEVICES), ["batch", "model"], keras.distribution.list_devices()
    )
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*hidden/kernel"] = (None, "model")
    layout[".*hidden/bias"] = ("model",)
    # The units of this layer are split, and so are its masks.
    layout[".*drop/output"] = (None, "model")
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")


def parts(array):
    """Return the part of an array that each device holds."""
    shards = sorted(array.addressable_shards, key=lambda shard: shard.device.id)
    return [np.asarray(shard.data) for shard in shards]


def values_of(variable):
    return [part.tolist() for part in parts(variable.value)]


@contextlib.contextmanager
def drawing(way):
    """A context in which masks are traced in one of both ways."""
    from kdropout.noise import on_jax

    on_cpu = on_jax._on_cpu
    on_jax._on_cpu = lambda: way == CPU
    try:
        yield
    finally:
        on_jax._on_cpu = on_cpu


class Step:
    """A compiled training call of a model, as Keras makes it within `fit`."""

    def __init__(self, model, distribution):
        import jax

        self.model, self.distribution = model, distribution

        @jax.jit
        def step(trained, other, x):
            return model.stateless_call(trained, other, x, training=True)

        self.step = step

    def __call__(self, x):
        if self.distribution is not None:
            layout = self.distribution.get_data_layout(x.shape)
            x = keras.distribution.distribute_tensor(x, layout)
        variables = (self.model.trainable_variables, self.model.non_trainable_variables)
        outputs, other = self.step(*([v.value for v in vs] for vs in variables), x)
        for variable, value in zip(variables[1], other, strict=True):
            variable.assign(value)
        return outputs


class Recorder(keras.layers.Layer):
    """Records the rate that made its input, for each step and half of the units."""

    def __init__(self, axis):
        super().__init__(name="recorder")
        self.axis = axis  # the one along which the devices split the units
        self.traces = []

    def build(self, input_shape):
        kind = {"initializer": "zeros", "trainable": False}
        self.rates = self.add_weight(shape=(STEPS, DEVICES), name="rates", **kind)
        self.shares = self.add_weight(shape=(STEPS, DEVICES), name="shares", **kind)
        self.count = self.add_weight(shape=(), dtype="int32", name="count", **kind)

    def call(self, inputs, training=False):
        if training:
            self.traces.append(1)
            halves = ops.stack(ops.split(inputs, DEVICES, axis=self.axis))
            rate = 1.0 - ops.divide_no_nan(1.0, ops.max(halves, axis=(1, 2)))
            share = ops.mean(ops.cast(halves == 0.0, "float32"), axis=(1, 2))
            here = (ops.arange(STEPS) == self.count.value)[:, None]
            self.rates.assign(ops.where(here, rate, self.rates.value))
            self.shares.assign(ops.where(here, share, self.shares.value))
            self.count.assign_add(1)
        return inputs


class Measurement:
    """Everything that the tests need of one kind of distribution."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        self.distribution = make_distribution(kind)
        self.whole_masks = {}

    def all(self):
        measured = {
            **{way: self.masks(way) for way in (CPU, ACCELERATOR)},
            "learned": self.learned(),
            "gap": self.gap(),
            "auto": self.auto(),
            "predicted": self.predicted(),
            "converted": self.converted(),
            "others": self.others(),
        }
        if self.distribution is not None:
            measured |= self.moved()
            measured["scheduled"] = self.scheduled()
            measured["restored"] = self.restored()
        return measured

    def masks(self, way):
        keras.utils.set_random_seed(0)
        layer = layers.Dropout(RATES[0], seed=3, name="drop")
        model = keras.Sequential([keras.Input((UNITS,)), layer])
        step = Step(model, self.distribution)
        x = np.ones((2, UNITS), "float32")
        with drawing(way):
            outputs = [step(x) for _ in range(CALLS)]
        measured = {}
        if self.distribution is not None:
            halves = [[part.ravel() != 0 for part in parts(out)] for out in outputs]
            pairs = [(i, j) for i in range(CALLS) for j in range(CALLS)]
            correlations = [
                np.corrcoef(halves[i][0], halves[j][1])[0, 1] * UNITS**0.5
                for i, j in pairs
            ]
            measured["masks"] = {
                "sizes": [[part.size for part in half] for half in halves],
                "shared": [
                    (i, j)
                    for i, j in pairs
                    if np.array_equal(halves[i][0], halves[j][1])
                ],
                "worst": np.max(np.abs(correlations)),
            }
        shares, written, read = {}, [], []
        for number, rate in enumerate(RATES):
            if number == 1:
                layer.rate = rate
            else:
                kdropout.set_rates(model, rate)
            shares[rate] = [float(np.mean(part == 0)) for part in parts(step(x))]
            written.append(values_of(layer.rate_variables["rate"]))
            read.append(layer.rate)
        self.whole_masks[way] = [np.asarray(out) != 0 for out in outputs]
        return {**measured, "shares": shares, "written": written, "read": read}

    def make_model(self, rate, optimizer=None):
        keras.utils.set_random_seed(0)
        axis = 1 if self.kind == "ModelParallel" else 0
        model = keras.Sequential(
            [
                keras.Input((FEATURES,)),
                layers.Dropout(rate, seed=3, name="drop"),
                Recorder(axis),
                hidden(),
                keras.layers.Dense(1),
            ]
        )
        model.compile(optimizer or keras.optimizers.SGD(1e-3), "mse")
        return model

    def fit(self, model, **arguments):
        x = np.ones((STEPS_PER_EPOCH * BATCH_SIZE, FEATURES), "float32")
        model.fit(
            x, x[:, :1], BATCH_SIZE, EPOCHS, verbose=0, shuffle=False, **arguments
        )
        return model.get_layer("drop"), model.get_layer("recorder")

    def moved(self):
        import jax

        programs, compiled = [], []

        def count(name, seconds, **kwargs):
            if name.endswith("backend_compile_duration"):
                programs.append(name)

        jax.monitoring.register_event_duration_secs_listener(count)
        _, recorder = self.fit(self.make_model(0.5))
        constant = {"traces": len(recorder.traces)}

        def move(epoch, logs):
            compiled.append(len(programs))
            if epoch == 1:
                kdropout.set_rates(mover.model, 1.0)
            else:
                mover.model.get_layer("drop").rate = (0.0, None, 0.5)[epoch]

        mover = keras.callbacks.LambdaCallback(on_epoch_begin=move)
        _, recorder = self.fit(self.make_model(0.5), callbacks=[mover])
        compiled.append(len(programs))
        jax.monitoring.unregister_event_duration_listener(count)
        shares = ops.convert_to_numpy(recorder.shares)
        per_epoch = shares.reshape(EPOCHS, STEPS_PER_EPOCH, DEVICES).mean(axis=1)
        moved = {
            "traces": len(recorder.traces),
            "compiled": compiled,
            "shares": per_epoch.tolist(),
        }
        return {"constant": constant, "moved": moved}

    def scheduled(self):
        schedule = schedules.Ramp(START, END, RAMP_STEPS)
        drop, recorder = self.fit(self.make_model(schedule))
        return {
            "step": values_of(drop.rate_variables["step"]),
            "used": ops.convert_to_numpy(recorder.rates).tolist(),
            "rate": drop.rate,
        }

    def learned(self):
        rate = kdropout.LearnedRate(0.5, regularizer=0.0, temperature=0.5)
        model = self.make_model(rate, keras.optimizers.Adam(0.02))
        before = model.get_layer("drop").rate
        drop, _ = self.fit(model)
        logits = values_of(drop.rate_variables["logit"])
        return {"before": before, "logits": logits, "after": drop.rate}

    def fit_noise(self, the_callbacks):
        """Train a model that overfits, and return its history and its rate."""
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((16,)),
                keras.layers.Dense(64, "relu", name="hidden"),
                layers.Dropout(0.3, seed=3, name="drop"),
                keras.layers.Dense(1),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse")
        draw = np.random.default_rng(0).normal
        x, y = draw(size=(48, 16)), draw(size=(48, 1))
        history = model.fit(
            x[:32],
            y[:32],
            BATCH_SIZE,
            EPOCHS,
            verbose=0,
            validation_data=(x[32:], y[32:]),
            callbacks=the_callbacks(x[:32], y[:32]),
        )
        numbers = {name: list(map(float, v)) for name, v in history.history.items()}
        return {"history": numbers, "rate": model.get_layer("drop").rate}

    def gap(self):
        def the_callbacks(x, y):
            return [
                callbacks.OverfittingGap((x, y)),
                callbacks.GapController(
                    TARGET, gain=GAIN, lowering_gain=GAIN, slew_limit=1.0
                ),
                callbacks.RateLogger(),
                callbacks.TensorBoardRates(
                    os.path.join(self.folder, self.kind), drop_fraction_data=x[:3]
                ),
            ]

        return self.fit_noise(the_callbacks)

    def auto(self):
        auto = CountedAutoRate()
        trained = self.fit_noise(lambda x, y: [auto, callbacks.RateLogger()])
        return {**trained, "steps": auto.steps}

    def restored(self):
        x = np.random.default_rng(0).normal(size=(STEPS_PER_EPOCH * BATCH_SIZE, 16))

        def make_model():
            keras.utils.set_random_seed(0)
            model = keras.Sequential(
                [
                    keras.Input((16,)),
                    layers.Dropout(RATES[0], seed=1, name="moved"),
                    hidden(),
                    layers.Dropout(schedules.Ramp(START, END, STEPS), name="scheduled"),
                    layers.Dropout(kdropout.LearnedRate(0.5), name="learned"),
                    keras.layers.Dense(1),
                ]
            )
            model.compile(keras.optimizers.SGD(1e-3), "mse")
            return model

        def fit(model):
            model.fit(x, x[:, :1], BATCH_SIZE, verbose=0, shuffle=False)
            return [np.asarray(v.value) for v in model.variables]

        model = make_model()
        fit(model)
        model.get_layer("moved").rate = RATES[1]
        whole = os.path.join(self.folder, f"{self.kind}.keras")
        weights = os.path.join(self.folder, f"{self.kind}.weights.h5")
        model.save(whole)
        model.save_weights(weights)
        others = {"model": keras.saving.load_model(whole), "weights": make_model()}
        others["weights"].load_weights(weights)
        rates = kdropout.rates(model)
        distribution = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        alone = keras.saving.load_model(whole)
        rates_alone = kdropout.rates(alone)
        mask_alone = mask_of(alone.get_layer("moved"))
        keras.distribution.set_distribution(distribution)
        expected = fit(model)
        measured = {"rates": rates, "rates_on_one_device": rates_alone}
        for way, other in others.items():
            names = [v.path for v in other.variables]
            measured[way] = [
                name
                for name, one, two in zip(names, fit(other), expected, strict=True)
                if one.tobytes() != two.tobytes()
            ]
        again = keras.saving.load_model(whole)
        mask = mask_of(again.get_layer("moved"))
        measured["masks_go_on_on_one_device"] = bool(np.array_equal(mask, mask_alone))
        return measured

    def predicted(self):
        model = self.make_model(0.5)
        layer = model.get_layer("drop")
        before = values_of(layer.seed_generator.state)
        x = np.random.default_rng(0).normal(size=(5, FEATURES)).astype("float32")
        prediction = kdropout.mc_predict(model, x, 20, seed=1)
        after = values_of(layer.seed_generator.state)
        return {
            "mean": prediction.mean.ravel().tolist(),
            "std": prediction.std.ravel().tolist(),
            "state_changed": before != after,
        }

    def converted(self):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((16,)),
                hidden(),
                keras.layers.Dropout(0.5, seed=3, name="drop"),
                keras.layers.Dense(1),
            ]
        )
        model.compile(keras.optimizers.SGD(1e-3), "mse")
        model = kdropout.convert(model)
        x = np.random.default_rng(0).normal(size=(STEPS_PER_EPOCH * BATCH_SIZE, 16))
        losses = []
        for rate in RATES[:2]:
            kdropout.set_rates(model, {"drop": rate})
            history = model.fit(x, x[:, :1], BATCH_SIZE, verbose=0, shuffle=False)
            losses += history.history["loss"]
        rate = model.get_layer("drop").rate_variables["rate"]
        return {"written": values_of(rate), "losses": losses}

    def others(self):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(SHAPE)
        tokens = keras.layers.Reshape(TOKENS)(inputs)
        noisy = {
            name: make_layer()(inputs if name.endswith("2D") else tokens)
            for name, make_layer in OTHER_LAYERS.items()
        }
        x = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype("float32")
        step = Step(keras.Model(inputs, noisy), self.distribution)
        self.outputs = {name: np.asarray(out) for name, out in step(x).items()}
        flat = [keras.layers.Flatten()(output) for output in noisy.values()]
        last = keras.layers.Dense(1)(keras.layers.Concatenate()(flat))
        model = keras.Model(inputs, last)
        model.compile(keras.optimizers.SGD(1e-4), "mse")
        history = model.fit(x, np.ones((4, 1)), 2, 2, verbose=0, shuffle=False)
        return {
            "losses": history.history["loss"],
            "rates": list(kdropout.rates(model).values()),
        }


class CountedAutoRate(callbacks.AutoRate):
    steps = 0

    def step(self, loss, val_loss):
        self.steps += 1
        return super().step(loss, val_loss)


def mask_of(layer):
    return np.asarray(layer(np.ones((2, 1000), "float32"), training=True)) != 0


def run_documented(code):
    """Run code of the page, and return the rate that each device then has."""

    def make_model():
        drop = layers.Dropout(RATES[0], name="drop")
        model = keras.Sequential(
            [keras.Input((16,)), hidden(), drop, keras.layers.Dense(1)]
        )
        model.compile("sgd", "mse")
        return model

    x = np.random.default_rng(0).normal(size=(64, 16))
    page = {"keras": keras, "kdropout": kdropout, "make_model": make_model}
    page |= {"x": x, "y": x[:, :1]}
    exec(code, page)
    rate = page["model"].get_layer("drop").rate_variables["rate"]
    kind = type(keras.distribution.distribution()).__name__
    return {"rate": values_of(rate), "kind": kind}


def main(folder, *documented):
    measurements, measured = {}, {}
    for kind in (ALONE, *KINDS):
        keras.distribution.set_distribution(make_distribution(kind))
        measurements[kind] = Measurement(kind, folder)
        measured[kind] = measurements[kind].all()
    for kind, code in zip(KINDS, documented, strict=True):
        measured[kind]["documented"] = run_documented(code)
    alone = measurements.pop(ALONE)
    for kind, measurement in measurements.items():
        for way, masks in measurement.whole_masks.items():
            measured[kind][way]["masks"]["are_those_of_one_device"] = bool(
                np.array_equal(masks, alone.whole_masks[way])
            )
        measured[kind]["others"]["differences"] = {
            name: float(np.max(np.abs(outputs - alone.outputs[name])))
            for name, outputs in measurement.outputs.items()
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
