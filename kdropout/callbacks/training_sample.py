"""A fixed sample of the training data."""

import contextlib

import keras
import numpy as np
from keras import tree

from kdropout import _data

_FORMS = (
    "a tuple (x, y) or (x, y, sample_weight) of arrays, or a dataset that can be "
    "iterated more than once"
)

# A constant, so that the sample is the same in each epoch, run and restart.
_SEED = 0


class TrainingSample:
    """A fixed sample of training data, on which a model is evaluated each epoch."""

    def __init__(self, data, max_samples, batch_size):
        self.max_samples = max_samples
        self.batch_size = batch_size
        if isinstance(data, tuple):
            self.arrays, self.dataset = _sample_rows(data, max_samples), None
        else:
            self.arrays, self.dataset = None, _check_dataset(data)
        self.source = None

    def evaluate(self, model):
        """Loss and metrics of `model` in inference mode, as a dict by name."""
        if self.source is None:
            if self.arrays is None:
                self.arrays = _first_batches(self.dataset, self.max_samples)
            self.source = _evaluation_source(self.arrays, self.batch_size)
        with _state_kept(model):
            return model.evaluate(**self.source, verbose=0, return_dict=True)

    def __repr__(self):
        if self.dataset is not None:
            return f"<{type(self.dataset).__name__}>"
        return f"<{_data.num_rows(self.arrays[0], 'train_data')} samples>"

    def __deepcopy__(self, memo):
        # KerasTuner copies callbacks for each trial. A sample does not change, and a
        # dataset cannot be copied.
        return self


class _Batches(keras.utils.PyDataset):
    """Batches whose shapes differ, so that they cannot be one array."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        # tf.data does not accept None for missing weights.
        return _present(self.batches[index])


def _evaluation_source(data, batch_size):
    """The arguments for `evaluate`, prepared once for all epochs."""
    if isinstance(data, _Batches):
        return {"x": data}
    if keras.backend.backend() == "tensorflow" and _all_given(_present(data)):
        # Keras would build this again from arrays each time: 50 ms instead of 7.
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices(_tuples(_present(data)))
        return {"x": dataset.batch(batch_size).cache()}
    x, y, sample_weight = data
    return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}


@contextlib.contextmanager
def _state_kept(model):
    """A context in which measuring does not change the training or the validation."""
    # A model that draws random numbers at inference keeps the state of its generators
    # in integer variables. PyTorch's loaders also draw a number.
    counters = [
        variable
        for variable in model.non_trainable_variables
        if not keras.backend.is_float_dtype(variable.dtype)
    ]
    before = [keras.ops.convert_to_numpy(counter) for counter in counters]
    is_stopped = getattr(model, "stop_evaluating", False)  # by another callback
    with _torch_state_kept():
        yield
    model.stop_evaluating = is_stopped
    for counter, value in zip(counters, before, strict=True):
        counter.assign(value)


@contextlib.contextmanager
def _torch_state_kept():
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng(devices=[]):
        yield


def _all_given(batch):
    return all(part is not None for part in batch)


def _tuples(structure):
    """The structure with tuples for lists, which tf.data would stack into one."""
    if isinstance(structure, dict):
        return {name: _tuples(part) for name, part in structure.items()}
    if isinstance(structure, (list, tuple)):
        return tuple(map(_tuples, structure))
    return structure


def _present(batch):
    """The batch without the None at its end for missing targets or weights."""
    size = max(index for index, part in enumerate(batch) if part is not None) + 1
    return batch[:size]


def _sample_rows(data, max_samples):
    if not 1 <= len(data) <= 3:
        raise TypeError(
            f"'train_data' must be {_FORMS}. Received: a tuple of {len(data)} entries."
        )
    data = tree.map_structure(_to_array, tuple(data))
    size = _data.num_rows(data, "train_data")
    if size > max_samples:
        rows = np.random.default_rng(_SEED).choice(size, max_samples, replace=False)
        rows.sort()  # reads the arrays in order
        data = tree.map_structure(lambda a: None if a is None else a[rows], data)
    return (*data, None, None)[:3]


def _check_dataset(data):
    iterable = hasattr(data, "__iter__") or hasattr(data, "__getitem__")
    if data is None or not iterable or isinstance(data, (str, dict, list, np.ndarray)):
        kind = "None" if data is None else f"a {type(data).__name__}"
        raise TypeError(
            f"'train_data' must be {_FORMS}. Received: {kind}. A callback cannot see "
            "the data given to fit: pass them here as well."
        )
    if hasattr(data, "__next__"):
        raise TypeError(
            f"'train_data' must be {_FORMS}. Received: a generator, which would be "
            "used up here and missing in fit. Pass arrays or a dataset."
        )
    return data


def _first_batches(dataset, max_samples):
    batches, size = [], 0
    for batch in _data.iterate_batches(dataset):
        batch = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
        batches.append((*tree.map_structure(_to_array, batch), None, None)[:3])
        size += len(tree.flatten(batches[-1])[0])
        if size >= max_samples:
            break
    if size == 0:
        raise ValueError("'train_data' must hold at least one sample. Received: none.")
    shapes = {
        tuple(None if a is None else a.shape[1:] for a in tree.flatten(batch))
        for batch in batches
    }
    if len(shapes) > 1:
        return _Batches(batches)
    return tree.map_structure(
        lambda *a: None if a[0] is None else np.concatenate(a)[:max_samples], *batches
    )


def _to_array(value):
    return None if value is None else _data.to_array(value, "train_data", _FORMS)
