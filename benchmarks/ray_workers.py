"""Measures the gain of a second worker on Ray, and the cost of killed workers.

The model is an MLP for digits (64-256-256-10). A random search tries its rates, and
each worker has one thread.

1. Trials per minute with 1 and with 2 local workers, in turn within one run. The steady
   state begins when every worker has ended a trial, so it excludes the start of
   processes and the compilation. The benchmark also reports the speed with them.
2. Ten trials each kill their worker once in the middle (SIGKILL). The benchmark counts
   the trials that complete.

    python -m benchmarks.ray_workers

About 5 minutes on 2 cores. Writes results/ray_workers.csv.
"""

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from sklearn.datasets import load_digits

import kdropout
from benchmarks import reporting
from kdropout import tuning

EPOCHS = 60  # a trial then takes between half a second and one second
TRIALS = 40
ROUNDS = 2  # of each number of workers, in turn
KILLS = 10
BATCH_SIZE = 64


class EndsItsWorker(keras.callbacks.Callback):
    """Kills its process in the middle of some trials, once for each trial.

    Args:
        folder: Path of a folder, with a file for each trial that was killed.
        kills: Integer, number of trials to kill.
    """

    def __init__(self, folder, kills):
        super().__init__()
        self.folder, self.kills = folder, kills

    def on_epoch_end(self, epoch, logs=None):
        rates = kdropout.rates(self.model).values()
        file = Path(self.folder, "-".join(f"{rate:.6f}" for rate in rates))
        hit = list(Path(self.folder).iterdir())
        if epoch == EPOCHS // 2 and file not in hit and len(hit) < self.kills:
            file.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Clocked(tuning.RandomSearch):
    """Records when each trial ends."""

    def on_search_begin(self):
        self.ends = [time.perf_counter()]

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        self.ends.append(time.perf_counter())


def build(hp):
    layers = [keras.Input((64,))]
    for name in ("first", "second"):
        layers.append(keras.layers.Dense(256, activation="relu"))
        layers.append(kdropout.layers.Dropout(0.3, name=name))
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return tuning.tune_rates(hp, model)


def search(data, num_workers, num_trials, callbacks=()):
    """A finished search on `num_workers` workers."""
    (x, y), validation = data
    with tempfile.TemporaryDirectory() as folder:
        tuner = Clocked(
            build,
            "val_loss",
            max_trials=num_trials,
            seed=0,
            directory=folder,
            workers=num_workers,
            ray_address=None if num_workers > 1 else "local",
            threads_per_worker=1,
        )
        tuner.search(
            x,
            y,
            validation_data=validation,
            epochs=EPOCHS,
            batch_size=BATCH_SIZE,
            callbacks=list(callbacks),
            verbose=0,
        )
    return tuner


def speed_row(data, num_workers, round_number):
    tuner = search(data, num_workers, TRIALS)
    begin, *ends = tuner.ends
    # By then, each worker has ended its first trial, which compiles the model.
    first = ends[2 * num_workers - 1]
    steady = (len(ends) - 2 * num_workers) / (ends[-1] - first)
    return {
        "what": f"{num_workers} workers, round {round_number + 1}",
        "trials": len(ends),
        "completed": _num_completed(tuner),
        "trials_per_minute_steady": round(60 * steady, 1),
        "trials_per_minute_with_start": round(60 * len(ends) / (ends[-1] - begin), 1),
        "seconds_until_first_result": round(ends[0] - begin, 1),
        "kills": 0,
        "ratio_to_one_worker": "",
    }


def kill_row(data):
    with tempfile.TemporaryDirectory() as killed:
        callback = EndsItsWorker(killed, KILLS)
        tuner = search(data, 2, 2 * KILLS, [callback])
        kills = len(list(Path(killed).iterdir()))
    begin, *ends = tuner.ends
    return {
        "what": "2 workers, killed in mid-trial",
        "trials": len(ends),
        "completed": _num_completed(tuner),
        "trials_per_minute_steady": "",
        "trials_per_minute_with_start": round(60 * len(ends) / (ends[-1] - begin), 1),
        "seconds_until_first_result": round(ends[0] - begin, 1),
        "kills": kills,
        "ratio_to_one_worker": "",
    }


def _num_completed(tuner):
    trials = tuner.oracle.trials.values()
    return sum(trial.status == "COMPLETED" for trial in trials)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype("float32")
    data = (x[:1200], y[:1200]), (x[1200:], y[1200:])
    rows = []
    for round_number in range(ROUNDS):
        one, two = (speed_row(data, n, round_number) for n in (1, 2))
        speeds = [row["trials_per_minute_steady"] for row in (one, two)]
        two["ratio_to_one_worker"] = round(speeds[1] / speeds[0], 2)
        rows += [one, two]
        print(*rows[-2:], sep="\n", flush=True)
    rows.append(kill_row(data))
    print(rows[-1])
    print(reporting.write_csv("ray_workers", rows))


if __name__ == "__main__":
    main()
