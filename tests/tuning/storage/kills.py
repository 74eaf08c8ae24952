"""Searches that are killed at random moments, and their results.

    python -m tests.tuning.storage.kills --kills 5 random grid

This runs in a separate process, which forks: a child searches, with a plain function
instead of training, and this process kills it. The child computes nothing with the
backend of Keras, whose threads do not survive a fork.
"""

import argparse
import functools
import itertools
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_tuner
import numpy as np

from kdropout import tuning
from kdropout.tuning import histories
from kdropout.tuning.confirmation_run import CONFIRMATION_FILE, ConfirmationRun
from kdropout.tuning.report import TrialRecord

# Long enough that kills also hit a trial, and not only the files.
_SECONDS_PER_TRIAL = 0.002

_EPOCHS = 4

# In seconds; a child also needs some time to begin.
_SHORTEST_SPAN = 0.03

# Every second kill waits up to this time for the writing of a file, to hit it.
_SECONDS_FOR_A_WRITE = 1.0


def space():
    """Declare rates on a grid; one of them depends on another hyperparameter."""
    hp = keras_tuner.HyperParameters()
    hp.Float("rate/first", 0.0, 0.6, step=0.1)
    hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        hp.Float("rate/deep", 0.1, 0.4, step=0.1)
    hp.Float("rate/last", 0.0, 0.3, step=0.1)
    return hp


def function_of(values):
    """Replaces training: returns the score of a trial."""
    epochs = values.get("tuner/epochs", 1)
    first, deep = values["rate/first"], values.get("rate/deep", 0.25)
    return (first - 0.3) ** 2 + (deep - 0.2) ** 2 + values["rate/last"] / epochs


class Plain:
    """Computes the function instead of training, and records the call."""

    notes = None  # path of a file

    def run_trial(self, trial, *args, **kwargs):
        with open(self.notes, "a") as file:
            file.write(f"{trial.trial_id}\n")
        time.sleep(_SECONDS_PER_TRIAL)
        return function_of(trial.hyperparameters.values)


class WithoutModel(keras_tuner.HyperModel):
    """A hypermodel for `InEpochs`, which does not build a model."""

    def build(self, hp):
        return None


class InEpochs:
    """Computes the function in epochs, with the callbacks of a training."""

    notes = None  # path of a file

    def run_trial(self, trial, *args, **kwargs):
        with open(self.notes, "a") as file:
            file.write(f"{trial.trial_id}\n")
        return super().run_trial(trial, *args, **kwargs)

    def _build_and_fit_model(self, trial, *args, callbacks, **kwargs):
        model = types.SimpleNamespace(stop_training=False, variables=[])
        for callback in callbacks:
            callback.set_params({"epochs": _EPOCHS})
            callback.set_model(model)
        score = function_of(trial.hyperparameters.values) + 0.01 * self._execution
        for epoch in range(kwargs.get("epochs", _EPOCHS)):
            time.sleep(_SECONDS_PER_TRIAL / _EPOCHS)
            logs = {"score": score + 0.02 / (1 + epoch)}
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        return logs


def make_kind(base, way):
    """Return the tuner `base` with the function instead of training."""
    return type(base.__name__, (way, base), {})


ALGORITHMS = {
    "random": (tuning.RandomSearch, {"max_trials": 40}),
    "bayesian": (
        tuning.BayesianOptimization,
        {"max_trials": 10, "num_initial_points": 6},
    ),
    "hyperband": (tuning.Hyperband, {"max_epochs": 9, "hyperband_iterations": 2}),
    "grid": (tuning.GridSearch, {"max_trials": 60}),
    "halving": (
        tuning.SuccessiveHalving,
        {
            "max_epochs": 8,
            "settings": [
                {},
                {"rate/first": 0.1},
                {"rate/first": 0.2, "kind": "deep", "rate/deep": 0.2},
                {"rate/first": 0.3},
                {"rate/first": 0.3, "rate/last": 0.1},
                {"rate/first": 0.4},
                {"kind": "deep"},
                {"rate/last": 0.2},
            ],
        },
    ),
}

# A search that is stopped by its timeout every few trials, and then goes on.
LIMITED = {
    "limited": (
        tuning.RandomSearch,
        {
            "max_trials": 30,
            "executions_per_trial": 2,
            "timeout": 0.04,
            "median_stopping": {"warmup_trials": 3, "warmup_epochs": 1},
            "initial_trials": [{"rate/first": 0.5, "kind": "deep"}, {}],
        },
    ),
    "folds": (
        tuning.RandomSearch,
        {
            "max_trials": 30,
            "timeout": 0.06,
            "median_stopping": {"warmup_trials": 3, "warmup_epochs": 1},
        },
    ),
}

# The arguments of `search`.
DATA = {"folds": {"x": np.zeros((9, 1)), "y": np.arange(9) % 3, "folds": 3}}

