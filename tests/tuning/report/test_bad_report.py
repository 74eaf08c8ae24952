"""Errors name the bad input, the expected and the received value, and a remedy."""

import pytest

from kdropout.tuning.report import Report, TrialRecord, choose_candidates, confirm
from kdropout.tuning.report.records import NoCompletedTrial
from tests.tools import Case, assert_refused, name_of

GOOD = TrialRecord("0", {"rate/a": 0.1}, {"a": 0.1}, 0.5)
FAILED = TrialRecord(
    "1",
    {},
    {"a": 0.1},
    score=None,
    status="FAILED",
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
        "candidates": SETTINGS,
        "train": lambda rates, seed: 0.5,
        "seeds": [1, 2],
        "direction": "min",
    }
    return confirm(**{**arguments, **changes})


CASES = [
    Case(
        "nothing completed",
        lambda: report([FAILED]),
        NoCompletedTrial,
        [
            "at least one completed trial",
            "1 trials",
            "The first that failed was '1'",
            "RuntimeError: no memory",
        ],
    ),
    Case(
        "nothing ran",
        lambda: report([]),
        NoCompletedTrial,
        [
            "at least one completed trial",
            "0 trials",
            "Wait until a trial has completed",
        ],
    ),
    Case(
        "other layers",
        lambda: report([GOOD, record(trial_id="2", rates={"b": 0.1})]),
        ValueError,
        ["rates of the same layers", "'a', 'b'", "'0' and '2'"],
    ),
    Case(
        "direction",
        lambda: report(direction="up"),
        ValueError,
        ["'direction' must be one of 'min', 'max'", "'up'"],
    ),
    Case("seed", lambda: report(seed=-1), ValueError, ["'seed' must be", "-1"]),
    Case(
        "trees",
        lambda: report(trees=1),
        ValueError,
        ["'trees' must be", "at least 2", "1"],
    ),
    Case(
        "JSON that is none",
        lambda: Report.from_json("{"),
        ValueError,
        ["'text' must be the JSON of a report", "which is not JSON"],
    ),
    Case(
        "JSON of another kind",
        lambda: Report.from_json('{"a": 1}'),
        ValueError,
        ["'text' must be", "format=1", '{"a": 1}'],
    ),
    Case(
        "JSON with a part missing",
        lambda: Report.from_json('{"format": 1}'),
        ValueError,
        ["'text' must be", "missing or invalid part: 'trials'"],
    ),
    Case(
        "JSON that is not a string",
        lambda: Report.from_json(3),
        TypeError,
        ["'text' must be", "3"],
    ),
    Case(
        "top",
        lambda: choose_candidates([GOOD], "min", top=0),
        ValueError,
        ["'top' must be", "0"],
    ),
    Case(
        "uniform",
        lambda: choose_candidates([GOOD], "min", uniform=1.5),
        ValueError,
        ["'uniform' must", "(0, 1]", "1.5"],
    ),
    Case(
        "candidates",
        lambda: confirmed(candidates=[0.1]),
        TypeError,
        ["'candidates' must be a dict from", "[0.1]"],
    ),
    Case(
        "setting",
        lambda: confirmed(candidates={"no dropout": 0.0}),
        TypeError,
        ["'candidates' must be"],
    ),
    Case(
        "no baseline",
        lambda: confirmed(candidates={"search 1": {}, "search 2": {}}),
        ValueError,
        ["a dict with 'no dropout' and at least one other", "['search 1', 'search 2']"],
    ),
    Case(
        "nothing to compare",
        lambda: confirmed(candidates={"no dropout": {}}),
        ValueError,
        ["at least one other"],
    ),
    Case(
        "seeds",
        lambda: confirmed(seeds=5),
        TypeError,
        ["'seeds' must be", "range(100, 105)", "5"],
    ),
    Case(
        "one seed",
        lambda: confirmed(seeds=[5]),
        ValueError,
        ["at least 2 different integers"],
    ),
    Case(
        "equal seeds",
        lambda: confirmed(seeds=[5, 5]),
        ValueError,
        ["different", "(5, 5)"],
    ),
    Case(
        "seed of text",
        lambda: confirmed(seeds=["a", "b"]),
        TypeError,
        ["'seeds' must", "'a'"],
    ),
    Case(
        "train",
        lambda: confirmed(train=0.5),
        TypeError,
        ["'train' must be a function", "0.5"],
    ),
    Case(
        "save",
        lambda: confirmed(save="x"),
        TypeError,
        ["'save' must be a function", "'x'"],
    ),
    Case(
        "progress",
        lambda: confirmed(progress=1),
        TypeError,
        ["'progress' must be a function"],
    ),
    Case(
        "measure",
        lambda: confirmed(measure=None),
        TypeError,
        ["'measure' must be", "None"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_invalid_result_of_train_is_recorded_and_does_not_stop():
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


def test_error_for_missing_packages_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    trials = [record(trial_id=str(i), rates={"a": 0.1 * i}, score=i) for i in range(4)]
    with pytest.raises(ImportError, match=r"scikit-learn.*pip install scikit-learn"):
        report(trials).importance  # noqa: B018
