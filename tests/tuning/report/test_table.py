"""The trials as a table, as a CSV file, and the report in one line."""

import csv
import math
import os
import re

import pytest

from kdropout.tuning import Report
from kdropout.tuning.report import Confirmation, TrialRecord

PATHS = ("block/drop", "head")


def trial(number, score, status="COMPLETED", **more):
    rates = {"block/drop": 0.1 * number, "head": 0.3}
    settings = {"metrics": {"val_accuracy": 0.5 + 0.1 * number}, "epochs": 4, **more}
    values = {f"rate/{path}": rate for path, rate in rates.items()}
    return TrialRecord(f"0{number}", values, rates, score, status=status, **settings)


@pytest.fixture
def report():
    trials = [
        trial(0, 0.5, other_values={"model.optimizer.learning_rate": 0.01}),
        trial(1, 0.1 + 0.2, other_values={"model.optimizer.learning_rate": 0.1}),
        trial(2, math.nan, metrics={"val_accuracy": math.nan}),
        TrialRecord("03", {}, {}, None, status="FAILED", message="ValueError: broken"),
    ]
    return Report(trials, "val_loss", "min")


def test_table_has_a_row_for_each_trial_and_the_same_columns(report):
    rows = report.table()
    columns = ["trial_id", "score", "status", "epochs", *PATHS]
    columns += ["model.optimizer.learning_rate", "val_accuracy"]
    assert [list(row) for row in rows] == [columns] * 4
    assert list(rows[1].values()) == ["01", 0.1 + 0.2, "COMPLETED", 4, 0.1, 0.3] + [
        0.1,
        0.6,
    ]
    assert rows[2]["score"] is None and rows[2]["val_accuracy"] is None
    assert list(rows[3].values()) == ["03", None, "FAILED", *[None] * 5]


def test_pandas_makes_columns_of_numbers(report):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(report.table())
    numbers = [*PATHS, "score", "epochs", "model.optimizer.learning_rate"]
    assert all(frame[name].dtype == "float64" for name in numbers)
    assert frame.loc[frame["score"].idxmin(), "trial_id"] == "01"
    assert frame["score"].isna().tolist() == [False, False, True, True]


def test_values_that_are_not_one_rate_have_columns():
    values = {"rate/d/start": 0.1, "rate/d/end": 0.4, "rate/d/shape": "linear"}
    tied = {"rate/enc_*": 0.2}
    trials = [TrialRecord("0", {**values, **tied}, {"d": 0.4, "enc_1": 0.2}, 1.0)]
    (row,) = Report(trials, "val_loss", "min").table()
    assert list(row)[4:] == ["d", "enc_1", *values, *tied]
    assert row["rate/d/shape"] == "linear"


def test_equal_names_have_different_columns():
    trials = [
        TrialRecord(
            "0",
            {"rate/score": 0.2},
            {"score": 0.2, "lr": 0.1},
            1.0,
            {"score": 2.0, "epochs": 3.0},
            other_values={"lr": 0.01},
        )
    ]
    (row,) = Report(trials, "score", "min").table()
    assert row["score"] == 1.0 and row["epochs"] is None
    assert (row["rate/score"], row["metric/score"], row["metric/epochs"]) == (0.2, 2, 3)
    assert (row["lr"], row["value/lr"]) == (0.1, 0.01)


def test_csv_holds_the_table(report, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("earlier")
    report.to_csv(str(path))
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in report.table()
    ]
    assert rows == expected
    assert os.listdir(tmp_path) == ["a.csv"]


def test_csv_keeps_unusual_names(tmp_path):
    paths = ['a,"b"', "with\nline", "層"]
    rates = dict.fromkeys(paths, 0.25)
    Report([TrialRecord("0", {}, rates, 1.0)], "val_loss", "min").to_csv(
        tmp_path / "a.csv"
    )
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert [row[path] for path in paths] == ["0.25"] * 3


def test_path_that_is_not_a_file_is_refused(report, tmp_path):
    with pytest.raises(TypeError, match="'path' must be the path of a file.*path=3"):
        report.to_csv(3)
    with pytest.raises(ValueError, match="'path' must be the path of a file") as caught:
        report.to_csv(tmp_path)
    assert caught.value.argument == "path"
    with pytest.raises(OSError, match="No such file"):
        report.to_csv(tmp_path / "missing" / "a.csv")
    assert os.listdir(tmp_path) == []


def test_failed_write_keeps_the_earlier_file(report, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("earlier")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(csv.DictWriter, "writerows", fail)
    with pytest.raises(OSError, match="disk full"):
        report.to_csv(path)
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_report_prints_as_one_line(report):
    shown = "<Report of 4 trials: val_loss 0.3 in trial 01, not confirmed>"
    assert repr(report) == str(report) == shown
    chosen = {"no dropout": {"head": 0.0}, "search 1": {"head": 0.1}}
    scores = {(label, seed): 0.5 for label in chosen for seed in (0, 1)}
    confirmation = Confirmation(chosen, (0, 1), "max", "accuracy", scores)
    confirmed = Report(
        [trial(1, 0.75)], "val_accuracy", "max", confirmation=confirmation
    )
    assert repr(confirmed) == (
        "<Report of 1 trial: val_accuracy 75 % in trial 01, recommended: no dropout>"
    )


def test_notebook_shows_the_report_without_pictures(report):
    shown = report._repr_markdown_()
    text = report.to_markdown()
    assert "](trials.png)" in text and ".png" not in shown
    without = re.sub(r"!\[[^]]*\]\([a-z]+\.png\)\n\n", "", text)
    assert shown == without
