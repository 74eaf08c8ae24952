"""The `fit` of a model whose epochs are compiled as a whole."""

import random

import keras
import numpy as np

from kdropout.tuning.trials.data import (
    DEFAULT_BATCH_SIZE,
    make_data,
    split_off_validation,
)


def make_epochs(model, data):
    """What trains and evaluates `model` an epoch per call, on this backend.

    Args:
        model: A compiled `keras.Model`.
        data: `TrialData`, whose shapes the metrics and the optimizer are built for.
    """
    create_state(model, data.train, data.batch_size)
    if keras.backend.backend() == "jax":
        from kdropout.tuning.trials.jax_epochs import Epochs
    else:
        from kdropout.tuning.trials.tensorflow_epochs import Epochs
    return Epochs(model)


def create_state(model, train, batch_size):
    """Create the variables of metrics and optimizer, which `fit` would at its start.

    On JAX and PyTorch, `fit` draws a batch to see what they are like, and with it
    random numbers that the next training of the same model does not draw.

    Args:
        model: A compiled `keras.Model`.
        train: Structure of arrays, the training data.
        batch_size: Integer, or None for Keras's default.
    """
    batch_size = batch_size or DEFAULT_BATCH_SIZE
    batch = keras.tree.map_structure(lambda a: a[:batch_size], train)
    # Keras has no public way to do it without a training step.
    model._symbolic_build(data_batch=batch)


def data_of_fit(arguments):
    """The `TrialData` for the arguments of `fit`, a dict by name."""
    train = (arguments["x"], arguments["y"], arguments["sample_weight"])
    validation = arguments["validation_data"]
    if validation is None and arguments["validation_split"]:
        train, validation = split_off_validation(train, arguments["validation_split"])
    return make_data(
        train,
        validation,
        arguments["batch_size"],
        arguments["validation_batch_size"],
    )


def epoch_fit(model, epochs, data, arguments, seed):
    """Train as `fit` does, callbacks included, with one call per epoch.

    Args:
        model: A compiled `keras.Model`.
        epochs: Its `Epochs`.
        data: `TrialData`.
        arguments: Dict of the arguments of `fit`.
        seed: Integer. It and the number of an epoch decide the order of its rows, so
            that a training which is taken up again goes on in the same order.

    Returns:
        `keras.callbacks.History`.
    """
    # For callbacks that draw. Not `keras.utils.set_random_seed`: TensorFlow would then
    # prepare every compiled function anew, which takes longer than such an epoch.
    random.seed(seed)
    np.random.seed(seed)
    last = arguments["epochs"]
    callbacks = keras.callbacks.CallbackList(
        list(arguments["callbacks"] or ()),
        add_history=True,
        model=model,
        verbose=0,
        epochs=last,
        steps=-(-data.num_rows // data.batch_size),
    )
    model.stop_training = False
    callbacks.on_train_begin()
    logs = {}
    for epoch in range(arguments["initial_epoch"], last):
        callbacks.on_epoch_begin(epoch)
        callbacks.on_train_batch_begin(0)  # for RateLogger: the rates of the epoch
        order = _order(data.num_rows, arguments["shuffle"], seed, epoch)
        logs = dict(epochs.train(data.train, order, data.batch_size))
        if data.validation is not None and _has_validation(arguments, epoch):
            callbacks.on_test_begin()
            callbacks.on_test_batch_begin(0)  # for OverfittingGap: at its weights
            validation_logs = epochs.evaluate(
                data.validation, data.validation_batch_size
            )
            callbacks.on_test_end(validation_logs)
            logs.update({f"val_{name}": v for name, v in validation_logs.items()})
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
