"""Searches over real models, with a plain function instead of training."""

import keras
import keras_tuner

import kdropout
from kdropout import tuning

FAILS_WITH = 6  # units


def score_of(values):
    """Replaces training: returns the score of a trial."""
    return sum(value for value in values.values() if isinstance(value, float))


class Planted:
    """Computes the function instead of training."""

    def run_trial(self, trial, *args, **kwargs):
        values = trial.hyperparameters.values
        if values.get("units") == FAILS_WITH:
            raise ValueError("too many units")
        return score_of(values)


class RandomSearch(Planted, tuning.RandomSearch):
    pass


class Hyperband(Planted, tuning.Hyperband):
    pass


class SuccessiveHalving(Planted, tuning.SuccessiveHalving):
    pass


def make_model(*names):
    layers = [kdropout.layers.Dropout(0.5, name=name) for name in names]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def build(hp):
    """Build two layers, and a user's hyperparameter that makes trials fail."""
    hp.Choice("units", [4, FAILS_WITH])
    return tuning.tune_rates(hp, make_model("first", "second"))


def make_tuner(folder, kind=RandomSearch, hypermodel=build, objective="min", **kwargs):
    """Make a tuner of a new or existing search, which logs to `folder/logs`."""
    if kind not in (Hyperband, SuccessiveHalving):
        kwargs = {"max_trials": 6, "max_consecutive_failed_trials": 100, **kwargs}
    return kind(
        hypermodel,
        keras_tuner.Objective("score", objective),
        **{"seed": 3, "log_dir": folder / "logs", **kwargs},
        directory=folder,
        project_name="search",
    )


def run(folder, **kwargs):
    """Run a search to its end; return its tuner."""
    tuner = make_tuner(folder, **kwargs)
    tuner.search(epochs=7, verbose=0)
    return tuner
