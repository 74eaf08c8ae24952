"""The steps that are read and sent, and the report of those that are omitted."""

import gc

import pytest

from kdropout_dashboard import reader, series
from kdropout_dashboard.source import open_log
from tests.dashboard.board import write_training
from tests.dashboard.logs import training, write


def test_data_are_sent_once(tmp_path):
    write_training(tmp_path, {"a": [0.5]})
    version = training(tmp_path)["version"]
    again = {"version": version, "unchanged": True}
    assert training(tmp_path, version=version) == again
    write(tmp_path, ({"epoch_loss": 1.0}, None, 1))
    assert training(tmp_path, version=version) == again
    for event in (
        ({"dropout_rate/a": 0.5}, None, 1),
        ({"overfitting_gap/loss": 0.5}, None, 1),
        ({"dropout_rate/a": 0.5}, None, 1),
        ("kdropout/run", {"format": 1}, 0),
    ):
        write(tmp_path, event)
        payload = training(tmp_path, version=version)
        assert payload["version"] != version, event
        assert "rates" in payload
        version = payload["version"]


def test_unchanged_training_needs_no_reading_of_series(tmp_path):
    write_training(tmp_path, {"a": [0.5]})
    source = open_log(tmp_path)
    version = reader.training(source, ".")["version"]
    source.columns = source.descriptions = None
    assert reader.training(source, ".", version)["unchanged"]


def test_compared_runs_share_the_steps_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_POINTS", 100)
    rates = [step / 1000 for step in range(40)]
    losses = [{"loss": rate} for rate in rates]
    write_training(tmp_path, {"a": rates, "b": rates}, gaps=losses, metrics=losses)
    assert not training(tmp_path)["sampled"]
    assert not training(tmp_path, shared_by=1)["shared"]
    payload = training(tmp_path, shared_by=4)
    steps = payload["rates"]["epoch"]["steps"]
    assert payload["shared"] and not payload["sampled"]
    assert len(steps) in (12, 13) and steps[-1] == 39
    assert payload["rates"]["epoch"]["values"] == [[rates[s] for s in steps]] * 2
    for block in (payload["gaps"][0], payload["metrics"][0], payload["times"]):
        assert block["steps"] == list(range(40))
    assert payload["metrics"][0]["training"] == rates


def test_page_with_more_steps_than_its_share_needs_no_others(tmp_path):
    write_training(tmp_path, {"a": [0.5]})
    versions = {n: training(tmp_path, shared_by=n)["version"] for n in (1, 2, 4)}
    for known, version in versions.items():
        for wanted in versions:
            payload = training(tmp_path, version=version, shared_by=wanted)
            assert ("unchanged" in payload) == (known <= wanted), (known, wanted)
    bare = versions[1].removesuffix("-1")
    for version in (bare, f"{bare}-", f"{bare}-0", f"{bare}--1", f"{bare}-x", "-1"):
        assert "rates" in training(tmp_path, version=version, shared_by=4)


def test_long_series_are_thinned_evenly_and_end_with_the_latest(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_STEPS", 10)
    rates = [step / 100 for step in range(95)]
    write_training(tmp_path, {"a": rates, "b": rates[::-1]})
    payload = training(tmp_path)
    steps = payload["rates"]["epoch"]["steps"]
    assert payload["sampled"]
    assert steps[0] == 0 and steps[-1] == 94 and len(steps) == 10
    assert {b - a for a, b in zip(steps, steps[1:], strict=False)} == {10, 11}
    assert payload["rates"]["epoch"]["values"] == [
        [rates[step] for step in steps],
        [rates[94 - step] for step in steps],
    ]


def test_many_layers_have_fewer_steps_and_that_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_POINTS", 100)
    rates = [step / 1000 for step in range(101)]
    write_training(tmp_path / "more", {"a": rates, "b": rates})
    write_training(tmp_path / "all", {"a": rates[:50], "b": rates[:50]})
    payload = training(tmp_path, "more")
    steps = payload["rates"]["epoch"]["steps"]
    assert payload["sampled"] and not payload["shared"]
    assert len(steps) == 50 and steps[-1] == 100
    assert payload["rates"]["epoch"]["values"] == [[rates[s] for s in steps]] * 2
    # The gap takes no steps away from the layers.
    some = {"a": rates[:45], "b": rates[:45]}
    write_training(tmp_path / "gaps", some, gaps=[{"loss": 1.0}] * 45)
    payload = training(tmp_path, "gaps")
    assert not payload["sampled"]
    assert len(payload["rates"]["epoch"]["steps"]) == 45
    payload = training(tmp_path, "all")
    assert payload["rates"]["epoch"]["steps"] == list(range(50))
    assert not payload["sampled"]


def test_a_thousand_epochs_of_many_layers_arrive_whole():
    column = (list(range(1_000)), [0.5] * 1_000)
    aligned = series.Aligned([column] * 250)
    assert aligned.steps == list(range(1_000))
    assert not aligned.is_sampled


def test_sampled_flag_shows_that_tensorboard_keeps_no_more():
    def is_sampled(steps, kept):
        column = (list(steps), [0.5] * len(steps))
        return series.Aligned([column], kept).is_sampled

    assert not is_sampled(range(10), 10)
    assert not is_sampled(range(0, 100, 10), 10)
    assert not is_sampled([0, 1, 5, 6], 10)
    assert not is_sampled([0, 1, 2, 5, 9], 0)
    assert is_sampled([0, 1, 3, 4, 6, 7, 8, 9, 11, 12], 10)


def test_reading_restores_the_garbage_collector(tmp_path):
    write_training(tmp_path, {"a": [0.5]})
    source = open_log(tmp_path)
    assert gc.isenabled()
    training(tmp_path)
    assert gc.isenabled()
    source.provider.read_scalars = None
    with pytest.raises(TypeError):
        reader.training(source, ".")
    assert gc.isenabled()
    gc.disable()
    try:
        training(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()
