"""A job always writes its search for TensorBoard."""

import shutil

import pytest

from kdropout.tuning.report import pictures
from tests.tuning.run.conftest import run as run_job
from tests.tuning.search_log import tabs


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    """Skip the pictures, which take as long as all the rest."""
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])


def run(folder, **changes):
    return run_job(folder, confirm={"seeds": 0}, **changes)


def files(folder):
    return {path.relative_to(folder) for path in (folder / "tensorboard").rglob("*")}


@pytest.mark.slow
def test_log_agrees_with_the_report_and_resuming_repeats_nothing(tmp_path):
    report = run(tmp_path)
    payload = tabs.dropout(tmp_path / "tensorboard")
    assert payload["objective"] == "val_loss"
    assert [(t["id"], t["score"], t["epochs"]) for t in payload["trials"]] == [
        (trial.trial_id, trial.score, trial.epochs) for trial in report.trials
    ]
    (marginal,) = payload["marginals"]
    assert marginal["mean"] == list(report.marginals[0].mean)
    _, rows = tabs.hparams(tmp_path / "tensorboard")
    assert rows.keys() == {trial.trial_id for trial in report.trials}
    before = files(tmp_path)
    run(tmp_path, resume=True)
    assert files(tmp_path) == before
    shutil.rmtree(tmp_path / "tensorboard")  # as in an output of an older version
    run(tmp_path, resume=True)
    again = tabs.dropout(tmp_path / "tensorboard")
    of_the_writing = {"version": None, "written_at": None}
    assert again | of_the_writing == payload | of_the_writing


def test_deleted_search_leaves_no_rows_in_the_next(tmp_path):
    run(tmp_path)
    shutil.rmtree(tmp_path / "search")
    run(tmp_path, search={"max_trials": 1})
    assert len(tabs.hparams(tmp_path / "tensorboard")[1]) == 1
    payload = tabs.dropout(tmp_path / "tensorboard")
    assert len(payload["trials"]) == 1 and payload["marginals"] == []
