"""Runs a job, from its file to its report."""

import functools
import json
import math
import os
import pathlib
import sys
import warnings

import keras_tuner

from kdropout import _validation
from kdropout._duration import time_text
from kdropout._files import replacing
from kdropout._requirements import is_installed
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.tuning import tuners
from kdropout.tuning.confirmation_run import CONFIRMATION_FILE, ConfirmationRun
from kdropout.tuning.folds import Fold, Folds
from kdropout.tuning.job.callbacks import check_can_be_sent, references_of
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.job import Job
from kdropout.tuning.job.reading import read_job
from kdropout.tuning.objectives import parts_of
from kdropout.tuning.report import Report
from kdropout.tuning.report.importance import measure_importance
from kdropout.tuning.search_log import clear
from kdropout.tuning.space import plan_of
from kdropout.tuning.space.groups import make_group
from kdropout.tuning.space.plan import RatePlan
from kdropout.tuning.space.selection import select_groups
from kdropout.tuning.trial_records import (
    failure_of,
    searched_dimensions,
    stored_trials,
    trial_curves,
    trial_histories,
    trial_records,
)

# The job as it was run, in the folder of its results.
JOB_FILE = "job.yaml"

# The layers that each entry of the space matched. With them, the report of a stopped
# search does not need the model, the data or the code.
PLAN_FILE = "plan.json"

# Folders of the search and of its log for TensorBoard, in the folder of the job.
PROJECT, LOG = "search", "tensorboard"

# KerasTuner adds 1 to the seed with each draw, so neighbouring seeds would try the same
# settings, shifted by one. Two primes keep them apart. KerasTuner takes 0 as no seed.
_SEED_STRIDE, _LARGEST_SEED = 1_000_003, 2**31 - 1


# Algorithms whose trials are parts of a training.
_IN_PARTS = ("Hyperband", "SuccessiveHalving")


def run_job(job: Job, resume: bool = False, verbose: int = 1) -> Report:
    """Search for the best dropout rates, test whether they help, and write a report.

    The job is checked first, without training. The output folder contains the search
    ("search/"), the job ("job.yaml"), a row for each trial ("tensorboard/", for
    `tensorboard --logdir`), and at the end "report.md", "report.json", "trials.csv" and
    pictures. If the run is interrupted, all completed trainings are kept, and
    `resume=True` continues it.

    Args:
        job: `kdropout.tuning.Job`, for example from `kdropout.tuning.load_job`.
        resume: Boolean, whether to resume the search in the output folder. If False, a
            folder that contains a search raises an error. Defaults to False.
        verbose: Integer, 1 to show progress, 0 to hide it. Defaults to 1.

    Returns:
        `kdropout.tuning.Report`.

    Raises:
        JobError: If the job cannot be used, another process runs it in the same
            folder, the folder contains a search and `resume` is False, or data, model
            or code have changed since the search.
        RuntimeError: If no trial has completed.
        TypeError: If `job` is not a `Job`.

    Example:

    >>> import tempfile
    >>> from kdropout import tuning
    >>> from kdropout.tuning.job import Job
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     job = Job(
    ...         data={"sklearn": "iris"}, model={"architecture": "mlp", "units": (8,)},
    ...         search={"max_trials": 2}, training={"epochs": 1}, confirm={"seeds": 2},
    ...         output=folder)
    ...     report = tuning.run_job(job, verbose=0)
    >>> list(report.best_rates)
    ['dense1_drop']
    """
    if not isinstance(job, Job):
        raise _validation.type_error("job", "a kdropout.tuning.Job", job)
    _check_cluster(job)
    checked = job.check()
    _check_can_travel(job, checked)
    # The lock includes the confirmation, which writes files as well.
    with job.locked_output(), job.no_exits():
        return _run(job, checked, resume, verbose)


