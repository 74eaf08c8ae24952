"""When an epoch may run as one graph: only where the result is that of `fit`."""

import inspect

import keras
import keras_tuner

from kdropout.callbacks import OverfittingGap, TensorBoardRates
from kdropout.callbacks.rate_logger import RateReader
from kdropout.tuning.trials import data

# What, redefined by a model, `fit` would call and a compiled epoch would not.
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
# What acts before the first batch of a pass alone: `epoch_fit` calls these.
_ONCE_A_PASS = (RateReader.on_train_batch_begin, OverfittingGap.on_test_batch_begin)
_MUST_BE_NONE = ("class_weight", "steps_per_epoch", "validation_steps")


def has_own_fit(hypermodel):
    """Whether a hypermodel decides itself how a model is trained."""
    return type(hypermodel).fit is not keras_tuner.HyperModel.fit


def fit_arguments(model, args, kwargs):
    """The arguments of `model.fit` by name, with its defaults."""
    bound = inspect.signature(model.fit).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def reason_for_fit(hypermodel, model, arguments):
    """Why a trial must train with `fit`, in words, or None if it need not.

    Args:
        hypermodel: The `keras_tuner.HyperModel`.
        model: The compiled model.
        arguments: Dict of `fit_arguments`, or None if they are not those of `fit`.
    """
    if has_own_fit(hypermodel):
        return "the hypermodel has a fit of its own"
    return _of_backend(model) or _of_model(model) or _of_arguments(arguments)


def is_on_one_device(model):
    """Whether neither a strategy of TensorFlow nor a distribution of Keras is used."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        strategy = model.distribute_strategy
        # Variables cannot be made for a model whose strategy is not in scope.
        is_in_scope = strategy is tf.distribute.get_strategy()
        return is_in_scope and strategy.num_replicas_in_sync == 1
    return backend != "jax" or keras.distribution.distribution() is None


def _of_backend(model):
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        return f"the backend {backend} has no graph of a whole epoch"
    if not is_on_one_device(model):
        return "the model is distributed over several devices"
    if backend == "jax" and not model.jit_compile:
        return "jit_compile is off"
    return None


def _of_model(model):
    for name in _METHODS:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has a {name} of its own"
    return "run_eagerly is on" if model.run_eagerly else None


def _of_arguments(arguments):
    for name in _MUST_BE_NONE:
        if arguments[name] is not None:
            return f"{name} is given"
    if not data.are_arrays((arguments["x"], arguments["y"])):
        return "the training data are not arrays of numbers"
    if arguments["sample_weight"] is not None and not (
        data.is_array(arguments["sample_weight"]) and data.is_array(arguments["y"])
    ):
        return "sample_weight is more than one array"
    validation = arguments["validation_data"]
    if validation is not None and not (
        isinstance(validation, (tuple, list)) and data.are_arrays(tuple(validation))
    ):
        return "the validation data are not arrays of numbers"
    if not isinstance(arguments["shuffle"], bool):
        return f"shuffle is {arguments['shuffle']!r}"
    for callback in arguments["callbacks"] or ():
        if _acts_at_batches(callback):
            return f"the callback {type(callback).__name__} acts at batches"
    return None


def _acts_at_batches(callback):
    if isinstance(callback, TensorBoardRates):
        return callback.acts_at_batches
    for hook in _BATCH_HOOKS:
        default = getattr(keras.callbacks.Callback, hook)
        if getattr(type(callback), hook) not in (default, *_ONCE_A_PASS):
            return True
    return False
