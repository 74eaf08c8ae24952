"""A search that is killed in training gives the same results once it is resumed."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from tests.tuning.storage import training
from tests.tuning.storage.kills import outcome, results

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "tests.tuning.storage.training"]
NUM_KILLS = 2
BEFORE_A_KILL = 3  # trials that end at least in each process
PATIENCE = 120  # seconds


def num_ended(folder):
    path = folder / "search" / "oracle.json"
    return len(json.loads(path.read_text())["end_order"]) if path.exists() else 0


def start(folder):
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    return subprocess.Popen([*COMMAND, str(folder)], cwd=ROOT, env=environment)


def test_scores_and_weights_equal_those_of_the_uninterrupted_search(tmp_path):
    rng = random.Random(0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    training.search(training.make_tuner(whole))
    for _ in range(NUM_KILLS):
        ended, give_up = num_ended(killed), time.monotonic() + PATIENCE
        with start(killed) as process:
            while num_ended(killed) < ended + BEFORE_A_KILL:
                assert process.poll() is None and time.monotonic() < give_up
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.15))  # up to a trial or two
            os.kill(process.pid, signal.SIGKILL)
    assert 0 < num_ended(killed) < len(results(whole))
    with start(killed) as process:
        assert process.wait(PATIENCE) == 0
    assert outcome(killed) == outcome(whole)
    for path in sorted(whole.rglob("*.npz")):
        with np.load(path) as ours, np.load(killed / path.relative_to(whole)) as theirs:
            for name in ours.files:
                np.testing.assert_array_equal(ours[name], theirs[name])
