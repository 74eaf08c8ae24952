"""The data of a trial, as whole arrays that a compiled epoch can slice."""

import dataclasses

import keras
import numpy as np
from keras import ops, tree

DEFAULT_BATCH_SIZE = 32  # Keras's


@dataclasses.dataclass(frozen=True)
class TrialData:
    """What `fit` was given, on the device, in the dtypes in which `fit` feeds it.

    Attributes:
        train: Tuple `(x, y)` or `(x, y, sample_weight)` of structures of tensors.
        validation: The same for validation, or None.
        num_rows: Integer, rows of `train`.
        batch_size: Integer.
        validation_batch_size: Integer.
    """

    train: tuple
    validation: tuple | None
    num_rows: int
    batch_size: int
    validation_batch_size: int


def is_array(value):
    """Whether `value` is one array of numbers whose rows a compiled epoch can take."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf" and value.ndim > 0
    return ops.is_tensor(value) and type(value).__name__ in _DENSE


# What tensors are called that have rows: not the sparse and ragged ones.
_DENSE = ("EagerTensor", "ArrayImpl")


def are_arrays(data):
    """Whether all leaves of a structure are such arrays, or None."""
    return all(leaf is None or is_array(leaf) for leaf in tree.flatten(data))


def split_off_validation(data, share):
    """As `fit` with `validation_split`: the last rows are for validation."""
    num_rows = _num_rows(data)
    at = int(num_rows * (1.0 - share))
    first = tree.map_structure(lambda a: None if a is None else a[:at], data)
    last = tree.map_structure(lambda a: None if a is None else a[at:], data)
    return first, last


def make_data(train, validation, batch_size=None, validation_batch_size=None):
    """The `TrialData` for arguments of `fit`."""
    batch_size = batch_size or DEFAULT_BATCH_SIZE
    return TrialData(
        train=_to_tensors(train),
        validation=None if validation is None else _to_tensors(validation),
        num_rows=_num_rows(train),
        batch_size=int(batch_size),
        validation_batch_size=int(validation_batch_size or batch_size),
    )


def to_python(logs):
    """Logs as numbers, or as arrays where a metric has one value per class."""
    return tree.map_structure(_to_number, logs)


def _to_number(value):
    array = ops.convert_to_numpy(value)
    return float(array) if array.ndim == 0 else array


def _to_tensors(data):
    data = tuple(part for part in data if part is not None)
    return tree.map_structure(_to_tensor, data)


def _to_tensor(array):
    # Keras feeds all floats as `floatx`, and other numbers as they are.
    dtype = keras.backend.standardize_dtype(array.dtype)
    is_float = keras.backend.is_float_dtype(dtype)
    return ops.convert_to_tensor(array, keras.backend.floatx() if is_float else None)


def _num_rows(data):
    return next(len(leaf) for leaf in tree.flatten(data) if leaf is not None)