def _run(job, checked, resume, verbose):
    folder = job.claim_output()
    if (folder / PROJECT).exists() and not resume:
        raise job.error(
            "output",
            f"'{folder}' already contains a search of this job. Continue it with "
            "--resume (in Python, resume=True), or choose another folder with --set "
            "output=FOLDER.",
        )
    job.keep_contents(checked, folder, has_results=(folder / PROJECT).exists())
    plan = plan_of(checked.model)
    with replacing(folder / JOB_FILE) as temporary:
        temporary.write_text(job.to_yaml())
    _write_plan(folder, job, checked)
    if verbose:
        print(f"Task: {checked.task}", file=sys.stderr)
    tuner = make_tuner(job, checked.build, folder)
    arguments = _fit_arguments(job, checked)
    with warnings.catch_warnings():
        # A model that is converted in each build would warn each time.
        warnings.filterwarnings(
            "once", message="kdropout cannot make some dropout live"
        )
        # Keras warns about a tf.data.Dataset, although the user did not set `shuffle`.
        warnings.filterwarnings("ignore", message="`shuffle=True` was passed")
        # KerasTuner warns about scores that are NaN, which are reported below.
        warnings.filterwarnings("ignore", message="All-NaN (axis|slice) encountered")
        _search(tuner, arguments, verbose)
        trials = tuner.oracle.trials.values()
        known = trial_histories(trials, folder / PROJECT)
        records = trial_records(trials, plan, job.training.epochs, known)
        dimensions = searched_dimensions(trials, plan)
        importance = tuner.search_log.importance
        if importance is None:  # the log could not be written
            importance = measure_importance(records, dimensions)
        confirmation = None
        if job.confirm.seeds:
            confirmation = _confirm(
                job, tuner, checked, arguments, folder, records, importance, verbose
            )
    report = Report(
        records,
        job.objective.name,
        job.objective.resolved_direction,
        checked.baseline,
        confirmation,
        task=checked.task,
        dimensions=dimensions,
        importance=importance,
        curves=trial_curves(known, tuner.oracle.objective),
        objectives=parts_of(tuner.oracle.objective),
    )
    report.save(folder)
    return report


def _search(tuner, arguments, verbose):
    """Run all trials, or raise with the reason if none has a score."""
    try:
        tuner.search(**arguments, verbose=verbose)
    except RuntimeError as error:
        # KerasTuner's error is the traceback of the last trial, which its file has.
        limit = tuner.oracle.max_consecutive_failed_trials
        ended = [tuner.oracle.trials[name] for name in tuner.oracle.end_order]
        if len(ended) < limit or any(t.status != "FAILED" for t in ended[-limit:]):
            raise  # another error
        raise RuntimeError(
            f"The search stopped because {limit} trials failed in a row. "
            f"{_about_failures(tuner)}"
        ) from error
    scores = [trial.score for trial in tuner.oracle.trials.values()]
    if tuner.budget.timeout is not None and not tuner.oracle.end_order:
        raise RuntimeError(
            "No trial has ended within the timeout of "
            f"{time_text(tuner.budget.timeout)}. Raise search.timeout or lower "
            "training.epochs, and continue with --resume (in Python, resume=True)."
        )
    if not any(score is not None and math.isfinite(score) for score in scores):
        raise RuntimeError(f"No trial has a usable score. {_about_failures(tuner)}")


def _about_failures(tuner):
    ended = [tuner.oracle.trials[name] for name in tuner.oracle.end_order]
    scores = [trial.score for trial in ended if trial.score is not None]
    way_out = (
        "Fix the cause, and run the failed trials again with --resume --retry-failed "
        "(in Python, search.retry_failed and resume=True). If the fix changes the "
        "model, the data or a key of the job, search in another folder with --set "
        "output=FOLDER."
    )
    if scores and len(scores) == len(ended):
        value = "NaN" if all(map(math.isnan, scores)) else "NaN or infinite"
        return (
            f"The score, {tuner.oracle.objective.name}, was {value} in all "
            f"{len(scores)} trials, because the training diverges. A lower learning "
            "rate, or inputs of a smaller scale (data.standardize=true), may help. "
            f"{way_out}"
        )
    failures = [failure_of(trial) for trial in ended if trial.message]
    last = f"The last error:\n  {failures[-1]}\n" if failures else ""
    return (
        f"{last}The files trial.json in '{tuner.project_dir}' contain the tracebacks. "
        f"{way_out}"
    )


