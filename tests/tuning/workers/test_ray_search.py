"""A search on several processes finds the same as a search in one process."""

import importlib.util
import os
import pathlib
import tempfile

import keras
import numpy as np
import pytest

from kdropout import tuning
from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.tuning.trials import searches
from tests.tuning.workers import remote_searches

ray = pytest.importorskip("ray", reason="the searches run on Ray")

from kdropout.tuning import ray_search  # noqa: E402

# Ray announces changes of its next versions by a FutureWarning.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


@pytest.fixture(scope="module", autouse=True)
def running_ray():
    """Start one Ray for all tests, which the searches find and leave running."""
    with ray_search.on_ray(None, num_cpus=2):
        yield


def random_search(
    folder, hypermodel=searches.build, kind=tuning.RandomSearch, **kwargs
):
    arguments = {"max_trials": 4, "seed": 1, "project_name": "search", **kwargs}
    return kind(hypermodel, "val_loss", directory=folder, **arguments)


def results(tuner):
    return {
        trial.trial_id: (trial.hyperparameters.values, trial.score, trial.status)
        for trial in tuner.oracle.trials.values()
    }


def statuses(tuner):
    return {trial_id: status for trial_id, (_, _, status) in results(tuner).items()}


class Hooked(tuning.RandomSearch):
    """Records the hooks that are called here and not in a worker."""

    def on_search_begin(self):
        self.called = ["begin"]

    def on_trial_begin(self, trial):
        self.called.append(trial.trial_id)

    def on_search_end(self):
        self.called.append("end")


def test_random_search_finds_the_result_of_one_process(tmp_path):
    arguments = {"executions_per_trial": 2, "kind": Hooked}
    one = random_search(tmp_path / "one", **arguments)
    # There are two cores, so the third worker never starts, and must get no trial.
    two = random_search(tmp_path / "two", workers=3, threads_per_worker=1, **arguments)
    for tuner in (one, two):
        searches.search(tuner, shuffle=True)
        assert tuner.called == ["begin", "0", "1", "2", "3", "end"]
    assert results(two) == results(one)
    x = searches.X
    for ours, theirs in zip(
        two.get_best_models(2), one.get_best_models(2), strict=True
    ):
        np.testing.assert_array_equal(
            ours.predict(x, verbose=0), theirs.predict(x, verbose=0)
        )
    again = random_search(tmp_path / "two")  # everything is in the project's folder
    assert results(again) == results(one)
    again.get_best_models()
    assert ray.is_initialized()


def folders_of_workers():
    return set(pathlib.Path(tempfile.gettempdir()).glob("kdropout-*"))


def test_workers_leave_no_folder_even_if_they_are_killed(tmp_path):
    before = folders_of_workers()
    tuner = random_search(tmp_path / "search", workers=2)
    kills = remote_searches.KillsItself(str(tmp_path), times=1)
    searches.search(tuner, callbacks=[kills])
    assert set(statuses(tuner).values()) == {"COMPLETED"}
    assert folders_of_workers() == before


def test_hyperband_promotes_across_workers(tmp_path):
    def search(workers):
        tuner = tuning.Hyperband(
            searches.unseeded,
            "val_loss",
            max_epochs=4,
            factor=2,
            seed=5,
            directory=tmp_path / str(workers),
            workers=workers,
        )
        searches.search(tuner, shuffle=True)
        return tuner

    tuner = search(2)
    assert set(statuses(tuner).values()) == {"COMPLETED"}
    by_values = {}
    for values, score, _ in results(search(1)).values():
        by_values[_stage(values)] = score
    common = 0
    for values, score, _ in results(tuner).values():
        if (
            _stage(values) in by_values
        ):  # the completion order decides which ones are promoted
            assert score == by_values[_stage(values)]
            common += "tuner/trial_id" in values
    assert common >= 2


def test_late_halving_finds_the_result_of_one_process(tmp_path):
    def search(workers):
        tuner = tuning.SuccessiveHalving(
            searches.unseeded,
            "val_loss",
            max_epochs=8,
            seed=5,
            directory=tmp_path / str(workers),
            workers=workers,
        )
        searches.search(tuner, shuffle=True)
        return tuner

    # Rungs wait for all of their trials, so the completion order has no effect.
    one, two = search(1), search(2)
    assert len(results(one)) == 7
    assert results(two) == results(one)
    x = searches.X
    np.testing.assert_array_equal(
        two.get_best_models()[0].predict(x, verbose=0),
        one.get_best_models()[0].predict(x, verbose=0),
    )


def _stage(values):
    return values["rate/first"], values["rate/second"], values["tuner/epochs"]


