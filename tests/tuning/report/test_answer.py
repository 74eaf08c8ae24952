"""The answer follows the evidence: the rates to use, the reason, and the next step."""

import dataclasses
import json
import re

import keras
import keras_tuner
import numpy as np
import pytest
from scipy import stats

import kdropout
from kdropout import tuning
from kdropout.tuning import Report
from kdropout.tuning.report import Confirmation, NoCompletedTrial, TrialRecord
from kdropout.tuning.report.answer import SEEDS, find_edges
from kdropout.tuning.report.confirmation import CONFIDENCE
from kdropout.tuning.report.markdown import escape

NONE = {"a": 0.0, "b": 0.0}
UNIFORM = {"a": 0.3, "b": 0.3}
FOUND = {"a": 0.2, "b": 0.4}
SECOND = {"a": 0.1, "b": 0.5}
LABELS = {
    "no dropout": NONE,
    "uniform 0.3": UNIFORM,
    "search 1": FOUND,
    "search 2": SECOND,
}


def trial(number, rates, score, **changes):
    values = {f"rate/{path}": rate for path, rate in rates.items()}
    return TrialRecord(f"{number:02d}", values, rates, score, **changes)


# Too few for a forest, which would take most of the time.
TRIALS = [trial(0, SECOND, 0.6), trial(1, FOUND, 0.5)]


def confirmation(means, noise=0.01, seeds=10, direction="max", measure="accuracy"):
    """Make scores with exactly these means; None for a setting that failed to train.

    The noise is orthogonal between settings, and its standard deviation is exact.
    """
    waves = [
        [np.cos(2.0 * np.pi * order * seed / seeds) for seed in range(seeds)]
        for order in range(1, len(means) + 1)
    ]
    scale = noise / np.std(waves[0], ddof=1)
    labels = list(LABELS)[: len(means)]
    scores, failures = {}, {}
    for label, mean, wave in zip(labels, means, waves, strict=True):
        for seed in range(seeds):
            if mean is None:
                failures[label, seed] = "ValueError: the score was NaN"
            else:
                scores[label, seed] = mean + scale * wave[seed]
    chosen = {label: LABELS[label] for label in labels}
    seeds = tuple(range(seeds))
    return Confirmation(chosen, seeds, direction, measure, scores, failures)


def report(means=None, trials=TRIALS, limits=None, **changes):
    found = None if means is None else confirmation(means, **changes)
    return make(trials, confirmation=found, limits=limits)


def make(trials, **changes):
    return Report(trials, "val_loss", "min", trees=20, **changes)


@dataclasses.dataclass(frozen=True)
class Case:
    """Mean scores of no dropout, one rate and the rates found, and the advice."""

    name: str
    means: tuple
    rates: dict
    advice: str