def make_tuner(job, build, folder):
    """Make a tuner of `kdropout.tuning` with the settings of a job."""
    settings = job.search.model_dump()
    settings["seed"] = settings["seed"] * _SEED_STRIDE % _LARGEST_SEED + 1
    algorithm = settings.pop("algorithm")
    if algorithm in _IN_PARTS:
        settings["max_epochs"] = job.training.epochs
    log_dir = folder / LOG
    if not (folder / PROJECT).exists():
        clear(log_dir)  # it belongs to a search that was deleted
    return getattr(tuners, algorithm)(  # a job uses the name of the class
        build,
        job.objective.for_tuner,
        directory=str(folder),
        project_name=PROJECT,
        log_dir=log_dir,
        workers=job.workers,
        ray_address=job.ray_address,
        threads_per_worker=job.threads_per_worker,
        gpus_per_worker=job.gpus_per_worker,
        scored_epoch=job.objective.scored_epoch,
        **settings,
    )


def _check_cluster(job):
    """Raise before the data are read if the Ray cluster of the job does not answer."""
    if job.ray_address is None or not is_installed("ray"):
        return  # the tuner raises if it needs Ray
    from kdropout.tuning.ray_search import check_cluster

    try:
        check_cluster(job.ray_address)
    except ConnectionError as error:
        raise job.error("ray_address", error.problem) from error


def _check_can_travel(job, checked):
    """Raise before training if data or callbacks cannot be sent to workers."""
    if job.workers == 1 and job.ray_address is None:
        return
    data, is_needed = checked.data, bool(references_of(job))
    if not is_installed("ray") or not (data.is_dataset or is_needed):
        return
    from ray import cloudpickle

    try:
        check_can_be_sent(job, checked.callbacks, cloudpickle.dumps)
    except InvalidSetting as error:
        raise job.error(error.key, error.message) from None
    if not data.is_dataset:
        return
    try:
        cloudpickle.dumps((data.training, data.validation))
    except Exception as error:  # from any part of the dataset
        raise job.error(
            "workers" if job.workers > 1 else "ray_address",
            "needs data that can be sent to other processes: arrays, or a "
            f"keras.utils.PyDataset. Received: {type(data.x_train).__name__}, which "
            f"cannot be pickled ({type(error).__name__}). Return arrays from the "
            "function, or set workers=1 and no ray_address.",
        ) from None


def _fit_arguments(job, checked):
    """The dict of arguments that `search` passes to each training."""
    data, callbacks = checked.data, checked.callbacks
    more = {} if data.is_dataset else {"batch_size": job.training.batch_size}
    compares_epochs = getattr(job.search, "median_stopping", False)
    last_alone = (
        job.objective.scored_epoch == "last" and not callbacks and not compares_epochs
    )
    if last_alone and job.search.algorithm not in _IN_PARTS:
        more["validation_freq"] = job.training.epochs  # only the last epoch counts
    if data.folds is None:
        more |= {**_data_arguments(data), "callbacks": callbacks}
    else:
        make = functools.partial(_make_folds, job, data.folds)
        more["folds"] = Folds(data.folds.number, make)
    return {"epochs": job.training.epochs, "shuffle": job.training.shuffle, **more}


def _data_arguments(data):
    return {
        "x": data.x_train,
        "y": data.y_train,
        "sample_weight": data.fit_weight,
        "validation_data": data.validation,
    }


def _make_folds(job, folded, repetition):
    """Return the folds of a partition. Some callbacks have the data of their fold."""
    folds = []
    for data in folded.data(repetition):
        arguments = {**_data_arguments(data), "callbacks": job.make_callbacks(data)}
        folds.append(Fold(arguments, data.held_out))
    return folds


def _confirm(job, tuner, checked, arguments, folder, records, importance, verbose):
    """Return the `Confirmation` of a job, or None if there is nothing to confirm."""
    metric, data = _metric(job), checked.data
    lower = lower_is_better(metric, checked.model, job.objective.directions)
    run = ConfirmationRun(
        tuner,
        held_out=data.held_out,
        has_test=data.test is not None,
        metric=metric,
        direction="min" if lower else "max",
        arguments=arguments,
        file=folder / CONFIRMATION_FILE,
    )
    return run.run(records, importance, job.confirm.top, job.confirm.seeds, verbose > 0)


