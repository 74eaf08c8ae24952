"""Kills searches at 30 random moments, and resumes them each time.

For each algorithm, a search runs once without and once with SIGKILL at random moments.
A plain function of the hyperparameters replaces training, so that kills also happen
while files are written.

The benchmark counts the kills, and those that happened while a file was written. It
counts the trials that began again, that were lost after they had ended, and that ran
once more after they had ended. It also counts the searches whose trials differ from
those without kills, in number, values, scores or order. If a search ends before the
last kill, another search follows. The search "limited" also stops every few trials at
its timeout and goes on, and the median of earlier trials stops bad ones. Its trials and
their epochs are compared with those of a search without timeout. The search "folds"
does the same with a cross-validation. For "confirmation", the trials are the trainings
of a confirmation.

    python -m benchmarks.search_kills

About 3 minutes on 2 cores. Writes results/search_kills.csv.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import reporting

ROOT = Path(__file__).parents[1]

# Gaussian processes take longest.
TRIALS = {
    "random": 60,
    "bayesian": 16,
    "hyperband": None,
    "grid": 140,
    "limited": 60,
    "folds": 60,
    "confirmation": None,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="for each algorithm")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = [
        killed_search(algorithm, arguments.kills, arguments.seed)
        for algorithm in TRIALS
    ]
    print(reporting.write_csv("search_kills", rows))


def killed_search(algorithm, num_kills, seed):
    """A row of the table. The search runs in a process that can fork."""
    command = [sys.executable, "-m", "tests.tuning.storage.kills", algorithm]
    command += ["--kills", str(num_kills), "--seed", str(seed)]
    if TRIALS[algorithm] is not None:
        command += ["--trials", str(TRIALS[algorithm])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    row = json.loads(done.stdout)
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
