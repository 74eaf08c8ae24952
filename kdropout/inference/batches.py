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
        preprocess: Function from inputs as the user has them to those of the model, or
            None. Defaults to None.

    Raises:
        TypeError: If `x` is of another form.
        ValueError: If its arrays differ in length, or it is empty.
    """

    def __init__(self, x, batch_size, preprocess=None):
        self.batch_size = batch_size
        self._preprocess = preprocess
        if x is None or isinstance(x, (str, bytes)) or hasattr(x, "__next__"):
            raise TypeError(f"'x' must be {_FORMS}. Received: x={x!r}")
        self.dataset = x if _is_dataset(x) else None
        self.arrays = None if _is_dataset(x) else self._to_arrays(x)

    def __len__(self):
        """The number of batches, or 0 if a dataset does not tell."""
        if self.arrays is not None:
            return -(-_num_rows(self.arrays) // self.batch_size)
        try:
            return len(self.dataset)
        except TypeError:
            return 0

    def __iter__(self):
        for batch in self._raw_batches():
            yield batch if self._preprocess is None else self._preprocessed(batch)

    def _raw_batches(self):
        if self.arrays is None:
            for batch in iterate_batches(self.dataset):
                yield self._to_arrays(keras.utils.unpack_x_y_sample_weight(batch)[0])
            return
        for start in range(0, _num_rows(self.arrays), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield tree.map_structure(lambda array, rows=rows: array[rows], self.arrays)

    def _to_arrays(self, x):
        if self._preprocess is None:
            return _to_arrays(x)
        # As KerasHub reads its inputs: only a tuple or a dict holds several, and a list
        # is one of them, such as texts.
        if isinstance(x, tuple):
            x = tuple(map(_joined, x))
        elif isinstance(x, dict):
            x = {name: _joined(value) for name, value in x.items()}
        else:
            x = _joined(x)
        return _to_arrays(x)

    def _preprocessed(self, batch):
        return tree.map_structure(_to_array, self._preprocess(batch))


def preprocess_of(model):
    """What `predict` of a task of KerasHub does first to its inputs; else None.

    Inputs that already are those of the model, by name, stay as they are.
    """
    if getattr(model, "preprocessor", None) is None:
        return None
    preprocess_samples = getattr(model, "preprocess_samples", None)
    if preprocess_samples is None:
        return None

    def preprocess(batch):
        if isinstance(batch, dict) and {t.name for t in model.inputs} <= set(batch):
            return batch
        texts = tree.map_structure(
            lambda a: a.tolist() if a.dtype.kind in "USO" else a, batch
        )
        return keras.utils.unpack_x_y_sample_weight(preprocess_samples(texts))[0]

    return preprocess


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


def _joined(value):
    return np.asarray(value) if isinstance(value, list) else value


def _num_rows(arrays):
    return len(tree.flatten(arrays)[0])
