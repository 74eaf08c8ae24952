"""What Keras keeps of layers and models, and must let go of when they change."""

import contextlib

import keras


@contextlib.contextmanager
def unlocked(layer):
    """Let a built layer take new variables, which it would refuse."""
    # Keras opens itself this way for LoRA, too.
    locked = layer._tracker.locked
    layer._tracker.unlock()
    try:
        yield
    finally:
        if locked:
            layer._tracker.lock()


def forget_compiled_steps(layers):
    """The next `fit`, `evaluate` and `predict` trace the models as they are now."""
    for layer in layers:
        if isinstance(layer, keras.Model):
            layer.train_function = layer.test_function = layer.predict_function = None