CASES = [
    Case(
        "the rates found are better than all",
        (0.80, 0.85, 0.90),
        FOUND,
        "Use the rates of trial 01 ('search 1' in the confirmation): they are shown to "
        "be better than 0.3 everywhere.",
    ),
    Case(
        "one rate everywhere does as well",
        (0.80, 0.90, 0.901),
        UNIFORM,
        "Use 0.3 everywhere: it is simpler, and the rates found are not shown to be "
        "better.",
    ),
    Case(
        "one rate everywhere is better",
        (0.80, 0.95, 0.90),
        UNIFORM,
        "Use 0.3 everywhere: it is shown to be better than the rates found.",
    ),
    Case(
        "only one rate everywhere helps",
        (0.80, 0.84, 0.815),
        UNIFORM,
        "Use 0.3 everywhere: it is shown to be better than the rates found.",
    ),
    Case(
        "one rate everywhere may not help",
        (0.80, 0.813, 0.82),
        FOUND,
        "Use the rates of trial 01 ('search 1' in the confirmation): 0.3 everywhere is "
        "simpler, but not shown to be better than no dropout.",
    ),
    Case(
        "no difference is shown",
        (0.80, 0.801, 0.803),
        NONE,
        "Use no dropout: it is simpler, and no other setting is shown to be better.",
    ),
    Case(
        "all dropout harms",
        (0.90, 0.80, 0.85),
        NONE,
        "Use no dropout: it is shown to be better.",
    ),
    Case(
        "no dropout diverges",
        (None, 0.85, 0.851),
        UNIFORM,
        "Use 0.3 everywhere: it is simpler, and the rates found are not shown to be "
        "better.",
    ),
    Case(
        "only no dropout could be trained",
        (0.8, None, None),
        NONE,
        "Use no dropout: no other setting could be trained.",
    ),
    Case(
        "the rates found diverge",
        (0.8, 0.9, None),
        UNIFORM,
        "Use 0.3 everywhere: no setting of the search could be trained.",
    ),
    Case(
        "a second setting is shown to help, the best one is not",
        (0.80, 0.80, None, 0.90),
        SECOND,
        "Use the rates of trial 00 ('search 2' in the confirmation): they are shown to "
        "be better than 0.3 everywhere.",
    ),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
@pytest.mark.parametrize("direction", ["max", "min"])
def test_more_complex_setting_must_be_shown_to_be_better(case, direction):
    means, measure = case.means, "accuracy"
    if direction == "min":
        means = [None if mean is None else 1.0 - mean for mean in case.means]
        measure = "val_loss"
    one = report(means, direction=direction, measure=measure, noise=0.009)
    assert one.answer.advice == case.advice
    assert one.best_rates == case.rates
    call = re.fullmatch(r"kdropout\.set_rates\(model, ({.*})\)", one.answer.code)
    assert eval(call.group(1)) == case.rates  # noqa: S307 - the line that a user would paste
    assert one.confirmation.candidates[one.recommended] == case.rates


def test_line_to_use_sets_the_rates():
    drops = [kdropout.layers.Dropout(0.7, name=name) for name in ("a", "b")]
    other = kdropout.layers.Dropout(0.7, name="not_searched")
    model = keras.Sequential([keras.Input((3,)), *drops, other])
    line = report((0.80, 0.90, 0.901)).answer.code
    exec(line, {"kdropout": kdropout, "model": model})  # noqa: S102 - in the way of a user
    rates = kdropout.rates(model)
    assert rates == pytest.approx({"a": 0.3, "b": 0.3, "not_searched": 0.7})


def test_line_to_use_sets_the_confirmed_schedules():
    space = {"a": tuning.Schedules(start=0.1, end=(0.1, 0.8), steps=(2, 8))}
    drop = kdropout.layers.Dropout(0.7, name="a")
    model = keras.Sequential([keras.Input((3,)), drop])
    model = tuning.tune_rates(keras_tuner.HyperParameters(), model, space)
    values = {"rate/a/end": 0.5, "rate/a/steps": 4}
    trials = [
        TrialRecord("0", values, {"a": 0.5}, 0.1),
        TrialRecord("1", {**values, "rate/a/end": 0.2}, {"a": 0.2}, 0.2),
    ]
    scores = {("no dropout", s): 0.5 + 0.001 * s for s in range(5)}
    scores |= {("search 1", s): 0.9 + 0.002 * s for s in range(5)}
    candidates = {"no dropout": {"a": 0.0}, "search 1": values}
    found = Confirmation(candidates, tuple(range(5)), "max", "accuracy", scores)
    one = make(trials, confirmation=found)
    assert (one.best_values, one.best_rates) == (values, {"a": 0.5})
    exec(one.answer.code, {"kdropout": kdropout, "model": model})  # noqa: S102
    for _ in range(3):
        drop(np.ones((1, 3)), training=True)
    # Halfway from 0.1 to 0.5, after 2 of 4 steps.
    assert drop.rate == pytest.approx(0.3)


def test_no_dropout_is_not_confused_with_a_schedule_that_ends_at_0():
    values = {"rate/a/start": 0.5, "rate/a/steps": 4}
    trials = [TrialRecord("0", values, {"a": 0.0}, 0.1)]
    scores = {(label, s): 0.5 for label in ("no dropout", "search 1") for s in range(2)}
    candidates = {"no dropout": {"a": 0.0}, "search 1": values}
    found = Confirmation(candidates, (0, 1), "max", "accuracy", scores)
    one = make(trials, confirmation=found)
    assert (one.recommended, one.best_values) == ("no dropout", {})
    assert one.answer.code == "kdropout.set_rates(model, {'a': 0.0})"


def test_best_trial_without_confirmation_is_labelled_unconfirmed():
    one = report()
    assert one.answer.verdict.startswith("Not confirmed")
    assert one.answer.advice == (
        "These are the rates of trial 01, whose val_loss of 0.5 is the best of the "
        "search (lower is better). Part of that may be luck."
    )
    assert one.answer.code == "kdropout.set_rates(model, {'a': 0.2, 'b': 0.4})"
    assert f"--resume --set confirm.seeds={SEEDS}'" in one.answer.next_step
    assert "kdropout.tuning.report.confirm" in one.answer.next_step


def test_setting_kept_by_late_halving_is_the_answer():
    trials = [trial(0, SECOND, 0.9, epochs=5), trial(1, FOUND, 0.8, epochs=5)]
    trials.append(trial(2, FOUND, 0.95, epochs=10, rung=1))
    one = report(trials=trials)
    assert one.best_trial.trial_id == "02" and one.best_rates == FOUND
    assert one.answer.advice == (
        "These are the rates of trial 02, which late halving kept the longest "
        "(val_loss 0.95). Part of that may be luck."
    )
    text = one.to_markdown()
    rows = [line for line in text.splitlines() if re.match(r"\| 0\d ", line)]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["02", "01", "00"]
    assert [row.split(" | ")[3].strip("| ") for row in rows] == ["10", "5", "5"]
    again = Report.from_json(one.to_json())
    assert again.best_trial == one.best_trial


def test_search_without_dropout_has_nothing_to_confirm():
    answer = report(trials=[trial(0, NONE, 0.5)]).answer
    assert answer.advice == "Use no dropout: no trial with dropout has completed."
    assert answer.next_step.startswith("Search rates above 0")


def test_no_recommendation_if_all_new_trainings_failed():
    one = report((None, None, None))
    assert "no training with a new seed succeeded" in one.verdict
    assert "the score was NaN" in one.verdict
    assert one.recommended is None and one.best_rates == FOUND
    assert one.answer.next_step.startswith("Fix what made the trainings fail")


def test_recommended_seeds_give_a_power_of_four_fifths():
    one = report((0.800, 0.790, 0.808), seeds=10)
    number = int(re.search(r"About (\d+) seeds instead of 10", one.answer.next_step)[1])
    assert f"--set confirm.seeds={number}'" in one.answer.next_step
    assert "between the rates found and no dropout" in one.answer.next_step
    # The power of a paired t test, from the noncentral t distribution.
    gains = np.array(one.confirmation.comparison("search 1", "no dropout").gains)
    effect = gains.mean() / gains.std(ddof=1)
    quantile = 1.0 - (1.0 - CONFIDENCE) / 3 / 2  # three comparisons, two sides

    def power(count):
        limit = stats.t.ppf(quantile, count - 1)
        return 1.0 - stats.nct.cdf(limit, count - 1, effect * np.sqrt(count))

    assert power(number) == pytest.approx(0.8, abs=0.03)


def test_insufficiency_of_any_number_of_seeds_is_reported():
    text = report((0.8, 0.7, 0.80001)).answer.next_step
    assert "Not even 1000 seeds would decide between the rates found and no" in text


def test_seeds_that_could_not_change_the_advice_are_not_requested():
    # The rates found look worse than no dropout; shown to be, the advice is the same.
    assert report((0.8, 0.79, 0.795)).answer.next_step.startswith("Train the final")
    assert report((0.8, 0.85, 0.9)).answer.next_step.startswith("Train the final")


@pytest.mark.parametrize("mean", [0.79, 0.81])
def test_number_of_seeds_is_not_computed_from_few_seeds(mean):
    text = report((0.80, 0.80, mean), seeds=3).answer.next_step
    assert text.startswith("3 seeds are too few to compare the settings")
    assert f"confirm.seeds={SEEDS}" in text


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_each_sentence_with_a_difference_has_measure_and_sign(seeds, direction):
    sign = "lower is better" if direction == "min" else "higher is better"
    generator = np.random.default_rng(0)
    for _ in range(40):
        means = generator.choice([0.6, 0.605, 0.7, 0.9], 4)
        one = report(means, seeds=seeds, direction=direction, measure="test accuracy")
        sentences = re.split(r"(?<=\.) (?=[A-Z0-9])", one.verdict)
        for sentence in sentences:
            if re.search("differ by|(better|worse) than", sentence):
                assert "of test accuracy" in sentence, sentence
                assert sign in sentence or f"where {sign}" in sentence, sentence
            if "differ by" in sentence:
                assert "in favour of" in sentence or re.search(r"by 0\.0* ", sentence)


def test_interval_wider_than_all_scores_is_reported_as_too_few_seeds():
    # Half of the interval is t(1 - 0.01/6; 1) = 191 standard errors: 257 points.
    labels = ("no dropout", "uniform 0.3", "search 1")
    table = [(0.5, 0.62), (0.5, 0.52), (0.6, 0.7)]
    scores = {
        (label, seed): row[seed]
        for label, row in zip(labels, table, strict=True)
        for seed in (0, 1)
    }
    chosen = {label: LABELS[label] for label in labels}
    found = Confirmation(chosen, (0, 1), "max", "test accuracy", scores)
    assert found.comparison("search 1", "no dropout").gain.half_width > 1.0
    one = make(TRIALS, confirmation=found)
    for text in (one.verdict, one.to_markdown()):
        amounts = re.findall(r"\+- ([\d.]+)", text.replace("\n", " "))
        assert all(float(amount) <= 100.0 for amount in amounts), text
    assert "2 seeds are too few to decide" in one.verdict
    assert "9 points of test accuracy (higher is better) in favour of" in one.verdict
    assert "too few seeds for an interval" in one.to_markdown()


def test_interval_of_a_loss_wider_than_all_losses_is_reported():
    means = (1.3, 1.3, 1.2)
    one = report(means, noise=0.1, seeds=2, direction="min", measure="test loss")
    assert "2 seeds are too few to decide" in one.verdict
    assert "+-" not in one.verdict
    ten = report(means, noise=0.1, seeds=10, direction="min", measure="test loss")
    assert re.search(r"by 0\.\d+ \+- 0\.\d+ of test loss \(lower is bet", ten.verdict)


def test_bounds_of_an_accuracy_are_at_most_100_points():
    scores = {("no dropout", s): 0.1 for s in range(3)}
    scores |= {("search 1", s): v for s, v in enumerate([0.9, 0.95, 1.0])}
    chosen = {label: LABELS[label] for label in ("no dropout", "search 1")}
    found = Confirmation(chosen, (0, 1, 2), "max", "accuracy", scores)
    assert found.comparison("search 1", "no dropout").gain.high > 1.0
    one = make(TRIALS, confirmation=found)
    assert re.search(r"interval \d+ to 100\)", one.verdict)


def at_limit(number, limit=0.8, paths=("a", "b")):
    """Make ten trials; as many of them as given have a rate at the limit, in turns."""
    trials = []
    for place in range(10):
        rates = {path: 0.3 + 0.01 * place for path in paths}
        if place < number:
            rates[paths[place % len(paths)]] = limit
        trials.append(trial(place, rates, 0.5 + 0.01 * place))
    return trials


LIMITS = {"rate/a": (0.1, 0.8), "rate/b": (0.1, 0.8)}


def test_rates_at_a_limit_of_the_space_are_counted_with_layer_and_remedy():
    text = report(trials=at_limit(8), limits=LIMITS).answer.next_step
    assert (
        "8 of the 10 best trials have a rate of exactly 0.8, the upper limit of the "
        "space ('a' in 4, 'b' in 4): widen the space above 0.8, for example to 0.9, "
        "and search again."
    ) in text
    low = report(trials=at_limit(8, limit=0.1), limits=LIMITS).answer.next_step
    assert "exactly 0.1, the lower limit of the space" in low
    assert "widen the space below 0.1, for example to 0, and search again." in low


def test_tried_range_is_the_limit_of_an_unknown_space():
    text = report(trials=at_limit(8)).answer.next_step
    assert "a rate of exactly 0.8, the highest value tried ('a' in 4" in text
    # In every search, one trial is the farthest.
    assert not find_edges(at_limit(1), "min")


def test_rate_next_to_a_limit_counts_as_at_it():
    trials = [trial(i, {"a": 0.795 - 0.05 * i}, 0.5 + 0.1 * i) for i in range(5)]
    (edge,) = find_edges(trials, "min", {"rate/a": (0.0, 0.8)})
    assert "1 of the 5 best trials has a rate close to 0.8, the upper" in str(edge)
    assert not find_edges(trials, "min", {"rate/a": (0.0, 0.9)})


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_no_dropout_and_a_rate_of_1_are_natural_limits(limit):
    limits = {"rate/a": (0.0, 1.0), "rate/b": (0.0, 1.0)}
    assert not find_edges(at_limit(8, limit), "min", limits)
    assert not find_edges(at_limit(8, limit), "min")


def test_rate_at_a_limit_is_reported_only_if_it_is_good_or_used():
    # The six trials behind the best of ten are not at the limit.
    trials = at_limit(4)[::-1]
    trials = [
        dataclasses.replace(one, score=0.5 + 0.01 * i) for i, one in enumerate(trials)
    ]
    assert not find_edges(trials, "min", LIMITS)
    (edge,) = find_edges(trials, "min", LIMITS, {"rate/a": 0.8, "rate/b": 0.3})
    assert edge.trials == 4
    (edge,) = find_edges(trials, "min", LIMITS, {"a": 0.8, "b": 0.8})
    assert edge.trials == 4


def test_steps_of_a_schedule_can_be_at_a_limit():
    trials = [
        TrialRecord(str(i), {"rate/a/steps": 80 - i, "rate/a/end": 0.3}, {"a": 0.3}, i)
        for i in range(5)
    ]
    limits = {"rate/a/steps": (20, 80), "rate/a/end": (0.0, 0.8)}
    (edge,) = find_edges(trials, "min", limits)
    assert "a number of steps of exactly 80, the upper limit" in str(edge)
    assert "for example to 160" in str(edge)


def test_report_of_0_1_without_limits_and_answer_is_read():
    one = report((0.80, 0.90, 0.901), limits=LIMITS)
    plain = json.loads(one.to_json())
    for key in ("limits", "advice", "code", "next_step"):
        del plain[key]
    plain["verdict"] = "The rates found are better."
    again = Report.from_json(json.dumps(plain))
    assert again.limits is None
    assert again.answer == report((0.80, 0.90, 0.901)).answer
    assert Report.from_json(one.to_json()).limits == LIMITS


def test_markdown_begins_with_the_answer_and_numbers_trials_like_the_search():
    one = report((0.80, 0.85, 0.90), limits=LIMITS)
    title, verdict, advice, *_ = one.to_markdown().split("\n\n")
    assert title == "# The best dropout rates"
    assert (verdict, advice) == (escape(one.verdict), escape(one.answer.advice))
    text = one.to_markdown()
    assert text.index(one.answer.code) < text.index("Next: ") < text.index("## ")
    assert f"Next: {escape(one.answer.next_step)}\n" in text
    assert "| search 1 (trial 01) |" in text
    assert "| trial | val_loss (lower is better) | rates |" in text
    assert "| 01 | 0.5 | 0.2, 0.4 |" in text


def test_nan_scores_of_half_of_the_trials_come_first():
    lost = [trial(i, FOUND, float("nan"), status="INVALID") for i in (7, 8)]
    answer = report((0.8, 0.85, 0.9), trials=[*TRIALS, *lost]).answer
    assert answer.next_step == (
        "Find out why 2 of 4 trials failed. They report: The score was NaN."
    )
    other = trial(9, FOUND, None, status="FAILED", message="no memory")
    answer = report((0.8, 0.85, 0.9), trials=[*TRIALS, *lost, other]).answer
    assert "2 of them report: The score was NaN." in answer.next_step
    answer = report((0.8, 0.85, 0.9), trials=[*TRIALS, other]).answer
    assert answer.next_step == "Train the final model with this setting."


@pytest.mark.parametrize("score", [float("nan"), None])
def test_search_with_only_nan_scores_is_reported(score):
    message = "" if score is not None else "The score was NaN."
    trials = [
        trial(i, FOUND, score, status="INVALID", message=message) for i in range(3)
    ]
    with pytest.raises(NoCompletedTrial) as raised:
        Report(trials, "val_loss", "min")
    text = "All 3 that ended failed with one error: The score was NaN."
    assert text in str(raised.value)
    assert raised.value.reason == f"None of 3 trials has completed. {text}"
    assert raised.value.trials == tuple(trials)
