"""The data that the page gets of a training."""

import math
import time

import pytest
from tensorboard.backend.event_processing.data_provider import (
    MultiplexerDataProvider,
)

from kdropout_dashboard import reader
from kdropout_dashboard.source import Source, open_log
from tests.dashboard.board import write_training
from tests.dashboard.logs import training, write

NAMES = (
    "<script>alert(1)</script>",
    "quote\"'`&amp;",
    "bäckbone/δrop 層",
    "x" * 500,
    "../..",
)


def test_runs_are_in_natural_order_with_their_kinds(tmp_path):
    for name in ("run_10", "run_9", "Run", "deep/run_1"):
        write_training(tmp_path / name, {"a": [0.1]})
    write(tmp_path / "run_9", ("kdropout/search", {"format": 1}, 0))
    write(tmp_path / "other", ({"epoch_loss": 1.0}, None, 0))
    assert reader.runs(open_log(tmp_path))["runs"] == [
        {"name": "Run", "kind": "training"},
        {"name": "deep/run_1", "kind": "training"},
        {"name": "run_9", "kind": "training"},
        {"name": "run_9", "kind": "search"},
        {"name": "run_10", "kind": "training"},
    ]


def test_training_is_read_as_written(tmp_path):
    target = {"metric": "loss", "value": 0.4, "dead_band": 0.05}
    write_training(
        tmp_path,
        {"b": [0.1, 0.2], "a": [0.3, 0.3]},
        gaps=[{"loss": 0.5, "naive_loss": -1.5}, {"loss": 0.25}],
        target=target,
    )
    payload = training(tmp_path)
    assert payload.pop("version")
    written_at, times = payload.pop("written_at"), payload.pop("times")
    assert 0 <= time.time() - written_at < 60
    assert times["steps"] == [0, 1]
    assert 0.0 <= times["values"][0] <= times["values"][1] < 60
    assert payload == {
        "run": ".",
        "layers": [
            {"path": "b", "kind": "Dropout", "decided_by": "you", "rate": 0.2},
            {"path": "a", "kind": "Dropout", "decided_by": "you", "rate": 0.3},
        ],
        "rates": {
            "epoch": {"steps": [0, 1], "values": [[0.1, 0.2], [0.3, 0.3]]},
            "batch": None,
        },
        "gaps": [
            {
                "metric": "loss",
                "steps": [0, 1],
                "clean": [0.5, 0.25],
                "naive": [-1.5, None],
            }
        ],
        "metrics": [],
        "training_steps": None,
        "target": target,
        "terms": [],
        "drop_fractions": None,
        "sampled": False,
        "shared": False,
    }


def test_metrics_have_their_values_side_by_side(tmp_path):
    metrics = [
        {"loss": 0.5, "val_loss": 0.75, "clean_loss": 0.25, "val_auc": 0.5},
        {"loss": math.nan, "val_loss": 0.5, "clean_mine": 1.0, "learning_rate": 0.125},
    ]
    write_training(tmp_path, {"a": [0.1, 0.2]}, metrics=metrics)
    content = {"format": 1, "directions": {"loss": "min", "auc": "max", "mine": "?"}}
    steps = "progress/training_steps"
    write(
        tmp_path,
        ("kdropout/metrics", content, 0),
        ({steps: 10.0}, None, 0),
        ({steps: 20.0}, None, 1),
    )
    payload = training(tmp_path)

    def metric(name, direction, steps, training, validation, clean):
        parts = {"training": training, "validation": validation, "clean": clean}
        return {"metric": name, "direction": direction, "steps": steps} | parts

    assert payload["metrics"] == [
        metric("loss", "min", [0, 1], [0.5, None], [0.75, 0.5], [0.25, None]),
        metric("auc", "max", [0], None, [0.5], None),
        metric("clean_mine", None, [1], [1.0], None, None),
        metric("learning_rate", None, [1], [0.125], None, None),
    ]
    assert payload["training_steps"] == {"steps": [0, 1], "values": [10.0, 20.0]}


def test_time_of_a_resumed_training_begins_with_the_first_one(tmp_path):
    write_training(tmp_path, {"a": [0.1, 0.2]})
    write_training(tmp_path, {"a": [0.3]}, first=2)
    times = training(tmp_path)["times"]
    assert times["steps"] == [0, 1, 2]
    assert times["values"] == sorted(times["values"]) and times["values"][0] >= 0


def test_series_beside_the_rates_follow_the_order_of_the_layers(tmp_path):
    write_training(tmp_path, {"a": [0.1], "b": [0.2]})
    write(
        tmp_path,
        ({"entropy_term/b": 1.0, "weight_term/b": 2.0}, None, 0),
        ({"drop_fraction/b": 0.25, "drop_fraction/a": 0.125}, None, 0),
        ({"batch_dropout_rate/a": 0.5, "batch_dropout_rate/b": 0.75}, None, 40),
    )
    payload = training(tmp_path)
    assert payload["terms"] == [
        {"name": "entropy_term", "steps": [0], "values": [[None], [1.0]]},
        {"name": "weight_term", "steps": [0], "values": [[None], [2.0]]},
    ]
    assert payload["drop_fractions"] == {"steps": [0], "values": [[0.125], [0.25]]}
    assert payload["rates"]["batch"] == {"steps": [40], "values": [[0.5], [0.75]]}
    assert [layer["rate"] for layer in payload["layers"]] == [0.5, 0.75]


