"""The Pareto front of several objectives, in the report and in its files."""

import itertools

import numpy as np
import pytest

from kdropout.tuning.report import Report, TrialRecord, pictures

OBJECTIVES = [("val_loss", "min"), ("val_accuracy", "max")]
# Loss, accuracy. Trials 0, 2 and 5 are the front: 1 is beaten by 0, and 3 by 2.
VALUES = [(0.3, 0.7), (0.35, 0.7), (0.4, 0.9), (0.45, 0.85), (0.5, 0.6), (0.25, 0.6)]


def record(number, values, **changes):
    loss, accuracy = values
    arguments = {"score": loss - accuracy, **changes}
    rate = 0.05 * number
    metrics = {"val_loss": loss, "val_accuracy": accuracy}
    return TrialRecord(
        str(number), {"rate/a": rate}, {"a": rate}, metrics=metrics, **arguments
    )


def report_of(trials, objectives=OBJECTIVES):
    name = "val_loss - val_accuracy"
    return Report(trials, name, "min", objectives=objectives)


def front(trials, objectives=OBJECTIVES):
    return [trial.trial_id for trial in report_of(trials, objectives).pareto_front]


def test_front_has_the_trials_that_no_other_beats_best_of_the_first_objective_first():
    trials = [record(*entry) for entry in enumerate(VALUES)]
    assert front(trials) == ["5", "0", "2"]
    reverse = [("val_loss", "max"), ("val_accuracy", "min")]
    assert front(trials, reverse) == ["4"]


def test_front_of_random_trials_equals_a_search_over_all_pairs():
    values = np.random.default_rng(0).integers(0, 6, (40, 2)) / 6
    trials = [record(*entry) for entry in enumerate(values)]
    beaten = {
        one.trial_id
        for one, other in itertools.permutations(trials, 2)
        if other.metrics["val_loss"] <= one.metrics["val_loss"]
        and other.metrics["val_accuracy"] >= one.metrics["val_accuracy"]
        and other.metrics != one.metrics
    }
    expected = {trial.trial_id for trial in trials} - beaten
    assert set(front(trials)) == expected and len(expected) > 1


def test_equal_trials_are_both_in_the_front():
    assert front([record(0, (0.3, 0.7)), record(1, (0.3, 0.7))]) == ["0", "1"]


def test_trials_without_a_value_failed_or_of_an_earlier_rung_are_not_in_it():
    trials = [
        record(0, (0.3, 0.7), rung=1),
        record(1, (0.1, 0.9), rung=0),
        record(2, (0.1, 0.9), score=None, status="FAILED"),
        record(3, (float("nan"), 0.9), score=0.0, rung=1),
    ]
    assert front(trials) == ["0"]


def test_one_objective_has_no_front(tmp_path):
    trials = [record(*entry) for entry in enumerate(VALUES)]
    report = Report(trials, "val_loss", "min")
    assert report.pareto_front == () and "Pareto" not in report.to_markdown()


def test_report_shows_the_front_and_keeps_it_in_its_file():
    report = report_of([record(*entry) for entry in enumerate(VALUES)])
    text = report.to_markdown()
    assert "## Pareto front: 3 of 6 trials" in text
    assert "| 5 | 0.25 | 60 % | 0.25 |" in text and "pareto.png" in text
    again = Report.from_json(report.to_json())
    assert again.objectives == report.objectives
    assert again.pareto_front == report.pareto_front


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], [("gap", "min")]], ids=["two", "three"])
def test_picture_has_a_panel_for_each_further_objective(more, tmp_path):
    trials = [record(*entry) for entry in enumerate(VALUES)]
    for trial in trials:
        trial.metrics["gap"] = trial.rates["a"]
    report = report_of(trials, [*OBJECTIVES, *more])
    figure = pictures.new_figure(8, 5)
    pictures.draw_pareto(report, figure)
    assert len(figure.axes) == 1 + len(more)
    names = [axes.get_ylabel() for axes in figure.axes]
    assert "val_accuracy (%), higher is better" in names
    written = pictures.draw_all(report, tmp_path)
    assert tmp_path / "pareto.png" in written


@pytest.mark.parametrize(
    ("objectives", "error"),
    [
        ("val_loss", TypeError),
        ([("val_loss", "min", 1)], TypeError),
        ([("val_loss", "up"), ("gap", "min")], ValueError),
        ([(1, "min"), ("gap", "min")], ValueError),
    ],
)
def test_bad_objectives_are_refused(objectives, error):
    with pytest.raises(error, match="'objectives' must be pairs of the name"):
        report_of([record(0, VALUES[0])], objectives)
