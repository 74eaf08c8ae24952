"""Runs a job, from its file to its report."""

import math
import sys
import warnings

from kdropout import validation
from kdropout.files import replacing
from kdropout.tuning.job import Job
from kdropout.tuning.report import Report
from kdropout.tuning.run.confirmation_run import ConfirmationRun
from kdropout.tuning.run.plan_file import limits_of, write_plan
from kdropout.tuning.run.searched_model import searched_model
from kdropout.tuning.run.tuner_of_job import (
    PROJECT,
    check_can_travel,
    fit_arguments,
    make_tuner,
)
from kdropout.tuning.space import plan_of
from kdropout.tuning.trial_records import failure_text, trial_records

# The job as it was run, beside its results.
FILE = "job.yaml"


def run_job(job, resume=False, verbose=1):
    """Search the best dropout rates, find out whether they help, and write it down.

    First everything that can be wrong is checked, without training. The output folder
    then holds the search ("search/"), the job ("job.yaml"), a row for each trial
    ("tensorboard/", for `tensorboard --logdir`), and at the end "report.md",
    "report.json" and pictures. If the run is interrupted, in any way, all trainings
    that have ended are kept, and `resume=True` goes on.

    Args:
        job: `kdropout.tuning.Job`, as `kdropout.tuning.load_job` reads it.
        resume: Whether to go on with what the output folder holds. Defaults to False:
            a folder with a search is refused.
        verbose: 1 to show progress, 0 for none. Defaults to 1.

    Returns:
        `kdropout.tuning.Report`.

    Raises:
        JobError: If the job cannot be used, another process runs it in the same
            folder, that holds a search and `resume` is False, or data, model or code
            have changed since.
        RuntimeError: If no trial has completed.
        TypeError: If `job` is no job.

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
        raise TypeError(validation.received("job", "a kdropout.tuning.Job", job))
    checked = job.check()
    check_can_travel(job, checked.data)
    # Also the confirmation writes what another process must not overwrite.
    with job.locked_output(), job.no_exits():
        return _run(job, checked, resume, verbose)


def _run(job, checked, resume, verbose):
    folder = job.claim_output()
    if (folder / PROJECT).exists() and not resume:
        raise job.error(
            "output",
            f"'{folder}' holds a search of this job already. Go on with it by --resume "
            "(in Python, resume=True), or choose another folder, by --set "
            "output=FOLDER.",
        )
    job.keep_contents(checked, folder, has_results=(folder / PROJECT).exists())
    model, baseline = searched_model(job, checked.build)
    with replacing(folder / FILE) as temporary:
        temporary.write_text(job.to_yaml())
    write_plan(folder, job, model, baseline, checked.task)
    if verbose:
        print(f"Task: {checked.task}", file=sys.stderr)
    tuner = make_tuner(job, checked.build, folder)
    arguments = fit_arguments(job, checked.data)
    with warnings.catch_warnings():
        # Of a model that is converted in each build, once is enough.
        warnings.filterwarnings("once", message="Some dropout is not a layer")
        # Of a tf.data.Dataset, which has an order of its own: nobody asked for it.
        warnings.filterwarnings("ignore", message="`shuffle=True` was passed")
        # Of KerasTuner; a score that is NaN is reported below.
        warnings.filterwarnings("ignore", message="All-NaN (axis|slice) encountered")
        _search(tuner, arguments, verbose)
        trials = tuner.oracle.trials.values()
        records = trial_records(trials, plan_of(model), job.training.epochs)
        confirmation = None
        if job.confirm.seeds:
            run = ConfirmationRun(job, tuner, checked, arguments, folder)
            confirmation = run.run(records, plan_of(model), show=verbose > 0)
    report = Report(
        records,
        job.objective.name,
        job.objective.resolved_direction,
        baseline,
        confirmation,
        limits=limits_of(plan_of(model)),
        task=checked.task,
    )
    report.save(folder)
    return report


def _search(tuner, arguments, verbose):
    """Run all trials; tell briefly why if nothing comes of them."""
    try:
        tuner.search(**arguments, verbose=verbose)
    except RuntimeError as error:
        # KerasTuner shows the traceback of the last trial, which its file keeps.
        limit = tuner.oracle.max_consecutive_failed_trials
        ended = [tuner.oracle.trials[name] for name in tuner.oracle.end_order]
        if len(ended) < limit or any(t.status != "FAILED" for t in ended[-limit:]):
            raise  # of something else
        raise RuntimeError(
            f"The search has stopped, because {limit} trials failed one after another. "
            f"{_about_failures(tuner)}"
        ) from error
    scores = [trial.score for trial in tuner.oracle.trials.values()]
    if not any(score is not None and math.isfinite(score) for score in scores):
        raise RuntimeError(f"No trial has a usable score. {_about_failures(tuner)}")


def _about_failures(tuner):
    ended = [tuner.oracle.trials[name] for name in tuner.oracle.end_order]
    scores = [trial.score for trial in ended if trial.score is not None]
    way_out = (
        "What has failed is not tried again: mend the cause, and search in another "
        "folder, by --set output=FOLDER."
    )
    if scores and len(scores) == len(ended):
        value = "NaN" if all(map(math.isnan, scores)) else "NaN or infinite"
        return (
            f"The score, {tuner.oracle.objective.name}, was {value} in all of them "
            f"({len(scores)}): the training diverges. A lower learning rate, or inputs "
            f"of a smaller scale (data.standardize=true), may help. {way_out}"
        )
    messages = [trial.message for trial in ended if trial.message]
    last = f"The last said:\n  {failure_text(messages[-1])}\n" if messages else ""
    return (
        f"{last}Each trial.json in '{tuner.project_dir}' has its traceback. {way_out}"
    )
