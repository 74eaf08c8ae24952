"""Training of the models of trials, with a whole epoch as one graph if possible.

An epoch runs as one graph if the result is that of `fit`. `why_not_one_graph` returns
the reason if it is not.
"""

import dataclasses
import inspect
import math
import random

import keras
import keras_tuner
import numpy as np
from keras import ops, tree

from kdropout.callbacks import OverfittingGap, TensorBoardRates
from kdropout.callbacks.rate_logger import RateReader
from kdropout.inspection import walk
from kdropout.tuning.class_weights import weights_of_samples
from kdropout.tuning.live_numbers import LiveNumbers

_DEFAULT_BATCH_SIZE = 32  # the default of Keras

# The data of several folds stay on the device up to this many bytes.
_MEMORY = 2**31

# A model must not override these, because `fit` calls them and a compiled epoch does
# not.
_METHODS = (
    "fit",
    "evaluate",
    "train_step",
    "test_step",
    "compute_metrics",
    "get_metrics_result",
    "make_train_function",
    "make_test_function",
    "reset_metrics",
)
_BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)
# These hooks act only before the first batch of a pass. A compiled epoch calls them.
_ONCE_A_PASS = (RateReader.on_train_batch_begin, OverfittingGap.on_test_batch_begin)
_MUST_BE_NONE = ("steps_per_epoch", "validation_steps")

# The classes of tensors that have rows, unlike sparse and ragged ones.
_DENSE = ("EagerTensor", "ArrayImpl")


class Trainer:
    """Trains the models of a search, which share the data on the device."""

    def __init__(self, note):
        self._note = note
        self._data = []  # tuples of the arguments of `fit` and their `TrialData`

    def train(self, hypermodel, hp, pooled, seed, args, kwargs):
        """Train a model like `hypermodel.fit`, and return the result of it."""
        model, has_fit = pooled.model, has_own_fit(hypermodel)
        arguments = None
        if not has_fit and _has_fit_of_keras(model):
            arguments = _fit_arguments(model, args, kwargs)
        reason = why_not_one_graph(hypermodel, model, arguments)
        if reason is None:
            data = self._data_of(arguments)
            if pooled.epochs is None:
                pooled.epochs = _make_epochs(pooled, data, arguments["batch_size"])
            pooled.prepare()
            return _fit_by_epochs(model, pooled.epochs, data, arguments, seed)
        self._note(f"Trials train with fit, because {reason}.")
        if not has_fit:
            kwargs = {**kwargs, "verbose": 0}  # the search shows a progress bar
            if pooled.is_shared and arguments is not None:
                train = (arguments["x"], arguments["y"])
                if _are_arrays(train):
                    _create_state(model, train, arguments["batch_size"])
        pooled.prepare()
        with pooled.watching_global_random_numbers(seed):
            return hypermodel.fit(hp, model, *args, **kwargs)

    def forget_data(self):
        self._data = []

    def _data_of(self, arguments):
        """The data on the device, which all trials of a search share.

        There are several if the search has folds.
        """
        names = (
            "x",
            "y",
            "sample_weight",
            "class_weight",
            "validation_data",
            "validation_split",
        )
        given = [arguments[name] for name in names]
        for known, data in self._data:
            if all(old is new for old, new in zip(known, given, strict=True)):
                return data
        self._data.append((given, _data_of_fit(arguments)))
        while len(self._data) > 1 and self._num_bytes() > _MEMORY:
            del self._data[0]
        return self._data[-1][1]

    def _num_bytes(self):
        return sum(data.num_bytes for _, data in self._data)

    def __getstate__(self):
        return {**vars(self), "_data": []}  # another process has another device


# When an epoch may be one graph.


def has_own_fit(hypermodel):
    """Return True if a hypermodel overrides `fit`."""
    return type(hypermodel).fit is not keras_tuner.HyperModel.fit


def _has_fit_of_keras(model):
    """Return False if a model overrides `fit`, perhaps with other arguments."""
    return type(model).fit is keras.Model.fit


def why_not_one_graph(hypermodel, model, arguments):
    """Return the reason why a trial must train with `fit`, or None."""
    if has_own_fit(hypermodel):
        return "the hypermodel has its own fit"
    return (
        _why_not_on_backend(model)
        or _why_not_for_model(model)
        or _why_not_with_arguments(arguments)
    )


