"""A job, from its settings to its report, and after an interruption."""

import json

import pytest

from kdropout import tuning
from kdropout.tuning import JobError, Report
from kdropout.tuning.checkpoint import BestEpoch
from kdropout.tuning.confirmation_run import ConfirmationRun
from tests.tuning.run.conftest import make_job, run

NUM_TEST = 30  # samples of iris that are used neither for training nor for validation


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run a job without interruption; return its folder and its report."""
    folder = tmp_path_factory.mktemp("done") / "results"
    return folder, run(folder)


def test_all_files_are_written(done):
    folder, report = done
    assert {path.name for path in folder.iterdir()} == {
        "job.json",
        "job.yaml",
        "plan.json",
        "search",
        ".search.lock",
        "contents.json",
        ".job.lock",
        "confirmation.json",
        "report.json",
        "report.md",
        "trials.csv",
        "tensorboard",
        "trials.png",
        "histories.png",
        "importance.png",
        "marginals.png",
        "confirmation.png",
    }
    assert (folder / "report.md").read_text() == report.to_markdown()
    assert (folder / "report.json").read_text() == report.to_json()
    again = tuning.load_job(folder / "job.yaml")
    assert again.model_dump() == make_job(folder).model_dump()


def test_report_has_the_curves_of_its_trials(done):
    folder, report = done
    for trial in report.trials:
        file = folder / "search" / f"trial_{trial.trial_id}" / "history.json"
        rows = json.loads(file.read_text())["rows"]
        curve = {row["epoch"] + 1: row["val_loss"] for row in rows}
        assert report.curves[trial.trial_id] == curve and len(curve) == 2
        assert min(curve.values()) == trial.score
    assert tuning.load_report(folder).curves == report.curves


def test_report_agrees_with_the_trials(done):
    folder, report = done
    trials = json.loads((folder / "search" / "oracle.json").read_text())["trials"]
    assert [trial.score for trial in report.trials] == [t["score"] for t in trials]
    for record, trial in zip(report.trials, trials, strict=True):
        rate = trial["hyperparameters"]["values"]["rate/dense1_drop"]
        assert record.rates == {"dense1_drop": rate}
        assert record.metrics["val_loss"] == trial["score"]
        assert (record.status, record.epochs) == ("COMPLETED", 2)
    best = min(trials, key=lambda trial: trial["score"])
    assert report.best_trial.trial_id == best["trial_id"]
    assert len({record.score for record in report.trials}) == 3
    assert report.baseline == {"dense1_drop": 0.3}


def test_confirmation_trains_the_best_on_new_seeds(done):
    confirmation = done[1].confirmation
    # There is no uniform rate, because with one layer every setting is uniform.
    assert list(confirmation.candidates) == ["no dropout", "search 1"]
    assert confirmation.candidates["search 1"] == done[1].best_trial.rates
    assert confirmation.candidates["no dropout"] == {"dense1_drop": 0.0}
    assert (confirmation.measure, confirmation.direction) == ("test loss", "min")
    assert len(set(confirmation.scores.values())) == 4
    assert not confirmation.failures


def test_existing_search_is_refused_and_kept(done):
    folder, _ = done
    before = (folder / "search" / "oracle.json").read_bytes()
    with pytest.raises(
        JobError, match="output: '.*' already contains a search.*--resume"
    ):
        run(folder)
    with pytest.raises(JobError, match="another job: training.epochs is 2 there and 3"):
        run(folder, resume=True, training={"epochs": 3})
    assert (folder / "search" / "oracle.json").read_bytes() == before


def test_finished_parts_are_not_trained_again(done, trainings):
    folder, report = done
    assert run(folder, resume=True).to_json() == report.to_json()
    assert trainings == []


def at_epoch(number, monkeypatch):
    """Interrupt the training in which that many epochs, over all, have ended."""
    seen, on_epoch_end = [], BestEpoch.on_epoch_end

    def interrupting(self, epoch, logs=None):
        seen.append(epoch)
        if len(seen) == number:
            raise KeyboardInterrupt
        on_epoch_end(self, epoch, logs)

    monkeypatch.setattr(BestEpoch, "on_epoch_end", interrupting)


def in_a_trial(monkeypatch):
    at_epoch(4, monkeypatch)  # the last one of the second trial


def between(monkeypatch):
    monkeypatch.setattr(ConfirmationRun, "run", interrupt)


def in_the_confirmation(monkeypatch):
    at_epoch(11, monkeypatch)  # after 3 trials and 2 trainings, of 2 epochs each


def at_the_end(monkeypatch):
    monkeypatch.setattr(Report, "save", interrupt)


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


ONE = pytest.mark.on_one_backend


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("where", "ended", "left"),
    [
        (in_a_trial, 1, 6),
        pytest.param(between, 3, 4, marks=[pytest.mark.slow, ONE]),
        pytest.param(in_the_confirmation, 3, 2, marks=ONE),
        pytest.param(at_the_end, 3, 0, marks=[pytest.mark.slow, ONE]),
    ],
)
def test_resumed_job_ends_like_an_uninterrupted_one(
    where, ended, left, done, tmp_path, monkeypatch, trainings
):
    folder = tmp_path / "results"
    with monkeypatch.context() as patched:
        where(patched)
        with pytest.raises(KeyboardInterrupt):
            run(folder)
    partial = tuning.load_report(folder)
    assert [t.score for t in partial.trials if t.completed] == [
        trial.score for trial in done[1].trials[:ended]
    ]
    assert partial.verdict.startswith("Not confirmed")
    assert partial.baseline == done[1].baseline
    partial.save(folder)  # like `kdropout report`
    trainings.clear()
    report = run(folder, resume=True)
    assert len(trainings) == left
    assert report.to_json() == done[1].to_json()
    assert tuning.load_report(folder).to_json() == report.to_json()


@pytest.mark.usefixtures("without_pictures", "without_forest")
def test_another_seed_tries_other_rates_on_the_same_data(done, tmp_path):
    other = run(
        tmp_path / "1", search={"seed": 1, "max_trials": 3}, confirm={"seeds": 0}
    )
    rates = [{t.rates["dense1_drop"] for t in r.trials} for r in (done[1], other)]
    assert not rates[0] & rates[1]


@pytest.mark.usefixtures("without_pictures", "without_forest")
def test_resumed_confirmation_may_have_more_seeds_or_another_metric(
    tmp_path, trainings
):
    folder = tmp_path / "results"
    first = run(folder).confirmation
    assert len(trainings) == 3 + 2 * 2
    more = run(folder, resume=True, confirm={"seeds": 3}).confirmation
    assert len(trainings) == 7 + 2
    assert first.scores.items() <= more.scores.items()
    other = run(folder, resume=True, confirm={"metric": "accuracy"}).confirmation
    assert len(trainings) == 9 + 4
    assert (other.measure, other.direction) == ("test accuracy", "max")
    for score in other.scores.values():
        assert score * NUM_TEST == pytest.approx(round(score * NUM_TEST), abs=1e-4)


@pytest.mark.usefixtures("without_pictures", "without_forest")
def test_more_trials_make_a_new_report(tmp_path):
    folder = tmp_path / "results"
    first = run(folder, confirm={"seeds": 0})
    assert first.confirmation is None and "Not confirmed" in first.verdict
    assert not (folder / "confirmation.json").exists()
    more = run(folder, resume=True, confirm={"seeds": 0}, search={"max_trials": 4})
    assert more.trials[:3] == first.trials and len(more.trials) == 4
    assert tuning.load_report(folder).to_json() == more.to_json()


def test_only_a_job_can_be_run():
    with pytest.raises(TypeError, match="'job' must be a kdropout.tuning.Job"):
        tuning.run_job("job.yaml")
