"""Renews the caches of Keras when layers and models change."""

import contextlib
import gc

import keras

from kdropout.inspection import walk


@contextlib.contextmanager
def unlocked(layer):
    """A context in which a built layer accepts new variables."""
    # Keras does the same for LoRA.
    locked = layer._tracker.locked
    layer._tracker.unlock()
    try:
        yield
    finally:
        if locked:
            layer._tracker.lock()


def strategy_scope(model):
    """A context in which new variables belong to the strategy that trains a model."""
    # If a variable were not mirrored, each replica of TensorFlow would change it: the
    # clock of a schedule would advance by two steps at a time.
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def refresh(layers):
    """Make Keras see the current layers and variables of models and layers."""
    # The next `fit`, `evaluate` and `predict` are traced again. On PyTorch, a
    # `state_dict` then has the current variables, and not those from `build`.
    for layer in layers:
        if isinstance(layer, keras.Model):
            layer.train_function = layer.test_function = layer.predict_function = None
        # A Sequential model has a Functional one inside, with a separate list.
        for tracker in (layer, getattr(layer, "_functional", None)):
            if hasattr(tracker, "_torch_params"):
                tracker._track_variables()


def models_that_trained(layers):
    """The models in memory that hold one of `layers` and may have been trained."""
    # A compiled training step keeps the dropout layers with which it was compiled. It
    # may belong to a model around the one that changes now.
    if not any(_may_have_trained(layer) for layer in layers):
        return []
    models = [
        candidate
        for candidate in gc.get_objects()
        if issubclass(type(candidate), keras.Model)
    ]
    wanted = {id(layer) for layer in layers}
    return [
        model
        for model in models
        if any(id(layer) in wanted for _, layer in walk(model))
    ]


def _may_have_trained(layer):
    """Return whether a layer has drawn numbers, or does not show if it has."""
    generator = getattr(layer, "seed_generator", None)
    if generator is None:
        return True
    return bool(keras.ops.not_equal(generator.state[1], 0))
