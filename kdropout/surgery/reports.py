"""Warnings about dropout that does not act as its rate says."""

import warnings

from kdropout._model_kinds import is_functional, is_sequential
from kdropout.surgery.probe import is_trained_by_keras, modes_of_calls

# The number of layers that a message lists. It counts the rest.
_MAX_LISTED = 8


def listed(found):
    """A dict from path to description as text."""
    texts = [f"'{path}' ({what})" for path, what in found.items()]
    if len(texts) > _MAX_LISTED:
        texts[_MAX_LISTED:] = [f"and {len(texts) - _MAX_LISTED} more"]
    return "; ".join(texts)


def warn(found, message, stacklevel=3):
    """Warn with a message that lists a dict from path to description, if it has any."""
    if found:
        warnings.warn(message.replace("{}", listed(found)), stacklevel=stacklevel)


def warn_of_dropout_that_is_off(model, paths, modes):
    """Warn of layers that a model calls in training, but not in training mode.

    Args:
        model: The model.
        paths: Dict from layer to path.
        modes: Dict from layer to the modes of its calls, by `modes_of_calls`.
    """
    message = (
        "The model calls some dropout layers with training=False even in training, so "
        "their rates act only in kdropout.mc_predict: {}. Leave 'training' out of the "
        "call of the layer or model around them to switch them on."
    )
    if is_trained_by_keras(model) and not (
        is_functional(model) or is_sequential(model)
    ):
        message += (
            f" And let call() of {type(model).__name__} take the argument 'training', "
            "and pass it on to the layers that it calls: def call(self, inputs, "
            "training=None)."
        )
    off = [layer for layer in paths if modes.get(layer) == {False}]
    warn(_where(paths, off), message, stacklevel=4)


def warn_of_clocks_outside_of_training(model, clocked):
    """Warn of layers with a schedule that a model calls in training mode always.

    Args:
        model: The model.
        clocked: Dict from layer to path, of the layers with a schedule.
    """
    modes = modes_of_calls(model, clocked, training=False)
    warn(
        _where(clocked, [layer for layer in clocked if True in modes.get(layer, ())]),
        "The model calls some dropout layers with training=True also outside of "
        "training, so each prediction and evaluation advances their schedule: {}. "
        "Pass on the 'training' of the call around them, and draw samples with "
        "kdropout.mc_predict, or pass a number as their rate.",
        stacklevel=4,
    )


def _where(paths, layers):
    return {paths[layer]: type(layer).__name__ for layer in layers}
