"""Tells TensorBoard of the trials of a search."""

import contextlib
import os
import pathlib
import time
import warnings

from keras_tuner.engine.trial import TrialStatus

from kdropout import event_log, validation
from kdropout.event_log import check_tensorboard
from kdropout.tuning.report import Report
from kdropout.tuning.search_log import descriptions, hparams
from kdropout.tuning.search_log.axes import Axes
from kdropout.tuning.search_log.event_file import (
    EXPERIMENT,
    MARGINALS,
    TRIAL,
    clear,
    trials_in,
    write_once,
)
from kdropout.tuning.storage.trial_records import trial_records
from kdropout_dashboard import tags


class SearchLog:
    """Writes the hyperparameters and the score of each trial that has ended.

    The tab "HParams" of TensorBoard has a row for each trial, the tab "Dropout" the
    charts of the search. What is written follows from what the oracle knows: whatever
    is missing, after a kill or a full disk, comes with the next trial or search. A
    failure to write never ends the search.

    Args:
        folder: Path of the folder, made if it is not there. Each search needs its own.
        oracle: The `keras_tuner.Oracle` of the search, which sees all its trials end,
            in whatever process they run.

    Raises:
        MissingPackages: If TensorBoard is not installed.
        TypeError: If `folder` is no path.
        ValueError: If it is a file, or on another machine.
    """

    def __init__(self, folder, oracle):
        self._folder = _check_folder(folder)
        check_tensorboard("'log_dir'")
        self._oracle = oracle
        self._start = {}  # by trial: when it began
        self._written = set()  # the trials whose row is there
        self._has_warned = False
        self.axes = Axes()
        self.epochs = None

    def claim(self, is_new, overwrite):
        """Refuse a folder with the trials of another search, or delete them.

        Args:
            is_new: Whether this search has no trials yet.
            overwrite: Whether to delete them.

        Raises:
            ValueError: If there are some.
        """
        found = trials_in(self._folder) if is_new else []
        if found and not overwrite:
            raise ValueError(
                "'log_dir' must be a folder of this search alone. Received: "
                f"log_dir='{self._folder}', which holds {len(found)} trials of "
                "another. Choose another folder, or pass overwrite=True to delete them."
            )
        if found:
            with self._going_on():
                clear(self._folder)

    def update(self):
        """Write what is missing of the trials that have ended."""
        if not self.axes.are_known:
            return
        with self._going_on():
            self._write_experiment()
            for trial_id in self._oracle.end_order:
                if trial_id not in self._written:
                    self._write_trial(self._oracle.trials[trial_id])
                    self._written.add(trial_id)

    def finish(self):
        """Write the score that is expected over each rate, as a report finds it."""
        with self._going_on():
            report = self._report()
            if report is None:
                return
            found = descriptions.marginals_of(report, self.axes.dimensions)
            if found:
                content = self._describe(found, report.importance.problem)
                write_once(self._folder, MARGINALS, content, lambda: [_search(content)])

    def on_trial_begin(self, trial):
        self._start[trial.trial_id] = time.time()

    def on_trial_end(self, trial):
        self.update()

    def _write_experiment(self):
        space, objective = self._oracle.hyperparameters.space, self._oracle.objective
        content = self._describe()

        def parts():
            yield hparams.experiment(space, objective.name)
            if self.axes.dimensions:
                yield _search(content)

        identity = [content, [one.get_config() for one in space]]
        write_once(self._folder, EXPERIMENT, identity, parts)

    def _write_trial(self, trial):
        values = trial.hyperparameters.values
        content = descriptions.describe_trial(trial, hparams.of_user(values))
        score = content["score"]
        known = {
            "rates": self.axes.rates(values),
            "epochs": values.get("tuner/epochs", self.epochs),
        }

        def parts():
            start = self._start.get(trial.trial_id, time.time())
            yield hparams.session_start(content["values"], start)
            if score is not None:
                tag = hparams.metric(self._oracle.objective.name)
                yield event_log.scalars({tag: score})
            if self.axes.dimensions:
                yield event_log.description(tags.TRIAL, {**content, **known})
            completed = trial.status == TrialStatus.COMPLETED and score is not None
            yield hparams.session_end(completed)

        # What is known of rates and epochs may be less in a search taken up again.
        write_once(self._folder / trial.trial_id, TRIAL, content, parts)

    def _describe(self, *marginals):
        objective, dimensions = self._oracle.objective, self.axes.dimensions
        return descriptions.describe_search(
            objective.name, objective.direction, dimensions, *marginals
        )

    def _report(self):
        """The report of the trials that have all axes, or None."""
        plan = self.axes.plan
        if plan is None:
            return None
        trials = [
            trial
            for trial in self._oracle.trials.values()
            if plan.names <= trial.hyperparameters.values.keys()
        ]
        records = trial_records(trials, plan, self.epochs)
        if not any(record.completed for record in records):
            return None
        objective = self._oracle.objective
        return Report(records, objective.name, objective.direction)

    @contextlib.contextmanager
    def _going_on(self):
        """What cannot be written is told once, and tried again with the next trial."""
        try:
            yield
        except Exception as error:  # of a disk, or of whatever a value is made of
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"TensorBoard is not told of all trials, as '{self._folder}' could "
                    f"not be written to: {error!r}. The search goes on, and what is "
                    "missing is written as soon as that works.",
                    stacklevel=2,
                )


def _search(content):
    return event_log.description(tags.SEARCH, content)


def _check_folder(folder):
    if not isinstance(folder, (str, os.PathLike)):
        raise TypeError(validation.received("log_dir", "a path or None", folder))
    expected = "the path of a folder on this machine"
    path = pathlib.Path(folder)
    if "://" in os.fspath(folder) or (path.exists() and not path.is_dir()):
        raise ValueError(validation.received("log_dir", expected, os.fspath(folder)))
    return path
