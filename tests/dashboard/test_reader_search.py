"""The data that the page gets of a search."""

import math
import time

import pytest

from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.dashboard.logs import search, write


def test_search_is_read_as_written(tmp_path):
    dimensions = [
        {
            "name": "rate/a",
            "layers": ["a"],
            "kind": "rate",
            "low": 0.0,
            "high": 0.8,
            "levels": [],
        },
        {
            "name": "schedule",
            "layers": ["a", "b"],
            "kind": "schedule",
            "low": None,
            "high": None,
            "levels": ["Linear", "True"],
        },
    ]
    curve = {"name": "rate/a", "grid": [0.0, 0.8], "mean": [1, 2], "spread": [0.1, 0.2]}
    content = {
        "format": 1,
        "objective": "val_accuracy",
        "direction": "max",
        "dimensions": dimensions,
        "marginals": [],
        "problem": "few trials",
    }
    write(tmp_path / "s", ("kdropout/search", content, 0))
    known = {"name": "rate/a", "mean": 0.5, "std": 0.25}
    entries = [known, known | {"name": "other"}, known | {"mean": "high"}, 3]
    content |= {"marginals": [curve], "importance": entries, "noise": 0.125}
    write(tmp_path / "s", ("kdropout/search", content, 0))
    for name, values, score, status in (
        ("10", {"rate/a": 0.5, "schedule": True}, None, "FAILED"),
        ("9", {"rate/a": 0.25, "schedule": "Linear"}, 0.75, "COMPLETED"),
        ("1", {"rate/a": "none", "schedule": "Cosine"}, math.pi, "COMPLETED"),
    ):
        described = {"format": 1, "trial_id": name, "values": values, "score": score}
        described |= {"status": status, "epochs": 5}
        write(tmp_path / "s" / name, ("kdropout/trial", described, 0))
    # Runs without a search, of a deeper one, and of one beside it.
    for other in ("1", "s/1/1", "s2/1"):
        write(tmp_path / other, ("kdropout/trial", {"format": 1, "trial_id": "x"}, 0))
    payload = search(tmp_path, "s")
    assert payload.pop("version")
    assert 0 <= time.time() - payload.pop("written_at") < 60
    assert payload == {
        "run": "s",
        "objective": "val_accuracy",
        "direction": "max",
        "objectives": [],
        "dimensions": dimensions,
        "trials": [
            shown("1", [None, None], math.pi, "COMPLETED"),
            shown("9", [0.25, 0], 0.75, "COMPLETED"),
            shown("10", [0.5, 1], None, "FAILED"),
        ],
        "marginals": [curve],
        "importance": [known],
        "problem": "few trials",
        "noise": 0.125,
    }


def shown(name, values, score, status):
    return {
        "id": name,
        "values": values,
        "score": score,
        "status": status,
        "epochs": 5,
    }


def test_trial_has_its_rung_if_there_are_rungs(tmp_path):
    write(tmp_path, ("kdropout/search", {"format": 1}, 0))
    for name, rung in (("0", 0), ("1", 2), ("2", "x"), ("3", None)):
        content = {"format": 1, "trial_id": name, "rung": rung}
        write(tmp_path / name, ("kdropout/trial", content, 0))
    rungs = [found.get("rung") for found in search(tmp_path)["trials"]]
    assert rungs == [None, 2, None, None]


def test_search_in_the_folder_itself_has_trials(tmp_path):
    write(tmp_path, ("kdropout/search", {"format": 1}, 0))
    for name in (".", "0", "1", "1/2"):
        write(tmp_path / name, ("kdropout/trial", {"format": 1, "trial_id": name}, 0))
    assert [found["id"] for found in search(tmp_path)["trials"]] == ["0", "1"]


def test_search_with_a_new_trial_has_a_new_version(tmp_path):
    write(tmp_path, ("kdropout/search", {"format": 1}, 0))
    version = search(tmp_path)["version"]
    for name, content in (
        ("0", {"format": 1}),
        ("0", {"format": 1, "score": 0.5}),
        (".", {"format": 1}),
    ):
        tag = "kdropout/search" if name == "." else "kdropout/trial"
        write(tmp_path / name, (tag, content, 0))
        source = open_log(tmp_path)
        changed = reader.search(source, ".", version)
        assert "trials" in changed
        version = changed["version"]
        assert reader.search(source, ".", version) == {
            "version": version,
            "unchanged": True,
        }


@pytest.mark.parametrize("junk", [None, 1, "x", [], {}, [None, 1, "x", [], {}, [[]]]])
def test_search_of_invalid_data_is_empty(tmp_path, junk):
    keys = ("objective", "direction", "dimensions", "marginals", "noise")
    content = {"format": 1} | dict.fromkeys(keys, junk)
    write(tmp_path, ("kdropout/search", content, 0))
    keys = ("trial_id", "values", "rates", "score", "status", "epochs")
    described = {"format": 1} | dict.fromkeys(keys, junk)
    write(tmp_path / "0", ("kdropout/trial", described, 0))
    payload = search(tmp_path)
    assert payload["dimensions"] == payload["marginals"] == []
    assert payload["direction"] == "min"
    assert payload["noise"] == (junk if junk == 1 else None)
    assert len(payload["trials"]) == 1
    assert payload["trials"][0]["values"] == []


def test_incomplete_curves_are_omitted(tmp_path):
    whole = {"name": "a", "grid": [0, 1], "mean": [1, 2], "spread": [0, 0]}
    content = {
        "format": 1,
        "dimensions": [{"name": "a"}],
        "marginals": [
            whole | {"mean": [1]},
            whole | {"name": "b"},
            whole | {"spread": None},
            whole,
        ],
    }
    write(tmp_path, ("kdropout/search", content, 0))
    payload = search(tmp_path)
    assert payload["marginals"] == [whole]
    assert payload["dimensions"][0]["low"] is None


def test_objectives_of_the_trials_are_in_the_order_of_the_search(tmp_path):
    objectives = [
        {"name": "val_loss", "direction": "min"},
        {"name": "val_accuracy", "direction": "max"},
    ]
    content = {"format": 1, "objective": "sum", "objectives": [*objectives, 3, {}]}
    write(tmp_path / "s", ("kdropout/search", content, 0))
    for name, measured in (
        ("1", {"val_accuracy": 0.5, "val_loss": 0.1}),
        ("2", {"val_accuracy": "none"}),
        ("3", None),
    ):
        described = {"format": 1, "trial_id": name, "objectives": measured}
        write(tmp_path / "s" / name, ("kdropout/trial", described, 0))
    payload = search(tmp_path, "s")
    assert payload["objectives"] == objectives
    measured = [trial["objectives"] for trial in payload["trials"]]
    assert measured == [[0.1, 0.5], [None, None], [None, None]]
