"""Random search."""

import keras_tuner

from kdropout.tuning.trials.engine import TrialEngine


class RandomSearch(keras_tuner.RandomSearch, TrialEngine):
    """`keras_tuner.RandomSearch` on models that are compiled once.

    Args:
        *args: As for `keras_tuner.RandomSearch`: `hypermodel`, `objective`,
            `max_trials`, `seed` and so on.
        **kwargs: As for `keras_tuner.RandomSearch`, and `workers`, `ray_address`,
            `threads_per_worker`, `scored_epoch` and `log_dir`:
            see `kdropout.tuning.trials.TrialEngine`.

    Raises:
        RuntimeError: If another process writes to the same project.

    Example:

    >>> import tempfile
    >>> from kdropout import tuning
    >>> def build(hp):
    ...     model = keras.Sequential([
    ...         keras.Input((4,)), kdropout.layers.Dropout(0.5, name="drop"),
    ...         keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return tuning.tune_rates(hp, model)
    >>> x, y = np.ones((8, 4)), np.ones((8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tuner = tuning.RandomSearch(
    ...         build, "val_loss", max_trials=3, directory=folder)
    ...     tuner.search(x, y, validation_data=(x, y), verbose=0)
    >>> list(tuner.get_best_hyperparameters()[0].values)
    ['rate/drop']
    """
