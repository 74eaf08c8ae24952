"""A search ends when its trials no longer improve, and can run failed trials again."""

import keras_tuner
import pytest

from tests.tuning.storage import kills

SCORES = [5.0, 3.0, 4.0, 3.0, 9.0, 1.0, 8.0, 7.0, 6.0, 6.0]


def make_tuner(folder, scores=SCORES, algorithm="random", **kwargs):
    """Make a search whose trials have these scores, where None fails."""
    arguments = {"max_trials": 10, "max_consecutive_failed_trials": 100, **kwargs}
    tuner = kills.make_tuner(algorithm, folder, **arguments)
    tuner.begun = []

    def run_trial(trial, *args, **kwargs):
        tuner.begun.append(trial.trial_id)
        score = scores[int(trial.trial_id)]
        if score is None:
            raise ValueError("no score")
        return score

    tuner.run_trial = run_trial
    return tuner


@pytest.mark.parametrize(
    ("patience", "num_trials"), [(1, 3), (2, 4), (3, 5), (4, 10), (5, 10), (20, 10)]
)
def test_search_stops_after_trials_without_a_better_score(
    patience, num_trials, tmp_path
):
    tuner = make_tuner(tmp_path, patience=patience)
    notes = []
    tuner.progress.note = notes.append
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == num_trials
    expected = f"the last {patience} trials did not improve the best score"
    assert any(expected in note for note in notes) == (num_trials < 10)


def test_larger_scores_are_better_if_the_objective_says_so(tmp_path):
    objective = keras_tuner.Objective("score", "max")
    tuner = make_tuner(tmp_path, patience=4, objective=objective)
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == 9  # four after the one with 9.0


def test_failed_trials_count_as_trials_without_a_better_score(tmp_path):
    tuner = make_tuner(tmp_path, [None, 3.0, None, None, 1.0, *SCORES[5:]], patience=2)
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == 4
    tuner = make_tuner(tmp_path / "b", [None] * 10, patience=3)
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == 4


def test_resumed_search_counts_the_earlier_trials_and_may_get_more_patience(tmp_path):
    make_tuner(tmp_path, patience=2).search(verbose=0)
    again = make_tuner(tmp_path, patience=2)
    again.search(verbose=0)
    assert again.begun == []
    longer = make_tuner(tmp_path, patience=4)
    longer.search(verbose=0)
    assert len(longer.oracle.trials) == 10


def broken(number):
    """Return the scores of a search whose trials up to this number fail."""
    return [None if index < number else score for index, score in enumerate(SCORES)]


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "grid"])
def test_failed_trials_run_again_with_their_values(algorithm, tmp_path):
    first = make_tuner(tmp_path, broken(4), algorithm)
    first.search(verbose=0)
    values = {i: t.hyperparameters.values for i, t in first.oracle.trials.items()}
    kept = make_tuner(tmp_path, SCORES, algorithm)
    kept.search(verbose=0)
    assert kept.begun == []
    again = make_tuner(tmp_path, SCORES, algorithm, retry_failed=True)
    again.search(verbose=0)
    assert again.begun == [i for i in values if int(i) < 4]
    trials = again.oracle.trials
    assert {i: t.hyperparameters.values for i, t in trials.items()} == values
    assert [t.score for t in trials.values()] == SCORES
    assert all(t.message is None for t in trials.values())
    again.search(verbose=0)
    assert len(again.begun) == 4  # those that completed do not run once more


def test_retried_trial_that_was_stopped_runs_again_without_the_argument(tmp_path):
    make_tuner(tmp_path, broken(3)).search(verbose=0)

    class Stop(BaseException):
        pass

    stopped = make_tuner(tmp_path, retry_failed=True)

    def stop(trial, *args, **kwargs):
        raise Stop

    stopped.run_trial = stop
    with pytest.raises(Stop):
        stopped.search(verbose=0)
    again = make_tuner(tmp_path)
    again.search(verbose=0)
    assert sorted(again.begun) == ["00", "01", "02"]
    assert [t.score for t in again.oracle.trials.values()] == SCORES


def test_trial_that_fails_again_stays_failed(tmp_path):
    make_tuner(tmp_path, broken(2)).search(verbose=0)
    again = make_tuner(tmp_path, broken(1), retry_failed=True)
    again.search(verbose=0)
    first, second, *_ = again.oracle.trials.values()
    assert first.status == "FAILED" and "no score" in first.message
    assert (second.status, second.score) == ("COMPLETED", 3.0)
    assert sorted(again.oracle.end_order) == sorted(again.oracle.trials)
