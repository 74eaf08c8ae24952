"""How much faster is `mc_predict` than the loop that users write?

A small CNN (two blocks of convolution, ReLU and pooling, then 128 ReLU units and 10
classes) predicts batches of 32 random images of 28 x 28, with 30 samples of each, in
three ways:

1. `kdropout.mc_predict` computes the layers before the first dropout once, and the rest
   in one compiled pass. Its time includes the mean, the variance and the entropies.
2. The usual loop is `[model(x, training=True) for _ in range(30)]`, with the mean and
   the variance by NumPy.
3. The same loop calls a compiled model (`tf.function`, `jax.jit`; on PyTorch, where
   Keras models are not compiled, a model without gradients).

Dropout is (a) before the last layer only, or (b) in every block.

    python -m benchmarks.mc_predict

Run it once for each backend, also with KERAS_BACKEND=jax and torch. Each run replaces
the rows of its backend in results/mc_predict.csv, and takes about a minute on 2 cores.
(PyTorch was run with OMP_NUM_THREADS=1, because its threads wait for each other on a
shared machine.) Fails if (a) is not 10 times, or (b) not 1.5 times as fast as the usual
loop.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

import kdropout
from benchmarks import reporting, timing

BACKEND = keras.backend.backend()
BATCH_SIZE, SAMPLES = 32, 30  # the default of Keras's predict; usual in papers
FILTERS, UNITS, CLASSES = (16, 32), 128, 10  # like Keras's MNIST example
RATE = 0.5
ROUNDS = 30  # the three ways run in turn, so a slow moment affects all of them
WARM_UP = 2  # rounds that do not count, while caches and thread pools fill
TARGETS = {"head": 10.0, "every block": 1.5}


def main():
    rows = [measure(where) for where in TARGETS]
    for row in rows:
        print(row)
    others = reporting.rows_of_other_backends("mc_predict")
    print(reporting.write_csv("mc_predict", others + rows))
    slow = [row["dropout"] for row in rows if row["speedup"] < TARGETS[row["dropout"]]]
    sys.exit(f"Slower than the target with dropout at: {slow}" if slow else 0)


def measure(where):
    """A row of results for dropout at `where`."""
    model = build(everywhere=where == "every block")
    x = np.random.default_rng(0).normal(size=(BATCH_SIZE, 28, 28, 1)).astype("float32")
    call = compiled(model)
    ways = {
        "mc_predict": lambda: kdropout.mc_predict(model, x, SAMPLES, seed=1, verbose=0),
        "loop": lambda: moments([model(x, training=True) for _ in range(SAMPLES)]),
        "compiled_loop": lambda: moments([call(x) for _ in range(SAMPLES)]),
    }
    first = {name: timing.seconds(way) for name, way in ways.items()}
    times = timing.in_turn(ways, WARM_UP + ROUNDS)
    times = {name: np.array(values[WARM_UP:]) for name, values in times.items()}
    row = {"backend": BACKEND, "dropout": where, "rounds": ROUNDS}
    for name, values in times.items():
        low, middle, high = (1e3 * np.quantile(values, (0.25, 0.5, 0.75))).tolist()
        row[f"{name}_ms"] = round(middle, 1)
        row[f"{name}_quartiles"] = f"{low:.1f} to {high:.1f}"
        row[f"{name}_first_s"] = round(first[name], 2)
    for name, key in (("loop", "speedup"), ("compiled_loop", "speedup_compiled")):
        ratio, interval = timing.ratio_of_medians(times[name], times["mc_predict"])
        row[key] = round(ratio, 2)
        row[f"{key}_interval"] = interval
    return row


def build(everywhere):
    """The network, with dropout in every block or before the last layer only."""
    keras.utils.set_random_seed(0)
    stack = [keras.Input((28, 28, 1))]
    for filters in FILTERS:
        stack.append(keras.layers.Conv2D(filters, 3, activation="relu"))
        stack.append(keras.layers.MaxPooling2D())
        stack += [kdropout.layers.Dropout(RATE)] if everywhere else []
    stack += [keras.layers.Flatten(), keras.layers.Dense(UNITS, activation="relu")]
    stack.append(kdropout.layers.Dropout(RATE))
    stack.append(keras.layers.Dense(CLASSES, activation="softmax"))
    return keras.Sequential(stack)


def moments(outputs):
    """Mean and variance over the samples. This also waits for the last sample."""
    samples = np.stack([ops.convert_to_numpy(output) for output in outputs])
    return samples.mean(axis=0), samples.var(axis=0)


def compiled(model):
    """A compiled `model(x, training=True)` that draws other masks in each call."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda x: model(x, training=True))
    if BACKEND == "torch":
        import torch

        return torch.no_grad()(lambda x: model(x, training=True))
    import jax

    function = jax.jit(lambda *args: model.stateless_call(*args, training=True))

    def call(x):
        trainable = [v.value for v in model.trainable_variables]
        state = [v.value for v in model.non_trainable_variables]
        outputs, state = function(trainable, state, x)
        for variable, value in zip(model.non_trainable_variables, state, strict=True):
            variable.assign(value)
        return outputs

    return call


if __name__ == "__main__":
    main()
