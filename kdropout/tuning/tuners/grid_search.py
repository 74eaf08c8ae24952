"""Grid search."""

import keras_tuner

from kdropout.tuning.trials.engine import TrialEngine


class GridSearch(keras_tuner.GridSearch, TrialEngine):
    """`keras_tuner.GridSearch` on models that are compiled once.

    Args:
        *args: As for `keras_tuner.GridSearch`.
        **kwargs: As for `keras_tuner.GridSearch`, and `workers`, `ray_address`,
            `threads_per_worker`, `scored_epoch` and `log_dir`:
            see `kdropout.tuning.trials.TrialEngine`.

    Raises:
        RuntimeError: If another process writes to the same project.
    """
