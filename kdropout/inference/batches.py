"""The inputs of `mc_predict`, batch by batch."""

import keras
import numpy as np
from keras import ops, tree

from kdropout.datasets import iterate_batches

_FORMS = "an array, a list or dict of arrays, or a dataset of batches"


class Batches:
    """Batches of inputs: structures of NumPy arrays.

    Args:
        x: An array, a list or dict of arrays with the same number of rows, or an
            iterable of batches or `(x, y)` pairs, or a `PyDataset`.
        batch_size: Integer, number of rows of a batch; not used for a dataset.

    Raises:
        TypeError: If `x` is of another form.
        ValueError: If its arrays differ in length, or it is empty.
    """

    def __init__(self, x, batch_size):
        self.batch_size = batch_size
        if x is None or isinstance(x, (str, bytes)) or hasattr(x, "__next__"):
            raise TypeError(f"'x' must be {_FORMS}. Received: x={x!r}")
        self.dataset = x if _is_dataset(x) else None
        self.arrays = None if _is_dataset(x) else _to_arrays(x)

    def __len__(self):
        """The number of batches, or 0 if a dataset does not tell."""
        if self.arrays is not None:
            return -(-_num_rows(self.arrays) // self.batch_size)
        try:
            return len(self.dataset)
        except TypeError:
            return 0

    def __iter__(self):
        if self.arrays is None:
            for batch in iterate_batches(self.dataset):
                yield _to_arrays(keras.utils.unpack_x_y_sample_weight(batch)[0])
            return
        for start in range(0, _num_rows(self.arrays), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield tree.map_structure(lambda array, rows=rows: array[rows], self.arrays)


def pad(flat, num_rows):
    """The arrays with their last row repeated up to `num_rows`: one shape for all."""
    missing = num_rows - len(flat[0])
    if missing <= 0:
        return flat
    return [np.concatenate([a, np.repeat(a[-1:], missing, axis=0)]) for a in flat]


def _is_dataset(x):
    if isinstance(x, (list, tuple, dict, np.ndarray)) or ops.is_tensor(x):
        return False
    if hasattr(x, "__array__"):
        return False
    if hasattr(x, "__iter__") or isinstance(x, keras.utils.PyDataset):
        return True
    raise TypeError(f"'x' must be {_FORMS}. Received: x={x!r}")


def _to_arrays(x):
    arrays = tree.map_structure(_to_array, x)
    sizes = {len(array) for array in tree.flatten(arrays)}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            "'x' must hold arrays with the same number of rows, and at least one row. "
            f"Received: {sorted(sizes)} rows. For one input, pass an array and not a "
            "nested list."
        )
    return arrays


def _to_array(value):
    array = ops.convert_to_numpy(value) if ops.is_tensor(value) else np.asarray(value)
    if array.ndim == 0:
        raise TypeError(
            f"'x' must be {_FORMS}. Received: {value!r} in it. For one input, pass an "
            "array and not a nested list."
        )
    return array


def _num_rows(arrays):
    return len(tree.flatten(arrays)[0])
