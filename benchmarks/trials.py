"""How many trials per minute does the tuner run, compared with that of KerasTuner?

The data are handwritten digits (900 for training, 400 for validation). Each trial has 5
epochs, batches of 32 and no shuffling. A random search tries the rates of all dropout
layers of three models:

1. an MLP, 64-256-256-10;
2. the same MLP, with the learning rate searched as well;
3. a small convolutional net on 8 x 8, with two blocks of convolution and pooling, then
   64 units.

Both tuners have the same oracle and seed, and the function that builds the model sets
the seed of its weights. So on TensorFlow, all scores must be equal to the bit. (On JAX,
a convolution in a loop of steps may round differently from one in a single step.) The
tuners run in turn in one process, a few trials at a time. "steady" does not include the
first of these rounds, in which models are traced. "with the first" is the time of all
20 trials.

At the end, the benchmark compares the memory of the process before and after 100 more
trials of kdropout's tuner.

    python -m benchmarks.trials

Run it once for each backend, also with KERAS_BACKEND=jax. Each run replaces the rows of
its backend in results/trials.csv, and takes about 4 minutes on 2 cores. Fails if the
MLP is not 15 times as fast steady and 8 times with the first trial, if it is not 12
times as fast steady with the learning rate, if the convolutional net is not 6 times as
fast, if a score differs, or if the memory grows by 5 MB.
"""

import os
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy as np
from sklearn.datasets import load_digits

import kdropout
from benchmarks import reporting, timing
from kdropout import tuning

BACKEND = keras.backend.backend()
TRAIN, VALIDATION = slice(0, 900), slice(900, 1300)
EPOCHS = 5
ROUNDS, TRIALS_PER_ROUND = 5, 4  # 20 trials of each side
MEMORY_WARM_UP, MEMORY_TRIALS = 20, 100
MEMORY_LIMIT_MB = 5.0
# For each net, the least ratio in the steady state and with the first round.
TARGETS = {
    "mlp": (15.0, 8.0),
    "mlp, learning rate": (12.0, 1.0),
    "convnet": (6.0, 1.0),
}
SEED = 1


def main():
    rows, problems = [], []
    for net, targets in TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            row, tuner = compare(net, folder)
            row |= memory(tuner, net)
        rows.append(row)
        print(row, flush=True)
        ratios = (row["steady_ratio"], row["ratio_with_first"])
        is_slow = any(np.less(ratios, targets))
        is_other = BACKEND == "tensorflow" and not row["equal_scores"]
        if is_slow or is_other:
            problems.append(net)
        if row["memory_growth_mb"] >= MEMORY_LIMIT_MB:
            problems.append(f"memory of {net}")
    others = reporting.rows_of_other_backends("trials")
    print(reporting.write_csv("trials", others + rows))
    sys.exit(f"Missed the target: {problems}" if problems else 0)


def compare(net, folder):
    """A row of results, and kdropout's tuner."""
    sides = {
        name: timed(kind)(
            lambda hp: build(hp, net),
            "val_loss",
            max_trials=0,
            seed=SEED,
            directory=folder,
            project_name=name,
        )
        for name, kind in [
            ("keras_tuner", keras_tuner.RandomSearch),
            ("kdropout", tuning.RandomSearch),
        ]
    }
    for number in range(ROUNDS):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            run(sides[name], TRIALS_PER_ROUND, net)
    seconds = {name: np.array(side.seconds) for name, side in sides.items()}
    steady = {name: times[TRIALS_PER_ROUND:] for name, times in seconds.items()}
    ratio, interval = timing.ratio_of_medians(
        steady["keras_tuner"], steady["kdropout"], digits=1, in_turn=False
    )
    scores = [[t.score for t in s.oracle.trials.values()] for s in sides.values()]
    row = {"backend": BACKEND, "net": net, "trials": ROUNDS * TRIALS_PER_ROUND}
    for name, times in steady.items():
        row[f"{name}_per_minute"] = round(60 / float(np.median(times)), 1)
    row |= {
        "steady_ratio": round(ratio, 1),
        "steady_interval": interval,
        "ratio_with_first": round(
            float(seconds["keras_tuner"].sum() / seconds["kdropout"].sum()), 1
        ),
        "equal_scores": scores[0] == scores[1],
    }
    return row, sides["kdropout"]


def memory(tuner, net):
    """Growth of the memory of this process over more trials."""
    run(tuner, MEMORY_WARM_UP, net)
    before = resident_mb()
    run(tuner, MEMORY_TRIALS, net)
    return {"memory_growth_mb": round(resident_mb() - before, 1)}


def timed(kind):
    """The tuner class, which also records the seconds of each trial."""

    class Timed(kind):
        seconds = None

        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            self.seconds = [*(self.seconds or []), time.perf_counter() - self.begin]
            self.begin = time.perf_counter()

        def on_search_begin(self):
            self.begin = time.perf_counter()

    return Timed


def run(tuner, num_trials, net):
    """Run some more trials."""
    tuner.oracle.max_trials += num_trials
    x, y = data(net)
    tuner.search(
        x[TRAIN],
        y[TRAIN],
        validation_data=(x[VALIDATION], y[VALIDATION]),
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
    )


def data(net):
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype("float32")
    return (x.reshape(-1, 8, 8, 1), y) if net == "convnet" else (x, y)


def build(hp, net):
    keras.utils.set_random_seed(SEED)
    stack = convnet() if net == "convnet" else mlp()
    model = keras.Sequential([*stack, keras.layers.Dense(10, activation="softmax")])
    optimizer = "adam"
    if "learning rate" in net:
        step = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        optimizer = keras.optimizers.Adam(step)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return tuning.tune_rates(hp, model)


def mlp():
    yield keras.Input((64,))
    for number in range(2):
        yield keras.layers.Dense(256, activation="relu")
        yield kdropout.layers.Dropout(0.5, name=f"drop{number}")


def convnet():
    yield keras.Input((8, 8, 1))
    for number, filters in enumerate((16, 32)):
        yield keras.layers.Conv2D(filters, 3, padding="same", activation="relu")
        yield keras.layers.MaxPooling2D()
        yield kdropout.layers.SpatialDropout2D(0.2, name=f"map_drop{number}")
    yield keras.layers.Flatten()
    yield keras.layers.Dense(64, activation="relu")
    yield kdropout.layers.Dropout(0.5, name="drop")


def resident_mb():
    """The memory of the process, in MB (Linux)."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
