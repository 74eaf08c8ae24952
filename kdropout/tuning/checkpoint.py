"""The weights of the best epoch of a trial, and files of weights."""

import keras
import numpy as np
from keras import ops

from kdropout._files import replacing


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch of all executions of a trial, in memory.

    Without an objective, or without its value in the logs, the last epoch is the best.
    Set `is_last` if no later callback can end a training: then only the last epoch is
    copied.
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
        if self._is_behind:  # a later callback has ended the training
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
    """Write the values of variables or tensors to a file, completely or not at all."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, *map(_to_numpy, variables))


def load_values(variables, path):
    """Assign the values that `save_values` wrote, or raise a ValueError."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[name] for name in arrays.files]
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can raise anything
        raise ValueError(
            f"'{path}' must contain the weights of a trial, but cannot be read. "
            f"Received: {type(error).__name__}: {error}. Delete the file, or run the "
            "search in another folder."
        ) from error
    shapes = [value.shape for value in values]
    expected = [tuple(variable.shape) for variable in variables]
    if shapes != expected:
        raise ValueError(
            f"'{path}' must contain the variables of the same model, with shapes "
            f"{expected}. Received: shapes {shapes}. Build the model as in the search."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _to_numpy(variable):
    array = ops.convert_to_numpy(variable)
    # NumPy's files cannot store bfloat16. float32 stores its numbers exactly.
    return array.astype("float32") if array.dtype.kind == "V" else array
