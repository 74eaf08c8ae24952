"""The weights of the best epoch of a trial, and files of weights."""

import keras
import numpy as np
from keras import ops

from kdropout._files import replacing


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch of all executions of a trial, in memory.

    Without an objective, or a value of it in the logs, the last epoch is the best. If
    no callback after this one ends a training (`is_last`), only that one is copied.
    """

    def __init__(self, objective, is_last=False):
        super().__init__()
        self._objective = objective
        self._only_last = objective is None and is_last
        self._is_behind = False
        self._best = None
        self._weights = None

    def on_epoch_end(self, epoch, logs=None):
        if self._only_last and self._goes_on(epoch):
            self._is_behind = True
            return
        if self._objective is not None and self._objective.has_value(logs or {}):
            value = self._objective.get_value(logs)
            if self._best is not None and not self._objective.better_than(
                value, self._best
            ):
                return
            self._best = value
        self._copy()

    def on_train_end(self, logs=None):
        if self._is_behind:  # a callback after this one has ended the training
            self._copy()

    def _goes_on(self, epoch):
        return epoch + 1 < self.params.get("epochs", 0) and not self.model.stop_training

    def _copy(self):
        self._weights = [ops.copy(variable) for variable in self.model.variables]
        self._is_behind = False

    def restore(self):
        """Give the model the weights of its best epoch."""
        for variable, value in zip(self.model.variables, self._weights, strict=True):
            variable.assign(value)

    def write(self, path):
        """Write the weights to `path`, if there was an epoch."""
        if self._weights is not None:
            save_values(self._weights, path)


def save_values(variables, path):
    """Write the values of variables or tensors to a file that is whole or not there."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, *map(_to_numpy, variables))


def load_values(variables, path):
    """Give variables the values that `save_values` wrote, or raise a ValueError."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[name] for name in arrays.files]
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise ValueError(
            f"'{path}' must hold the weights of a trial. It cannot be read: "
            f"{type(error).__name__}: {error}. Delete it, or search again in another "
            "folder."
        ) from error
    shapes = [value.shape for value in values]
    expected = [tuple(variable.shape) for variable in variables]
    if shapes != expected:
        raise ValueError(
            f"'{path}' must hold the variables of the same model, of shapes "
            f"{expected}. Received: shapes {shapes}. Build the model as in the search."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _to_numpy(variable):
    array = ops.convert_to_numpy(variable)
    # NumPy's files cannot hold bfloat16; float32 holds its numbers exactly.
    return array.astype("float32") if array.dtype.kind == "V" else array
