"""A job with limits: time, patience, stopped trials, first trials and retries."""

import json
import re

import pytest

from kdropout import tuning
from kdropout.tuning.report.confirmation import seeds_to_see
from tests.tuning.run.conftest import make_job, run

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.slow,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]

UNCONFIRMED = {"seeds": 0}


def rates_of(report):
    return [trial.rates["dense1_drop"] for trial in report.trials]


def test_initial_trials_come_first_and_more_can_follow(tmp_path):
    search = {"max_trials": 3, "initial_trials": [0.25, {"dense1_drop": 0.75}]}
    report = run(tmp_path, search=search, confirm=UNCONFIRMED)
    assert rates_of(report)[:2] == [0.25, 0.75]
    search = {"max_trials": 5, "initial_trials": [0.5]}
    longer = run(tmp_path, resume=True, search=search, confirm=UNCONFIRMED)
    assert rates_of(longer)[:3] == rates_of(report) and rates_of(longer)[3] == 0.5


def test_timeout_without_an_ended_trial_is_an_error_with_a_way_out(tmp_path):
    search = {"timeout": 1e-6}
    with pytest.raises(
        RuntimeError, match="No trial has ended .* Raise search.timeout"
    ):
        run(tmp_path, search=search, confirm=UNCONFIRMED)
    report = run(tmp_path, resume=True, search={"max_trials": 2}, confirm=UNCONFIRMED)
    assert len(report.trials) == 2


def test_report_says_how_many_trials_were_stopped(tmp_path):
    search = {
        "max_trials": 4,
        "initial_trials": [0.0, 0.8],
        "median_stopping": {"warmup_trials": 1, "warmup_epochs": 0},
    }
    # A score at each epoch is needed, even if only the last one counts.
    objective = {"metric": "val_loss", "scored_epoch": "last"}
    report = run(
        tmp_path,
        search=search,
        objective=objective,
        training={"epochs": 6},
        confirm=UNCONFIRMED,
    )
    stopped = [t.stopped_after for t in report.trials if t.stopped_after is not None]
    assert stopped and all(1 <= epochs < 6 for epochs in stopped)
    text = (
        f"The median of earlier trials stopped {len(stopped)} of the completed trials"
    )
    assert text in (tmp_path / "report.md").read_text()
    assert tuning.load_report(tmp_path).trials == report.trials
    (tmp_path / "report.json").unlink()
    assert tuning.load_report(tmp_path).trials == report.trials


def test_failed_trials_run_again_only_on_demand(tmp_path, monkeypatch):
    from kdropout.tuning.trials import TrialEngine

    train, fails = TrialEngine._train, [True]

    def train_or_fail(self, hp, pooled, args, kwargs):
        if fails and hp.values["rate/dense1_drop"] == 0.5:
            raise ValueError("no training today")
        return train(self, hp, pooled, args, kwargs)

    monkeypatch.setattr(TrialEngine, "_train", train_or_fail)
    search = {"max_trials": 3, "initial_trials": [0.2, 0.5]}
    report = run(tmp_path, search=search, confirm=UNCONFIRMED)
    assert [trial.completed for trial in report.trials] == [True, False, True]
    fails.clear()
    report = run(tmp_path, resume=True, search=search, confirm=UNCONFIRMED)
    assert [trial.completed for trial in report.trials] == [True, False, True]
    retried = {**search, "retry_failed": True}
    report = run(tmp_path, resume=True, search=retried, confirm=UNCONFIRMED)
    assert [trial.completed for trial in report.trials] == [True, True, True]
    assert rates_of(report)[:2] == [0.2, 0.5]


def test_confirmation_is_announced_with_its_cost_and_its_power(tmp_path, capsys):
    job = make_job(tmp_path, search={"max_trials": 2, "timeout": "10min"})
    report = tuning.run_job(job, verbose=1)
    said = " ".join(capsys.readouterr().err.split())
    labels = list(report.confirmation.candidates)
    number = len(labels) * 2
    assert re.search(rf"Confirmation: {number} trainings, at most about \d+ s, ", said)
    assert "which the timeout of the search does not include" in said
    needed = seeds_to_see(1.0, labels)
    assert "The 2 seeds are too few to see an effect" in said
    assert f"for which about {needed} are needed." in said
    tuning.run_job(job, resume=True)
    assert "Confirmation: 2 trainings" not in capsys.readouterr().err  # all are done


def test_folder_of_a_version_without_limits_can_be_resumed(tmp_path):
    run(tmp_path, confirm=UNCONFIRMED)
    file = tmp_path / "job.json"
    content = json.loads(file.read_text())
    assert not {"timeout", "patience", "median_stopping"} & {
        *content["settings"]["search"]
    }
    run(
        tmp_path,
        resume=True,
        search={"max_trials": 4, "timeout": 60},
        confirm=UNCONFIRMED,
    )
