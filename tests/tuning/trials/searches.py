"""Small searches for the tests of tuners."""

import keras
import numpy as np

import kdropout
from kdropout import tuning
from tests.tools import CountedLayer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)
DATA = {"x": X[:35], "y": Y[:35], "validation_data": (X[35:], Y[35:])}


def make_model(units=8, seed=0, momentum=0.9):
    if seed is not None:
        keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, activation="relu"),
            kdropout.layers.Dropout(0.5, name="first"),
            keras.layers.BatchNormalization(),
            CountedLayer(),
            kdropout.layers.Dropout(0.3, name="second"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1, momentum=momentum),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def build(hp):
    return tuning.tune_rates(hp, make_model())


def unseeded(hp):
    return tuning.tune_rates(hp, make_model(seed=None))


def search(tuner, **kwargs):
    """Run a search of a few short trials; return its trials in order."""
    arguments = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0}
    tuner.search(**{**DATA, **arguments, **kwargs})
    return list(tuner.oracle.trials.values())


def scores(trials):
    return [trial.score for trial in trials]
