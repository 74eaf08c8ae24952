"""Measures the cost of changing the rate of a model in training.

It runs 1,000 training steps of an MLP, 784-1024-1024-1024-10, batch 256. Each step is a
call of `train_on_batch`. Before it, Python may change the rate of the three dropout
layers:

- `constant`: Python does not change it.
- `set`: Python sets `layer.rate` before every step.
- `schedule`: a `Ramp` decides the rate of every step.
- `recompiled`: Python sets the rate of Keras's layers before every hundredth step. The
  compiled step holds the rate as a constant, so the benchmark compiles the model again.
  The model keeps the state of its optimizer.

    KERAS_BACKEND=tensorflow python -m benchmarks.live_rate

It does not run on PyTorch, where Keras does not compile the step and any rate is live.
The ways run in turn, in blocks of 100 steps. About 3 minutes per backend on 2 cores.
Writes results/live_rate.csv; rows of the other backends stay. `of_constant` is the
ratio of the least time of a block to that of a constant rate in the same package, and
`all_of_constant` is the same ratio for all steps. `traces` counts how often a block
traced the training step. Fails if `set` takes more than 1.02 times `constant`, or if a
way other than `recompiled` traces again.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kdropout
from benchmarks import reporting, timing, training_step

BACKEND = keras.backend.backend()
STEPS = 100  # of a block; much longer blocks are seldom undisturbed
ROUNDS = 10
BATCH_SIZE = 256
RATES = np.linspace(0.5, 0.1, STEPS).tolist()
LIMIT = 1.02


class Counted(keras.Sequential):
    """A model that counts the traces of its training step."""

    traces = 0

    def train_step(self, *arguments):
        self.traces += 1
        return super().train_step(*arguments)


def leave(model, step):
    """Do nothing: the rate stays, or a schedule changes it."""


def set_rates(model, step):
    for layer in model.dropout_layers:
        layer.rate = RATES[step]


def recompile(model, step):
    if step == 0:
        set_rates(model, step)
        model.compile(model.optimizer, training_step.LOSS)


# The function that Python calls before each step, and the traces that a block needs.
ARMS = {
    ("kdropout", "constant"): (leave, 0),
    ("kdropout", "set"): (set_rates, 0),
    ("kdropout", "schedule"): (leave, 0),
    ("keras", "constant"): (leave, 0),
    ("keras", "recompiled"): (recompile, 1),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    rows, problems = measure(), []
    for row in rows:
        print(row)
        arm = row["package"], row["rate"]
        if row["traces"] != ARMS[arm][1]:
            problems.append(f"{row['traces']} traces of {arm}")
        if arm == ("kdropout", "set") and row["of_constant"] > LIMIT:
            problems.append(f"`set` takes more than {LIMIT} times `constant`")
    rows += reporting.rows_of_other_backends("live_rate")
    print(reporting.write_csv("live_rate", rows))
    sys.exit(f"Missed the target: {problems}" if problems else 0)


def measure(rounds=ROUNDS):
    """Rows of all arms."""
    models = {arm: build(*arm) for arm in ARMS}
    ways = {arm: run(model, ARMS[arm][0]) for arm, model in models.items()}
    for way in ways.values():
        way()  # compiles
    before = {arm: model.traces for arm, model in models.items()}
    seconds = timing.in_turn(ways, rounds)
    least = {arm: min(values) for arm, values in seconds.items()}
    whole = {arm: sum(values) for arm, values in seconds.items()}
    return [
        {
            "backend": BACKEND,
            "package": package,
            "rate": rate,
            "steps": STEPS * rounds,
            "all_s": round(whole[package, rate], 2),
            "min_ms": round(1e3 * least[package, rate] / STEPS, 3),
            "of_constant": round(least[package, rate] / least[package, "constant"], 4),
            "all_of_constant": round(
                whole[package, rate] / whole[package, "constant"], 3
            ),
            "traces": (models[package, rate].traces - before[package, rate]) / rounds,
        }
        for package, rate in seconds
    ]


def build(package, rate):
    """The compiled model."""
    keras.utils.set_random_seed(0)
    dropout = {"kdropout": kdropout.layers, "keras": keras.layers}[package].Dropout
    value = RATES[0]
    if rate == "schedule":
        # It changes in all rounds, also in the first one, which does not count.
        value = kdropout.schedules.Ramp(RATES[0], RATES[-1], STEPS * (ROUNDS + 1))
    layers = [keras.Input((784,))]
    for _ in range(3):
        layers += [keras.layers.Dense(1024, activation="relu"), dropout(value)]
    model = Counted([*layers, keras.layers.Dense(training_step.CLASSES)])
    model.dropout_layers = [x for x in model.layers if isinstance(x, dropout)]
    model.compile(training_step.optimizer(), training_step.LOSS)
    return model


def run(model, before_step):
    """A function that runs all steps."""
    batch = training_step.random_batch(model, BATCH_SIZE)

    def way():
        for step in range(STEPS):
            before_step(model, step)
            model.train_on_batch(*batch)  # waits for the loss

    return way


if __name__ == "__main__":
    main()
