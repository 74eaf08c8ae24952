"""Measures the overfitting gap with dropout off."""

import inspect
from typing import Any

import keras
import numpy as np

from kdropout import _validation
from kdropout._model_kinds import has_call
from kdropout._reprs import call_text
from kdropout.callbacks.metric_direction import check_directions, lower_is_better
from kdropout.callbacks.training_sample import TrainingSample

_BATCH_SIZE = 256


class OverfittingGap(keras.callbacks.Callback):
    """Logs the true overfitting gap, measured with dropout off.

    Keras measures training metrics with dropout on, and averages them over an epoch in
    which the weights change. With dropout, `val_loss - loss` is therefore biased, and
    often below zero while the model overfits. At the end of each epoch, this callback
    evaluates a fixed sample of the training data in the same way as the validation
    data, with the loss and the metrics of the model. It does so within the validation
    pass of `fit`, so that both use the same weights. This also holds with a callback
    that exchanges the weights, such as `keras.callbacks.SwapEMAWeights`. The cost is
    one evaluation of the sample per epoch.

    For each metric of the model, the callback adds to the logs:

        clean_<metric>      on the training sample, with dropout off
        gap_<metric>        clean against validation: above 0 if the model overfits,
                            for metrics of either direction
        naive_gap_<metric>  the same from Keras's training metric, for comparison

    Put it before the callbacks that use these names. Keras cannot know that a smaller
    gap is better. So pass `mode="min"` to `EarlyStopping`, `ModelCheckpoint` and
    `ReduceLROnPlateau` if they monitor a gap. For a metric with a value per class, such
    as `keras.metrics.F1Score()`, the entries are arrays.

    Args:
        train_data: The training data: a tuple `(x, y)` or `(x, y, sample_weight)` of
            arrays, each of which may be a dict, list or tuple of arrays; or a
            `tf.data.Dataset`, `keras.utils.PyDataset` or other iterable of batches
            that can be iterated more than once.
        max_samples: Integer of at least 1, the size of the sample. It consists of
            random rows of arrays, the same in each run, or of the first batches of a
            dataset. Defaults to 2048.
        batch_size: Integer of at least 1, the number of rows per batch, or None for
            256. It does not change the result. Defaults to None.
        directions: Dict from the name of a metric to "min" if lower values are better,
            or to "max" if higher ones are, for metrics whose direction is not known.
            Defaults to None.
        validation_freq: Integer of at least 1, or list of such integers: the value that
            you pass to `fit`. Defaults to 1.
        verbose: 0 to print nothing, 1 to print a line per epoch. Defaults to 0.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range or without data; when training
            begins, if the model has neither a `call` nor its own `test_step`; when an
            epoch ends, if `fit` has no validation data, or if the direction of a
            metric is not known.

    Example:

    >>> x, y = np.random.rand(64, 4), np.random.rand(64, 1)
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> gap = kdropout.callbacks.OverfittingGap((x[:48], y[:48]))
    >>> history = model.fit(x, y, validation_split=0.25, callbacks=[gap], verbose=0)
    >>> sorted(history.history)
    ['clean_loss', 'gap_loss', 'loss', 'naive_gap_loss', 'val_loss']
    """

    def __init__(
        self,
        train_data: Any,
        max_samples: int = 2048,
        batch_size: int | None = None,
        directions: dict[str, str] | None = None,
        validation_freq: int | list[int] = 1,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        max_samples = _validation.integer("max_samples", max_samples, low=1)
        if batch_size is None:
            batch_size = _BATCH_SIZE
        batch_size = _validation.integer("batch_size", batch_size, low=1)
        self.sample = TrainingSample(train_data, max_samples, batch_size)
        self.directions = check_directions(directions)
        self.validation_freq = check_validation_freq(validation_freq)
        self.verbose = _validation.integer("verbose", verbose)
        self._clean = None
        self._is_due = False
        self._is_first_epoch = True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._is_first_epoch = True
        kind = type(self.model)
        if not has_call(self.model) and kind.test_step is keras.Model.test_step:
            raise ValueError(
                "OverfittingGap needs a model that can be evaluated. Received: "
                f"'{self.model.name}' of class {kind.__name__}, which has neither a "
                "call() nor its own test_step(). Write test_step(self, data), which "
                "returns the same losses for training=False, and pass validation data "
                "to fit."
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._clean = None
        self._is_due = is_validated(epoch, self.validation_freq)

    def on_test_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # At the first validation batch, all callbacks have had on_test_begin, where
        # some of them exchange the weights, and none of them had on_test_end.
        if self._is_due and self._clean is None:
            self._clean = self.sample.evaluate(self.model)
            self.model.reset_metrics()  # next, they measure the validation data

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._is_due = False
        is_first_epoch, self._is_first_epoch = self._is_first_epoch, False
        if logs is None:
            return
        if not is_validated(epoch, self.validation_freq):
            if is_first_epoch:
                _announce([*self.model.get_metrics_result()])
            return
        if not any(name.startswith("val_") for name in logs):
            raise ValueError(
                "OverfittingGap needs validation data to compare with. Received: logs "
                f"with {sorted(logs)}. Pass 'validation_data' or 'validation_split' "
                "to fit; if fit has a 'validation_freq', pass the same to "
                "OverfittingGap."
            )
        clean = self._clean
        if clean is None:  # the validation of this model calls no callbacks
            clean = self.sample.evaluate(self.model)
        for name, value in clean.items():
            if f"val_{name}" not in logs:
                continue
            sign = 1.0 if lower_is_better(name, self.model, self.directions) else -1.0
            validated = logs[f"val_{name}"]
            logs[f"clean_{name}"] = value
            logs[f"gap_{name}"] = sign * (validated - value)
            if name in logs:
                logs[f"naive_gap_{name}"] = sign * (validated - logs[name])
        if self.verbose:
            gaps = (
                f"{name} {_text(logs[f'gap_{name}'])}"
                for name in clean
                if f"gap_{name}" in logs
            )
            print(f"Epoch {epoch + 1}: overfitting gap: {', '.join(gaps)}.")

    def __repr__(self) -> str:
        sample = vars(self).get("sample")
        if sample is None:
            return call_text(self)
        return call_text(
            self,
            with_defaults=False,
            train_data=sample,
            max_samples=sample.max_samples,
            batch_size=None if sample.batch_size == _BATCH_SIZE else sample.batch_size,
            directions=self.directions or None,
        )


def check_validation_freq(validation_freq):
    """Check the argument `validation_freq`, an integer or a list of integers."""
    if isinstance(validation_freq, list):
        return [
            _validation.integer("validation_freq", epoch, low=1)
            for epoch in validation_freq
        ]
    return _validation.integer("validation_freq", validation_freq, low=1)


def is_validated(epoch: int, validation_freq):
    """Return whether `fit` validates after the epoch with this index."""
    if isinstance(validation_freq, list):
        return epoch + 1 in validation_freq
    return (epoch + 1) % validation_freq == 0


def _announce(metrics):
    """Announce the later entries of `metrics` to each CSVLogger of the training."""
    # CSVLogger takes its columns from the first epoch. The entries must not be in the
    # logs yet, because other callbacks would use any number as a measured gap.
    prefixes = ("clean_", "gap_", "naive_gap_", "val_")
    missing = {f"{prefix}{name}": "NA" for prefix in prefixes for name in metrics}
    for other in callbacks_of_training():
        if isinstance(other, keras.callbacks.CSVLogger) and other.keys is None:
            _add_to_first_row(other, missing)


def _add_to_first_row(csv_logger, missing):
    def on_epoch_end(epoch, logs=None):
        del csv_logger.on_epoch_end  # restores the method of the class
        csv_logger.on_epoch_end(epoch, {**missing, **(logs or {})})

    csv_logger.on_epoch_end = on_epoch_end


def callbacks_of_training():
    """The callbacks of the training that calls this one."""
    # Keras gives a callback no access to the others, so this looks at the callers.
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, keras.callbacks.CallbackList):
            return caller.callbacks
        frame = frame.f_back
    return []


def _text(gap):
    if np.ndim(gap) == 0:
        return f"{gap:.4f}"
    return "[" + ", ".join(map(_text, gap)) + "]"