def test_trial_of_a_killed_worker_is_run_again(tmp_path):
    one = random_search(tmp_path / "one")
    searches.search(one)
    two = random_search(tmp_path / "two", workers=2, log_dir=tmp_path / "logs")
    kills = remote_searches.KillsItself(str(tmp_path), times=1)
    searches.search(two, callbacks=[kills])
    assert (tmp_path / "kill0").exists()
    assert results(two) == results(one)
    assert sorted(two.oracle.end_order) == sorted(two.oracle.trials)  # none twice
    logged = reader.search(open_log(tmp_path / "logs"), ".")["trials"]
    assert {trial["id"]: trial["score"] for trial in logged} == {
        trial_id: score for trial_id, (_, score, _) in results(two).items()
    }


def test_bad_trials_fail_with_their_message_and_the_others_continue(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(ray_search, "_MAX_LOST_WORKERS", 2)
    arguments = {"max_trials": 4, "max_consecutive_failed_trials": 100, "seed": 12}
    build = remote_searches.build_some
    tuner = random_search(tmp_path, build, workers=2, **arguments)
    searches.search(tuner)
    expected = {4: None, 6: "too many units", 8: "died 2 times"}
    seen = set()
    again = random_search(tmp_path, build, **arguments)
    for trial in (*tuner.oracle.trials.values(), *again.oracle.trials.values()):
        message = expected[trial.hyperparameters.get("units")]
        seen.add(message)
        assert trial.status == ("COMPLETED" if message is None else "FAILED")
        assert message is None or message in trial.message
    assert seen == set(expected.values())
    num_completed = list(statuses(tuner).values()).count("COMPLETED")
    assert len(tuner.get_best_models(4)) == num_completed


def test_interrupted_search_continues_in_one_process(tmp_path):
    one = random_search(tmp_path / "one")
    searches.search(one)
    two = random_search(tmp_path / "two", ray_address="auto")
    two.on_trial_end = _interrupt_after_first(two)
    with pytest.raises(KeyboardInterrupt):
        searches.search(two)
    again = random_search(tmp_path / "two")
    assert len(again.oracle.end_order) == 1
    searches.search(again)
    assert results(again) == results(one)


def _interrupt_after_first(tuner):
    def on_trial_end(trial):
        tuning.RandomSearch.on_trial_end(tuner, trial)
        raise KeyboardInterrupt

    return on_trial_end


def test_worker_that_cannot_start_is_reported_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_search, "_MAX_FAILED_STARTS", 1)
    tuner = random_search(tmp_path, ray_address="auto")
    with pytest.raises(RuntimeError, match="(?s)died before they started.*missing"):
        searches.search(tuner, callbacks=[Unreadable()])
    assert statuses(tuner) == {}


class Unreadable(keras.callbacks.Callback):
    """Cannot be unpickled in another process."""

    def __reduce__(self):
        return _raise, ()


def _raise():
    raise ImportError("a module is missing")


def test_message_without_ray_says_how_to_install_it(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ray" else find(name)
    )
    with pytest.raises(ModuleNotFoundError, match="pip install ray"):
        random_search(tmp_path, workers=2)
    assert list(tmp_path.iterdir()) == []
    random_search(tmp_path)


def test_workers_on_ray_and_workers_of_keras_tuner_exclude_each_other(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(os.environ, "KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(ValueError, match="KERASTUNER_ORACLE_IP is set"):
        random_search(tmp_path, workers=2)


def test_timeout_ends_the_trials_of_workers_which_run_again_later(tmp_path):
    one = random_search(tmp_path / "one", max_trials=3)
    searches.search(one, epochs=4)
    two = random_search(tmp_path / "two", max_trials=3, workers=2, timeout=60)
    slow = remote_searches.Slow(seconds=30.0)  # so the first epoch ends too late
    two.budget.timeout = 25.0
    searches.search(two, epochs=4, callbacks=[slow])
    assert set(statuses(two).values()) == {"RUNNING"}  # both workers were busy
    two.budget.timeout = None
    searches.search(two, epochs=4)
    assert results(two) == results(one)
    assert two.histories() == one.histories()


def test_workers_compare_their_trials_with_those_that_ended_before(tmp_path):
    tuner = random_search(
        tmp_path,
        max_trials=8,
        workers=2,
        median_stopping={"warmup_trials": 2, "warmup_epochs": 1},
        initial_trials=[0.1, 0.2, 0.8, 0.8 - 1e-3],
    )
    searches.search(tuner, epochs=8)
    assert set(statuses(tuner).values()) == {"COMPLETED"}
    rows = tuner.histories()
    stopped = {
        trial_id: tuner._stopped_after(trial_id) for trial_id in tuner.oracle.trials
    }
    assert {i: len(rows[i]) for i in rows} == {i: stopped[i] or 8 for i in rows}
    assert stopped["0"] is stopped["1"] is None
    assert any(stopped.values())
