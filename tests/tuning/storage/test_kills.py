"""A search that is killed at any moment continues like an uninterrupted one."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.tuning.storage.kills import ALGORITHMS, CONFIRMATION, LIMITED

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]


QUICK = [name for name in ALGORITHMS if name != "bayesian"]  # which writes the same
KILLS = 5
FILES = 16  # the files that a search writes in its first two trials, and some more


def run(*arguments):
    """Run the searches in a process that can fork; return its rows by algorithm."""
    command = [sys.executable, "-m", "tests.tuning.storage.kills", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = map(json.loads, done.stdout.splitlines())
    return {row["algorithm"]: row for row in rows}


@pytest.fixture(scope="module")
def at_random():
    return run(*ALGORITHMS, *LIMITED, CONFIRMATION, "--kills", str(KILLS))


@pytest.fixture(scope="module")
def at_files():
    return run(*QUICK, *LIMITED, CONFIRMATION, "--files", str(FILES), "--trials", "7")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_killed_at_random_loses_nothing_and_continues_identically(
    algorithm, at_random
):
    row = at_random[algorithm]
    assert row["kills"] == KILLS and row["trials"] >= 10
    assert row["lost"] == 0
    assert row["repeated_after_end"] == 0
    assert row["trials_begun_again"] <= row["kills"]
    assert row["other_sequences"] == 0


@pytest.mark.parametrize("algorithm", LIMITED)
def test_limited_search_that_is_killed_equals_one_without_kills_and_timeouts(
    algorithm, at_random
):
    row = at_random[algorithm]
    assert row["kills"] == KILLS and row["trials"] == 30
    assert 5 < row["stopped"] < 25  # by the median
    assert row["lost"] == 0
    assert row["repeated_after_end"] == 0
    assert row["other_sequences"] == 0  # including the epochs and the stopped trials


def test_confirmation_that_is_killed_repeats_no_training_and_loses_no_score(at_random):
    row = at_random[CONFIRMATION]
    assert row["kills"] == KILLS and row["trials"] == 80  # four settings, 20 seeds
    assert row["lost"] == 0
    assert row["repeated_after_end"] == 0
    assert row["trials_begun_again"] <= row["kills"]
    assert row["other_sequences"] == 0


@pytest.mark.parametrize("algorithm", [*QUICK, *LIMITED, CONFIRMATION])
def test_search_killed_at_any_file_continues_identically(algorithm, at_files):
    row = at_files[algorithm]
    assert row["kills"] == 2 * FILES
    assert row["lost"] == 0
    assert row["repeated_after_end"] == 0
    assert row["other_sequences"] == 0
