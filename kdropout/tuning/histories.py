"""The metrics of each epoch of each trial, and their files.

The folder of a trial has one file, `history.json`. It is written as a whole when the
trainings of the trial end, before the search records the end of the trial. So the
history of a trial that has ended is never missing, incomplete or of another run.
"""

import dataclasses
import json
import math
import pathlib
import statistics

import keras
import numpy as np

from kdropout._files import write_json

_FILE = "history.json"

# Keys of a row beside the metrics.
EXECUTION, EPOCH = "execution", "epoch"


@dataclasses.dataclass(frozen=True)
class History:
    """The epochs of all trainings of one trial.

    Args:
        rows: List of dicts, one for each epoch of each execution: "execution", "epoch"
            (both from 0) and the metrics of the epoch.
        seconds: Float, the duration of the trial.
        stopped_after: Integer, the number of epochs after which the median of earlier
            trials stopped the trial, or None.
        scores: List of the scores of the trainings, or None if there is only one.
    """

    rows: list
    seconds: float
    stopped_after: int | None = None
    scores: list | None = None

    @property
    def num_trainings(self):
        """The number of trainings of the trial that had an epoch."""
        return 1 + max((row[EXECUTION] for row in self.rows), default=-1)

    def curve(self, execution, objective):
        """Return a dict from epoch to the finite values of an objective."""
        curve = {}
        for row in self.rows:
            if row[EXECUTION] == execution and objective.has_value(row):
                value = float(objective.get_value(row))
                if math.isfinite(value):
                    curve[row[EPOCH]] = value
        return curve


def mean_curve(history, objective):
    """Return a dict from epoch to the mean of an objective over the executions."""
    executions = {row[EXECUTION] for row in history.rows}
    curves = [history.curve(execution, objective) for execution in executions]
    epochs = sorted({epoch for curve in curves for epoch in curve})
    return {
        epoch: statistics.fmean(curve[epoch] for curve in curves if epoch in curve)
        for epoch in epochs
    }


class EpochRecorder(keras.callbacks.Callback):
    """Collects the metrics of each epoch of a training in a list of rows."""

    def __init__(self, rows, execution):
        super().__init__()
        self._rows = rows
        self._execution = execution

    def on_epoch_end(self, epoch, logs=None):
        metrics = {name: _to_plain(value) for name, value in (logs or {}).items()}
        self._rows.append({EXECUTION: self._execution, EPOCH: epoch, **metrics})


def forget(folder):
    """Delete the history of an earlier run of a trial."""
    _path(folder).unlink(missing_ok=True)


def write(folder, history):
    """Write the history of a trial, completely or not at all."""
    content = dataclasses.asdict(history)
    content["rows"] = [
        {name: _without_nan(value) for name, value in row.items()}
        for row in history.rows
    ]
    content["scores"] = _without_nan(history.scores)
    write_json(_path(folder), content, is_durable=True)


def read(folder):
    """Read the `History` of a trial, or return None if it has none."""
    try:
        history = History(**json.loads(_path(folder).read_text()))
        rows = [
            {name: _with_nan(value) for name, value in row.items()}
            for row in history.rows
        ]
        scores = None if history.scores is None else _with_nan(history.scores)
        return dataclasses.replace(history, rows=rows, scores=scores)
    except (OSError, ValueError, TypeError, AttributeError):
        return None  # a trial without epochs, or of an earlier version


def of_trials(project, trial_ids):
    """Return a dict from each of these trials to its `History`, or None."""
    project = pathlib.Path(project)
    return {trial_id: read(project / f"trial_{trial_id}") for trial_id in trial_ids}


def seconds_per_epoch(histories):
    """Return the median duration of an epoch, or None if nothing is known.

    The first trial also compiles the model. It counts only if there is no other one.
    """
    times = [
        history.seconds / len(history.rows)
        for history in histories
        if history is not None and history.rows
    ]
    return statistics.median(times[1:] or times) if times else None


def _path(folder):
    return pathlib.Path(folder) / _FILE


def _to_plain(value):
    """Convert a number or an array of logs to a float or a list."""
    array = np.asarray(keras.ops.convert_to_numpy(value), "float64")
    return array.tolist()


def _without_nan(value):
    """Replace numbers that JSON cannot hold by None."""
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    if value is None:
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _with_nan(value):
    if isinstance(value, list):
        return [_with_nan(entry) for entry in value]
    return math.nan if value is None else value
