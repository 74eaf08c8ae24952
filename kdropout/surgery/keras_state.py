"""The caches of Keras that must be renewed when layers and models change."""

import contextlib
import gc

import keras

from kdropout.inspection import walk


@contextlib.contextmanager
def unlocked(layer):
    """Let a built layer take new variables, which it would refuse."""
    # Keras does the same for LoRA.
    locked = layer._tracker.locked
    layer._tracker.unlock()
    try:
        yield
    finally:
        if locked:
            layer._tracker.lock()


def refresh(layers):
    """Let Keras see models and layers as they are now.

    The next `fit`, `evaluate` and `predict` are traced anew, and on PyTorch a
    `state_dict` has the variables of now, and not those of when a model was built.
    """
    for layer in layers:
        if isinstance(layer, keras.Model):
            layer.train_function = layer.test_function = layer.predict_function = None
        # A Sequential model has a Functional one inside, with a separate list.
        for tracker in (layer, getattr(layer, "_functional", None)):
            if hasattr(tracker, "_torch_params"):
                tracker._track_variables()


def models_that_trained(layers):
    """The models in memory that hold one of `layers`, which may have been trained.

    A compiled training step keeps the dropout layers with which it was compiled, also
    if that was the step of a model around the one that is changed now.
    """
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
    """Whether a layer has drawn; one that never draws may have been called as well."""
    generator = getattr(layer, "seed_generator", None)
    if generator is None:
        return True
    return bool(keras.ops.not_equal(generator.state[1], 0))