def test_layers_without_a_description_come_last_in_natural_order(tmp_path):
    rates = {"layer_10": [0.1], "layer_9": [0.2], "z": [0.3], "a_long_name": [0.4]}
    write_training(tmp_path, rates, layers=["z", "unused", "z"])
    payload = training(tmp_path)
    assert [(layer["path"], layer["rate"]) for layer in payload["layers"]] == [
        ("z", 0.3),
        ("unused", None),
        ("a_long_name", 0.4),
        ("layer_9", 0.2),
        ("layer_10", 0.1),
    ]
    assert payload["rates"]["epoch"]["values"] == [[0.3], [None], [0.4], [0.2], [0.1]]
    assert payload["layers"][-1]["kind"] == payload["layers"][-1]["decided_by"] == ""


def test_last_description_counts(tmp_path):
    write_training(tmp_path, {"a": [0.1], "b": [0.1]}, layers=["a", "b"])
    write_training(tmp_path, {"a": [0.1], "b": [0.1]}, layers=["b", "a"])
    assert [layer["path"] for layer in training(tmp_path)["layers"]] == ["b", "a"]


def test_layers_share_steps_with_holes_where_one_has_none(tmp_path):
    write(
        tmp_path,
        ("kdropout/run", {"format": 1, "layers": []}, 0),
        ({"dropout_rate/a": 0.5}, None, 0),
        ({"dropout_rate/a": 0.25, "dropout_rate/b": 0.75}, None, 3),
        ({"dropout_rate/b": 1.0}, None, 7),
    )
    assert training(tmp_path)["rates"]["epoch"] == {
        "steps": [0, 3, 7],
        "values": [[0.5, 0.25, None], [None, 0.75, 1.0]],
    }


def test_resumed_training_replaces_the_steps_it_repeats(tmp_path):
    write_training(tmp_path, {"a": [0.1, 0.2, 0.3, 0.4, 0.5]})
    write_training(tmp_path, {"a": [0.7, 0.8]}, first=2)
    assert training(tmp_path)["rates"]["epoch"] == {
        "steps": [0, 1, 2, 3],
        "values": [[0.1, 0.2, 0.7, 0.8]],
    }


def test_nonfinite_numbers_are_null(tmp_path):
    rates = [math.nan, 0.5, math.inf, -math.inf]
    write_training(tmp_path, {"a": rates}, gaps=[{"loss": rate} for rate in rates])
    payload = training(tmp_path)
    assert payload["rates"]["epoch"]["values"] == [[None, 0.5, None, None]]
    assert payload["gaps"][0]["clean"] == [None, 0.5, None, None]
    assert payload["gaps"][0]["naive"] == [None] * 4
    assert payload["layers"][0]["rate"] is None


def test_rate_arrives_as_set_and_not_as_a_32_bit_float(tmp_path):
    rates = [0.3, 1e-9, 1.0, 0.0, 123456.7]
    write_training(tmp_path, {"a": rates})
    assert training(tmp_path)["rates"]["epoch"]["values"] == [rates]


def test_naive_gap_is_beside_its_metric_even_if_a_metric_is_called_naive(tmp_path):
    gaps = {
        "auc": 1.0,
        "loss": 2.0,
        "naive_loss": 3.0,
        "naive_bayes": 4.0,
        "naive_naive_bayes": 5.0,
    }
    write_training(tmp_path, {"a": [0.1]}, gaps=[gaps])
    found = [(g["metric"], g["clean"], g["naive"]) for g in training(tmp_path)["gaps"]]
    assert found == [
        ("loss", [2.0], [3.0]),
        ("auc", [1.0], [None]),
        ("naive_bayes", [4.0], [5.0]),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_kinds_are_kept(tmp_path, name):
    write_training(tmp_path, {name: [0.5]}, gaps=[{name: 1.0, f"naive_{name}": 2.0}])
    payload = training(tmp_path)
    assert [layer["path"] for layer in payload["layers"]] == [name]
    assert payload["rates"]["epoch"]["values"] == [[0.5]]
    assert payload["gaps"] == [
        {"metric": name, "steps": [0], "clean": [1.0], "naive": [2.0]}
    ]


def test_data_provider_of_tensorboard_gives_the_same(tmp_path):
    rates = [step / 100 for step in range(20)]
    write_training(
        tmp_path, {"a": rates, "b": [math.nan] * 20}, gaps=[{"loss": 1.0}] * 20
    )
    write(tmp_path, ({"epoch_loss": 1.0}, None, 1))
    quick = open_log(tmp_path)
    plain = Source(MultiplexerDataProvider(quick.provider._runs, str(tmp_path)))
    assert reader.training(plain, ".") == reader.training(quick, ".")