def _metric(job):
    """The metric of the model by which the settings are compared."""
    if job.confirm.metric is not None:
        return job.confirm.metric
    if job.objective.needs_gap and job.objective.gap_limit is None:
        return "loss"  # a small gap does not make a good model
    return job.objective.metric.removeprefix("val_")


def _write_plan(folder, job, checked):
    """Write the layers that each pattern of the space sets, and the task."""
    groups = select_groups(checked.model, job.choices)
    content = {
        "layers": [[group.pattern, list(group.paths)] for group in groups],
        "baseline": checked.baseline,
        "task": checked.task,
    }
    with replacing(folder / PLAN_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_plan(folder, job):
    """Read the `RatePlan` of a job and the rates before the search."""
    path, space = folder / PLAN_FILE, job.choices
    try:
        content = json.loads(path.read_text())
        choices = space if isinstance(space, dict) else {"*": space}
        groups = [
            make_group(pattern, paths, choices[pattern], "rate")
            for pattern, paths in content["layers"]
        ]
        return RatePlan(groups), dict(content["baseline"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"'{path}' must contain the layers that were searched, but cannot be read: "
            f"{error!r}. Run 'kdropout tune' with --resume to write it again."
        ) from None


def _read_task(folder):
    """Read the task of a job in words, or None if it was not recorded."""
    try:
        return json.loads((folder / PLAN_FILE).read_text()).get("task")
    except (OSError, ValueError, AttributeError):
        return None


def load_report(folder: str | os.PathLike) -> Report:
    """Load the report of a job from the folder of its results.

    If the search was interrupted or is still running, the report contains the trials
    that have ended. It has no confirmation, so it makes no claim. This does not need
    the model or the data.

    Args:
        folder: Path of the output folder of a job.

    Returns:
        `kdropout.tuning.Report`.

    Raises:
        TypeError: If `folder` is not a path.
        ValueError: If the folder does not contain a job, or no trial has completed.
    """
    try:
        folder = pathlib.Path(folder)
    except TypeError:
        raise _validation.type_error("folder", "a path", folder) from None
    finished = _read_finished(folder / "report.json")
    trials = stored_trials(folder / PROJECT)
    known = trial_histories(trials, folder / PROJECT)
    if finished is not None and (not trials or _are_of(trials, finished)):
        objective = keras_tuner.Objective(finished.objective, finished.direction)
        finished.curves = trial_curves(known, objective)
        return finished
    if not os.path.isfile(folder / JOB_FILE) or not os.path.isdir(folder / PROJECT):
        expected = "a folder that 'kdropout tune' wrote to"
        raise ValueError(
            f"{_validation.received('folder', expected, str(folder))}. It does not "
            f"contain both '{JOB_FILE}' and '{PROJECT}'. Pass the 'output' of the job."
        )
    job, _ = read_job(folder / JOB_FILE)  # it may use names of version 0.1
    plan, baseline = read_plan(folder, job)
    records = trial_records(trials, plan, job.training.epochs, known)
    name, direction = job.objective.name, job.objective.resolved_direction
    return Report(
        records,
        name,
        direction,
        baseline,
        task=_read_task(folder),
        dimensions=searched_dimensions(trials, plan),
        curves=trial_curves(known, keras_tuner.Objective(name, direction)),
        objectives=parts_of(job.objective.for_tuner),
    )


def _read_finished(file):
    if not os.path.isfile(file):  # also accepts a path that is too long
        return None
    try:
        return Report.from_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"'{file}' cannot be read: {error} Delete it, and run 'kdropout tune' with "
            "--resume to write it again from the results."
        ) from None


def _are_of(trials, report):
    """True if a report contains these trials with their current status."""
    known = {trial.trial_id: trial.status for trial in report.trials}
    return known == {trial.trial_id: trial.status for trial in trials}
