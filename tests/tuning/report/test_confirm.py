"""The confirmation trains settings again: their choice, pairing, failures, resuming."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from kdropout.tuning.dropout_tab import gains_payload
from kdropout.tuning.report import (
    TrialRecord,
    choose_candidates,
    confirm,
    scores_from_plain,
    scores_to_plain,
)
from kdropout.tuning.report.importance import measure_importance

CANDIDATES = {
    "no dropout": {"a": 0.0, "b": 0.0},
    "uniform 0.3": {"a": 0.3, "b": 0.3},
    "search 1": {"a": 0.1, "b": 0.4},
}


def test_candidates_are_zero_rates_one_uniform_rate_and_the_best_of_the_search():
    rates = [(0.1, 0.2), (0.3, 0.4), (0.1, 0.2), (0.0, 0.0), (0.5, 0.2)]
    scores = [3.0, 2.0, 1.0, 0.5, 4.0]
    trials = [
        TrialRecord(str(i), {"rate/a": a, "rate/b": b}, {"a": a, "b": b}, score)
        for i, ((a, b), score) in enumerate(zip(rates, scores, strict=True))
    ]
    chosen = choose_candidates(trials, "min", top=3, uniform=0.4)
    # The repeated setting counts once; trial 3 has no dropout.
    assert chosen == {
        "no dropout": {"a": 0.0, "b": 0.0},
        "uniform 0.4": {"a": 0.4, "b": 0.4},
        "search 1": {"a": 0.1, "b": 0.2},
        "search 2": {"a": 0.3, "b": 0.4},
        "search 3": {"a": 0.5, "b": 0.2},
    }
    assert list(choose_candidates(trials, "max", top=1, uniform=0.4).values())[-1] == {
        "a": 0.5,
        "b": 0.2,
    }
    by_value = choose_candidates(trials, "min", top=1, uniform=0.4, use_values=True)
    assert by_value["search 1"] == {"rate/a": 0.1, "rate/b": 0.2}


def test_uniform_rate_is_where_the_score_is_best_with_all_rates_equal(make_trials):
    def score(rates):
        # With both at r it is 2 (r - 0.4)^2 + 0.02, with its minimum at 0.4.
        return (rates["a"] - 0.3) ** 2 + (rates["b"] - 0.5) ** 2

    trials = make_trials(score, ["a", "b"], num_trials=150)
    (uniform,) = [
        label for label in choose_candidates(trials, "min") if "uniform" in label
    ]
    rate = float(uniform.removeprefix("uniform "))
    assert rate == pytest.approx(0.4, abs=0.051)
    importance = measure_importance(trials)
    assert uniform in choose_candidates(trials, "min", importance=importance)


def test_uniform_rate_is_the_mean_of_the_best_trial_without_a_model():
    trials = [TrialRecord(str(i), {}, {"a": 0.2, "b": 0.6}, 1.0 + i) for i in range(2)]
    assert choose_candidates(trials, "min")["uniform 0.4"] == {"a": 0.4, "b": 0.4}


def test_search_over_one_rate_for_all_has_no_uniform_candidate(make_trials):
    trials = make_trials(lambda rates: rates["a"], ["a"], 3)
    assert list(choose_candidates(trials, "min", top=2)) == [
        "no dropout",
        "search 1",
        "search 2",
    ]


def test_every_candidate_is_trained_with_every_seed_in_turn():
    calls, steps = [], []

    def train(rates, seed):
        calls.append((rates["b"], seed))
        return rates["b"] + seed

    found = confirm(
        CANDIDATES,
        train,
        (7, 9),
        "max",
        progress=lambda *step: steps.append(step),
    )
    assert calls == [(b, seed) for seed in (7, 9) for b in (0.0, 0.3, 0.4)]
    assert found.scores["search 1", 9] == pytest.approx(9.4)
    assert [step[:4] for step in steps[:2]] == [
        (1, 6, "no dropout", 7),
        (2, 6, "uniform 0.3", 7),
    ]
    assert steps[-1] == (6, 6, "search 1", 9, found.scores["search 1", 9])


@pytest.mark.parametrize(("direction", "sign"), [("min", -1.0), ("max", 1.0)])
def test_gains_are_paired_and_their_intervals_corrected(direction, sign):
    generator = np.random.default_rng(0)
    table = {
        (label, seed): float(value)
        for label in CANDIDATES
        for seed, value in enumerate(generator.normal(0.0, 0.1, 6))
    }
    labels = {rates["b"]: label for label, rates in CANDIDATES.items()}
    found = confirm(
        CANDIDATES,
        lambda rates, seed: table[labels[rates["b"]], seed],
        range(6),
        direction,
    )
    comparisons = found.comparisons
    assert [(one.label, one.reference) for one in comparisons] == [
        ("uniform 0.3", "no dropout"),
        ("search 1", "no dropout"),
        ("search 1", "uniform 0.3"),
    ]
    for one in comparisons:
        first = [table[one.label, seed] for seed in range(6)]
        second = [table[one.reference, seed] for seed in range(6)]
        expected = stats.ttest_rel(first, second).confidence_interval(1.0 - 0.01 / 3)
        bounds = sorted([sign * expected.low, sign * expected.high])
        assert one.gain.low == pytest.approx(bounds[0])
        assert one.gain.high == pytest.approx(bounds[1])


def test_failed_training_is_recorded_and_the_others_continue():
    def train(rates, seed):
        if rates["a"] == 0.3 and seed == 1:
            raise RuntimeError("out of memory")
        if rates["a"] == 0.1 and seed == 2:
            return float("nan")
        return rates["b"] + 0.01 * rates["a"] * seed

    found = confirm(CANDIDATES, train, range(4), "max")
    assert len(found.scores) == 3 * 4 - 2
    assert found.failures["uniform 0.3", 1] == "RuntimeError: out of memory"
    assert "finite number. Received: nan" in found.failures["search 1", 2]
    assert len(found.comparison("search 1", "no dropout").gains) == 3
    assert len(found.comparison("search 1", "uniform 0.3").gains) == 2


def test_interrupted_confirmation_resumes():
    def train(rates, seed):
        return rates["b"] * np.sin(seed + 1.0)

    saved, calls = [], itertools.count()

    def interrupted(rates, seed):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return train(rates, seed)

    with pytest.raises(KeyboardInterrupt):
        confirm(CANDIDATES, interrupted, range(3), "max", save=saved.append)
    assert len(saved[-1]) == 4
    text = json.dumps(scores_to_plain(CANDIDATES, saved[-1]))
    partial = scores_from_plain(CANDIDATES, json.loads(text))
    assert partial == saved[-1]
    trained = []

    def counted(rates, seed):
        trained.append(seed)
        return train(rates, seed)

    resumed = confirm(CANDIDATES, counted, range(3), "max", partial=partial)
    assert len(trained) == 5
    assert resumed == confirm(CANDIDATES, train, range(3), "max")


def test_saved_scores_of_a_changed_setting_are_omitted():
    scores = {("search 1", 0): 0.5, ("no dropout", 0): 0.4}
    plain = scores_to_plain(CANDIDATES, scores)
    changed = {**CANDIDATES, "search 1": {"a": 0.2, "b": 0.4}}
    assert scores_from_plain(changed, plain) == {("no dropout", 0): 0.4}


def test_setting_with_a_failed_training_is_never_best():
    scores = {0.0: [1.0, 1.0, 1.0], 0.3: [2.0, 2.0, 2.0], 0.4: [9.0, 9.0, np.nan]}
    found = confirm(
        CANDIDATES, lambda rates, seed: scores[rates["b"]][seed], range(3), "max"
    )
    assert found.best_of(CANDIDATES) == "uniform 0.3"


def test_equal_differences_with_all_seeds_claim_nothing():
    # For example shares of 100 images, which give no spread to judge by.
    scores = {0.0: [0.90, 0.92], 0.3: [0.91, 0.93], 0.4: [0.91, 0.93]}
    found = confirm(
        CANDIDATES, lambda rates, seed: scores[rates["b"]][seed], range(2), "max"
    )
    assert {one.verdict for one in found.comparisons} == {"undecided"}


@pytest.mark.parametrize("count", [1, 3, 7])
def test_number_of_seeds_has_the_power_that_it_promises(count):
    """The power of a paired t test, from the noncentral t distribution."""
    from scipy import stats

    from kdropout.tuning.report.confirmation import seeds_to_see

    # One setting of the search needs 1 comparison, and a uniform one adds 2.
    labels = {
        1: ["no dropout", "search 1"],
        3: ["no dropout", "uniform 0.3", "search 1"],
        7: ["no dropout", "uniform 0.3", "search 1", "search 2", "search 3"],
    }[count]

    def power(seeds):
        bound = stats.t.ppf(1 - 0.01 / count / 2, df=seeds - 1)
        return stats.nct.sf(bound, df=seeds - 1, nc=seeds**0.5)

    seeds = seeds_to_see(1.0, labels)
    assert power(seeds) >= 0.78 and power(seeds - 2) < 0.8
    assert seeds_to_see(0.5, labels) > 3 * seeds
    assert seeds_to_see(1e-3, labels) is None


def test_page_gets_the_gains_in_the_unit_of_the_report():
    scores = {"no dropout": 0.50, "uniform 0.3": 0.55, "search 1": 0.60}

    def train(setting, seed):
        label = next(name for name, known in CANDIDATES.items() if known == setting)
        return scores[label] + 0.01 * (seed % 3) * (label == "search 1")

    found = confirm(CANDIDATES, train, range(6), "max", measure="test accuracy")
    payload = gains_payload(found)
    assert "points of test accuracy" in payload["title"]
    assert "6 new seeds" in payload["title"]
    for row, comparison in zip(payload["rows"], found.comparisons, strict=True):
        assert row["gains"] == pytest.approx([100 * g for g in comparison.gains])
        assert row["mean"] == pytest.approx(100 * comparison.gain.mean)
        assert row["verdict"] == comparison.verdict and row["unit"] == "points"
    assert payload["rows"][-1]["reference"] == "0.3 everywhere"
    assert gains_payload(None) is None
