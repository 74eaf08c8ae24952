"""Writes the trials of a search for TensorBoard."""

import contextlib
import hashlib
import io
import itertools
import json
import os
import pathlib
import time
import warnings

import keras
import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kdropout import _validation
from kdropout._event_log import (
    EventWriter,
    check_tensorboard,
    description,
    file_name,
    scalars,
)
from kdropout.tuning.dropout_tab import (
    describe_results,
    describe_search,
    describe_trial,
)
from kdropout.tuning.oracles import rung_of, values_of_user
from kdropout.tuning.report.importance import measure_importance
from kdropout.tuning.space import plan_of
from kdropout.tuning.space.dimension import Dimension, dimensions_of
from kdropout.tuning.trial_records import searched_dimensions, trial_records
from kdropout_dashboard import tags

# The kinds of event files that a search writes.
_EXPERIMENT, _MARGINALS, _TRIAL = "experiment", "marginals", "trial"


class SearchLog:
    """Writes the hyperparameters and the score of each trial that has ended.

    The tab "HParams" of TensorBoard shows a row for each trial, and the tab "Dropout"
    shows the charts of the search. The oracle holds all content, so anything that is
    missing after a crash or a full disk is written with the next trial or the next
    search. A write error is reported once and does not stop the search.
    """

    def __init__(self, folder, oracle, read_histories):
        self._folder = _check_folder(folder)
        check_tensorboard("'log_dir'")
        self._oracle = oracle
        self._read_histories = read_histories  # a dict from trial to `History` or None
        self._start = {}  # by trial: when it began
        self._written = set()  # the trials that were written
        self._has_warned = False
        self._epochs = None
        self.axes = Axes()
        self.importance = None

    def claim(self, is_new, overwrite):
        """Raise if the folder contains trials of another search, or delete these."""
        found = _trials_in(self._folder) if is_new else []
        if found and not overwrite:
            raise ValueError(
                "'log_dir' must be a folder that only this search uses. Received: "
                f"log_dir='{self._folder}', which contains {len(found)} trials of "
                "another search. Choose another folder, or pass overwrite=True to "
                "delete them."
            )
        if found:
            with self._reporting_write_errors():
                clear(self._folder)

    @contextlib.contextmanager
    def following(self, epochs):
        """Write trials when they end, and finally the charts of all trials."""
        self._epochs = epochs
        self._update()
        try:
            yield
        finally:
            self._update()
        self._write_results()

    def learn(self, model):
        """Learn from a model of the search which rates are searched."""
        if isinstance(model, keras.Model):
            self.axes.learn(plan_of(model))

    def on_trial_begin(self, trial):
        self._start[trial.trial_id] = time.time()
        self._written.discard(trial.trial_id)  # a failed trial may run again

    def on_trial_end(self, trial):
        self._update()

    def _update(self):
        """Write the ended trials that have not been written."""
        if not self.axes.are_known:
            return
        with self._reporting_write_errors():
            self._write_experiment()
            for trial_id in self._oracle.end_order:
                if trial_id not in self._written:
                    self._write_trial(self._oracle.trials[trial_id])
                    self._written.add(trial_id)

    def _write_experiment(self):
        space, objective = self._oracle.hyperparameters.space, self._oracle.objective
        content = self._describe()

        def parts():
            yield _hparams_columns(space, objective.name)
            if self.axes.dimensions:
                yield description(tags.SEARCH, content)

        identity = [content, [hyperparameter.get_config() for hyperparameter in space]]
        _write_once(self._folder, _EXPERIMENT, identity, parts)

    def _write_trial(self, trial):
        values = trial.hyperparameters.values
        objective = self._oracle.objective
        content = describe_trial(trial, values_of_user(values), objective)
        score = content["score"]
        known = {
            "rates": self.axes.rates(values),
            "epochs": values.get("tuner/epochs", self._epochs),
        }
        if rung_of(trial):
            known["rung"] = rung_of(trial)

        def parts():
            start = self._start.get(trial.trial_id, time.time())
            yield _hparams_start(content["values"], start)
            if score is not None:
                yield scalars({_score_tag(objective.name): score})
            if self.axes.dimensions:
                yield description(tags.TRIAL, {**content, **known})
            completed = trial.status == TrialStatus.COMPLETED and score is not None
            yield _hparams_end(completed)

        # Rates and epochs are not compared, because a resumed search may not know them.
        _write_once(self._folder / trial.trial_id, _TRIAL, content, parts)

    def _write_results(self):
        """Write the curve of the expected score for each rate, and the noise."""
        with self._reporting_write_errors():
            results = self._measure()
            if results is not None:
                content = self._describe(results)
                _write_once(
                    self._folder,
                    _MARGINALS,
                    content,
                    lambda: [description(tags.SEARCH, content)],
                )

    def _describe(self, results=None):
        return describe_search(self._oracle.objective, self.axes.dimensions, results)

    def _measure(self):
        """The results of the trials that have values on all axes, or None."""
        self.importance = None
        plan = self.axes.plan
        if plan is None:
            return None
        trials = [
            trial
            for trial in self._oracle.trials.values()
            if plan.names <= trial.hyperparameters.values.keys()
        ]
        records = trial_records(trials, plan, self._epochs, self._read_histories())
        if not any(record.completed for record in records):
            return None
        self.importance = measure_importance(records, searched_dimensions(trials, plan))
        return describe_results(self.importance, self.axes.dimensions, records)

    @contextlib.contextmanager
    def _reporting_write_errors(self):
        """Warn once about a write error. The next trial tries again."""
        try:
            yield
        except Exception as error:  # from the disk, or from the type of a value
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"TensorBoard does not show all trials, because '{self._folder}' "
                    f"could not be written to: {error!r}. The search continues and "
                    "writes the missing trials as soon as possible.",
                    stacklevel=2,
                )


