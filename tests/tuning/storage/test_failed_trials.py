"""A failed trial is never the best and does not stop the search."""

import json

import keras_tuner
import pytest

from kdropout import tuning
from tests.tuning.storage import kills
from tests.tuning.trials import searches

NAN = float("nan")


def make_tuner(folder, run, algorithm="random", **kwargs):
    """Make a search whose trials call `run(number of the trial, of the call)`."""
    arguments = {"max_trials": 6, "max_consecutive_failed_trials": 100, **kwargs}
    if algorithm in kills.SHORT:
        del arguments["max_trials"]
    tuner = kills.make_tuner(algorithm, folder, **arguments)
    calls = {}

    def run_trial(trial, *args, **kwargs):
        number = int(trial.trial_id)
        calls[number] = calls.get(number, 0) + 1
        return run(number, calls[number])

    tuner.run_trial = run_trial
    tuner.calls = calls
    return tuner


def fails_at_even(number, call):
    if number % 2 == 0:
        raise ValueError(f"no result of {number}")
    return float(number)


@pytest.mark.parametrize("direction", ["min", "max"])
def test_best_trials_are_only_completed_ones(direction, tmp_path):
    objective = keras_tuner.Objective("score", direction)
    tuner = make_tuner(tmp_path, fails_at_even, objective=objective)
    tuner.search(verbose=0)
    expected = [1.0, 3.0, 5.0][:: 1 if direction == "min" else -1]
    for num_trials, scores in [(1, expected[:1]), (3, expected), (50, expected)]:
        best = tuner.oracle.get_best_trials(num_trials)
        assert [trial.score for trial in best] == scores
        values = [trial.hyperparameters.values for trial in best]
        found = tuner.get_best_hyperparameters(num_trials)
        assert [hp.values for hp in found] == values
    failed = tuner.oracle.trials["0"]
    assert failed.status == "FAILED" and "no result of 0" in failed.message
    again = make_tuner(tmp_path, fails_at_even, objective=objective)
    assert [t.score for t in again.oracle.get_best_trials(50)] == expected
    assert "no result of 0" in again.oracle.trials["0"].message


def test_nonfinite_result_is_a_failed_trial(tmp_path):
    tuner = make_tuner(tmp_path, lambda number, call: [NAN, 2.0, 1.0][number % 3])
    tuner.search(verbose=0)
    assert [t.score for t in tuner.oracle.get_best_trials(9)] == [1.0, 1.0, 2.0, 2.0]


def test_search_with_only_nan_scores_is_reported(tmp_path):
    tuner = make_tuner(tmp_path, lambda number, call: NAN, max_trials=2)
    tuner.search(verbose=0)
    message = "The objective 'score' was NaN in every epoch"
    assert all(message in t.message for t in tuner.oracle.trials.values())
    with pytest.raises(RuntimeError, match=f"No trial .* has completed.*{message}"):
        tuner.get_best_hyperparameters()
    tuner = make_tuner(
        tmp_path / "b", lambda number, call: NAN, max_consecutive_failed_trials=2
    )
    with pytest.raises(RuntimeError, match=message):
        tuner.search(verbose=0)


def test_error_gives_the_reason_if_no_trial_has_a_result(tmp_path):
    def fails(number, call):
        raise ValueError("the data are gone")

    tuner = make_tuner(tmp_path, fails)
    with pytest.raises(RuntimeError, match="No trial .* has completed.*No trial was"):
        tuner.get_best_hyperparameters()
    tuner.search(verbose=0)
    for ask in (tuner.get_best_hyperparameters, tuner.get_best_models):
        with pytest.raises(RuntimeError, match="No trial .* the data are gone"):
            ask()


def test_failed_model_is_not_among_the_best_models(tmp_path):
    def build(hp):
        if hp.Choice("units", [4, 5, 6, 7, 8]) > 5:
            raise ValueError("too many")
        return searches.build(hp)

    tuner = tuning.RandomSearch(
        build,
        "val_loss",
        max_trials=5,
        seed=1,
        directory=tmp_path,
        max_consecutive_failed_trials=100,
    )
    trials = searches.search(tuner)
    completed = [t for t in trials if t.status == "COMPLETED"]
    assert 0 < len(completed) < 5
    assert len(tuner.get_best_models(5)) == len(completed)


@pytest.mark.parametrize("algorithm", kills.ALGORITHMS)
def test_trial_is_tried_again_as_often_as_allowed(algorithm, tmp_path, capsys):
    def fails_twice(number, call):
        if number == 2 and call <= 2:
            raise ValueError("not yet")
        return float(10 * number + call)

    tuner = make_tuner(tmp_path, fails_twice, algorithm, max_retries_per_trial=2)
    tuner.search(verbose=0)
    (third,) = [t for i, t in tuner.oracle.trials.items() if int(i) == 2]
    assert tuner.calls[2] == 3 and third.score == 23.0
    assert all(t.status == "COMPLETED" for t in tuner.oracle.trials.values())
    tuner = make_tuner(tmp_path / "b", fails_twice, algorithm, max_retries_per_trial=1)
    tuner.search(verbose=0)
    (third,) = [t for i, t in tuner.oracle.trials.items() if int(i) == 2]
    assert tuner.calls[2] == 2 and third.status == "FAILED" and third.score is None


def test_result_of_a_new_try_replaces_a_nonfinite_one(tmp_path, capsys):
    def better_the_second_time(number, call):
        return NAN if call == 1 else float(number)

    tuner = make_tuner(tmp_path, better_the_second_time, max_retries_per_trial=1)
    tuner.search(verbose=0)
    assert [t.score for t in tuner.oracle.trials.values()] == [0, 1, 2, 3, 4, 5]


def test_stopped_try_is_repeated_with_the_remaining_tries(tmp_path):
    class Stop(BaseException):
        pass

    def stops(number, call):
        if number == 1 and call == 2:
            raise Stop
        raise ValueError("never")

    arguments = {"max_retries_per_trial": 2, "max_trials": 2}
    with pytest.raises(Stop):
        make_tuner(tmp_path, stops, **arguments).search(verbose=0)

    def fails(number, call):
        raise ValueError("never")

    again = make_tuner(tmp_path, fails, **arguments)
    again.search(verbose=0)
    assert again.calls == {1: 2}  # one of three was used, and one was stopped


def test_search_with_only_failures_ends_and_can_continue(tmp_path):
    def broken(number, call):
        raise ValueError("broken")

    arguments = {"max_consecutive_failed_trials": 3}
    with pytest.raises(RuntimeError, match="(?s)consecutive failures.*broken"):
        make_tuner(tmp_path, broken, **arguments).search(verbose=0)
    mended = make_tuner(tmp_path, lambda number, call: float(number), **arguments)
    mended.search(verbose=0)
    assert [t.score for t in mended.oracle.trials.values()] == [None, None, 2, 3, 4, 5]


def test_files_of_a_search_are_standard_json(tmp_path):
    tuner = make_tuner(tmp_path, fails_at_even)
    tuner.search(verbose=0)
    state = json.loads((tmp_path / "search" / "oracle.json").read_text())
    assert state["end_order"] == [trial["trial_id"] for trial in state["trials"]]
    for trial in state["trials"]:
        path = tmp_path / "search" / f"trial_{trial['trial_id']}" / "trial.json"
        assert json.loads(path.read_text()) == trial
