"""Searches that are killed at random moments, and what became of them.

    python -m tests.tuning.storage.kills --kills 5 random grid

A process of its own, which forks: a child searches, with a plain function in the place
of training, and this process kills it. The child computes nothing with the backend of
Keras, whose threads a fork does not take along.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_tuner

from kdropout import tuning

# Long enough that kills also hit a trial, and not the files alone.
_SECONDS_PER_TRIAL = 0.002


def space():
    """Rates on a grid, one of them only where another hyperparameter says so."""
    hp = keras_tuner.HyperParameters()
    hp.Float("rate/first", 0.0, 0.6, step=0.1)
    hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        hp.Float("rate/deep", 0.1, 0.4, step=0.1)
    hp.Float("rate/last", 0.0, 0.3, step=0.1)
    return hp


def function_of(values):
    """What takes the place of training: the score of a trial."""
    epochs = values.get("tuner/epochs", 1)
    first, deep = values["rate/first"], values.get("rate/deep", 0.25)
    return (first - 0.3) ** 2 + (deep - 0.2) ** 2 + values["rate/last"] / epochs


class Plain:
    """Computes the function instead of training, and notes that it was asked."""

    notes = None  # path of a file

    def run_trial(self, trial, *args, **kwargs):
        with open(self.notes, "a") as file:
            file.write(f"{trial.trial_id}\n")
        time.sleep(_SECONDS_PER_TRIAL)
        return function_of(trial.hyperparameters.values)


def make_kind(base):
    """The tuner `base` with the function in the place of training."""
    return type(base.__name__, (Plain, base), {})


ALGORITHMS = {
    "random": (tuning.RandomSearch, {"max_trials": 40}),
    "bayesian": (
        tuning.BayesianOptimization,
        {"max_trials": 10, "num_initial_points": 6},
    ),
    "hyperband": (tuning.Hyperband, {"max_epochs": 9, "hyperband_iterations": 2}),
    "grid": (tuning.GridSearch, {"max_trials": 60}),
}


def make_tuner(algorithm, folder, **kwargs):
    """A tuner of the search in `folder`, begun or new."""
    base, arguments = ALGORITHMS[algorithm]
    arguments = {"objective": keras_tuner.Objective("score", "min"), **arguments}
    kind = make_kind(base)
    kind.notes = pathlib.Path(folder, "notes")
    arguments = {"hyperparameters": space(), "seed": 3, **arguments, **kwargs}
    return kind(None, directory=folder, project_name="search", **arguments)


def results(folder):
    """Trials in the order of their beginning: number, values, score, status."""
    state = json.loads(pathlib.Path(folder, "search", "oracle.json").read_text())
    trials = {trial["trial_id"]: trial for trial in state["trials"]}
    return [
        (i, trials[i]["hyperparameters"]["values"], trials[i]["score"],
         trials[i]["status"])
        for i in state["start_order"]
    ]


def ended(folder):
    """The trials that have ended, as the file of the search tells."""
    try:
        return json.loads(pathlib.Path(folder, "search", "oracle.json").read_text())[
            "end_order"
        ]
    except FileNotFoundError:
        return []


def notes(folder):
    path = pathlib.Path(folder, "notes")
    return path.read_text().split() if path.exists() else []


def begin(algorithm, folder, **kwargs):
    """Search in a child; return its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # KerasTuner tells that it reloads
        make_tuner(algorithm, folder, **kwargs).search(verbose=0)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(child, seconds=float("inf")):
    """The exit code of a child, or None if it runs on after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.0002)


def kill_search(algorithm, num_kills, seed, **kwargs):
    """Search twice, the second time with kills; return what became of it as a dict."""
    rng = random.Random(f"{algorithm} {seed}")
    row = {
        "algorithm": algorithm,
        "trials": 0,
        "kills": 0,
        "kills_within_a_write": 0,
        "trials_begun_again": 0,
        "lost": 0,
        "repeated_after_end": 0,
        "same_sequence": False,
    }
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        _require_end(wait(begin(algorithm, whole, **kwargs)))
        # Each life gets as far, on average, as the kills leave it time to.
        span = 2 * (time.monotonic() - start) / num_kills
        while row["kills"] < num_kills:
            child = begin(algorithm, folder, **kwargs)
            code = wait(child, rng.uniform(0, max(span, 0.03)))
            if code is not None:
                _require_end(code)
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            row["kills"] += 1
            row["kills_within_a_write"] += _num_unfinished(folder, child)
            _check_committed(row, folder)
        _require_end(wait(begin(algorithm, folder, **kwargs)))
        _check_committed(row, folder)
        row["trials"] = len(results(whole))
        row["trials_begun_again"] = len(notes(folder)) - row["trials"]
        row["same_sequence"] = results(folder) == results(whole)
    return row


def _require_end(code):
    if code != 0:
        raise RuntimeError(f"The search must end by itself. Received: exit code {code}")


def _check_committed(row, folder):
    """Count trials that had ended and are no more, or ran once more."""
    path = pathlib.Path(folder, "ended.json")
    before, num_notes = json.loads(path.read_text()) if path.exists() else ([], 0)
    now, noted = ended(folder), notes(folder)
    row["lost"] += len(set(before) - set(now))
    row["repeated_after_end"] += len(set(before) & set(noted[num_notes:]))
    path.write_text(json.dumps([now, len(noted)]))


def _num_unfinished(folder, child):
    """1 if the child was killed between the begin and the end of writing a file."""
    return int(any(pathlib.Path(folder).rglob(f".{child}.*")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("algorithms", nargs="+", choices=list(ALGORITHMS))
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, help="instead of the number above")
    options = parser.parse_args()
    for algorithm in options.algorithms:
        limit = {} if options.trials is None else {"max_trials": options.trials}
        row = kill_search(algorithm, options.kills, options.seed, **limit)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
