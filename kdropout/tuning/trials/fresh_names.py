"""Layers without a name of their own get the same one in each trial."""

import keras
import keras_tuner


def begin_anew():
    """Let Keras number layers from the start, as in a new process.

    Otherwise the dropout layers of the second trial would have other names, and so
    other hyperparameters, than those of the first. `keras.utils.clear_session` does
    this, too, and also resets what the user has set: the dtype policy, the JAX
    distribution, the scope of custom objects, unsafe deserialization.
    """
    # Keras has no public way to do this alone.
    from keras.src.utils.naming import reset_uids

    reset_uids()
    if keras.backend.backend() == "torch":
        import torch

        # Otherwise the compiled steps of earlier models count towards a limit, beyond
        # which PyTorch compiles nothing more.
        torch.compiler.reset()


class FreshNames(keras_tuner.HyperModel):
    """A hypermodel whose every build begins with the first names.

    Args:
        hypermodel: The `keras_tuner.HyperModel` that builds.
        seen: Function that is called with each model, or None. Defaults to None.
    """

    def __init__(self, hypermodel, seen=None):
        super().__init__()
        self._hypermodel = hypermodel
        self._seen = seen

    def build(self, hp):
        begin_anew()
        model = self._hypermodel.build(hp)
        if self._seen is not None:
            self._seen(model)
        return model

    def declare_hyperparameters(self, hp):
        return self._hypermodel.declare_hyperparameters(hp)
