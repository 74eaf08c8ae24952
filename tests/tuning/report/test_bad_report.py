"""Bad input is named, with what is expected, what was received and the way out."""

import re

import pytest

from kdropout.tuning.report import Report, TrialRecord, choose_candidates, confirm
from kdropout.tuning.report.records import NoCompletedTrial

T, V, NONE = TypeError, ValueError, NoCompletedTrial
GOOD = TrialRecord("0", {"rate/a": 0.1}, {"a": 0.1}, 0.5)
FAILED = TrialRecord(
    *("1", {}, {"a": 0.1}, None, {}, "FAILED", None),
    message="Traceback\nRuntimeError: no memory",
)
SETTINGS = {"no dropout": {"a": 0.0}, "search 1": {"a": 0.1}}


def record(**changes):
    arguments = {"trial_id": "0", "values": {}, "rates": {"a": 0.1}, "score": 0.5}
    return TrialRecord(**{**arguments, **changes})


def report(trials=(GOOD,), objective="val_loss", direction="min", **changes):
    return Report(list(trials), objective, direction, **changes)


def confirmed(**changes):
    arguments = {
        **{"candidates": SETTINGS, "train": lambda rates, seed: 0.5},
        **{"seeds": [1, 2], "direction": "min"},
    }
    return confirm(**{**arguments, **changes})


