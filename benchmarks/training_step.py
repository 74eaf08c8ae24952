"""Measures the time that dropout adds to a whole training step.

1. `mlp`: 784-1024-1024-1024-10, batch 256, `Dropout` after each hidden layer.
2. `convnet`: 32 x 32 x 3, three blocks of convolution, ReLU and pooling, batch 64,
   `Dropout` after each block.
3. `transformer`: an encoder block, 128 tokens of width 256, 4 heads, batch 16,
   `Dropout` on the output of the attention and twice in the feed-forward part.

The arms of a model run in turn: without dropout layers, with Keras's, with kdropout's,
and with kdropout's at a live rate of 0. The benchmark builds all of them several times,
in another order each time. The reason is that the place of the weights in memory, which
a model keeps, makes a larger difference than dropout at a rate of 0. The step is the
function that `fit` calls, in a loop on one batch. So the time does not include reading
data or the work of `fit` between the steps. No public way to run a step has less
overhead.

    KERAS_BACKEND=tensorflow python -m benchmarks.training_step

About 5 minutes per backend on 2 cores. Writes results/training_step.csv; rows of the
other backends stay. `min_ms` is the mean over the builds of the least time. `added_ms`
is its difference to the time without dropout layers, and `added_se_ms` is the standard
error of this difference over the builds. `share_of_keras` is the ratio of `added_ms` to
that of Keras's layers, or NaN if these add no time.
"""

import argparse
import itertools
import os
import random

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

import kdropout
from benchmarks import devices, reporting, timing

BACKEND = keras.backend.backend()
CLASSES = 10
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
BUILDS = 8
ROUNDS = 12  # enough for one undisturbed block in each arm
STEPS = 5  # per block: few, so that some blocks are undisturbed
# The class of the dropout layers, and the live rate if it differs from the model's.
ARMS = {
    "none": (None, None),
    "keras": (layers.Dropout, None),
    "kdropout": (kdropout.layers.Dropout, None),
    "kdropout at 0": (kdropout.layers.Dropout, 0.0),
}


def mlp(drop):
    x = inputs = keras.Input((784,))
    for _ in range(3):
        x = drop(layers.Dense(1024, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def convnet(drop):
    x = inputs = keras.Input((32, 32, 3))
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = drop(layers.MaxPooling2D()(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(x)))


def transformer(drop):
    inputs = keras.Input((128, 256))
    attention = layers.MultiHeadAttention(num_heads=4, key_dim=64)(inputs, inputs)
    x = layers.LayerNormalization()(inputs + drop(attention))
    wide = drop(layers.Dense(1024, activation="relu")(x))
    x = layers.LayerNormalization()(x + drop(layers.Dense(256)(wide)))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


# The model, the usual rate in such a model, and the batch size.
MODELS = {
    "mlp": (mlp, 0.5, 256),
    "convnet": (convnet, 0.25, 64),
    "transformer": (transformer, 0.1, 16),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    reporting.measure_all("training_step", MODELS, measure)


def measure(name, builds=BUILDS, rounds=ROUNDS, steps=STEPS):
    """Rows of all arms of a model."""
    least = least_times(
        lambda arm: block_of(name, *ARMS[arm], steps), ARMS, builds, rounds, steps
    )
    mean = {arm: float(np.mean(values)) for arm, values in least.items()}
    added = {arm: value - mean["none"] for arm, value in mean.items()}
    spread = {
        arm: np.std(np.subtract(least[arm], least["none"]), ddof=1) for arm in ARMS
    }
    of_keras = added["keras"] if added["keras"] > 0 else float("nan")
    return [
        {
            "backend": BACKEND,
            "model": name,
            "arm": arm,
            "builds": builds,
            "min_ms": round(mean[arm], 3),
            "added_ms": round(added[arm], 3),
            "added_se_ms": round(float(spread[arm]) / builds**0.5, 3),
            "share_of_keras": round(added[arm] / of_keras, 3),
            "of_none": round(mean[arm] / mean["none"], 4),
        }
        for arm in ARMS
    ]


def least_times(make_block, arms, builds, rounds, steps):
    """Dict from arm to the least milliseconds of a training step in each build.

    `make_block` makes the block of an arm, with a new model.
    """
    order, generator = list(arms), random.Random(0)
    least = {arm: [] for arm in arms}
    for _ in range(builds):
        generator.shuffle(order)
        blocks = {arm: make_block(arm) for arm in order}
        for arm, values in step_times(blocks, rounds, steps).items():
            least[arm].append(min(values))
        keras.backend.clear_session()
    return least


def step_times(blocks, rounds, steps):
    """Dict from arm to the milliseconds of a training step, one for each round."""
    for run in blocks.values():
        run()  # caches and thread pools fill
    seconds = timing.in_turn(blocks, rounds)
    return {arm: [1e3 * s / steps for s in values] for arm, values in seconds.items()}


def block_of(name, dropout, live_rate, steps):
    """The block of a model with layers of class `dropout`.

    They have the rate of `MODELS`, or a live one.
    """
    build, rate, batch_size = MODELS[name]
    keras.utils.set_random_seed(0)
    model = build(lambda x: x if dropout is None else dropout(rate)(x))
    if live_rate is not None:
        kdropout.set_rates(model, live_rate)
    return block(model, batch_size, steps)


def block(model, batch_size, steps):
    """A function that trains a model for some steps, and waits for the last one."""
    model.compile(optimizer(), LOSS)
    batch = random_batch(model, batch_size)
    model.train_on_batch(*batch)  # builds the optimizer, makes and traces the function
    step = _STEP[BACKEND](model, batch)

    def run():
        for _ in range(steps):
            outputs = step()
        devices.wait(outputs)

    return run


def optimizer():
    """Adam with a learning rate of 0: it computes as much, but keeps the weights.

    Otherwise the model would memorise its batch, and the arms would compute with
    numbers of different sizes.
    """
    return keras.optimizers.Adam(0.0)


def random_batch(model, size):
    """Inputs and labels, as tensors on the device."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(size, *model.input_shape[1:]))
    y = generator.integers(CLASSES, size=size)
    return ops.convert_to_tensor(x, "float32"), ops.convert_to_tensor(y, "int32")


def _tensorflow(model, batch):
    batches = itertools.repeat(batch)
    return lambda: model.train_function(batches)


def _jax(model, batch):
    # The variables do not receive the values of each step, as within an epoch of `fit`.
    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([v.value for v in group] for group in variables)
    batches = itertools.repeat(batch)

    def step():
        nonlocal state
        logs, state = model.train_function(state, batches)
        return logs, state

    return step


def _torch(model, batch):
    return lambda: model.train_function([batch])


_STEP = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


if __name__ == "__main__":
    main()
