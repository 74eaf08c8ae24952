"""The self-contained page that `kdropout report --html` writes."""

import dataclasses
import pathlib
import sys
import time

from kdropout._event_log import check_tensorboard
from kdropout._files import replacing
from kdropout_cli.common import needs_tuner

# Name of the page in the folder, unless the command line has another.
PAGE = "report.html"

# The files that only the output of a job has, and the folder of its log.
_OF_JOB, _LOG = ("job.yaml", "report.json"), "tensorboard"


def write_page(folder, file=None):
    """Write the charts of the Dropout tab into one HTML file, and return its path."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"'DIR' must be a folder. Received: DIR='{folder}'")
    file = folder / PAGE if file is None else _checked(pathlib.Path(file))
    check_tensorboard("this command")
    payloads = (_of_job if _is_job(folder) else _of_log)(folder)
    if not payloads["runs"]:
        raise ValueError(
            "'DIR' must hold logs that kdropout wrote for TensorBoard. Received: "
            f"DIR='{folder}', in which there is no training and no search. Train with "
            "the callback kdropout.callbacks.TensorBoardRates(DIR), or run a search."
        )
    from kdropout_dashboard.page import render

    page = render(_with_name(payloads, folder.resolve().name))
    try:
        with replacing(file) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OSError(
            f"'{file}' cannot be written: {error.strerror or error}. Choose another "
            "file with --html FILE."
        ) from None
    return file


def _checked(file):
    if file.is_dir() or not file.parent.is_dir():
        raise ValueError(
            "'--html' must be a file in a folder that exists. Received: "
            f"--html='{file}'"
        )
    return file


class _Progress:
    """Prints which run is being read, if reading takes longer than a moment."""

    PATIENCE = 2.0  # seconds

    def __init__(self, stream):
        self._stream = stream
        self._begin = time.monotonic()

    def __call__(self, run, number, count):
        if time.monotonic() - self._begin > self.PATIENCE:
            line = f"Reading run {number} of {count}: {run}"
            print(line, file=self._stream, flush=True)


def _of_log(folder):
    """Read a log folder; for the search of a job, also the answer of its report."""
    payloads = _logged(folder)
    jobs = {name: _job_of(folder, name) for name in payloads["searches"]}
    payloads["answers"] = {
        name: _answer(*_read(job)) for name, job in jobs.items() if _is_job(job)
    }
    return payloads


def _of_job(folder):
    """Read the log of a job. The parts that it lacks come from the report."""
    log = folder / _LOG
    empty = {"runs": [], "trainings": {}, "searches": {}}
    payloads = _logged(log) if log.is_dir() else empty
    logged = payloads["searches"].get(".")
    report, error = _read(folder)
    payloads["answers"] = {".": _answer(report, error)}
    if report is None:
        if logged is None:
            raise error
        return payloads
    if logged is None or not logged["marginals"]:
        payloads["searches"]["."] = _of_report(report, folder)
    if logged is None:
        payloads["runs"].insert(0, {"name": ".", "kind": "search"})
    return payloads


def _logged(folder):
    from kdropout_dashboard import reader
    from kdropout_dashboard.source import open_log

    source = open_log(folder, _Progress(sys.stderr))
    runs = reader.runs(source)["runs"]
    names = {"training": [], "search": []}
    for run in runs:
        names[run["kind"]].append(run["name"])
    return {
        "runs": runs,
        "trainings": {
            name: reader.training(source, name) for name in names["training"]
        },
        "searches": {name: reader.search(source, name) for name in names["search"]},
    }


def _is_job(folder):
    return any((folder / name).is_file() for name in _OF_JOB)


def _job_of(folder, run):
    """The folder of the job that a run in a log would belong to."""
    log = (folder / run).resolve()
    return log.parent if log.name == _LOG else log


def _read(folder):
    """The report of a job and None, or None and the error that shows why."""
    needs_tuner()
    from kdropout.tuning import load_report
    from kdropout.tuning.report import NoCompletedTrial

    try:
        return load_report(folder), None
    except NoCompletedTrial as error:
        return None, error


def _answer(report, error):
    """The answer that the page begins with, as in the report and on the terminal."""
    if report is None:
        return {"verdict": error.reason}
    from kdropout.tuning.dropout_tab import gains_payload

    answer = dataclasses.asdict(report.answer)
    return {**answer, "gains": gains_payload(report.confirmation)}


def _of_report(report, folder):
    from kdropout.tuning.dropout_tab import search_payload
    from kdropout.tuning.job.reading import read_job
    from kdropout.tuning.job.run import PLAN_FILE, read_plan

    plan, job = None, folder / "job.yaml"
    if job.is_file() and (folder / PLAN_FILE).is_file():
        plan, _ = read_plan(folder, read_job(job)[0])
    return search_payload(report, plan, ".")


def _with_name(payloads, name):
    """The payloads with a name for the run of the folder itself, which has none."""
    taken = {run["name"] for run in payloads["runs"]}
    if not name or name in taken:
        return payloads

    def renamed(run):
        return name if run == "." else run

    def renamed_all(by_name):
        return {
            renamed(run): {**payload, "run": renamed(run)}
            for run, payload in by_name.items()
        }

    runs = [{**run, "name": renamed(run["name"])} for run in payloads["runs"]]
    return {
        "runs": runs,
        "trainings": renamed_all(payloads["trainings"]),
        "searches": renamed_all(payloads["searches"]),
        "answers": {
            renamed(run): answer for run, answer in payloads["answers"].items()
        },
    }
