"""Fixtures for the tests of running jobs."""

import sys

import pytest

from kdropout import tuning
from kdropout.tuning import Job
from kdropout.tuning.report import importance, pictures
from kdropout.tuning.trials import TrialEngine

# Two epochs of three batches, three trials, and four trainings to confirm.
SETTINGS = {
    "data": {"sklearn": "iris"},
    "model": {"architecture": "mlp", "units": (8,)},
    "search": {"max_trials": 3},
    "training": {"epochs": 2, "batch_size": 30},
    "confirm": {"seeds": 2, "top": 1},
}


def make_job(folder, training=(), confirm=(), **changes):
    """Make a job that takes a second."""
    settings = {**SETTINGS, "output": str(folder), **changes}
    settings["training"] = {**SETTINGS["training"], **dict(training)}
    settings["confirm"] = {**SETTINGS["confirm"], **dict(confirm)}
    return Job(**settings)


def run(folder, resume=False, **changes):
    return tuning.run_job(make_job(folder, **changes), resume=resume, verbose=0)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def without_pictures(monkeypatch):
    """Skip the pictures, which take as long as all the rest."""
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])


@pytest.fixture
def without_forest(monkeypatch):
    """Skip the forest, which learns nothing from so few trials and takes as long."""
    monkeypatch.setattr(importance, "_FEWEST_TO_LEARN", 1000)


@pytest.fixture
def trainings(monkeypatch):
    """Return a list that gets an entry for each training."""
    begun, train = [], TrialEngine._train

    def counted(self, hp, pooled, args, kwargs):
        begun.append(dict(hp.values))
        return train(self, hp, pooled, args, kwargs)

    monkeypatch.setattr(TrialEngine, "_train", counted)
    return begun
