"""The curves of a report belong to the axes of the search."""

import keras
import keras_tuner
import numpy as np
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning import Report
from kdropout.tuning.dropout_tab import marginals_of, noise_of, search_payload
from kdropout.tuning.report import TrialRecord
from kdropout.tuning.space.dimension import dimensions_of

PATHS = ("first", "second", "third")
NUM_TRIALS = 12


def plan_over(space, paths=PATHS):
    layers = [kdropout.layers.Dropout(0.5, name=path) for path in paths]
    hp = keras_tuner.HyperParameters()
    return tuning.plan_of(tuning.tune_rates(hp, keras.Sequential(layers), space))


def report_of(plan, seed=0):
    """Make a report whose scores are the sum of the rates, or of the values."""
    generator, trials = np.random.default_rng(seed), []
    for number in range(NUM_TRIALS):
        values = {}
        for name, one in plan.hyperparameters.items():
            if isinstance(one.choice, tuning.Rates):
                values[name] = generator.uniform(one.choice.low, one.choice.high)
            elif isinstance(one.choice[0], str):
                values[name] = one.choice[number % len(one.choice)]
            else:
                values[name] = int(generator.integers(*one.choice))
        rates = plan.rates(values)
        shape = values.get("rate/*/shape") == "cosine"
        score = sum(rates.values()) + 5 * shape
        trials.append(TrialRecord(str(number), values, rates, float(score)))
    return Report(trials, "val_loss", "min", trees=10)


def by_name(plan, report):
    return {
        one["name"]: one for one in marginals_of(report.importance, dimensions_of(plan))
    }


def test_each_layer_has_its_curve():
    plan = plan_over((0.0, 0.8))
    report = report_of(plan)
    found = by_name(plan, report)
    assert list(found) == [f"rate/{path}" for path in PATHS]
    for path, marginal in zip(PATHS, report.marginals, strict=True):
        assert marginal.name == path
        ours = found[f"rate/{path}"]
        assert ours["grid"] == list(marginal.grid)
        assert ours["mean"] == list(marginal.mean)
        assert ours["spread"] == list(marginal.spread)


@pytest.mark.parametrize(
    ("tie", "paths", "names"),
    [
        ("shared", PATHS, ["rate/*"]),
        ("linear", PATHS, ["rate/*/first", "rate/*/last"]),
        # Two layers have the rates at the two ends of the line.
        ("linear", PATHS[:2], ["rate/*/first", "rate/*/last"]),
        # A layer's rate comes from sorting several values, so no axis belongs to it.
        ("rising", PATHS, []),
    ],
)
def test_curve_of_a_group_belongs_to_the_axis_that_moves_it(tie, paths, names):
    plan = plan_over({"*": tuning.Rates(tie=tie)}, paths)
    report = report_of(plan)
    assert len(report.marginals) == (len(paths) if tie == "rising" else len(names))
    assert list(by_name(plan, report)) == names


def test_fixed_layers_have_no_curve():
    plan = plan_over({"first": (0.0, 0.8), "second": 0.2, "third": 0.2})
    assert list(by_name(plan, report_of(plan))) == ["rate/first"]


def test_axis_without_a_value_in_some_trial_has_no_curve():
    plan = plan_over((0.0, 0.8))
    trials = list(report_of(plan).trials)
    values = {k: v for k, v in trials[0].values.items() if k != "rate/second"}
    trials[0] = TrialRecord("0", values, trials[0].rates, trials[0].score)
    report = Report(trials, "val_loss", "min", trees=10)
    assert list(by_name(plan, report)) == ["rate/first", "rate/third"]


def test_named_values_keep_the_numbers_of_their_axis():
    # The report numbers them alphabetically, the axis in the given order.
    shapes = ("linear", "cosine")
    space = tuning.Schedules(0.1, (0.2, 0.6), (5, 50), shapes, tie="shared")
    plan = plan_over({"*": space})
    report = report_of(plan)
    found = by_name(plan, report)
    assert list(found) == ["rate/*/end", "rate/*/steps", "rate/*/shape"]
    assert found["rate/*/shape"]["grid"] == [0, 1]
    low, high = found["rate/*/shape"]["mean"]
    assert high > low + 1  # "cosine" costs 5


def test_report_file_makes_the_same_page():
    plan = plan_over({"first": (0.0, 0.8), "second": tuning.Rates(values=(0.1, 0.2))})
    report = report_of(plan)
    payload = search_payload(report, plan, "name")
    alone = search_payload(report, None, "name")
    for one, other in zip(payload["dimensions"], alone["dimensions"], strict=True):
        assert (one["name"], one["layers"]) == (other["name"], tuple(other["layers"]))
        column = [trial.values[one["name"]] for trial in report.trials]
        assert (other["low"], other["high"]) == (min(column), max(column))
    assert payload["dimensions"][0]["high"] == 0.8
    assert {k: v for k, v in payload.items() if k != "dimensions"} == {
        k: v for k, v in alone.items() if k != "dimensions"
    }
    assert len(payload["trials"]) == NUM_TRIALS and len(payload["marginals"]) == 2
    first = payload["trials"][0]
    assert first["values"] == [
        report.trials[0].values[name] for name in ("rate/first", "rate/second")
    ]
    assert (first["id"], first["score"]) == ("0", report.trials[0].score)


def test_running_trial_is_not_shown():
    trials = [
        TrialRecord("0", {"rate/drop": 0.1}, {"drop": 0.1}, 0.5),
        TrialRecord("1", {"rate/drop": 0.2}, {"drop": 0.2}, None, status="FAILED"),
        TrialRecord("2", {"rate/drop": 0.3}, {"drop": 0.3}, None, status="RUNNING"),
    ]
    payload = search_payload(Report(trials, "val_loss", "min"), None, "name")
    assert [trial["id"] for trial in payload["trials"]] == ["0", "1"]
    assert payload["marginals"] == []


def test_noise_is_the_standard_error_of_a_score_without_what_trainings_share():
    random = np.random.default_rng(0)
    of_trials, of_folds = random.normal(size=(60, 1)), 5.0 * random.normal(size=4)
    scores = of_trials + of_folds + 0.2 * random.normal(size=(60, 4))
    trials = [
        TrialRecord(str(n), {}, {}, score=row.mean(), scores=tuple(row))
        for n, row in enumerate(scores)
    ]
    noise = noise_of(trials)
    assert noise == pytest.approx(0.2 / np.sqrt(4), rel=0.2)
    # Trials that stopped early or failed in a training do not count.
    lost = TrialRecord("60", {}, {}, score=4.0, scores=(4.0, None, 1.0, 1.0))
    short = TrialRecord("61", {}, {}, score=4.0, scores=(4.0, 3.0))
    assert noise_of([*trials, lost, short]) == noise
    assert noise_of(trials[:1]) == noise_of([]) is None
    assert noise_of([TrialRecord(str(n), {}, {}, score=4.0) for n in range(3)]) is None
