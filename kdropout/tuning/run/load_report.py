"""The report of a job that was run."""

import os
import pathlib

from kdropout import validation
from kdropout.tuning.job import load_job
from kdropout.tuning.report import Report
from kdropout.tuning.run.plan_file import limits_of, read_plan, read_task
from kdropout.tuning.run.run_job import FILE
from kdropout.tuning.run.tuner_of_job import PROJECT
from kdropout.tuning.trial_records import stored_trials, trial_records


def load_report(folder):
    """The report of a job, from the folder of its results.

    Of a search that was interrupted, or still runs, it is made of the trials that have
    ended: then there is no confirmation, and so no claim. Neither the model nor the
    data are needed.

    Args:
        folder: Path of the output of a job.

    Returns:
        `kdropout.tuning.Report`.

    Raises:
        TypeError: If `folder` is no path.
        ValueError: If the folder holds no job, or no trial has completed.
    """
    try:
        folder = pathlib.Path(folder)
    except TypeError:
        raise TypeError(validation.received("folder", "a path", folder)) from None
    finished = _read_finished(folder / "report.json")
    trials = stored_trials(folder / PROJECT)
    if finished is not None and (not trials or _are_of(trials, finished)):
        return finished
    if not os.path.isfile(folder / FILE) or not os.path.isdir(folder / PROJECT):
        expected = "a folder that 'kdropout tune' wrote to"
        raise ValueError(
            f"{validation.received('folder', expected, str(folder))}. It has no "
            f"'{FILE}' and no '{PROJECT}'. The folder is the 'output' of the job."
        )
    job = load_job(folder / FILE)
    plan, baseline = read_plan(folder, job)
    records = trial_records(trials, plan, job.training.epochs)
    return Report(
        records,
        job.objective.name,
        job.objective.resolved_direction,
        baseline,
        limits=limits_of(plan),
        task=read_task(folder),
    )


def _read_finished(file):
    if not os.path.isfile(file):  # also of a path that is too long
        return None
    try:
        return Report.from_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"'{file}' cannot be read: {error} Delete it: 'kdropout tune' with "
            "--resume writes it anew, from what is there."
        ) from None


def _are_of(trials, report):
    """Whether a report is of these trials, and none has ended since."""
    known = {trial.trial_id: trial.status for trial in report.trials}
    return known == {trial.trial_id: trial.status for trial in trials}
