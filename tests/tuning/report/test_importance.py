"""Importance and marginal curves of functions with a known answer."""

import dataclasses

import numpy as np
import pytest

from kdropout.tuning.report import TrialRecord
from kdropout.tuning.report.importance import LOWEST_R2, learn, measure_importance

PATHS = ("first", "second", "third")
TREES = 60


def planted(rates):
    return 1.0 + 4.0 * (rates["second"] - 0.4) ** 2


def test_importance_finds_the_planted_layer(make_trials):
    trials = make_trials(planted, PATHS, num_trials=40, noise=0.02)
    importance = measure_importance(trials, trees=TREES)
    first, *others = importance.features
    assert importance.reliable
    assert importance.r2 > 0.7
    assert first.name == "second"
    assert first.layers == ("second",)
    assert first.mean > 0.7
    assert first.std > 0.0
    assert all(abs(one.mean) < 0.1 for one in others)


@pytest.mark.slow
def test_importance_of_noise_is_called_unreliable(make_trials):
    # In 20 searches where rates do nothing, each reaches the limit with probability
    # 1/100. More than two do so with probability 0.001.
    reliable = 0
    for seed in range(20):
        trials = make_trials(lambda rates: 0.0, PATHS, 15, seed=seed, noise=1.0)
        importance = measure_importance(trials, trees=TREES, repeats=2)
        reliable += importance.reliable
        assert importance.reliable == (importance.r2 >= LOWEST_R2)
        assert importance.reliable or "too little" in importance.problem
    assert reliable <= 2


def test_few_trials_are_unreliable_however_well_they_fit():
    trials = [
        TrialRecord(str(i), {}, {"a": 0.1 * i}, 0.0 if i < 5 else 1.0) for i in range(9)
    ]
    importance = measure_importance(trials, trees=TREES)
    assert importance.r2 > LOWEST_R2
    assert not importance.reliable
    assert "only 9 trials completed" in importance.problem


def test_r2_of_unseen_trials_agrees_with_scikit_learn(make_trials):
    trials = make_trials(planted, PATHS, num_trials=25, noise=0.1)
    forest, _ = learn(trials, seed=3, trees=TREES)
    (value,) = forest.unseen_r2(forest.table[None])
    assert value == pytest.approx(forest.model.oob_score_, abs=1e-9)


def test_failed_trials_are_ignored(make_trials):
    trials = make_trials(planted, PATHS, num_trials=20)
    spoiled = [dataclasses.replace(trials[0], trial_id="x", status="FAILED", score=9e9)]
    whole = measure_importance(trials, trees=TREES)
    assert measure_importance(trials + spoiled, trees=TREES) == whole
    forest, _ = learn(trials + spoiled, trees=TREES)
    np.testing.assert_array_equal(forest.scores, [trial.score for trial in trials])


def test_marginals_follow_the_known_function(make_trials):
    def score(rates):
        return (rates["a"] - 0.3) ** 2 + 0.5 * rates["b"]

    trials = make_trials(score, ["a", "b"], num_trials=200)
    first, second = measure_importance(trials, trees=TREES).marginals
    assert (first.name, second.name) == ("a", "b")
    mean_a = np.mean([(trial.rates["a"] - 0.3) ** 2 for trial in trials])
    mean_b = np.mean([0.5 * trial.rates["b"] for trial in trials])
    grid = np.array(first.grid)
    # A tree is a staircase. At the ends, it has the mean of the outermost trials.
    inner = slice(1, -1)
    expected_a = (grid - 0.3) ** 2 + mean_b
    expected_b = 0.5 * np.array(second.grid) + mean_a
    np.testing.assert_allclose(first.mean[inner], expected_a[inner], atol=0.04)
    np.testing.assert_allclose(second.mean[inner], expected_b[inner], atol=0.04)
    assert min(first.spread) > 0.0
    assert abs(grid[np.argmin(first.mean)] - 0.3) < 0.1


def test_marginals_of_a_grid_search_are_at_its_points(make_trials):
    trials = [
        dataclasses.replace(trial, rates={"a": 0.2 * (i % 4)}, values={})
        for i, trial in enumerate(make_trials(lambda rates: 0, ["a"], 12, noise=1.0))
    ]
    (marginal,) = measure_importance(trials, trees=TREES).marginals
    np.testing.assert_allclose(marginal.grid, [0.0, 0.2, 0.4, 0.6])
    np.testing.assert_allclose(marginal.tried, [trial.rates["a"] for trial in trials])
    assert marginal.scores == tuple(trial.score for trial in trials)
