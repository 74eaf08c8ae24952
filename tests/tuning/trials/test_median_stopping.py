"""Trials that are worse than the median of earlier ones are stopped and marked."""

import statistics
import types

import keras_tuner
import pytest

from kdropout import tuning
from kdropout.tuning import histories
from kdropout.tuning.budget import StopAtMedian
from kdropout.tuning.trial_records import trial_histories, trial_records
from tests.tuning.trials import searches

EPOCHS = 8
RULE = tuning.MedianStopping(warmup_trials=2, warmup_epochs=2)


def make_tuner(folder, rule=RULE, **kwargs):
    arguments = {"max_trials": 8, "seed": 1, "project_name": "search", **kwargs}
    return tuning.RandomSearch(
        searches.build,
        "val_loss",
        directory=folder,
        median_stopping=rule,
        # Two good trials, and one whose network hardly learns.
        initial_trials=[0.1, 0.2, {"first": 0.8, "second": 0.8}],
        **arguments,
    )


def marks(tuner):
    """Return the number of epochs of each stopped trial, or None."""
    known = histories.of_trials(tuner.project_dir, tuner.oracle.trials)
    return {trial_id: history.stopped_after for trial_id, history in known.items()}


def without_times(tuner):
    return (
        tuner.histories(),
        marks(tuner),
        searches.scores(tuner.oracle.trials.values()),
    )


def curve_of(rows, execution=0):
    return [row["val_loss"] for row in rows if row["execution"] == execution]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    tuner = make_tuner(tmp_path_factory.mktemp("median"))
    searches.search(tuner, epochs=EPOCHS)
    return tuner


@pytest.mark.slow
def test_trials_are_stopped_when_an_independent_formula_says_so(searched):
    earlier, known = [], marks(searched)
    for trial_id, rows in searched.histories().items():
        curve, expected = curve_of(rows), None
        for epoch in range(min(len(curve), EPOCHS - 1)):
            means = [statistics.fmean(other[: epoch + 1]) for other in earlier]
            enough = len(earlier) >= 2 and epoch >= 2
            if enough and min(curve[: epoch + 1]) > statistics.median(means):
                expected = epoch + 1
                break
        assert known[trial_id] == expected
        assert len(curve) == (expected or EPOCHS)
        earlier.append(curve)
    assert known["2"] == 3  # the first epoch after the warm-up
    assert known["0"] is None and known["1"] is None


@pytest.mark.slow
def test_stopped_trial_is_complete_with_its_score_so_far_and_is_marked(searched):
    trial = searched.oracle.trials["2"]
    curve = curve_of(searched.histories()["2"])
    assert trial.status == "COMPLETED" and trial.score == min(curve)
    plan = tuning.plan_of(searched.get_best_models()[0])
    trials = searched.oracle.trials.values()
    known = trial_histories(trials, searched.project_dir)
    records = trial_records(trials, plan, EPOCHS, known)
    assert {r.trial_id: r.stopped_after for r in records} == marks(searched)
    report = tuning.Report(records, "val_loss", "min")
    number = sum(mark is not None for mark in marks(searched).values())
    text = f"The median of earlier trials stopped {number} of the completed trials"
    assert text in report.to_markdown()
    again = tuning.Report.from_json(report.to_json())
    assert again.trials == report.trials


@pytest.mark.slow
def test_search_that_is_resumed_stops_the_same_trials(searched, tmp_path):
    for number in (3, 5, 8):
        tuner = make_tuner(tmp_path, max_trials=number)
        searches.search(tuner, epochs=EPOCHS)
    assert without_times(tuner) == without_times(searched)


@pytest.mark.slow
def test_a_stopped_training_ends_the_trial(tmp_path):
    tuner = make_tuner(tmp_path, executions_per_trial=2, max_trials=3)
    *_, stopped = searches.search(tuner, epochs=EPOCHS)
    rows = tuner.histories()["2"]
    assert {row["execution"] for row in rows} == {0} and len(rows) == 3
    assert stopped.score == min(curve_of(rows))
    assert len(tuner.histories()["1"]) == 2 * EPOCHS


@pytest.mark.slow
def test_last_epoch_is_compared_if_it_is_scored(tmp_path):
    tuner = make_tuner(tmp_path, scored_epoch="last", max_trials=3)
    *_, stopped = searches.search(tuner, epochs=EPOCHS)
    assert stopped.score == curve_of(tuner.histories()["2"])[-1]


@pytest.mark.slow
def test_search_without_the_rule_stops_nothing(tmp_path):
    tuner = make_tuner(tmp_path, rule=False, max_trials=3)
    searches.search(tuner, epochs=EPOCHS)
    assert marks(tuner) == {"0": None, "1": None, "2": None}


def test_warmup_longer_than_the_training_is_reported(tmp_path):
    tuner = make_tuner(tmp_path, rule=True, max_trials=3)
    notes = []
    tuner.progress.note = notes.append
    searches.search(tuner, epochs=1)
    assert any("stops no trial of 1 epochs" in note for note in notes)


CURVES = [{0: 1.0, 1: 0.5}, {0: 2.0, 1: 1.0}, {0: 3.0, 1: 1.5}]


@pytest.mark.parametrize(
    ("score", "epoch", "is_max", "stops"),
    [
        (2.1, 0, False, True),
        (2.0, 0, False, False),  # equal is not worse
        (1.6, 1, False, True),  # the mean of 2.0 and 1.0 is 1.5
        (1.4, 1, False, False),
        (1.6, 7, False, True),  # trainings that were shorter count with all they have
        (1.4, 1, True, True),
        (1.6, 1, True, False),
    ],
)
def test_score_is_compared_with_the_median_of_means(score, epoch, is_max, stops):
    rule = tuning.MedianStopping(warmup_trials=3, warmup_epochs=0)
    assert rule.stops(score, epoch, CURVES, is_max) == stops
    longer = tuning.MedianStopping(warmup_trials=3, warmup_epochs=epoch + 1)
    assert not longer.stops(score, epoch, CURVES, is_max)
    more = tuning.MedianStopping(warmup_trials=4, warmup_epochs=0)
    assert not more.stops(score, epoch, CURVES, is_max)


def stop_at(logs, epoch=0, epochs=9, objective=None, keeps_best=True):
    """Return whether a training stops after epochs with these logs."""
    rule = tuning.MedianStopping(warmup_trials=3, warmup_epochs=0)
    objective = objective or keras_tuner.Objective("loss", "min")
    callback = StopAtMedian(rule, objective, CURVES, keeps_best)
    callback.set_params({"epochs": epochs})
    callback.set_model(types.SimpleNamespace(stop_training=False))
    for at, values in enumerate(logs):
        callback.on_epoch_end(epoch + at, values)
    assert callback.was_needed == callback.model.stop_training
    return callback.was_needed


def test_epochs_without_a_finite_objective_are_not_compared():
    assert stop_at([{"loss": 9.0}])
    assert not stop_at([{"loss": float("nan")}])
    assert not stop_at([{"loss": float("inf")}])
    assert not stop_at([{"accuracy": 0.1}])
    assert not stop_at([{"loss": 9.0}], epoch=8)  # the training ends anyway


def test_best_or_last_epoch_is_compared():
    logs = [{"loss": 0.1}, {"loss": 9.0}]
    assert not stop_at(logs)
    assert stop_at(logs, keeps_best=False)