# This replaces `max_trials` for a short search of 6 or 7 trials.
SHORT = {
    "hyperband": {"max_epochs": 3, "hyperband_iterations": 1},
    "halving": {"settings": ALGORITHMS["halving"][1]["settings"][:4]},
}


def make_tuner(algorithm, folder, **kwargs):
    """Make a tuner of a new or existing search in `folder`."""
    base, arguments = {**ALGORITHMS, **LIMITED}[algorithm]
    arguments = {"objective": keras_tuner.Objective("score", "min"), **arguments}
    is_limited = algorithm in LIMITED
    kind = make_kind(base, InEpochs if is_limited else Plain)
    kind.notes = pathlib.Path(folder, "notes")
    arguments = {"hyperparameters": space(), "seed": 3, **arguments, **kwargs}
    hypermodel = WithoutModel() if is_limited else None
    return kind(hypermodel, directory=folder, project_name="search", **arguments)


def finish(tuner, **data):
    """Search, again after each timeout, until the search ends by itself."""
    tuner.search(**data, verbose=0)
    while tuner.budget.timeout is not None and (
        tuner.remaining_trials or len(tuner.oracle.end_order) < len(tuner.oracle.trials)
    ):
        tuner.search(**data, verbose=0)


# The confirmation of a search, with a function instead of training.

CONFIRMATION = "confirmation"
_SEEDS = 20


class PlainConfirmation(ConfirmationRun):
    """Computes the function instead of training, and records the call."""

    notes = None  # path of a file

    def _train(self, setting, seed):
        with open(self.notes, "a") as file:
            file.write(f"{json.dumps(setting)}-{seed}\n".replace(" ", ""))
        time.sleep(_SECONDS_PER_TRIAL)
        return (setting["first"] - 0.3) ** 2 + 0.01 * seed


def confirm(folder):
    """Confirm three settings with a record of their trainings in `folder`."""
    records = [
        TrialRecord(str(n), {"rate/first": r}, {"first": r}, abs(r - 0.3))
        for n, r in enumerate((0.1, 0.2, 0.5))
    ]
    objective = keras_tuner.Objective("val_score", "min")
    tuner = types.SimpleNamespace(
        oracle=types.SimpleNamespace(objective=objective),
        get_best_hyperparameters=lambda: [keras_tuner.HyperParameters()],
    )
    run = PlainConfirmation(
        tuner, None, True, "score", "min", {}, pathlib.Path(folder, CONFIRMATION_FILE)
    )
    run.notes = pathlib.Path(folder, "notes")
    run.run(records, None, top=3, seeds=_SEEDS, show=False)


def _kept(folder):
    """The scores in the file of a confirmation, as pairs of training and score."""
    path = pathlib.Path(folder, CONFIRMATION_FILE)
    scores = json.loads(path.read_text())["scores"] if path.exists() else []
    return [
        (f"{json.dumps(s['setting'])}-{s['seed']}".replace(" ", ""), s["score"])
        for s in scores
    ]


def results(folder):
    """Return number, values, score and status of the trials, in their order."""
    state = json.loads(pathlib.Path(folder, "search", "oracle.json").read_text())
    trials = {trial["trial_id"]: trial for trial in state["trials"]}
    return [
        (
            i,
            trials[i]["hyperparameters"]["values"],
            trials[i]["score"],
            trials[i]["status"],
        )
        for i in state["start_order"]
    ]


def epochs(folder):
    """Return the epochs of each trial, and when the median stopped it, or None."""
    names = [name for name, *_ in results(folder)]
    known = histories.of_trials(pathlib.Path(folder, "search"), names).values()
    return [history and (history.rows, history.stopped_after) for history in known]


def outcome(folder):
    """Return all that two searches are compared by."""
    if not pathlib.Path(folder, "search").exists():
        return _kept(folder), []
    return results(folder), epochs(folder)


def ended(folder):
    """Return the completed trials in the file of the search, or the trainings."""
    if pathlib.Path(folder, CONFIRMATION_FILE).exists():
        return [name for name, _ in _kept(folder)]
    try:
        return json.loads(pathlib.Path(folder, "search", "oracle.json").read_text())[
            "end_order"
        ]
    except FileNotFoundError:
        return []


def notes(folder):
    path = pathlib.Path(folder, "notes")
    return path.read_text().split() if path.exists() else []


def begin(algorithm, folder, prepare=lambda: None, **kwargs):
    """Search in a child, after a call of `prepare`; return its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        prepare()
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # KerasTuner prints that it reloads
        if algorithm == CONFIRMATION:
            confirm(folder)
        else:
            finish(make_tuner(algorithm, folder, **kwargs), **DATA.get(algorithm, {}))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(child, seconds=float("inf")):
    """Return the exit code of a child, or None if it still runs after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.0002)