CASES = {
    "trial_id": (lambda: record(trial_id=3), T, "'trial_id' must be a string", "3"),
    "message": (lambda: record(message=None), T, "'message' must be a string", "None"),
    "rate": (lambda: record(rates={"a": 1.5}), V, "'rates' must be", "[0, 1]", "1.5"),
    "rates": (lambda: record(rates=0.5), T, "'rates' must be a dict", "0.5"),
    "path": (lambda: record(rates={1: 0.5}), T, "'rates' must be a dict", "{1: 0.5}"),
    "values": (
        *(lambda: record(values={"x": [1]}), T, "'values' must be", "{'x': [1]}"),
        "numbers, strings or bools",
    ),
    "value": (lambda: record(values={"x": float("nan")}), V, "'values' must", "nan"),
    "score": (lambda: record(score="0.5"), T, "'score' must be", "'0.5'"),
    "metrics": (lambda: record(metrics={"x": "y"}), T, "'metrics' must be", "'y'"),
    "epochs": (lambda: record(epochs=1.5), T, "'epochs' must be an integer", "1.5"),
    "status": (
        *(lambda: record(status="DONE"), V, "'status' must be one of 'COMPLETED'"),
        "'DONE'",
    ),
    "no sequence of trials": (
        *(lambda: Report(GOOD, "val_loss", "min"), T, "'trials' must be a sequence"),
    ),
    "no trial": (
        *(lambda: report([{"score": 1}]), T, "'trials' must be a sequence of"),
        "{'score': 1}",
    ),
    "nothing completed": (
        *(lambda: report([FAILED]), NONE, "at least one completed trial", "1 trials"),
        *("The first that failed, '1'", "RuntimeError: no memory"),
    ),
    "nothing ran": (
        *(lambda: report([]), NONE, "at least one completed trial", "0 trials"),
        "Let the search run on",
    ),
    "twice": (lambda: report([GOOD, GOOD]), V, "each trial once", "trial_id='0'"),
    "other layers": (
        *(lambda: report([GOOD, record(trial_id="2", rates={"b": 0.1})]), V),
        *("rates of the same layers", "'a', 'b'", "'0' and '2'"),
    ),
    "objective": (lambda: report(objective=3), T, "'objective' must be", "3"),
    "direction": (
        *(lambda: report(direction="up"), V, "'direction' must be one of 'min', 'max'"),
        "'up'",
    ),
    "baseline": (lambda: report(baseline={"a": 2}), V, "'baseline' must be", "2"),
    "confirmation": (
        *(lambda: report(confirmation={}), T, "'confirmation' must be what"),
        "confirmation={}",
    ),
    "seed": (lambda: report(seed=-1), V, "'seed' must be", "-1"),
    "trees": (lambda: report(trees=1), V, "'trees' must be", "at least 2", "1"),
    "limits": (lambda: report(limits=[0, 1]), T, "'limits' must be a dict", "[0, 1]"),
    "limit": (lambda: report(limits={"a": 0.8}), T, "'limits' must be", "{'a': 0.8}"),
    "pair of limits": (lambda: report(limits={"a": (0, 1, 2)}), T, "(0, 1, 2)"),
    "dimensions": (lambda: report(dimensions=3), T, "'dimensions' must be", "3"),
    "dimension": (lambda: report(dimensions=["rate/a"]), T, "of Dimension", "rate/a"),
    "importance": (lambda: report(importance=[]), T, "'importance' must be", "[]"),
    "no number": (lambda: report(limits={"a": (0, "x")}), T, "'limits'", "'x'"),
    "JSON that is none": (
        *(lambda: Report.from_json("{"), V, "'text' must be the JSON of a report"),
        "which is not JSON",
    ),
    "JSON of another kind": (
        *(lambda: Report.from_json('{"a": 1}'), V, "'text' must be", "format=1"),
        '{"a": 1}',
    ),
    "JSON with a part missing": (
        *(lambda: Report.from_json('{"format": 1}'), V, "'text' must be"),
        "lacks or garbles 'trials'",
    ),
    "JSON that is no string": (lambda: Report.from_json(3), T, "'text' must be", "3"),
    "top": (lambda: choose_candidates([GOOD], "min", top=0), V, "'top' must be", "0"),
    "uniform": (
        *(lambda: choose_candidates([GOOD], "min", uniform=1.5), V, "'uniform' must"),
        *("(0, 1]", "1.5"),
    ),
    "candidates": (
        *(lambda: confirmed(candidates=[0.1]), T, "'candidates' must be a dict from"),
        "[0.1]",
    ),
    "setting": (
        *(lambda: confirmed(candidates={"no dropout": 0.0}), T, "'candidates' must be"),
    ),
    "no baseline": (
        *(lambda: confirmed(candidates={"search 1": {}, "search 2": {}}), V),
        *(
            "a dict with 'no dropout' and at least one other",
            "['search 1', 'search 2']",
        ),
    ),
    "nothing to compare": (
        *(lambda: confirmed(candidates={"no dropout": {}}), V, "at least one other"),
    ),
    "seeds": (lambda: confirmed(seeds=5), T, "'seeds' must be", "range(100, 105)", "5"),
    "one seed": (lambda: confirmed(seeds=[5]), V, "at least 2 different integers"),
    "equal seeds": (lambda: confirmed(seeds=[5, 5]), V, "different", "(5, 5)"),
    "seed of text": (lambda: confirmed(seeds=["a", "b"]), T, "'seeds' must", "'a'"),
    "train": (lambda: confirmed(train=0.5), T, "'train' must be a function", "0.5"),
    "save": (lambda: confirmed(save="x"), T, "'save' must be a function", "'x'"),
    "progress": (lambda: confirmed(progress=1), T, "'progress' must be a function"),
    "measure": (lambda: confirmed(measure=None), T, "'measure' must be", "None"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES.items()]
)
def test_bad_input_is_named_with_what_was_received_and_the_way_out(case):
    call, error, *parts = case
    with pytest.raises(Exception) as raised:
        call()
    assert type(raised.value) is error, repr(raised.value)
    message = re.sub(r"\s+", " ", str(raised.value))
    missing = [part for part in parts if part not in message]
    assert not missing, message


def test_what_train_returns_is_checked_but_stops_nothing():
    found = confirmed(train=lambda rates, seed: None)
    assert (
        "'train' must return a number. Received: None"
        in found.failures["no dropout", 1]
    )


def test_report_cannot_replace_a_file_by_a_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("the user's own")
    with pytest.raises(ValueError, match="'folder' must be a folder"):
        report().save(path)
    assert path.read_text() == "the user's own"


def test_missing_packages_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    trials = [record(trial_id=str(i), rates={"a": 0.1 * i}, score=i) for i in range(4)]
    with pytest.raises(ImportError, match=r'scikit-learn.*pip install "kdropout\[tun'):
        report(trials).importance  # noqa: B018
