"""Trials: which ones count, which one is best, and which rates moved."""

import dataclasses

import numpy as np
import pytest

from kdropout.tuning.report import TrialRecord
from kdropout.tuning.report.importance import (
    comparable_scores,
    measure_importance,
    moved_columns,
)
from kdropout.tuning.report.records import best_so_far, failed, fixed_rates, ranked


def record(trial_id, score, **rates):
    values = {f"rate/{path}": rate for path, rate in rates.items()}
    return TrialRecord(trial_id, values, rates, score)


def test_trial_with_a_nonfinite_score_counts_as_failed():
    for score in (float("nan"), float("inf"), np.float32("nan")):
        trial = TrialRecord("0", {}, {"a": 0.1}, score)
        assert trial.failed and not trial.completed
        assert trial.score is None
        assert "The score was" in trial.reason


def test_reason_is_the_last_line_of_a_traceback():
    message = 'Traceback:\n  File "x.py", line 3\nValueError: too wide\n\n'
    trial = TrialRecord("0", {}, {"a": 0.1}, None, status="FAILED", message=message)
    assert trial.reason == "ValueError: too wide"


def test_running_trials_are_neither_completed_nor_failed():
    trial = TrialRecord("0", {}, {"a": 0.1}, None, status="RUNNING")
    assert not trial.completed and not trial.failed


def test_numpy_numbers_become_plain():
    rates = {"a": np.float32(0.5)}
    metrics = {"loss": np.float64(0.25), "other": float("nan"), "none": None}
    trial = TrialRecord("0", {"rate/a": np.int64(1)}, rates, np.float32(0.5), metrics)
    assert dataclasses.asdict(trial)["values"] == {"rate/a": 1}
    assert type(trial.values["rate/a"]) is int
    assert type(trial.rates["a"]) is type(trial.score) is float
    assert trial.metrics == {"loss": 0.25, "other": None, "none": None}


def test_ranking_follows_the_direction_and_omits_failures():
    trials = [record("a", 2.0, x=0.1), record("b", None, x=0.2)]
    trials += [record("c", 1.0, x=0.3), record("d", 1.0, x=0.4)]
    assert [one.trial_id for one in ranked(trials, "min")] == ["c", "d", "a"]
    assert [one.trial_id for one in ranked(trials, "max")] == ["a", "c", "d"]
    assert [one.trial_id for one in failed(trials)] == ["b"]
    assert best_so_far([trials[2], trials[0], trials[3]], "max") == [1.0, 2.0, 2.0]
    assert best_so_far([trials[0], trials[2], trials[3]], "min") == [2.0, 1.0, 1.0]


def test_trials_of_later_rungs_rank_first():
    trials = [record("a", 1.0, x=0.1), record("b", 3.0, x=0.2)]
    trials.append(dataclasses.replace(record("c", 5.0, x=0.2), rung=1))
    trials.append(dataclasses.replace(record("d", 4.0, x=0.1), rung=1))
    assert [trial.trial_id for trial in ranked(trials, "min")] == ["d", "c", "a", "b"]
    assert [trial.trial_id for trial in ranked(trials, "max")] == ["c", "d", "b", "a"]
    assert best_so_far(trials, "min") == [1.0, 1.0, 5.0, 4.0]


def test_layers_with_equal_rates_are_one_feature_named_by_the_pattern():
    trials = []
    for number, (shared, other) in enumerate([(0.1, 0.5), (0.2, 0.4), (0.3, 0.7)]):
        rates = {"encoder/a": shared, "encoder/b": shared, "head": other, "top": 0.2}
        values = {"rate/encoder/*": shared, "rate/head": other}
        trials.append(TrialRecord(str(number), values, rates, 1.0))
    first, second = columns = moved_columns(trials)
    assert (first.label, first.layers) == (
        "encoder/* (2 layers)",
        ("encoder/a", "encoder/b"),
    )
    assert (second.label, second.layers) == ("head", ("head",))
    np.testing.assert_array_equal(columns[first], [0.1, 0.2, 0.3])
    assert fixed_rates(trials) == {"top": 0.2}


def test_group_without_pattern_is_named_by_its_first_and_last_layer():
    trials = [
        TrialRecord(str(r), {}, {"a": r, "b": r, "c": r}, 1.0) for r in (0.1, 0.2)
    ]
    (dimension,) = moved_columns(trials)
    assert dimension.label == "a to c (3 layers)"


def test_two_hyperparameters_that_move_many_layers_are_the_features():
    trials = []
    for number, (first, last) in enumerate([(0.0, 0.4), (0.2, 0.6), (0.1, 0.8)]):
        line = np.linspace(first, last, 5)
        rates = {f"block{i}": rate for i, rate in enumerate(line)}
        values = {"rate/block*/first": first, "rate/block*/last": last}
        trials.append(TrialRecord(str(number), values, rates, 1.0))
    assert [dimension.label for dimension in moved_columns(trials)] == [
        "block*/first",
        "block*/last",
    ]


def test_hyperparameters_of_schedules_are_features_beside_the_final_rates():
    trials = []
    for number, (end, steps, shape) in enumerate(
        [(0.2, 100, "linear"), (0.4, 300, "cosine"), (0.5, 200, "linear")]
    ):
        values = {"rate/d/end": end, "rate/d/steps": steps, "rate/d/shape": shape}
        trials.append(TrialRecord(str(number), values, {"d": end}, 1.0))
    rate, steps, shape = columns = moved_columns(trials)
    assert (rate.label, rate.kind) == ("d", "rate")
    assert (steps.label, steps.kind) == ("d/steps", "steps")
    assert shape.levels == ("cosine", "linear")
    np.testing.assert_array_equal(columns[shape], [1, 0, 1])


def test_trials_with_fewer_epochs_are_compared_with_each_other():
    trials = [
        TrialRecord(str(i), {}, {"a": 0.1 * i}, score, epochs=epochs)
        for i, (score, epochs) in enumerate([(5.0, 1), (7.0, 1), (1.0, 9), (2.0, 9)])
    ]
    # The means are 6 and 1.5, so the trials of one epoch are 4.5 too high.
    np.testing.assert_allclose(comparable_scores(trials), [0.5, 2.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("trials", "problem"),
    [
        ([record("a", 1.0, x=0.1)], "only 1 trial completed"),
        ([record(c, 1.0, x=0.1) for c in "abc"], "no rate differs"),
        ([record(c, 1.0, x=0.1 * i) for i, c in enumerate("abc")], "same score"),
    ],
)
def test_uninformative_trials_give_no_importance(trials, problem):
    assert problem in measure_importance(trials).problem
