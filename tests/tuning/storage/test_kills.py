"""A search that is killed at any moment goes on as if nothing had happened."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.tuning.storage.kills import ALGORITHMS

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def rows():
    """What became of a search by each algorithm with 5 kills."""
    command = [sys.executable, "-m", "tests.tuning.storage.kills", "--kills", "5"]
    done = subprocess.run(
        [*command, *ALGORITHMS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = map(json.loads, done.stdout.splitlines())
    return {row["algorithm"]: row for row in rows}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_killed_search_loses_nothing_and_goes_on_alike(algorithm, rows):
    row = rows[algorithm]
    assert row["kills"] >= 1 and row["trials"] >= 10
    assert row["lost"] == 0
    assert row["repeated_after_end"] == 0
    assert row["trials_begun_again"] <= row["kills"]
    assert row["same_sequence"]
