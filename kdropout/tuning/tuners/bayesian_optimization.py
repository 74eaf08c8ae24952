"""Bayesian optimization."""

import keras_tuner

from kdropout.tuning.trials.engine import TrialEngine


class BayesianOptimization(keras_tuner.BayesianOptimization, TrialEngine):
    """`keras_tuner.BayesianOptimization` on models that are compiled once.

    It never asks for the same values twice: where the Gaussian process proposes what
    was tried, the best of some random new points takes its place.

    Args:
        *args: As for `keras_tuner.BayesianOptimization`.
        **kwargs: As for `keras_tuner.BayesianOptimization`, and `workers`,
            `ray_address`, `threads_per_worker`, `scored_epoch` and `log_dir`:
            see `kdropout.tuning.trials.TrialEngine`.

    Raises:
        RuntimeError: If another process writes to the same project.
    """
