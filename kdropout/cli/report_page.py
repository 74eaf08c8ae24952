"""The self-contained page that `kdropout report --html` writes."""

import pathlib
import sys
import time

from kdropout.cli.errors import needs_tuner
from kdropout.event_log import check_tensorboard
from kdropout.files import replacing

# Name of the page in the folder, unless the command line says where.
PAGE = "report.html"

# What tells that a folder is the output of a job, and where its log is.
_OF_JOB, _LOG = ("job.yaml", "report.json"), "tensorboard"


def write_page(folder, file=None):
    """Write one HTML file with the charts of the Dropout tab.

    Args:
        folder: Path of the output of a job, or of a log folder of TensorBoard.
        file: Path of the file, or None for `report.html` in the folder.

    Returns:
        `pathlib.Path` of the file.

    Raises:
        MissingPackages: If a package is not installed.
        OSError: If the file cannot be written.
        ValueError: If there is no such folder, or nothing in it to show.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"'DIR' must be a folder. Received: DIR='{folder}'")
    file = folder / PAGE if file is None else _checked(pathlib.Path(file))
    check_tensorboard("this command")
    is_of_job = any((folder / name).is_file() for name in _OF_JOB)
    payloads = (_of_job if is_of_job else _of_log)(folder)
    if not payloads["runs"]:
        raise ValueError(
            "'DIR' must hold what kdropout wrote for TensorBoard. Received: "
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
            "file, by --html FILE."
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
    """Tells which run is read, once it is clear that this takes a while."""

    PATIENCE = 2.0  # seconds

    def __init__(self, stream):
        self._stream = stream
        self._begin = time.monotonic()

    def __call__(self, run, number, count):
        if time.monotonic() - self._begin > self.PATIENCE:
            line = f"Reading run {number} of {count}: {run}"
            print(line, file=self._stream, flush=True)


def _of_log(folder):
    from kdropout_dashboard import reader
    from kdropout_dashboard.log_folder import open_log

    source = open_log(folder, _Progress(sys.stderr))
    runs = reader.runs(source)["runs"]
    names = {"training": [], "search": []}
    for run in runs:
        names[run["kind"]].append(run["name"])
    return {
        "runs": runs,
        "trainings": {n: reader.training(source, n) for n in names["training"]},
        "searches": {n: reader.search(source, n) for n in names["search"]},
    }


def _of_job(folder):
    """The log of a job; what it lacks, such as marginals, comes from the report."""
    log = folder / _LOG
    empty = {"runs": [], "trainings": {}, "searches": {}}
    payloads = _of_log(log) if log.is_dir() else empty
    logged = payloads["searches"].get(".")
    if logged is not None and logged["marginals"]:
        return payloads
    needs_tuner()
    try:
        payloads["searches"]["."] = _of_report(folder)
    except ValueError:  # no trial has completed
        if logged is None:
            raise
        return payloads
    if logged is None:
        payloads["runs"].insert(0, {"name": ".", "kind": "search"})
    return payloads


def _of_report(folder):
    from kdropout.tuning import load_job, load_report
    from kdropout.tuning.run.plan_file import FILE, read_plan
    from kdropout.tuning.search_log.payload import search_payload

    report, job = load_report(folder), folder / "job.yaml"
    plan = None
    if job.is_file() and (folder / FILE).is_file():
        plan, _ = read_plan(folder, load_job(job))
    return search_payload(report, plan, ".")


def _with_name(payloads, name):
    """The payloads with a name for the run of the folder itself, which has none."""
    taken = {run["name"] for run in payloads["runs"]}
    if not name or name in taken:
        return payloads

    def renamed(run):
        return name if run == "." else run

    def renamed_all(by_name):
        return {renamed(n): {**p, "run": renamed(n)} for n, p in by_name.items()}

    runs = [{**run, "name": renamed(run["name"])} for run in payloads["runs"]]
    return {
        "runs": runs,
        "trainings": renamed_all(payloads["trainings"]),
        "searches": renamed_all(payloads["searches"]),
    }
