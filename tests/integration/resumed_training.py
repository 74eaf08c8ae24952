"""Trains, is killed, and resumes, in new processes: the script of test_resume.

    python resumed_training.py FOLDER KILL...

KILL is "batch:begin" or "batch:end"; batches are counted from 0 through all epochs. The
script writes whole.npz, the final state of the uninterrupted training, into FOLDER, and
resumed_<i>.npz, the final state of the training that the i-th KILL hit.

Keras is imported once. Each training is a fork of this process, made before the backend
has run anything, so the fork is as fresh as a new interpreter.
"""

import json
import os
import signal
import sys
import traceback

# Threads do not survive a fork, and OpenBLAS would start some with NumPy.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kdropout

BATCHES, EPOCHS, BATCH_SIZE = 8, 5, 16
SECONDS = 300  # a training takes 2; SIGALRM ends one that hangs
SCHEDULE = {"start": 0.6, "end": 0.1, "steps": 30}


class Kill(keras.callbacks.Callback):
    """Counts batches, and kills the process at one of them."""

    def __init__(self, point=None):
        super().__init__()
        self.point = point
        self.batches = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self.strike(batch, "begin")

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.strike(batch, "end")

    def strike(self, batch, side):
        if self.point == f"{self.epoch * BATCHES + batch}:{side}":
            os.kill(os.getpid(), signal.SIGKILL)


def make_model():
    rates = {
        "scheduled": kdropout.schedules.Ramp(**SCHEDULE),
        "learned": kdropout.LearnedRate(0.3, regularizer=1e-4),
        "controlled": 0.2,
        "automatic": 0.3,
    }
    model = keras.Sequential([keras.Input((8,))])
    for name, rate in rates.items():
        model.add(keras.layers.Dense(16, "relu"))
        # No seed is given, because the backup must restore the random one.
        model.add(kdropout.layers.Dropout(rate, name=name))
    model.add(keras.layers.Dense(1))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def train(backup, seed, kill=None):
    """Train to the end, or to the point of the kill; return the final state."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(BATCHES * BATCH_SIZE, 8)).astype("float32")
    y = np.sin(x.sum(axis=1, keepdims=True))
    validation = generator.normal(size=(64, 8)).astype("float32")
    keras.utils.set_random_seed(seed)
    model = make_model()
    kill = Kill(kill)
    history = model.fit(
        x,
        y,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        validation_data=(validation, np.sin(validation.sum(axis=1, keepdims=True))),
        callbacks=[
            kdropout.callbacks.OverfittingGap((x, y), max_samples=100),
            kdropout.callbacks.GapController(0.0, gain=1.0, layers="controlled"),
            kdropout.callbacks.AutoRate(layers="automatic"),
            kdropout.callbacks.RateLogger(),
            keras.callbacks.BackupAndRestore(backup, delete_checkpoint=False),
            kill,
        ],
    )
    variables = [*model.variables, *model.optimizer.variables]
    state = {v.path: keras.ops.convert_to_numpy(v) for v in variables}
    if len(state) != len(variables):
        raise RuntimeError("Two variables share a path.")
    logs = {f"log {name}": values[-1] for name, values in history.history.items()}
    return {**state, **logs, "batches": kill.batches}


def train_to_the_end(name, backup, seed):
    np.savez(f"{name}.npz", **train(backup, seed))


def fork(function, *args, **kwargs):
    """Call `function` in a fork; return the signal that ended it, or 0."""
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        try:
            function(*args, **kwargs)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if os.WEXITSTATUS(status):
        raise RuntimeError("A training failed; see above.")
    return 0


def main(folder, *kills):
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("There are threads already: a fork would not be sound.")

    os.chdir(folder)
    fork(train_to_the_end, "whole", "backup_whole", seed=0)
    signals = []
    for index, kill in enumerate(kills):
        backup = f"backup_{index}"
        signals.append(fork(train, backup, seed=0, kill=kill))
        # With a backup, the result must not depend on the state at the restart.
        seed = 1 if os.path.exists(backup) else 0
        fork(train_to_the_end, f"resumed_{index}", backup, seed)
    print(json.dumps({"signals": signals}))


if __name__ == "__main__":
    main(*sys.argv[1:])
