"""Reads the data of a user as NumPy arrays."""

import keras
import numpy as np
from keras import ops, tree


def iterate_batches(dataset):
    """The batches of an iterable, or of a `PyDataset`, which is a sequence."""
    if hasattr(dataset, "__iter__"):
        yield from dataset
    else:
        for index in range(len(dataset)):
            yield dataset[index]


def to_array(value, argument, forms, hint=""):
    """A NumPy array of an array or tensor.

    Args:
        value: An entry of the argument.
        argument: Name of the argument, for the message.
        forms: String for the message, the forms that the argument may have.
        hint: Sentence that ends the message. Defaults to none.

    Raises:
        TypeError: If `value` is a single number or not an array.
    """
    array = ops.convert_to_numpy(value) if ops.is_tensor(value) else np.asarray(value)
    if array.ndim == 0:
        raise TypeError(
            f"'{argument}' must be {forms}. Received: {value!r} inside it.{hint}"
        )
    return array


def num_rows(arrays, argument, hint=""):
    """The number of rows of all arrays in a structure, which may also hold None.

    Raises:
        ValueError: If the numbers differ, or there are no rows.
    """
    sizes = {len(array) for array in tree.flatten(arrays) if array is not None}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"'{argument}' must hold arrays with the same number of rows, and at least "
            f"one row. Received: {sorted(sizes)} rows.{hint}"
        )
    return sizes.pop()


class Batches:
    """The inputs of a prediction, batch by batch: structures of NumPy arrays.

    Args:
        x: An array, a list or dict of arrays with the same number of rows, or an
            iterable of batches or `(x, y)` pairs, or a `PyDataset`.
        batch_size: Integer, number of rows of a batch. A dataset has its own batches.
        preprocess: Function that turns the inputs of the user into those of the model,
            or None. Defaults to None.

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
        self.arrays = None if self.dataset is not None else self._to_arrays(x)

    def __len__(self):
        """The number of batches, or 0 if a dataset does not know it."""
        if self.arrays is not None:
            return -(-self._num_rows() // self.batch_size)
        try:
            return len(self.dataset)
        except TypeError:
            return 0

    def __iter__(self):
        for batch, _ in self.with_targets():
            yield batch

    def with_targets(self):
        """Pairs of a batch and its targets, None if `x` does not hold any."""
        for batch, targets in self._raw_batches():
            if self._preprocess is not None:
                batch = self._preprocessed(batch)
            yield batch, targets

    def _num_rows(self):
        return len(tree.flatten(self.arrays)[0])

    def _raw_batches(self):
        if self.arrays is None:
            for batch in iterate_batches(self.dataset):
                inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(batch)
                yield self._to_arrays(inputs), targets
            return
        for start in range(0, self._num_rows(), self.batch_size):
            rows = slice(start, start + self.batch_size)
            inputs = tree.map_structure(lambda a, rows=rows: a[rows], self.arrays)
            yield inputs, None

    def _to_arrays(self, x):
        if self._preprocess is not None:
            # KerasHub reads inputs in this way: only a tuple or a dict holds several
            # inputs. A list, such as a list of texts, is one input.
            if isinstance(x, tuple):
                x = tuple(map(_joined, x))
            elif isinstance(x, dict):
                x = {name: _joined(value) for name, value in x.items()}
            else:
                x = _joined(x)
        arrays = tree.map_structure(_input_array, x)
        num_rows(arrays, "x", _HINT)
        return arrays

    def _preprocessed(self, batch):
        return tree.map_structure(_input_array, self._preprocess(batch))


_FORMS = "an array, a list or dict of arrays, or a dataset of batches"
_HINT = " For one input, pass an array and not a nested list."


def preprocess_of(model):
    """Return the preprocessing in the `predict` of a KerasHub task, or None.

    Inputs that already have the names of the model's inputs stay as they are.
    """
    if getattr(model, "preprocessor", None) is None:
        return None
    preprocess_samples = getattr(model, "preprocess_samples", None)
    if preprocess_samples is None:
        return None

    def preprocess(batch):
        names = {tensor.name for tensor in model.inputs}
        if isinstance(batch, dict) and names <= set(batch):
            return batch
        texts = tree.map_structure(
            lambda array: array.tolist() if array.dtype.kind in "USO" else array, batch
        )
        return keras.utils.unpack_x_y_sample_weight(preprocess_samples(texts))[0]

    return preprocess


def _is_dataset(x):
    if isinstance(x, (list, tuple, dict, np.ndarray)) or ops.is_tensor(x):
        return False
    if hasattr(x, "__array__"):
        return False
    if hasattr(x, "__iter__") or isinstance(x, keras.utils.PyDataset):
        return True
    raise TypeError(f"'x' must be {_FORMS}. Received: x={x!r}")


def _input_array(value):
    return to_array(value, "x", _FORMS, _HINT)


def _joined(value):
    return np.asarray(value) if isinstance(value, list) else value