class Axes:
    """The hyperparameters that set rates, learned from the models of a search.

    A resumed search also gets those that an earlier process has learned.
    """

    def __init__(self):
        self._plans = {}  # by their hyperparameters
        self._dimensions = {}  # by name
        self.are_known = self.are_of_model = False

    @property
    def dimensions(self):
        """List of `Dimension` of all models."""
        return list(self._dimensions.values())

    @property
    def plan(self):
        """The `RatePlan` of a model that has all axes, or None."""
        return self._plans.get(frozenset(self._dimensions))

    def learn(self, plan):
        """Learn from the `RatePlan` of a model, or from None if it has none."""
        self.are_known = self.are_of_model = True
        if plan is not None and plan.names not in self._plans:
            self._plans[plan.names] = plan
            for dimension in dimensions_of(plan):
                self._dimensions[dimension.name] = dimension

    def get_state(self):
        """Return the dimensions as plain data. No single model may have all of them."""
        return [dimension.plain() for dimension in self._dimensions.values()]

    def set_state(self, state):
        """Restore the result of `get_state`, or raise a LookupError or TypeError."""
        dimensions = [Dimension.from_plain(plain) for plain in state]
        for dimension in dimensions:
            self._dimensions[dimension.name] = dimension
        self.are_known = True

    def rates(self, values):
        """Return a dict from path to rate, or {} if no learned plan matches."""
        plans = [plan for names, plan in self._plans.items() if names <= values.keys()]
        if not plans:
            return {}
        try:
            return max(plans, key=lambda plan: len(plan.paths)).rates(values)
        except (TypeError, ValueError):
            return {}  # the trial has failed, because its rates are not valid


def clear(folder):
    """Delete the files that a `SearchLog` wrote to a folder and its trials."""
    experiments = folder.glob(_pattern(_EXPERIMENT))
    marginals = folder.glob(_pattern(_MARGINALS))
    for path in itertools.chain(experiments, marginals, _trials_in(folder)):
        path.unlink(missing_ok=True)