def kill_search(algorithm, num_kills, seed, **kwargs):
    """Search with kills; return the result as a dict.

    If a search ends before the given number of kills, another one follows.
    """
    rng = random.Random(f"{algorithm} {seed}")
    row = {
        "algorithm": algorithm,
        "trials": 0,
        "stopped": 0,
        "searches": 0,
        "kills": 0,
        "kills_within_a_write": 0,
        "trials_begun_again": 0,
        "lost": 0,
        "repeated_after_end": 0,
        "other_sequences": 0,
    }
    with tempfile.TemporaryDirectory() as whole:
        start = time.monotonic()
        _require_end(wait(begin(algorithm, whole, **kwargs, timeout=None)))
        span = max(2 * (time.monotonic() - start) / num_kills, _SHORTEST_SPAN)
        expected = outcome(whole)
    row["trials"] = len(expected[0])
    row["stopped"] = sum(bool(entry and entry[1]) for entry in expected[1])
    while row["kills"] < num_kills:
        with tempfile.TemporaryDirectory() as folder:
            make = functools.partial(begin, algorithm, folder, **kwargs)
            while _is_killed(row, make(), folder, num_kills, rng.uniform(0, span)):
                _check_committed(row, folder)
            _check_committed(row, folder)
            row["searches"] += 1
            row["trials_begun_again"] += len(notes(folder)) - row["trials"]
            row["other_sequences"] += outcome(folder) != expected
    return row


def _is_killed(row, child, folder, num_kills, seconds):
    """Kill a child after a time if it still runs; return whether it was killed."""
    is_last = row["kills"] == num_kills
    code = wait(child, float("inf") if is_last else seconds)
    if code is not None:
        _require_end(code)
        return False
    if row["kills"] % 2:
        _wait_for_a_write(folder, child)
    os.kill(child, signal.SIGKILL)
    if wait(child) == 0:  # it was about to end
        return False
    row["kills"] += 1
    row["kills_within_a_write"] += _num_unfinished(folder, child)
    return True


def kill_at_each_file(algorithm, num_files, **kwargs):
    """Kill a search just before and after each of its first files is put in place."""
    row = {"algorithm": algorithm, "kills": 0, "lost": 0, "repeated_after_end": 0}
    with tempfile.TemporaryDirectory() as whole:
        _require_end(wait(begin(algorithm, whole, **kwargs, timeout=None)))
        expected = outcome(whole)
    row["other_sequences"] = 0
    for at in range(num_files):
        for late in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                prepare = functools.partial(_die_at_file, at, late)
                code = wait(begin(algorithm, folder, prepare, **kwargs))
                row["kills"] += code == -signal.SIGKILL
                _check_committed(row, folder)
                _require_end(wait(begin(algorithm, folder, **kwargs)))
                _check_committed(row, folder)
                row["other_sequences"] += outcome(folder) != expected
    return row


def _die_at_file(at, late):
    """Kill this process before or after it puts the file number `at` in its place."""
    replace, numbers = os.replace, itertools.count()

    def replace_or_die(*paths):
        is_the_one = next(numbers) == at
        if is_the_one and not late:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*paths)
        if is_the_one:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace_or_die


def _wait_for_a_write(folder, child):
    """Return when the child writes the file of all results, or after a while."""
    begun = [
        os.path.join(folder, "search", f".{child}.oracle.json"),
        os.path.join(folder, f".{child}.{CONFIRMATION_FILE}"),
    ]
    end = time.monotonic() + _SECONDS_FOR_A_WRITE
    while not any(map(os.path.exists, begun)) and time.monotonic() < end:
        pass


def _require_end(code):
    if code != 0:
        raise RuntimeError(f"The search must end by itself. Received: exit code {code}")


def _check_committed(row, folder):
    """Count completed trials that are lost or ran again."""
    path = pathlib.Path(folder, "ended.json")
    before, num_notes = json.loads(path.read_text()) if path.exists() else ([], 0)
    now, noted = ended(folder), notes(folder)
    row["lost"] += len(set(before) - set(now))
    row["repeated_after_end"] += len(set(before) & set(noted[num_notes:]))
    path.write_text(json.dumps([now, len(noted)]))


def _num_unfinished(folder, child):
    """Return 1 if the child was killed while it was writing a file, else 0."""
    return int(any(pathlib.Path(folder).rglob(f".{child}.*")))


CHOICES = [*ALGORITHMS, *LIMITED, CONFIRMATION]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("algorithms", nargs="+", choices=CHOICES)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, help="instead of the number above")
    parser.add_argument("--files", type=int, help="kill at each of so many files")
    options = parser.parse_args()
    for algorithm in options.algorithms:
        limit = {} if options.trials is None else {"max_trials": options.trials}
        if limit:
            limit = SHORT.get(algorithm, limit)
        if options.files is None:
            row = kill_search(algorithm, options.kills, options.seed, **limit)
        else:
            row = kill_at_each_file(algorithm, options.files, **limit)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
