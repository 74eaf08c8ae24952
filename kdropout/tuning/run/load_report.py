"""The report of a job that was run."""

import pathlib

from kdropout import validation
from kdropout.tuning.job import load_job
from kdropout.tuning.report import Report
from kdropout.tuning.run.run_job import FILE
from kdropout.tuning.run.trial_records import trial_records
from kdropout.tuning.run.tuner_of_job import PROJECT, make_tuner
from kdropout.tuning.space import plan_of


def load_report(folder):
    """The report of a job, from the folder of its results.

    Of a search that was interrupted, it is made of the trials that have ended: then
    there is no confirmation, and so no claim.

    Args:
        folder: Path of the output of a job.

    Returns:
        `kdropout.tuning.Report`.

    Raises:
        ValueError: If the folder holds no job, or no trial has completed.
    """
    folder = pathlib.Path(folder)
    finished = folder / "report.json"
    if finished.is_file():
        return Report.from_json(finished.read_text(encoding="utf-8"))
    if not (folder / FILE).is_file() or not (folder / PROJECT).is_dir():
        expected = "a folder that 'kdropout tune' wrote to"
        raise ValueError(
            f"{validation.received('folder', expected, str(folder))}. It has no "
            f"'{FILE}' and no '{PROJECT}'. The folder is the 'output' of the job."
        )
    job = load_job(folder / FILE)
    checked = job.check()
    tuner = make_tuner(job, checked.build, folder)
    records = trial_records(
        tuner.oracle.trials.values(), plan_of(checked.model), job.training.epochs
    )
    return Report(records, job.objective.name, job.objective.resolved_direction)
