"""A search with several objectives, as a job and in Python."""

import dataclasses

import pytest

from kdropout import tuning
from tests.tuning.run.conftest import run
from tests.tuning.trials import searches

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]


def test_score_of_a_job_is_the_sum_and_its_report_has_the_front(tmp_path):
    report = run(tmp_path, objective=["val_loss", "val_accuracy"], confirm={"seeds": 0})
    assert report.objective == "val_loss - val_accuracy"
    assert report.objectives == (("val_loss", "min"), ("val_accuracy", "max"))
    for trial in report.trials:
        metrics = trial.metrics
        expected = metrics["val_loss"] - metrics["val_accuracy"]
        assert trial.score == pytest.approx(expected, rel=1e-6)
    best = min(report.trials, key=lambda trial: trial.metrics["val_loss"])
    assert report.pareto_front[0] == best
    loaded = tuning.load_report(tmp_path)
    assert loaded.pareto_front == report.pareto_front
    (tmp_path / "report.json").unlink()  # as in a search that is running
    again = tuning.load_report(tmp_path)
    assert [t.trial_id for t in again.pareto_front] == [
        t.trial_id for t in report.pareto_front
    ]


def test_confirmation_compares_the_metric_of_the_first_objective(tmp_path):
    report = run(tmp_path, objective=["val_accuracy", "val_loss"])
    assert report.confirmation.measure == "test accuracy"
    assert report.confirmation.direction == "max"


def test_list_of_objectives_of_a_tuner_has_a_front_in_its_report(tmp_path):
    tuner = tuning.RandomSearch(
        searches.build, ["val_loss", "val_accuracy"], 3, seed=1, directory=tmp_path
    )
    searches.search(tuner)
    report = tuning.report_of(tuner)
    assert report.objective == "val_loss - val_accuracy"
    assert report.pareto_front
    for trial in report.trials:
        metrics = trial.metrics
        expected = metrics["val_loss"] - metrics["val_accuracy"]
        assert trial.score == pytest.approx(expected, rel=1e-6)
    arguments = {"epochs": 1, "batch_size": 8, "verbose": 0}
    confirmed = tuning.confirm(tuner, **searches.DATA, seeds=2, top=1, **arguments)
    assert confirmed.confirmation.measure == "validation loss"


def test_tab_gets_the_objectives_of_each_trial(tmp_path):
    from kdropout_dashboard import reader
    from kdropout_dashboard.source import open_log

    report = run(tmp_path, objective=["val_loss", "val_accuracy"], confirm={"seeds": 0})
    payload = reader.search(open_log(tmp_path / "tensorboard"), ".")
    assert payload["objective"] == "val_loss - val_accuracy"
    assert payload["objectives"] == [
        {"name": "val_loss", "direction": "min"},
        {"name": "val_accuracy", "direction": "max"},
    ]
    shown = {trial["id"]: trial["objectives"] for trial in payload["trials"]}
    assert shown == {
        trial.trial_id: [trial.metrics["val_loss"], trial.metrics["val_accuracy"]]
        for trial in map(dataclasses.replace, report.trials)
    }
