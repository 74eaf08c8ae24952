"""The trials of a report as a table: rows of plain values, and a CSV file."""

import csv
import pathlib

from kdropout import _validation
from kdropout._files import replacing

FILE = "trials.csv"


def rows_of(trials):
    """Return a dict from column to value for each trial, all with the same columns."""
    columns = _columns(trials)
    return [
        {name: get(trial) for name, get in columns.items()}  # in the order of columns
        for trial in trials
    ]


def write_csv(trials, path):
    """Write the table of trials into a file, completely or not at all."""
    try:
        path = pathlib.Path(path)
    except TypeError:
        raise _validation.type_error("path", "the path of a file", path) from None
    if path.is_dir():
        raise _validation.value_error("path", "the path of a file", str(path))
    rows = rows_of(trials)
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _columns(trials):
    """Dict from the name of each column to the function that reads it."""
    columns = {
        "trial_id": lambda trial: trial.trial_id,
        "score": lambda trial: trial.score,
        "status": lambda trial: trial.status,
        "epochs": lambda trial: trial.epochs,
    }
    if any(trial.scores for trial in trials):
        columns["std"] = lambda trial: trial.std
    for part, kind in (
        ("rates", "rate"),
        ("values", "value"),
        ("other_values", "value"),
        ("metrics", "metric"),
    ):
        for name in _names(trials, part):
            column = _free_name(name, kind, columns)
            columns[column] = lambda trial, part=part, name=name: getattr(
                trial, part
            ).get(name)
    return columns


def _names(trials, part):
    """The keys of a dict of all trials, without values that repeat a rate."""
    names = dict.fromkeys(name for trial in trials for name in getattr(trial, part))
    if part != "values":
        return list(names)
    repeated = {f"rate/{path}" for trial in trials for path in trial.rates}
    return [name for name in names if name not in repeated]


def _free_name(name, kind, columns):
    """A name that no column has: a layer may be called "score", for example."""
    while name in columns:
        name = f"{kind}/{name}"
    return name
