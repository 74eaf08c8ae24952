"""Compares training steps of recurrent layers with live and with constant rates.

1. `LSTM` and `GRU`: 64 steps of width 64, 128 units, batch 64.
2. `ConvLSTM2D`: 8 frames of 16 x 16 x 4, 16 filters, batch 8.

Both rates are 0.2. The arms of a model run in turn: Keras's layer without dropout,
Keras's with constant rates, and kdropout's with live rates. Models are built several
times, because their place in memory makes a difference. The step is that of
`benchmarks.training_step`.

    KERAS_BACKEND=tensorflow python -m benchmarks.recurrent_cost

About 4 minutes per backend on 2 cores. Writes results/recurrent_cost.csv; rows of the
other backends stay. `min_ms` is the mean over the builds of the least time.
`of_constant` is the mean of its ratio to that of constant rates, and `of_constant_se`
is the standard error of this mean over the builds.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import kdropout
from benchmarks import reporting, training_step

RATES = {"dropout": 0.2, "recurrent_dropout": 0.2}
BUILDS = 6
ROUNDS = 8
STEPS = 3  # per block: few, so that some blocks are undisturbed
# The name, arguments and shape of inputs of each layer, and the batch size.
MODELS = {
    "LSTM": (("LSTM", 128), {}, (64, 64), 64),
    "GRU": (("GRU", 128), {}, (64, 64), 64),
    "ConvLSTM2D": (("ConvLSTM2D", 16, 3), {"padding": "same"}, (8, 16, 16, 4), 8),
}
ARMS = {
    "none": (layers, {}),
    "constant": (layers, RATES),
    "live": (kdropout.layers, RATES),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    reporting.measure_all("recurrent_cost", MODELS, measure)


def measure(name):
    """Rows of all arms of a model."""
    least = training_step.least_times(
        lambda arm: block(name, arm), ARMS, BUILDS, ROUNDS, STEPS
    )
    return [
        {
            "backend": training_step.BACKEND,
            "layer": name,
            "rates": arm,
            "builds": BUILDS,
            "min_ms": round(float(np.mean(values)), 3),
            "of_constant": round(float(np.mean(ratios)), 3),
            "of_constant_se": round(float(np.std(ratios, ddof=1)) / BUILDS**0.5, 4),
        }
        for arm, values in least.items()
        for ratios in [np.divide(values, least["constant"])]
    ]


def block(name, arm):
    """A function that runs some training steps, and waits for the last one."""
    (kind, *sizes), arguments, shape, batch_size = MODELS[name]
    module, rates = ARMS[arm]
    keras.utils.set_random_seed(0)
    layer = getattr(module, kind)(*sizes, **arguments, **rates)
    inputs = keras.Input(shape)
    outputs = layers.Dense(training_step.CLASSES)(layers.Flatten()(layer(inputs)))
    model = keras.Model(inputs, outputs)
    return training_step.block(model, batch_size, STEPS)


if __name__ == "__main__":
    main()
