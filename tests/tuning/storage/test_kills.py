"""A search that is killed at any moment goes on as if nothing had happened."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
KILLS = 5
RUNS = {  # the Gaussian processes take the longest
    "random": [],
    "grid": [],
    "hyperband": [],
    "bayesian": ["--trials", "10"],
}


@pytest.mark.parametrize("algorithm", RUNS)
def test_killed_search_loses_nothing_and_goes_on_alike(algorithm):
    command = [sys.executable, "-m", "tests.tuning.storage.kills", algorithm]
    command += ["--kills", str(KILLS), *RUNS[algorithm]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["kills"] >= 1 and row["trials"] >= 10
    assert row["lost"] == 0
    assert row["repeated_after_end"] == 0
    assert row["trials_begun_again"] <= row["kills"]
    assert row["same_sequence"]
