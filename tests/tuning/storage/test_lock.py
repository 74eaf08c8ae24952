"""Only one process writes to a project, and no other deletes its files."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from kdropout import tuning
from kdropout.tuning import project_lock as lock_module
from kdropout.tuning.project_lock import ProjectLock
from tests.tuning.storage import kills

ROOT = pathlib.Path(__file__).parents[3]
# Imports only the file, because the package takes seconds to import.
HOLDER = """
import runpy, sys, time
names = runpy.run_path("kdropout/tuning/project_lock.py")
lock = names["ProjectLock"](sys.argv[1], "search")
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""
NEEDS_LOCKS = pytest.mark.skipif(
    lock_module.fcntl is None, reason="nothing is locked on this system"
)


def make_tuner(folder, **kwargs):
    return kills.make_tuner("random", folder, max_trials=4, **kwargs)


@pytest.fixture
def holder(tmp_path):
    """Start another process that writes to the project."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@NEEDS_LOCKS
def test_project_in_use_is_neither_deleted_nor_written_to(tmp_path, holder):
    kept = tmp_path / "search" / "kept"
    kept.parent.mkdir()
    kept.write_text("results")
    message = f"search' is in use: process {holder.pid} writes .*'project_name'"
    with pytest.raises(RuntimeError, match=message):
        make_tuner(tmp_path, overwrite=True)
    tuner = make_tuner(tmp_path)  # reading the results is allowed
    with pytest.raises(RuntimeError, match=message):
        tuner.search(verbose=0)
    assert kept.read_text() == "results"
    assert not (tmp_path / "search" / "oracle.json").exists()


@NEEDS_LOCKS
def test_lock_of_a_killed_process_is_free(tmp_path, holder):
    with pytest.raises(RuntimeError, match="is in use"):
        make_tuner(tmp_path).search(verbose=0)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    make_tuner(tmp_path, overwrite=True).search(verbose=0)


@NEEDS_LOCKS
def test_two_tuners_of_one_process_do_not_search_at_once(tmp_path):
    first, second = make_tuner(tmp_path), make_tuner(tmp_path)
    first.on_trial_begin = lambda trial: second.search(verbose=0)
    with pytest.raises(RuntimeError, match=f"{os.getpid()} .another tuner here"):
        first.search(verbose=0)


def test_lock_is_free_after_a_failed_search(tmp_path):
    first, second = make_tuner(tmp_path), make_tuner(tmp_path)

    def interrupt(trial):
        raise KeyboardInterrupt

    first.on_trial_begin = interrupt
    with pytest.raises(KeyboardInterrupt):
        first.search(verbose=0)
    second.search(verbose=0)
    assert len(second.oracle.end_order) == 4


def test_new_tuner_may_overwrite_before_the_first_one_is_deleted(tmp_path):
    tuners = [make_tuner(tmp_path, overwrite=True) for _ in range(2)]
    tuners[1].search(verbose=0)
    assert len(kills.results(tmp_path)) == 4


@pytest.mark.parametrize("overwrite", [False, True])
def test_results_written_by_another_tuner_are_kept(overwrite, tmp_path):
    early = make_tuner(tmp_path, overwrite=overwrite)
    make_tuner(tmp_path).search(verbose=0)
    found = kills.results(tmp_path)
    early.search(verbose=0)
    assert kills.results(tmp_path) == found
    assert len(kills.notes(tmp_path)) == 4  # none was run twice


def test_second_search_of_a_tuner_adds_nothing(tmp_path):
    tuner = make_tuner(tmp_path)
    tuner.search(verbose=0)
    tuner.search(verbose=0)
    assert len(kills.notes(tmp_path)) == 4


def test_worker_of_keras_tuner_neither_deletes_nor_locks(tmp_path, monkeypatch):
    make_tuner(tmp_path).search(verbose=0)
    found = kills.results(tmp_path)
    for name, value in [
        ("TUNER_ID", "worker"),
        ("ORACLE_IP", "::"),
        ("ORACLE_PORT", "1"),
    ]:
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    make_tuner(tmp_path, overwrite=True)
    assert kills.results(tmp_path) == found


def test_name_of_a_project_may_have_folders(tmp_path):
    lock = ProjectLock(tmp_path, "group/search")
    with lock:
        assert lock.path == tmp_path / "group" / ".search.lock"
        assert lock.path.read_text() == str(os.getpid())


def test_name_of_a_project_may_be_as_long_as_a_file_name(tmp_path):
    class Own(tuning.RandomSearch):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", 0.0, 1.0)

    name = "p" * 255
    tuner = Own(max_trials=1, directory=tmp_path, project_name=name)
    tuner.search(verbose=0)
    assert (tmp_path / name / "oracle.json").exists()