def _check_folder(folder):
    if not isinstance(folder, (str, os.PathLike)):
        raise _validation.type_error("log_dir", "a path or None", folder)
    expected = "the path of a folder on this machine"
    path = pathlib.Path(folder)
    if "://" in os.fspath(folder) or (path.exists() and not path.is_dir()):
        raise _validation.value_error("log_dir", expected, os.fspath(folder))
    return path


# Event files. Each file is written once and completely.


def _write_once(folder, kind, content, make_summaries):
    """Write an event file, unless one with the same content exists.

    It replaces a file with other content, and readers of the folder see it completely
    or not at all. So a search that was killed or resumed does not repeat entries.
    """
    text = json.dumps(content, sort_keys=True)
    end = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    earlier = list(folder.glob(_pattern(kind)))
    if any(path.name.endswith(f".{end}.kdropout") for path in earlier):
        return
    folder.mkdir(parents=True, exist_ok=True)
    # TensorBoard stops reading a file once it has seen one with a later name. A
    # training of the trial may have created a file within this second.
    name = file_name(f"{time.time() + 1:017.6f}", end)
    # Avoid "tfevents" in the temporary name, because TensorBoard would read the file.
    temporary = folder / f".{kind}.new"
    try:
        temporary.write_bytes(_records(make_summaries()))
        os.replace(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    for path in earlier:
        path.unlink(missing_ok=True)


def _trials_in(folder):
    return sorted(folder.glob(f"*/{_pattern(_TRIAL)}"))


def _pattern(kind):
    return f"events.out.tfevents.*.{kind}-*.kdropout"


def _records(summaries):
    """Return the bytes of an event file."""
    file = io.BytesIO()
    writer = EventWriter(file)
    for summary in summaries:
        writer.write(summary, step=0)
    return file.getvalue()


# The messages that the tab "HParams" reads.


def _score_tag(objective):
    return f"best/{objective}"


def _hparams_columns(space, objective):
    """Return a summary of the columns: the hyperparameters and the score."""
    from tensorboard.plugins.hparams import summary_v2

    # A hyperparameter that is declared under several conditions has one column.
    by_name = {
        hyperparameter.name: hyperparameter for hyperparameter in reversed(space)
    }
    by_name = values_of_user(by_name)
    return summary_v2.hparams_config_pb(
        [summary_v2.HParam(name, _domain(by_name[name])) for name in sorted(by_name)],
        [summary_v2.Metric(_score_tag(objective), display_name=f"best {objective}")],
        time_created_secs=time.time(),
    )


def _domain(hyperparameter):
    """Return the domain of a column, or None if TensorBoard cannot express it."""
    from tensorboard.plugins.hparams import summary_v2

    kinds = keras_tuner.engine.hyperparameters
    if isinstance(hyperparameter, kinds.Choice):
        return summary_v2.Discrete(hyperparameter.values)
    if isinstance(hyperparameter, kinds.Boolean):
        return summary_v2.Discrete([False, True])
    if isinstance(hyperparameter, kinds.Fixed):
        return summary_v2.Discrete([hyperparameter.value])
    if isinstance(hyperparameter, (kinds.Float, kinds.Int)):
        return summary_v2.RealInterval(
            float(hyperparameter.min_value), float(hyperparameter.max_value)
        )
    return None


def _hparams_start(values, seconds):
    """Return a summary of a trial that began at `seconds` since 1970."""
    from tensorboard.plugins.hparams import summary_v2

    # With a `trial_id`, trials with the same number in several searches would share a
    # row. Without it, TensorBoard names the row after its run.
    return summary_v2.hparams_pb(values, trial_id="", start_time_secs=seconds)


def _hparams_end(is_success):
    """Return a summary of a trial that has ended."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    # TensorBoard's own `session_end_pb` imports TensorFlow.
    content = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(
            status=api_pb2.STATUS_SUCCESS if is_success else api_pb2.STATUS_FAILURE,
            end_time_secs=time.time(),
        )
    )
    summary = Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary
