"""The verdict claims only differences that the confirmation shows."""

import re

import numpy as np
import pytest

from kdropout.tuning import Report
from kdropout.tuning.report import Confirmation, choose_candidates, confirm
from kdropout.tuning.report.importance import FeatureImportance, Importance
from kdropout.tuning.report.score_format import ScoreFormat, format_of
from kdropout.tuning.report.verdict import describe
from kdropout.tuning.space.dimension import Dimension

CLAIM = re.compile(r"\b(is|are) (better|worse) than\b")
UNKNOWN = Importance((), None, 0, "nothing was measured")
KNOWN = Importance(
    (
        FeatureImportance(Dimension("rate/a", ("a",), "rate", 0.0, 0.8), 0.8, 0.1),
        FeatureImportance(Dimension("rate/b", ("b",), "rate", 0.0, 0.8), 0.1, 0.1),
    ),
    r2=0.7,
    num_trials=30,
    problem="",
)
LABELS = {
    "no dropout": {"a": 0.0, "b": 0.0},
    "uniform 0.3": {"a": 0.3, "b": 0.3},
    "search 1": {"a": 0.2, "b": 0.4},
    "search 2": {"a": 0.1, "b": 0.5},
}
PATHS = ("a", "b")


def confirmed(means, noise=0.01, seeds=5, direction="max", measure="accuracy", run=0):
    """Make a confirmation with these mean scores, in the order of `LABELS`."""
    generator = np.random.default_rng(run)
    scores = {
        (label, seed): float(mean + noise * generator.normal())
        for seed in range(seeds)
        for label, mean in zip(LABELS, means, strict=False)
    }
    chosen = dict(list(LABELS.items())[: len(means)])
    return Confirmation(chosen, tuple(range(seeds)), direction, measure, scores)


def test_large_effect_is_claimed_with_its_size():
    found = confirmed([0.80, 0.85, 0.90, 0.89])
    text = describe(found, KNOWN)
    one = found.comparison("search 1", "no dropout")
    gain, low, high = (100 * v for v in (one.gain.mean, one.gain.low, one.gain.high))
    assert f"The rates found are better than no dropout by {gain:.1f} points" in text
    assert f"(99 % interval {low:.1f} to {high:.1f})" in text
    assert "They are better than 0.3 everywhere by" in text
    assert "widened, because there are 5 comparisons" in text
    assert "depended most on 'a'" in text
    assert found.recommendation.label == "search 1"


def test_small_difference_to_a_uniform_rate_is_called_unnoticeable():
    text = describe(confirmed([0.80, 0.90, 0.901, 0.899]), KNOWN)
    assert "The rates found are better than no dropout" in text
    assert "The rates found and 0.3 everywhere differ by" in text
    assert "You would not notice this difference" in text


def test_harmful_rates_are_called_worse_and_no_dropout_is_recommended():
    found = confirmed([0.90, 0.80, 0.85, 0.84])
    assert "The rates found are worse than no dropout by" in describe(found, UNKNOWN)
    assert found.recommendation.label == "no dropout"


def test_better_uniform_rate_is_recommended():
    found = confirmed([0.80, 0.90, 0.85, 0.84])
    assert "They are worse than 0.3 everywhere by" in describe(found, UNKNOWN)
    assert found.recommendation.label == "uniform 0.3"


def test_uniform_rate_is_named_where_only_it_helps():
    found = confirmed([0.80, 0.90, 0.801, 0.80])
    text = describe(found, UNKNOWN)
    assert "The rates found and no dropout differ by" in text
    assert "0.3 everywhere is better than no dropout by" in text


def test_lower_loss_is_better():
    found = confirmed([0.5, 0.4, 0.3, 0.35], direction="min", measure="val_loss")
    text = describe(found, UNKNOWN)
    assert re.search(r"are better than no dropout by 0\.\d+ of val_loss", text)


def test_importance_is_omitted_without_a_claim_over_no_dropout():
    text = describe(confirmed([0.8, 0.8, 0.8, 0.8]), KNOWN)
    assert not CLAIM.search(text)
    assert "depended most on" not in text


def test_interval_that_barely_excludes_zero_does_not_seem_to_contain_it():
    scores = {("no dropout", s): 0.0 for s in range(3)}
    # Mean 1 and t(0.995; 2) = 9.9248 times 0.1738 / sqrt(3): from 0.0041 to 1.996.
    scores |= {("search 1", s): 1.0 + d for s, d in enumerate([-0.1738, 0.0, 0.1738])}
    chosen = {label: LABELS[label] for label in ("no dropout", "search 1")}
    found = Confirmation(chosen, (0, 1, 2), "max", "score", scores)
    assert "(99 % interval 0.0041 to 2.00)" in describe(found, UNKNOWN)