def is_on_one_device(model):
    """Return True without a strategy of TensorFlow or a distribution of Keras."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        strategy = model.distribute_strategy
        # A model whose strategy is not in scope cannot get new variables.
        is_in_scope = strategy is tf.distribute.get_strategy()
        return is_in_scope and strategy.num_replicas_in_sync == 1
    return backend != "jax" or keras.distribution.distribution() is None


def _why_not_on_backend(model):
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        return f"the backend {backend} has no graph of a whole epoch"
    if not is_on_one_device(model):
        return "the model is distributed over several devices"
    if backend == "jax" and not model.jit_compile:
        return "jit_compile is off"
    return None


def _why_not_for_model(model):
    for name in _METHODS:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has its own {name}"
    return "run_eagerly is on" if model.run_eagerly else None


def _why_not_with_arguments(arguments):
    for name in _MUST_BE_NONE:
        if arguments[name] is not None:
            return f"{name} is given"
    if not _are_arrays((arguments["x"], arguments["y"])):
        return "the training data are not arrays of numbers"
    if arguments["sample_weight"] is not None and not (
        _is_array(arguments["sample_weight"]) and _is_array(arguments["y"])
    ):
        return "sample_weight is more than one array"
    if arguments["class_weight"] is not None and not _can_weight_classes(arguments):
        return "class_weight is given for labels that are not one array"
    validation = arguments["validation_data"]
    if validation is not None and not (
        isinstance(validation, (tuple, list)) and _are_arrays(tuple(validation))
    ):
        return "the validation data are not arrays of numbers"
    if not isinstance(arguments["shuffle"], bool):
        return f"shuffle is {arguments['shuffle']!r}"
    for callback in arguments["callbacks"] or ():
        if acts_at_batches(callback):
            return f"the callback {type(callback).__name__} acts at batches"
    return None


def _can_weight_classes(arguments):
    """True if `fit` accepts the weights of classes. Otherwise `fit` raises an error."""
    return (
        isinstance(arguments["class_weight"], dict)
        and arguments["sample_weight"] is None
        and _is_array(arguments["y"])
        and arguments["y"].ndim <= 2
    )


def acts_at_batches(callback):
    """Return True if a callback acts at batches, so that trials train with `fit`."""
    if isinstance(callback, TensorBoardRates):
        return callback.acts_at_batches
    for hook in _BATCH_HOOKS:
        default = getattr(keras.callbacks.Callback, hook)
        if getattr(type(callback), hook) not in (default, *_ONCE_A_PASS):
            return True
    return False


# Models that wait for their data.


def is_built(model):
    """Return True if a model and all its layers have created their variables."""
    return model.built and all(_has_variables(layer) for _, layer in walk(model))


def build_by_data(model, args, kwargs):
    """Build a model like its first batch in `fit`, and return True if that worked.

    A model without an `Input` is not built before. Nothing is read from a
    `tf.data.Dataset`, which knows the shapes.
    """
    inputs = None
    if _has_fit_of_keras(model):
        inputs = _inputs_of(_fit_arguments(model, args, kwargs)["x"])
    if inputs is None:
        return False
    try:
        model(inputs)
    except Exception:  # code of the user that cannot work without numbers
        return False
    return is_built(model)


def _has_variables(layer):
    creates_none = type(layer).build is keras.layers.Layer.build
    return layer.built or creates_none


def _inputs_of(x):
    """Symbolic tensors for the inputs of a batch, or None for other kinds of data."""
    if hasattr(x, "element_spec"):  # a dataset of TensorFlow
        batch = x.element_spec
        x = batch[0] if isinstance(batch, tuple) else batch
        has_shapes = all(map(_is_dense_batch, tree.flatten(x)))
        return tree.map_structure(_symbol, x) if has_shapes else None
    if x is None or not _are_arrays(x):
        return None
    return tree.map_structure(_symbol, x)


def _is_dense_batch(spec):
    return type(spec).__name__ == "TensorSpec" and bool(spec.shape.rank)


def _symbol(array):
    dtype = _other_dtype_in_fit(array)
    dtype = dtype or keras.backend.standardize_dtype(array.dtype)
    return keras.KerasTensor((None, *array.shape[1:]), dtype)


# The `fit` of a model with compiled epochs.


def _fit_arguments(model, args, kwargs):
    """The arguments of `model.fit` by name, with its defaults."""
    bound = inspect.signature(model.fit).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _make_epochs(pooled, data, batch_size):
    """The `Epochs` of a compiled model, for data of these shapes."""
    _create_state(pooled.model, data.train, batch_size)
    if keras.backend.backend() == "jax":
        from kdropout.tuning.epochs_jax import Epochs
    else:
        from kdropout.tuning.epochs_tensorflow import Epochs
    return Epochs(pooled.model, LiveNumbers(pooled.live_places))


def _create_state(model, train, batch_size):
    """Create the variables of metrics and optimizer, like `fit` does when it starts.

    On JAX and PyTorch, `fit` draws a batch to inspect the data. This also draws random
    numbers that the next training of the same model does not draw.
    """
    batch_size = batch_size or _DEFAULT_BATCH_SIZE
    batch = tree.map_structure(lambda array: _to_tensor(array[:batch_size]), train)
    # Keras has no public way to do this without a training step.
    model._symbolic_build(data_batch=batch)


def _fit_by_epochs(model, epochs, data, arguments, seed):
    """Train like `fit`, with callbacks, but with one call per epoch.

    The seed and the number of an epoch determine the order of its rows, so a resumed
    training continues in the same order. Returns the `keras.callbacks.History`.
    """
    # Callbacks may draw random numbers. `keras.utils.set_random_seed` would make
    # TensorFlow prepare every compiled function again, which takes longer than a short
    # epoch.
    random.seed(seed)
    np.random.seed(seed)
    last = arguments["epochs"]
    batch_size = int(arguments["batch_size"] or _DEFAULT_BATCH_SIZE)
    validation_batch_size = int(arguments["validation_batch_size"] or batch_size)
    epochs.begin()
    callbacks = keras.callbacks.CallbackList(
        list(arguments["callbacks"] or ()),
        add_history=True,
        model=model,
        verbose=0,
        epochs=last,
        steps=-(-data.num_rows // batch_size),
    )
    model.stop_training = False
    callbacks.on_train_begin()
    logs = {}
    for epoch in range(arguments["initial_epoch"], last):
        callbacks.on_epoch_begin(epoch)
        callbacks.on_train_batch_begin(0)  # RateLogger reads the rates of the epoch
        order = _order(data.num_rows, arguments["shuffle"], seed, epoch)
        logs = dict(epochs.train(data.train, order, batch_size))
        if data.validation is not None and _has_validation(arguments, epoch):
            callbacks.on_test_begin()
            # OverfittingGap measures with these weights.
            callbacks.on_test_batch_begin(0)
            validation_logs = epochs.evaluate(data.validation, validation_batch_size)
            callbacks.on_test_end(validation_logs)
            for name, value in validation_logs.items():
                logs[f"val_{name}"] = value
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks.on_train_end(logs)
    return model.history


def _order(num_rows, shuffle, seed, epoch):
    if not shuffle:
        return np.arange(num_rows, dtype="int32")
    rng = np.random.default_rng([seed, epoch])
    return rng.permutation(num_rows).astype("int32")


def _has_validation(arguments, epoch):
    frequency = arguments["validation_freq"]
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


# The data as arrays that a compiled epoch can slice.


@dataclasses.dataclass(frozen=True)
class TrialData:
    """The data of `fit` on the device, in the dtypes in which `fit` feeds them.

    Attributes:
        train: Tuple `(x, y)` or `(x, y, sample_weight)` of structures of tensors.
        validation: The same for validation, or None.
        num_rows: Integer, number of rows of `train`.
    """

    train: tuple
    validation: tuple | None
    num_rows: int

    @property
    def num_bytes(self):
        """The approximate memory of the data, with 4 bytes for each number."""
        tensors = tree.flatten((self.train, self.validation))
        return sum(4 * math.prod(t.shape) for t in tensors if t is not None)


def _data_of_fit(arguments):
    """The `TrialData` for a dict of the arguments of `fit`."""
    train = (arguments["x"], arguments["y"], arguments["sample_weight"])
    validation = arguments["validation_data"]
    if validation is None and arguments["validation_split"]:
        train, validation = _split(train, arguments["validation_split"])
    if arguments["class_weight"] is not None:  # like `fit`, after the split
        x, y, _ = train
        train = (x, y, weights_of_samples(y, arguments["class_weight"]))
    return TrialData(
        train=_to_tensors(train),
        validation=None if validation is None else _to_tensors(validation),
        num_rows=_num_rows(train),
    )


def to_python(logs):
    """Convert logs to numbers, or to arrays if a metric has one value per class."""
    return tree.map_structure(_to_number, logs)


def _to_number(value):
    array = ops.convert_to_numpy(value)
    return float(array) if array.ndim == 0 else array


def _is_array(value):
    """True if `value` is an array whose rows a compiled epoch can take."""
    if isinstance(value, np.ndarray):
        is_of_numbers = value.dtype.kind in "biuf" and value.ndim > 0
        return is_of_numbers or _is_of_strings(value)
    return ops.is_tensor(value) and type(value).__name__ in _DENSE


def _is_of_strings(array):
    """True if `fit` feeds an array of objects as strings, as only TensorFlow can."""
    return (
        array.dtype == object
        and keras.backend.backend() == "tensorflow"
        and array.ndim == 1
        and all(isinstance(value, str) for value in array)
    )


def _are_arrays(data):
    """True if each leaf of a structure is None or an array as in `_is_array`."""
    return all(leaf is None or _is_array(leaf) for leaf in tree.flatten(data))


def _split(data, share):
    """Split like `validation_split` of `fit`: the last rows are for validation."""
    at = int(_num_rows(data) * (1.0 - share))
    first = tree.map_structure(lambda a: None if a is None else a[:at], data)
    last = tree.map_structure(lambda a: None if a is None else a[at:], data)
    return first, last


def _to_tensors(data):
    data = tuple(part for part in data if part is not None)
    return tree.map_structure(_to_tensor, data)


def _to_tensor(array):
    return ops.convert_to_tensor(array, _other_dtype_in_fit(array))


def _other_dtype_in_fit(array):
    """The dtype in which `fit` feeds an array, or None for its own.

    Keras feeds floats as `floatx`, objects as strings and others unchanged.
    """
    if array.dtype == object:
        return "string"
    dtype = keras.backend.standardize_dtype(array.dtype)
    return keras.backend.floatx() if keras.backend.is_float_dtype(dtype) else None


def _num_rows(data):
    return next(len(leaf) for leaf in tree.flatten(data) if leaf is not None)
