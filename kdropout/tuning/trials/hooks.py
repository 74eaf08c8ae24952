"""Calls the hooks of a tuner during the training of a trial."""

import keras
import keras_tuner


def tuner_hooks(tuner, trial):
    """A callback for the hooks that subclasses of a KerasTuner tuner may override."""
    batches = any(
        getattr(type(tuner), name) is not getattr(keras_tuner.Tuner, name)
        for name in ("on_batch_begin", "on_batch_end")
    )
    return (_BatchHooks if batches else _EpochHooks)(tuner, trial)


class _EpochHooks(keras.callbacks.Callback):
    def __init__(self, tuner, trial):
        super().__init__()
        self.tuner = tuner
        self.trial = trial

    def on_epoch_begin(self, epoch, logs=None):
        self.tuner.on_epoch_begin(self.trial, self.model, epoch, logs=logs)

    def on_epoch_end(self, epoch, logs=None):
        self.tuner.on_epoch_end(self.trial, self.model, epoch, logs=logs)


class _BatchHooks(_EpochHooks):
    # A class of its own, because what acts at batches keeps an epoch out of one graph.
    def on_batch_begin(self, batch, logs=None):
        self.tuner.on_batch_begin(self.trial, self.model, batch, logs)

    def on_batch_end(self, batch, logs=None):
        self.tuner.on_batch_end(self.trial, self.model, batch, logs)
