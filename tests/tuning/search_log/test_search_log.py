"""TensorBoard shows each trial of a search once, even after errors and kills."""

import json
import pathlib
import re
import shutil
import sys

import pytest
from tensorboard.plugins.hparams import api_pb2

from kdropout import tuning
from kdropout._requirements import MissingPackages
from kdropout.callbacks import TensorBoardRates
from kdropout.tuning import search_log
from kdropout.tuning.dropout_tab import noise_of
from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.dashboard.board import eventually, start_tensorboard
from tests.tuning.search_log import planted, tabs
from tests.tuning.trials import searches

RATES = ["rate/first", "rate/second"]


def files(folder):
    """Return name and content of each file below `folder/logs`."""
    found = (path for path in (folder / "logs").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def trial_files(folder):
    """Return the event files of trials."""
    return [name for name in files(folder) if ".trial-" in name]


def trials(folder):
    """Return the trials in the file of the search."""
    state = json.loads((folder / "search" / "oracle.json").read_text())
    return state["trials"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run a search of six trials, some of which fail."""
    folder = tmp_path_factory.mktemp("done")
    planted.run(folder)
    statuses = [trial["status"] for trial in trials(folder)]
    assert 0 < statuses.count("FAILED") < 5
    return folder


def test_hparams_lists_each_trial_with_its_values_and_its_score(done):
    experiment, rows = tabs.hparams(done / "logs")
    assert list(rows) == ["0", "1", "2", "3", "4", "5"]
    for trial in trials(done):
        values, metrics, status = rows[trial["trial_id"]]
        assert values == trial["hyperparameters"]["values"]
        if trial["status"] == "FAILED":
            assert (metrics, status) == ({}, "STATUS_FAILURE")
        else:
            expected = planted.score_of(trial["hyperparameters"]["values"])
            assert metrics == {"best/score": pytest.approx(expected, rel=1e-6)}
            assert status == "STATUS_SUCCESS"
    columns = {one.name: one for one in experiment.hparam_infos}
    assert sorted(columns) == [*RATES, "units"]
    for name in RATES:
        interval = columns[name].domain_interval
        assert (interval.min_value, interval.max_value) == (0.0, 0.8)
        assert columns[name].type == api_pb2.DATA_TYPE_FLOAT64
    assert list(columns["units"].domain_discrete) == [4, planted.FAILS_WITH]
    assert [info.name.tag for info in experiment.metric_infos] == ["best/score"]


def test_running_tensorboard_shows_the_same(done, tmp_path):
    request = {"sliceSize": 10, "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE"]}
    with start_tensorboard(done / "logs", tmp_path / "output") as board:

        def rows():
            route = "data/plugin/hparams/session_groups"
            status, _, body = board.get(route, request=json.dumps(request))
            return json.loads(body)["sessionGroups"] if status == 200 else []

        found = eventually(rows, lambda rows: len(rows) == 6)
        payload = board.data("search", run=".")
    names = {row["name"]: sorted(row["hparams"]) for row in found}
    assert names == {str(number): [*RATES, "units"] for number in range(6)}
    assert sum(len(row["metricValues"]) for row in found) == sum(
        trial["status"] == "COMPLETED" for trial in trials(done)
    )
    assert payload["trials"] == tabs.dropout(done / "logs")["trials"]


def test_rows_of_two_searches_stay_apart(done, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(done / "logs", tmp_path / name)
    _, rows = tabs.hparams(tmp_path)
    assert len(rows) == 12 and {"one/0", "two/0"} <= set(rows)


def test_dropout_tab_has_the_same_trials(done):
    payload = tabs.dropout(done / "logs")
    assert (payload["objective"], payload["direction"]) == ("score", "min")
    assert [one["name"] for one in payload["dimensions"]] == RATES
    assert [one["layers"] for one in payload["dimensions"]] == [["first"], ["second"]]
    assert {(one["low"], one["high"]) for one in payload["dimensions"]} == {(0.0, 0.8)}
    for ours, theirs in zip(payload["trials"], trials(done), strict=True):
        values = theirs["hyperparameters"]["values"]
        expected = {
            "id": theirs["trial_id"],
            "values": [values[name] for name in RATES],
            "score": theirs["score"],
            "status": theirs["status"],
            "epochs": 7,
        }
        if theirs["status"] == "FAILED":
            expected["reason"] = "ValueError: too many units"
        assert ours == expected


def test_resumed_search_duplicates_no_rows(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "copy")
    before = files(folder)
    planted.run(folder)
    assert files(folder) == before
    planted.run(folder, max_trials=8)
    after = files(folder)
    kept = {name: text for name, text in before.items() if ".marginals-" not in name}
    assert kept.items() <= after.items() and len(after) == len(before) + 2
    _, rows = tabs.hparams(folder / "logs")
    assert len(rows) == 8


def test_missing_rows_are_written_later(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "copy")
    shutil.rmtree(folder / "logs" / "2")
    next((folder / "logs").glob("events*")).unlink()
    planted.run(folder)
    assert tabs.hparams(folder / "logs") == tabs.hparams(done / "logs")
    shutil.rmtree(folder / "logs")  # as in a search of an older version
    planted.run(folder)
    assert (
        tabs.dropout(folder / "logs")["trials"] == tabs.dropout(done / "logs")["trials"]
    )


class Killed(BaseException):
    """Ends a search like a signal."""


@pytest.mark.parametrize("number", [1, 2, 4])
def test_search_killed_while_writing_leaves_readable_files(
    number, done, tmp_path, monkeypatch
):
    write_bytes, written = pathlib.Path.write_bytes, []

    def half(path, content):
        written.append(path)
        if len(written) >= number:
            write_bytes(path, content[: len(content) // 2])
            raise Killed
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "write_bytes", half)
        patch.setattr(pathlib.Path, "unlink", lambda path, missing_ok=True: None)
        with pytest.raises(Killed):
            planted.run(tmp_path)
    assert written[-1].exists() and "tfevents" not in written[-1].name
    expected = tabs.dropout(done / "logs")["trials"]
    if number > 1:
        left = tabs.dropout(tmp_path / "logs")["trials"]
        assert left == expected[: number - 2]
    planted.run(tmp_path)
    assert tabs.dropout(tmp_path / "logs")["trials"] == expected
    assert tabs.hparams(tmp_path / "logs") == tabs.hparams(done / "logs")


def test_trial_whose_failure_ends_the_search_has_a_row(tmp_path):
    with pytest.raises(RuntimeError, match="consecutive failures"):
        planted.run(tmp_path, max_consecutive_failed_trials=1)
    *_, last = tabs.dropout(tmp_path / "logs")["trials"]
    assert (last["id"], last["status"]) == (trials(tmp_path)[-1]["trial_id"], "FAILED")


def test_full_disk_is_reported_once_and_does_not_stop_the_search(
    done, tmp_path, monkeypatch
):
    def full(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "write_bytes", full)
        with pytest.warns(
            UserWarning, match="(?s)logs.*No space left.*search continues"
        ) as caught:
            tuner = planted.run(tmp_path)
        assert [warning.category for warning in caught].count(UserWarning) == 1
    assert len(tuner.oracle.end_order) == 6 and not files(tmp_path)
    tuner.search(verbose=0)  # there is space again
    assert tabs.hparams(tmp_path / "logs") == tabs.hparams(done / "logs")


def test_folder_of_another_search_is_refused_and_kept(done, tmp_path):
    logs = shutil.copytree(done / "logs", tmp_path / "logs")
    (logs / "0" / "events.out.tfevents.1.training").touch()
    (logs / "notes.txt").touch()
    before = files(tmp_path)
    with pytest.raises(
        ValueError, match="'log_dir' must be a folder that only this sea"
    ):
        planted.make_tuner(tmp_path)
    assert files(tmp_path) == before
    planted.make_tuner(tmp_path, overwrite=True)
    others = {"logs/notes.txt", "logs/0/events.out.tfevents.1.training"}
    assert files(tmp_path).keys() == others


@pytest.mark.parametrize(
    ("log_dir", "error", "message"),
    [
        (3, TypeError, "'log_dir' must be a path or None. Received: log_dir=3"),
        (__file__, ValueError, "'log_dir' must be the path of a folder"),
        ("gs://bucket/logs", ValueError, "a folder on this machine.*gs://bucket/logs"),
    ],
)
def test_log_dir_that_is_not_a_folder_is_refused(log_dir, error, message, tmp_path):
    with pytest.raises(error, match=message):
        planted.make_tuner(tmp_path, log_dir=log_dir)


def test_message_without_tensorboard_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        MissingPackages, match="'log_dir' needs.*pip install tensorboard"
    ):
        planted.make_tuner(tmp_path)
    assert planted.make_tuner(tmp_path, log_dir=None).search_log is None


def test_nothing_is_written_without_a_log_dir(tmp_path):
    tuner = planted.run(tmp_path, log_dir=None, max_trials=2)
    assert len(tuner.oracle.end_order) == 2
    assert [path.name for path in tmp_path.iterdir()] == [".search.lock", "search"]


def test_hyperband_has_one_row_for_each_trial_and_no_extra_column(tmp_path):
    planted.run(tmp_path, kind=planted.Hyperband, hypermodel=two_rates, max_epochs=4)
    experiment, rows = tabs.hparams(tmp_path / "logs")
    assert [info.name for info in experiment.hparam_infos] == RATES
    known = {trial["trial_id"]: trial for trial in trials(tmp_path)}
    assert rows.keys() == known.keys()
    assert all(sorted(values) == RATES for values, _, _ in rows.values())
    epochs = {
        one["id"]: one["epochs"] for one in tabs.dropout(tmp_path / "logs")["trials"]
    }
    for trial_id, trial in known.items():
        assert epochs[trial_id] == trial["hyperparameters"]["values"]["tuner/epochs"]
    assert len(set(epochs.values())) > 1


def test_late_halving_has_rows_with_their_rungs_and_no_extra_column(tmp_path):
    kind = planted.SuccessiveHalving
    planted.run(tmp_path, kind=kind, hypermodel=two_rates, max_epochs=8)
    experiment, rows = tabs.hparams(tmp_path / "logs")
    assert [info.name for info in experiment.hparam_infos] == RATES
    assert len(rows) == 7
    shown = tabs.dropout(tmp_path / "logs")["trials"]
    parts = [(trial["epochs"], trial.get("rung", 0)) for trial in shown]
    assert parts == [(4, 0)] * 4 + [(6, 1)] * 2 + [(8, 2)]


def two_rates(hp):
    return tuning.tune_rates(hp, planted.make_model("first", "second"))


def test_expected_score_over_each_rate_is_written_at_the_end(done, tmp_path):
    problem = tabs.dropout(done / "logs")["problem"]
    assert re.fullmatch("only [1-5] trials completed, fewer than 10", problem)
    planted.run(tmp_path, max_trials=40)
    payload = tabs.dropout(tmp_path / "logs")
    assert [one["name"] for one in payload["marginals"]] == RATES
    assert payload["problem"] == ""
    importance = {one["name"]: one["mean"] for one in payload["importance"]}
    assert importance.keys() == set(RATES) and min(importance.values()) > 0.1
    for one in payload["marginals"]:
        assert 0 <= one["grid"][0] < 0.1 < 0.7 < one["grid"][-1] <= 1
        # The score is the sum of the rates; a forest of 20 trials flattens it.
        slope = (one["mean"][-1] - one["mean"][0]) / (one["grid"][-1] - one["grid"][0])
        assert 0.4 < slope < 1.1


def test_schedules_have_an_axis_for_each_of_their_parts(tmp_path):
    def build(hp):
        shapes = ("linear", "cosine")
        space = tuning.Schedules(0.1, (0.2, 0.6), (5, 50), shapes)
        return tuning.tune_rates(hp, planted.make_model("drop"), space)

    planted.run(tmp_path, hypermodel=build, max_trials=3)
    payload = tabs.dropout(tmp_path / "logs")
    axes = {
        one["name"]: (one["kind"], one["low"], one["high"], one["levels"])
        for one in payload["dimensions"]
    }
    assert axes == {
        "rate/drop/end": ("end", 0.2, 0.6, []),
        "rate/drop/steps": ("steps", 5, 50, []),
        "rate/drop/shape": ("shape", 0, 1, ["linear", "cosine"]),
    }
    for ours, theirs in zip(payload["trials"], trials(tmp_path), strict=True):
        values = theirs["hyperparameters"]["values"]
        shape = ["linear", "cosine"].index(values["rate/drop/shape"])
        rest = [values["rate/drop/end"], values["rate/drop/steps"]]
        assert ours["values"] == [*rest, shape]


NAMES = ["<img src=x onerror=alert(1)>", "\"q\" 'q' \\ {}", "größe 層 🙂", "n" * 500]


def test_names_may_have_any_characters(tmp_path):
    def build(hp):
        return tuning.tune_rates(hp, planted.make_model(*NAMES))

    planted.run(tmp_path, hypermodel=build, max_trials=2)
    names = [f"rate/{name}" for name in NAMES]
    assert [
        one["name"] for one in tabs.dropout(tmp_path / "logs")["dimensions"]
    ] == names
    experiment, rows = tabs.hparams(tmp_path / "logs")
    assert sorted(info.name for info in experiment.hparam_infos) == sorted(names)
    assert all(values.keys() == set(names) for values, _, _ in rows.values())


def test_nonfinite_score_leaves_a_row_without_one(tmp_path, monkeypatch):
    scores = iter([float("inf"), 0.5])
    monkeypatch.setattr(planted, "score_of", lambda values: next(scores))
    planted.run(tmp_path, hypermodel=two_rates, max_trials=2)
    _, rows = tabs.hparams(tmp_path / "logs")
    assert rows["0"][1:] == ({}, "STATUS_FAILURE")
    assert rows["1"][1:] == ({"best/score": 0.5}, "STATUS_SUCCESS")
    first, second = tabs.dropout(tmp_path / "logs")["trials"]
    assert (first["score"], first["reason"]) == (None, "The score was inf.")
    assert second["score"] == 0.5 and "reason" not in second


def test_search_without_rates_is_only_in_hparams(tmp_path):
    def build(hp):
        hp.Int("units", 4, 8)
        return planted.make_model("drop")

    planted.run(tmp_path, hypermodel=build, max_trials=2)
    experiment, rows = tabs.hparams(tmp_path / "logs")
    assert [info.name for info in experiment.hparam_infos] == ["units"]
    assert len(rows) == 2 and tabs.dropout(tmp_path / "logs") is None


def test_resumed_search_knows_axes_of_only_some_models(tmp_path):
    def build(hp):
        is_deep = hp.Choice("kind", ["flat", "deep"]) == "deep"
        names = ("first", "second") if is_deep else ("first",)
        model = tuning.tune_rates(hp, planted.make_model(*names), {"first": (0, 0.8)})
        with hp.conditional_scope("kind", ["deep"]):
            if is_deep:
                model = tuning.tune_rates(hp, model, {"second": (0, 0.8)})
        return model

    planted.run(tmp_path, hypermodel=build)
    payload = tabs.dropout(tmp_path / "logs")
    assert [one["name"] for one in payload["dimensions"]] == RATES
    lengths = {trial["values"].count(None) for trial in payload["trials"]}
    assert lengths == {0, 1}  # flat ones have no second rate
    before = files(tmp_path)
    planted.run(tmp_path, hypermodel=build)
    assert files(tmp_path) == before


def test_rates_of_layers_are_known_even_if_no_trial_builds_a_model(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "copy")
    shutil.rmtree(folder / "logs" / "0")
    planted.run(folder)
    source, tag = open_log(folder / "logs"), "kdropout/trial"
    described = source.descriptions([tag], ["0", "1"])
    for trial in trials(folder)[:2]:
        values = trial["hyperparameters"]["values"]
        assert described[trial["trial_id"]][tag]["rates"] == {
            name.removeprefix("rate/"): values[name] for name in RATES
        }


def test_model_replaces_a_damaged_file_of_the_tuner(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "copy")
    before = files(folder)
    for text in ("{", '{"seed": 3, "dimensions": [{"name": 3}]}'):
        (folder / "search" / "tuner0.json").write_text(text)
        tuner = planted.run(folder)
        assert tuner.search_log.axes.are_known and files(folder) == before


def test_addition_of_a_later_trial_becomes_a_column_and_an_axis(tmp_path):
    def build(hp):
        names = ["first", "second"][: hp.Int("layers", 1, 2)]
        return tuning.tune_rates(hp, planted.make_model(*names))

    planted.run(tmp_path, hypermodel=build, max_trials=1)
    assert len(tabs.dropout(tmp_path / "logs")["dimensions"]) == 1
    tuner = planted.make_tuner(tmp_path, hypermodel=build, max_trials=2)
    before = set(trial_files(tmp_path))
    tuner.search_log.learn(two_rates(tuner.oracle.hyperparameters))
    tuner.search(verbose=0)
    assert before < set(trial_files(tmp_path))  # existing files are kept
    experiment, _ = tabs.hparams(tmp_path / "logs")
    assert [one.name for one in experiment.hparam_infos] == ["layers", *RATES]
    assert [
        one["name"] for one in tabs.dropout(tmp_path / "logs")["dimensions"]
    ] == RATES


def of_networks(folder, trials, executions):
    """Make a tuner that trains."""
    return tuning.RandomSearch(
        searches.build,
        "val_loss",
        max_trials=trials,
        seed=1,
        executions_per_trial=executions,
        directory=folder,
        log_dir=folder / "logs",
    )


@pytest.mark.parametrize("executions", [1, 2])
def test_each_training_of_a_trial_is_a_separate_run(executions, tmp_path):
    logs = tmp_path / "logs"
    tuner = of_networks(tmp_path, 2, executions)
    searches.search(tuner, callbacks=[TensorBoardRates(logs)], epochs=1)
    source = open_log(logs)
    runs = {"0", "1"}
    if executions == 2:
        runs = {f"{run}/execution{number}" for run in runs for number in (0, 1)}
    expected = {(".", "search"), *((run, "training") for run in runs)}
    found = [(run["name"], run["kind"]) for run in reader.runs(source)["runs"]]
    assert set(found) == expected and len(found) == len(expected)
    for run in runs:
        trial = tuner.oracle.trials[run[0]]
        rates = {
            layer["path"]: layer["rate"]
            for layer in reader.training(source, run)["layers"]
        }
        for path, rate in rates.items():
            assert trial.hyperparameters.get(f"rate/{path}") == pytest.approx(rate)
        assert list(rates) == ["first", "second"]
    assert len(tabs.hparams(logs)[1]) == 2


@pytest.mark.parametrize("executions", [1, 2])
def test_noise_between_trainings_is_written_at_the_end(executions, tmp_path):
    tuner = of_networks(tmp_path, 3, executions)
    searches.search(tuner, epochs=1)
    expected = noise_of(tuning.report_of(tuner).trials)
    assert (expected is None) == (executions == 1)
    assert tabs.dropout(tmp_path / "logs")["noise"] == expected


def test_row_comes_after_a_training_that_began_in_the_same_second(
    tmp_path, monkeypatch
):
    # TensorBoard's Python loader never returns to a file with an earlier name.
    monkeypatch.setattr(search_log.time, "time", lambda: 1700000000.9)
    search_log._write_once(tmp_path, search_log._TRIAL, {}, lambda: [])
    (row,) = tmp_path.iterdir()
    assert row.name > "events.out.tfevents.1700000000.zebra.1.0.kdropout"
