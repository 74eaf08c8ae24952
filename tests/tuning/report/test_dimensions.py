"""A report gets the dimensions of the search, or infers them from its trials."""

import json

import keras
import keras_tuner
import numpy as np
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning import Report
from kdropout.tuning.report import TrialRecord, importance
from kdropout.tuning.report.importance import measure_importance
from kdropout.tuning.space.dimension import dimensions_of

PATHS = ("first", "second", "third")
SHAPES = ("linear", "exponential", "cosine")
SPACES = {
    "free": (0.0, 0.8),
    "grid": tuning.Rates(0.0, 0.8, step=0.2),
    "shared": {"*": tuning.Rates(tie="shared")},
    "shared and free": {"*": tuning.Rates(tie="shared"), "first": (0.0, 0.5)},
    "line": {"*": tuning.Rates(tie="linear")},
    "line of two": {"*": tuning.Rates(tie="linear"), "third": 0.25},
    "rising": {"*": tuning.Rates(tie="rising")},
    "schedules": {"*": tuning.Schedules((0.1, 0.3), (0.2, 0.6), (5, 50), SHAPES)},
    "shared schedule": {
        "*": tuning.Schedules(0.1, (0.2, 0.6), (5, 50), tie="shared"),
        "third": 0.25,
    },
}
TREES = 10


def plan_over(space):
    layers = [kdropout.layers.Dropout(0.5, name=path) for path in PATHS]
    hp = keras_tuner.HyperParameters()
    return tuning.plan_of(tuning.tune_rates(hp, keras.Sequential(layers), space))


def trials_of(plan, num_trials=12):
    """Make trials whose score is the sum of the rates."""
    generator, trials = np.random.default_rng(0), []
    for number in range(num_trials):
        values = {}
        for name in sorted(plan.names):
            choice = plan.hyperparameters[name].choice
            if not isinstance(choice, tuning.Rates):
                low, high = (0, 3) if isinstance(choice[0], str) else choice
                value = int(generator.integers(low, high))
                values[name] = SHAPES[value] if isinstance(choice[0], str) else value
            elif choice.grid is None:
                values[name] = generator.uniform(choice.low, choice.high)
            else:
                values[name] = generator.choice(choice.grid)
        rates = plan.rates(values)
        trials.append(TrialRecord(str(number), values, rates, sum(rates.values())))
    return trials


@pytest.mark.parametrize("name", SPACES)
def test_trials_show_the_dimensions(name):
    plan = plan_over(SPACES[name])
    trials = trials_of(plan)
    dimensions = dimensions_of(plan)
    known = Report(trials, "val_loss", "min", trees=TREES, dimensions=dimensions)
    seen = Report(trials, "val_loss", "min", trees=TREES)
    assert known.importance.r2 == seen.importance.r2
    for ours, theirs in zip(known.marginals, seen.marginals, strict=True):
        assert (ours.name, ours.kind) == (theirs.name, theirs.kind)
        assert ours.dimension.name == theirs.dimension.name
        assert ours.dimension.rate_of == theirs.dimension.rate_of
        assert ours.levels == theirs.levels
        assert (ours.grid, ours.mean) == (theirs.grid, theirs.mean)
    assert [(feature.name, feature.mean) for feature in known.importance.features] == [
        (feature.name, feature.mean) for feature in seen.importance.features
    ]
    assert known.limits == {
        dimension.name: (dimension.low, dimension.high) for dimension in dimensions
    }


def test_layers_with_equal_rates_by_chance_stay_apart():
    plan = plan_over({"first": (0.0, 0.8), "second": (0.0, 0.8)})
    trials = [
        TrialRecord(
            str(number),
            {"rate/first": rate, "rate/second": rate},
            {"first": rate, "second": rate, "third": 0.5},
            rate,
        )
        for number, rate in enumerate([0.1, 0.4, 0.2])
    ]
    report = Report(trials, "val_loss", "min", dimensions=dimensions_of(plan))
    assert [marginal.name for marginal in report.marginals] == ["first", "second"]
    (seen,) = Report(trials, "val_loss", "min").marginals
    assert seen.name == "first to second (2 layers)"


@pytest.mark.parametrize("name", ["shared and free", "schedules"])
def test_json_carries_the_dimensions(name):
    plan = plan_over(SPACES[name])
    dimensions = dimensions_of(plan)
    trials = trials_of(plan)
    report = Report(trials, "val_loss", "min", trees=TREES, dimensions=dimensions)
    again = Report.from_json(report.to_json())
    assert again.dimensions == tuple(dimensions)
    assert again.importance == report.importance
    assert again.marginals == report.marginals
    assert again.to_json() == report.to_json()


def test_json_of_earlier_versions_has_no_dimensions():
    plan = plan_over(SPACES["shared and free"])
    report = Report(trials_of(plan), "val_loss", "min", trees=TREES)
    content = json.loads(report.to_json())
    del content["dimensions"]
    again = Report.from_json(json.dumps(content))
    assert again.dimensions is None
    assert again.importance == report.importance
    # kdropout 0.1 may have given the group another name.
    for part in (content["marginals"], content["importance"]["features"]):
        for entry in part:
            entry["name"] = f"{entry['name']} as before"
    again = Report.from_json(json.dumps(content))
    assert [marginal.name for marginal in again.marginals] == [
        f"{marginal.name} as before" for marginal in report.marginals
    ]


def test_measured_importance_is_passed_on(monkeypatch):
    plan = plan_over(SPACES["free"])
    trials, dimensions = trials_of(plan), dimensions_of(plan)
    measured = measure_importance(trials, dimensions, trees=TREES)
    expected = Report(trials, "val_loss", "min", trees=TREES, dimensions=dimensions)
    text = expected.to_json()
    monkeypatch.setattr(importance, "Forest", None)
    report = Report(
        trials,
        "val_loss",
        "min",
        trees=TREES,
        dimensions=dimensions,
        importance=measured,
    )
    assert report.to_json() == text
    assert Report.from_json(text).to_json() == text
    chosen = tuning.report.choose_candidates(trials, "min", importance=measured)
    assert len([label for label in chosen if label.startswith("uniform ")]) == 1
