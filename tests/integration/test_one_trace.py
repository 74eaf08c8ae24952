"""One trace of the training step serves every value of a rate."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from tests.tools import CountedModel

RATES = (0.9, 0.5, 0.1, 0.0, 1.0)
BATCHES, BATCH_SIZE, UNITS = 2, 64, 1000

# PyTorch runs step by step, so each training step enters `train_step` again.
EAGER = keras.backend.backend() == "torch"
# TensorFlow traces with and without XLA; uncompiled JAX would not trace at all.
COMPILATIONS = {"tensorflow": [False, True], "jax": [True], "torch": [False]}[
    keras.backend.backend()
]


class Recorder(keras.layers.Layer):
    """Returns the second of its two inputs, and counts the dropped units.

    The first input is what the dropout layer received, the second what it returned.
    """

    def build(self, input_shape):
        kind = {"shape": (), "dtype": "int32", "trainable": False}
        self.dropped = self.add_weight(initializer="zeros", name="dropped", **kind)
        self.changed = self.add_weight(initializer="zeros", name="changed", **kind)

    def call(self, inputs, training=False):
        before, after = inputs
        if training:
            dropped = ops.logical_and(before != 0, after == 0)
            for count, seen in (
                (self.dropped, dropped),
                (self.changed, before != after),
            ):
                count.assign(count + ops.sum(ops.cast(seen, "int32")))
        return after


class RateMover(keras.callbacks.Callback):
    """Sets each of `RATES` for one epoch or batch, and records the counts."""

    def __init__(self, each):
        super().__init__()
        self.each = each
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        if self.each == "epoch":
            self.move(epoch)

    def on_epoch_end(self, epoch, logs=None):
        if self.each == "epoch":
            self.note()

    def on_train_batch_begin(self, batch, logs=None):
        if self.each == "batch":
            self.move(batch)

    def on_train_batch_end(self, batch, logs=None):
        if self.each == "batch":
            self.note()

    def move(self, index):
        self.model.get_layer("drop").rate = RATES[index]

    def note(self):
        recorder = self.model.get_layer("recorder")
        self.seen.append(
            {
                "dropped": int(ops.convert_to_numpy(recorder.dropped)),
                "changed": int(ops.convert_to_numpy(recorder.changed)),
                "weights": {
                    variable.path: ops.convert_to_numpy(variable).copy()
                    for variable in self.model.trainable_variables
                },
            }
        )


# The shape of the inputs, and the largest number of units that drop together.
LAYERS = {
    "Dropout": (kdropout.layers.Dropout, (UNITS,), 1),
    "SpatialDropout1D": (kdropout.layers.SpatialDropout1D, (10, 100), 10),
    "DropPath": (kdropout.layers.DropPath, (UNITS,), UNITS),
    "DropBlock1D": (kdropout.layers.DropBlock1D, (20, 50), 20),
    "TokenDropout": (kdropout.layers.TokenDropout, (100, 10), 10),
    "HeadDropout": (kdropout.layers.HeadDropout, (100, 10), 10),
}


def make_model(jit_compile, dtype, kind):
    layer, shape, _ = LAYERS[kind]
    inputs = keras.Input((8,))
    before = keras.layers.Dense(
        UNITS, bias_initializer="ones", dtype=dtype, name="before"
    )(inputs)
    before = keras.layers.Reshape(shape, dtype=dtype)(before)
    after = layer(0.3, seed=1, dtype=dtype, name="drop")(before)
    passed = Recorder(name="recorder", dtype=dtype)([before, after])
    flat = keras.layers.Flatten(dtype=dtype)(passed)
    outputs = keras.layers.Dense(1, name="head")(flat)
    model = CountedModel(inputs, outputs)
    model.compile(keras.optimizers.SGD(1e-3), "mse", jit_compile=jit_compile)
    return model


@functools.cache  # both tests use the same runs
def train(jit_compile, each, dtype, kind="Dropout"):
    """Return the counts at each rate, and how often the training step was entered."""
    model = make_model(jit_compile, dtype, kind)
    batches = BATCHES if each == "epoch" else len(RATES)
    epochs = len(RATES) if each == "epoch" else 1
    x = np.random.default_rng(0).normal(size=(batches * BATCH_SIZE, 8))
    y = np.ones((len(x), 1))
    mover = RateMover(each)
    model.fit(x, y, BATCH_SIZE, epochs, verbose=0, callbacks=[mover], shuffle=False)
    return mover.seen, model.entered, epochs * batches


@pytest.mark.parametrize(
    "dtype", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("each", ["epoch", "batch"])
@pytest.mark.parametrize("jit_compile", COMPILATIONS)
def test_one_trace_serves_all_rates(jit_compile, each, dtype):
    seen, entered, steps = train(jit_compile, each, dtype)
    assert entered == (steps if EAGER else 1)
    print("traces:", "none, eager" if EAGER else entered)

    units = UNITS * BATCH_SIZE * (BATCHES if each == "epoch" else 1)
    assert_dropped_at_the_rates(seen, units)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind != "Dropout"])
@pytest.mark.parametrize("jit_compile", COMPILATIONS[-1:])
def test_one_trace_serves_all_rates_of_every_mask(jit_compile, kind):
    seen, entered, steps = train(jit_compile, "batch", "float32", kind)
    assert entered == (steps if EAGER else 1)
    assert_dropped_at_the_rates(seen, UNITS * BATCH_SIZE, together=LAYERS[kind][-1])


def assert_dropped_at_the_rates(seen, units, together=1):
    """Check within 5 sigma; up to `together` units are dropped at once."""
    dropped = np.diff([0, *(entry["dropped"] for entry in seen)])
    changed = np.diff([0, *(entry["changed"] for entry in seen)])
    assert len(dropped) == len(RATES)
    for rate, count in zip(RATES, dropped, strict=True):
        deviation = 5 * np.sqrt(units * together * rate * (1 - rate))
        assert abs(count - units * rate) <= deviation, (rate, count / units)
        print(f"dropped at {rate}: {count / units:.5f} of {units}")
    assert changed[RATES.index(0.0)] == 0  # the output is the input, bit for bit
    assert dropped[RATES.index(1.0)] == units  # all zeros


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("jit_compile", COMPILATIONS)
def test_gradients_are_finite_at_all_rates(jit_compile, dtype):
    seen, _, _ = train(jit_compile, "epoch", dtype)
    weights = [entry["weights"] for entry in seen]
    # A step of plain SGD leaves a weight finite only if its gradient was finite.
    for entry in weights:
        for path, value in entry.items():
            assert np.all(np.isfinite(value)), path
    (kernel,) = [path for path in weights[0] if path.endswith("before/kernel")]
    (bias,) = [path for path in weights[0] if path.endswith("head/bias")]
    at_zero, at_one = RATES.index(0.0), RATES.index(1.0)
    # At rate 0 the gradient reaches the weights before the layer; at 1 it is zero.
    assert np.any(weights[at_zero][kernel] != weights[at_zero - 1][kernel])
    assert np.all(weights[at_one][kernel] == weights[at_one - 1][kernel])
    assert np.all(weights[at_one][bias] != weights[at_one - 1][bias])
