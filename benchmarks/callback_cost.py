"""Measures the cost of the callbacks and of a live rate.

The MNIST network: 60,000 images, 784-256-256-10 ReLU, batch 64, Adam 1e-3.

1. Callbacks: the seconds per epoch that `OverfittingGap` (2,048 samples) and
   `RateLogger` take, and those that `TensorBoardRates` takes, as a share of the rest of
   the epoch in the same fit.
2. A live rate against a constant one: the time of a training step with
   `kdropout.layers.Dropout` over that with `keras.layers.Dropout`. Both are compiled,
   and run in turn within one run, after a warm-up.

    python -m benchmarks.callback_cost --data-dir DIR

About 5 minutes on 2 cores. Writes results/callback_cost.csv.
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import kdropout
from benchmarks import mnist, reporting, timing

BATCH_SIZE = 64
RATE = 0.5
EPOCHS = 6  # the first one traces, and does not count
ROUNDS = 500  # pairs of blocks; a noisy machine needs many
STEPS = 30  # steps per block: one reading of the clock for many steps


class Timed(keras.callbacks.Callback):
    """Measures each epoch without the callbacks that it wraps, and these callbacks."""

    def __init__(self, callbacks):
        super().__init__()
        self.callbacks = callbacks
        self.seconds = []

    def set_model(self, model):
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs=None):
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()
        self.taken = 0.0
        self._time("on_epoch_begin", epoch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._time("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._time("on_epoch_end", epoch, logs)
        whole = time.perf_counter() - self.start
        self.seconds.append((whole - self.taken, self.taken))

    def _time(self, hook, index, logs):
        begin = time.perf_counter()
        for callback in self.callbacks:
            getattr(callback, hook)(index, logs)
        self.taken += time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mnist.add_data_argument(parser)
    arguments = parser.parse_args()
    data = mnist.load(arguments.data_dir)
    rows = callback_rows(data) + step_rows(data)
    for row in rows:
        print(row)
    print(reporting.write_csv("callback_cost", rows))


def callback_rows(data):
    """The share of each epoch that the callbacks take."""
    train, validation = data
    gap, rates = kdropout.callbacks.OverfittingGap, kdropout.callbacks.RateLogger()
    board, rows = kdropout.callbacks.TensorBoardRates, []
    with tempfile.TemporaryDirectory() as folder:
        measured = {
            "OverfittingGap + RateLogger": [gap(train), rates],
            "TensorBoardRates": [board(folder)],
            "TensorBoardRates, drop_fraction_data of 256": [
                board(folder, drop_fraction_data=train[0][:256])
            ],
            "TensorBoardRates, update_freq=10": [board(folder, update_freq=10)],
            "TensorBoardRates, update_freq=1": [board(folder, update_freq=1)],
        }
        for name, callbacks in measured.items():
            timed = Timed(callbacks)
            build(kdropout.layers.Dropout).fit(
                *train,
                batch_size=BATCH_SIZE,
                epochs=EPOCHS,
                validation_data=validation,
                validation_batch_size=1000,
                callbacks=[timed],
                verbose=0,
            )
            epoch, taken = np.array(timed.seconds[1:]).T
            rows.append(_row(f"{name} / epoch", taken / epoch))
    return rows


def step_rows(data):
    """Ratios of a training step with our layer to one with Keras's."""
    (x, y), _ = data
    batch = (tf.constant(x[:BATCH_SIZE]), tf.constant(y[:BATCH_SIZE]))
    kinds = {"kdropout": kdropout.layers.Dropout, "keras": keras.layers.Dropout}
    blocks = {name: _block(build(kind), batch) for name, kind in kinds.items()}
    # Keras's layer twice: differences below this one mean nothing.
    blocks["keras again"] = _block(build(keras.layers.Dropout), batch)
    for block in blocks.values():
        block()
    seconds = timing.in_turn(blocks, ROUNDS)
    keras_seconds = np.array(seconds["keras"])
    return [
        _row(f"step, {name} / keras", np.array(seconds[name]) / keras_seconds)
        | {"ratio_of_minima": round(float(min(seconds[name]) / min(keras_seconds)), 4)}
        for name in ("kdropout", "keras again")
    ]


def build(dropout):
    """The compiled network with a layer of class `dropout` after each hidden layer."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((784,))]
    for index in (1, 2):
        layers.append(keras.layers.Dense(256, activation="relu"))
        layers.append(dropout(RATE, seed=index))
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def _block(model, batch):
    """A function that runs STEPS training steps, as `fit` compiles them."""
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    model.make_train_function()
    iterator = iter(dataset)

    def run():
        for _ in range(STEPS):
            logs = model.train_function(iterator)
        return float(logs["loss"])  # waits for the last step

    return run


def _row(name, ratios):
    ratios = np.sort(ratios)
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    # Order statistics that include the median with 95 %, by the binomial of 1/2.
    reach = 0.98 * np.sqrt(len(ratios))
    first = max(int(np.floor(len(ratios) / 2 - reach)), 0)
    last = min(int(np.ceil(len(ratios) / 2 + reach)), len(ratios) - 1)
    return {
        "what": name,
        "pairs": len(ratios),
        "ratio_median": round(float(middle), 4),
        "median_interval": f"{ratios[first]:.4f} to {ratios[last]:.4f}",
        "ratio_quartiles": f"{low:.4f} to {high:.4f}",
        "ratio_of_minima": "",
    }


if __name__ == "__main__":
    main()