def test_uncertain_large_difference_is_left_open():
    scores = {("no dropout", s): 0.5 + 0.001 * s for s in range(3)}
    scores |= {("uniform 0.3", s): v for s, v in enumerate([0.4, 0.7, 0.9])}
    found = Confirmation(
        dict(list(LABELS.items())[:2]), (0, 1, 2), "max", "accuracy", scores
    )
    text = describe(found, UNKNOWN)
    assert not CLAIM.search(text)
    assert "3 seeds are too few to decide" in text


def test_verdict_without_confirmation_makes_no_claim():
    text = describe(None, KNOWN)
    assert text.startswith("Not confirmed")
    assert not CLAIM.search(text)


def test_failures_are_counted_and_the_first_is_shown_if_all_failed():
    def fail(rates, seed):
        raise RuntimeError("no memory")

    found = confirm(LABELS, fail, range(2), "max")
    text = describe(found, UNKNOWN)
    assert "no training with a new seed succeeded" in text
    assert "RuntimeError: no memory" in text
    assert found.recommendation.label is None

    def fail_with_dropout(rates, seed):
        return fail(rates, seed) if rates["a"] else 0.1 * seed

    some = confirm(LABELS, fail_with_dropout, range(2), "max")
    assert "None of the settings to confirm could be" in describe(some, UNKNOWN)
    assert "6 of 8 trainings failed." in describe(some, UNKNOWN)
    assert some.recommendation.label == "no dropout"


def test_single_common_seed_gives_no_result():
    scores = {("no dropout", 0): 0.1, ("search 1", 0): 0.9, ("search 1", 1): 0.9}
    chosen = {label: LABELS[label] for label in ("no dropout", "search 1")}
    found = Confirmation(chosen, (0, 1), "max", "accuracy", scores)
    assert "fewer than two seeds" in describe(found, UNKNOWN)


@pytest.mark.slow
def test_searches_where_rates_do_nothing_claim_nothing(make_trials, make_train):
    # Each claims something by chance with a probability of about 0.004.
    for run in range(12):
        trials = make_trials(lambda rates: 0.5, PATHS, 20, seed=run, noise=0.05)
        train = make_train(lambda rates: 0.5, run)
        found = confirm(choose_candidates(trials, "min"), train, range(5), "min")
        report = Report(trials, "val_loss", "min", confirmation=found, trees=20)
        assert not CLAIM.search(report.verdict), report.verdict
        assert not found.has_claim


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_claims_where_rates_do_nothing_are_rarer_than_one_in_a_hundred(seeds):
    runs = 1000
    found = [confirmed([0.8] * 4, 0.01, seeds, run=run) for run in range(runs)]
    claims = sum(bool(CLAIM.search(describe(one, UNKNOWN))) for one in found)
    assert claims <= runs * 0.01 + 5 * np.sqrt(runs * 0.01 * 0.99)


def test_planted_effect_is_claimed_from_search_to_verdict(make_trials, make_train):
    def score(rates):
        return 0.5 + 2.0 * (rates["a"] - 0.6) ** 2 + 1.0 * (rates["b"] - 0.1) ** 2

    trials = make_trials(score, PATHS, 40, noise=0.02)
    candidates = choose_candidates(trials, "min")
    found = confirm(candidates, make_train(score, 0), range(5), "min", "val_loss")
    report = Report(trials, "val_loss", "min", confirmation=found, trees=50)
    assert "The rates found are better than no dropout" in report.verdict
    assert "They are better than 0." in report.verdict
    assert report.best_rates["a"] == pytest.approx(0.6, abs=0.2)
    assert report.best_rates["b"] == pytest.approx(0.1, abs=0.2)


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (0.0123, 0.0045, "1.23 points"),
        (0.123, 0.045, "12.3 points"),
        (-0.00001, 0.0045, "0.00 points"),
        (0.5, 0.25, "50 points"),
        (0.025, 0.0, "2.5 points"),
    ],
)
def test_differences_are_as_precise_as_their_interval(value, half_width, text):
    score_format = format_of("val_accuracy", [0.2, 1.0])
    assert score_format.amount(value, half_width) == text


def test_only_shares_are_written_in_percent():
    assert format_of("val_accuracy", [0.5, 97.0]) == ScoreFormat("val_accuracy")
    assert format_of("val_loss", [0.5]).score(0.123456) == "0.1235"
    assert format_of("acc", [0.5]).score(0.5) == "50 %"
