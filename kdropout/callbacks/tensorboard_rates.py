"""Writes rates, metrics and the overfitting gap for TensorBoard."""

import contextlib
import errno
import os
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kdropout import _event_log, _validation
from kdropout.callbacks.gap_controller import GapController
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.callbacks.overfitting_gap import OverfittingGap, callbacks_of_training
from kdropout.callbacks.rate_logger import RateReader
from kdropout.callbacks.rate_scheduler import forget_movers, movers_of
from kdropout.inference import drop_fractions
from kdropout.inspection import select_layers
from kdropout_dashboard import tags

# A full disk does not stop a training. Any other error of the folder is raised before
# the training begins.
_FULL = (errno.ENOSPC, errno.EDQUOT)

# Entries of the logs that OverfittingGap and RateLogger add, and that have other tags.
_NOT_METRICS = ("gap_", "naive_gap_", "rate/", *(f"{term}/" for term in tags.TERMS))


class TensorBoardRates(RateReader):
    """Writes rates, what decides them, metrics and the gap for TensorBoard.

    `tensorboard --logdir` shows them live in a tab "Dropout". The tab "Scalars" has, by
    epoch:

        dropout_rate/<layer path>       the rate of the epoch, as RateLogger logs it
        overfitting_gap/<metric>        measured with dropout off, by OverfittingGap
        overfitting_gap/naive_<metric>  from Keras's training metric
        metric/<name>                   losses and metrics, by their names in the logs,
                                        such as metric/val_loss
        progress/training_steps         the number of training steps so far
        entropy_term/<layer path>       the term that a learned rate adds to the loss
        weight_term/<layer path>        the same for kdropout.layers.ConcreteDropout
        drop_fraction/<layer path>      the share of units really dropped, with
                                        `drop_fraction_data`

    The tab "Custom Scalars" shows all rates in one chart. The callback works on every
    backend and does not need TensorFlow.

    Put it after `OverfittingGap`, whose numbers it writes. A metric with a value per
    class, such as `keras.metrics.F1Score()`, has the series `<metric>/0`, `<metric>/1`
    and so on. If the disk is full, or writing fails while the training runs, the
    callback warns once, and the training continues.

    Args:
        log_dir: Path of the folder of this run. The callback makes the folder when
            training begins. Each run needs another folder. It may be the folder of
            `keras.callbacks.TensorBoard`.
        layers: The layers to log: None for all dropout layers; or a glob on the layer
            path such as "encoder/*", a layer, or a list of these. Defaults to None.
        update_freq: "epoch", or an integer N of at least 1 to write the rates also
            every N batches, as `batch_dropout_rate/<layer path>`. "batch" means 1.
            Reading a rate takes up to 0.2 ms. Defaults to "epoch".
        drop_fraction_data: Inputs of one batch, or None. At the end of each epoch, they
            pass through the model once, to measure the share of units that is really
            dropped at the rates of the epoch. Defaults to None.

    Raises:
        MissingPackages: If TensorBoard is not installed.
        TypeError: If an argument is of the wrong type. For `layers`, when training
            begins.
        ValueError: If `update_freq` is out of range; when training begins, if no
            dropout layer matches, or `drop_fraction_data` do not fit the model.
        OSError: When training begins, if `log_dir` cannot be written to.

    Warns:
        UserWarning: Once, if writing fails later.

    Example:

    >>> model = keras.Sequential([
    ...     kdropout.layers.Dropout(0.5, name="drop"), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = kdropout.callbacks.TensorBoardRates(folder)
    ...     history = model.fit(
    ...         np.ones((8, 4)), np.ones((8, 1)), callbacks=[board], verbose=0)
    ...     len(os.listdir(folder))
    1
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        layers: str | keras.layers.Layer | Sequence | None = None,
        update_freq: str | int = "epoch",
        drop_fraction_data: Any = None,
    ) -> None:
        super().__init__(layers)
        if not isinstance(log_dir, str | os.PathLike):
            raise _validation.type_error("log_dir", "a path", log_dir)
        self.log_dir = os.fspath(log_dir)
        self.update_freq = _check_update_freq(update_freq)
        self.drop_fraction_data = drop_fraction_data
        _event_log.check_tensorboard(type(self).__name__)
        self._log: _event_log.RunLog | None = None

    @property
    def acts_at_batches(self) -> bool:
        """True if the callback writes before an epoch has ended."""
        return self.update_freq != "epoch"

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        forget_movers(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._check_drop_fraction_data()
        self._is_described = self._has_charts = self._has_failed = False
        self._first_step = self._num_batches = 0
        log = self._log = _event_log.RunLog(self.log_dir)
        try:
            log.open()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._give_up(error)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        layers = select_layers(self.model, self.layers)
        if not self._is_described:  # by now, on_train_begin of all callbacks has run
            content = _description(layers, movers_of(self.model))
            self._write(_event_log.description(tags.RUN, content), 0)
            self._flush()
            self._is_described = True
        self._selected = [*layers.items()]
        self._first_step = self._steps_so_far()
        self._num_batches = 0

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        before, self._num_batches = self._num_batches, batch + 1
        if not self.acts_at_batches:
            return
        # With several steps per execution, Keras does not report every batch.
        step = self._first_step + self._num_batches
        if step // self.update_freq == (self._first_step + before) // self.update_freq:
            return
        _ = self.model  # on JAX, reading it brings the variables up to date
        rates = {
            f"{tags.BATCH_RATE}/{path}": layer.rate for path, layer in self._selected
        }
        self._write(_event_log.scalars(rates), step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        gaps, metrics = _gaps(logs or {}), _metrics(logs or {})
        if not self._has_charts:
            self._write(_event_log.layout(gaps), 0)
            content = self._directions(metrics)
            self._write(_event_log.description(tags.METRICS, content), 0)
            self._has_charts = True
        values = self._rates() | _tagged(gaps) | self._drop_fractions_of(epoch)
        values |= {tags.metric(name): value for name, value in metrics.items()}
        values[tags.TRAINING_STEPS] = self._steps_so_far()
        self._write(_event_log.scalars(values), epoch)
        self._flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._log is not None:
            with self._errors_reported():
                self._log.close()

    def _write(self, summary, step):
        if not self._has_failed:
            with self._errors_reported():
                self._log.write(summary, step)

    def _flush(self):
        if not self._has_failed:
            with self._errors_reported():
                self._log.flush()

    @contextlib.contextmanager
    def _errors_reported(self):
        """A context in which an error of writing stops the log, not the training."""
        # For an address such as gs://, TensorFlow's file system raises other errors.
        kind = Exception if "://" in self.log_dir else OSError
        try:
            yield
        except kind as error:
            with contextlib.suppress(kind):
                self._log.close()
            self._give_up(error)

    def _give_up(self, error):
        if not self._has_failed:
            self._has_failed = True
            warnings.warn(
                f"TensorBoardRates cannot write to '{self.log_dir}': {error}. "
                "The training continues without this log.",
                stacklevel=2,
            )

    def _rates(self):
        """The values to log for each layer, by tag."""
        return {
            f"{tags.RATE if name == 'rate' else name}/{path}": value
            for path, values in self.read_epoch().items()
            for name, value in values.items()
        }

    def _directions(self, metrics):
        """The better direction of each metric, where that is known."""
        known = {}
        for callback in callbacks_of_training():
            if isinstance(callback, OverfittingGap):
                known |= callback.directions
        directions = {}
        for name in metrics:
            name = name.removeprefix(tags.VALIDATION).removeprefix(tags.CLEAN)
            with contextlib.suppress(ValueError):  # the name does not show it
                whole, _, _ = name.partition("/")  # one value per class
                is_lower = lower_is_better(whole, self.model, known)
                directions[name] = "min" if is_lower else "max"
        return {"format": tags.FORMAT, "directions": directions}

    def _check_drop_fraction_data(self):
        """Raise before the training if the data do not fit the model."""
        try:
            self._drop_fractions(seed=0)
        except Exception as error:  # each backend raises different errors
            expected = "the inputs of one batch, as the model takes them"
            received = self.drop_fraction_data
            received = getattr(received, "shape", None) or type(received).__name__
            raise ValueError(
                f"'drop_fraction_data' must be {expected}. Received: "
                f"drop_fraction_data of {received}, with which '{self.model.name}' "
                f"fails: {error}"
            ) from error

    def _drop_fractions_of(self, epoch):
        """The shares dropped at the rates of the epoch."""
        # A controller may already have set the rates of the next epoch.
        if self.drop_fraction_data is None:
            return {}
        layers = select_layers(self.model, self.layers)
        rates_of_epoch = self._rates_of_epoch or {}
        next_rates = {path: layers[path].rate for path in rates_of_epoch}
        for path, rate in rates_of_epoch.items():
            layers[path].rate = rate
        try:
            return self._drop_fractions(seed=epoch)
        finally:
            for path, rate in next_rates.items():
                layers[path].rate = rate

    def _drop_fractions(self, seed):
        if self.drop_fraction_data is None:
            return {}
        shares = drop_fractions(
            self.model, self.drop_fraction_data, self.layers, seed=seed
        )
        return {f"{tags.DROP_FRACTION}/{path}": share for path, share in shares.items()}

    def _steps_so_far(self):
        """The number of training steps of the model, also before this training."""
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:  # the model trains without one
            return self._first_step + self._num_batches
        return int(keras.ops.convert_to_numpy(optimizer.iterations))


def _check_update_freq(update_freq):
    if update_freq == "epoch":
        return update_freq
    if update_freq == "batch":
        return 1
    if isinstance(update_freq, str):
        expected = "'epoch', 'batch' or an integer of at least 1"
        raise _validation.value_error("update_freq", expected, update_freq)
    return _validation.integer("update_freq", update_freq, low=1)


def _gaps(logs):
    """Dict from metric to its clean and its naive gap, which may be None."""
    gaps = {}
    for name, clean in logs.items():
        if not name.startswith("gap_"):
            continue
        metric, naive = name.removeprefix("gap_"), logs.get(f"naive_{name}")
        if np.ndim(clean) == 0:
            gaps[metric] = (clean, naive)
            continue
        naives = [None] * np.size(clean) if naive is None else np.ravel(naive)
        pairs = zip(np.ravel(clean), naives, strict=True)
        gaps |= {f"{metric}/{index}": pair for index, pair in enumerate(pairs)}
    return gaps


def _metrics(logs):
    """Dict from the name of a loss or metric to its value."""
    metrics = {}
    for name, value in logs.items():
        if name.startswith(_NOT_METRICS):
            continue
        try:
            values = np.asarray(value, dtype="float64")
        except (TypeError, ValueError):  # a callback added something else
            continue
        if values.ndim == 0:
            metrics[name] = float(values)
            continue
        metrics |= {
            f"{name}/{index}": float(entry)
            for index, entry in enumerate(values.ravel())
        }
    return metrics


def _tagged(gaps):
    values = {}
    for metric, (clean, naive) in gaps.items():
        values[tags.gap(metric)] = clean
        if naive is not None:
            values[tags.naive_gap(metric)] = naive
    return values


def _description(layers, movers):
    """The layers, who decides their rates, and the target of a controller."""
    return {
        "format": tags.FORMAT,
        "layers": [
            {
                "path": path,
                "kind": type(layer).__name__,
                "decided_by": layer._decided_by,
            }
            for path, layer in layers.items()
        ],
        "target": _target(movers),
    }


def _target(movers):
    """The target of a controller, or None."""
    for callback in movers:
        if isinstance(callback, GapController) and callback.monitor.startswith("gap_"):
            return {
                "metric": callback.monitor.removeprefix("gap_"),
                "value": callback.target,
                "dead_band": callback.dead_band,
            }
    return None
