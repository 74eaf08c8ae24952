"""Three trainings and a search, to watch in TensorBoard while they run.

The labels of the digits are 30 % wrong. The trainings have a fixed rate of 0.3, a
schedule, and a controller that holds the overfitting gap at 0.4. A search of 12 trials
over the same rates follows. All of them write into "kdropout-demo/logs", which you open
with: tensorboard --logdir kdropout-demo/logs

The tab "Dropout" shows the rates of each layer and where they come from, the clean gap
beside the naive gap, and the rates that won the search. The tab "HParams" has a row for
each trial. The test error is 7 to 9 % with the fixed rate of 0.3, 4 to 6 % with the
schedule, and 4 to 6 % with the controller, depending on the backend.

    python examples/07_tensorboard.py

It takes about 25 seconds on two CPU cores.

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[tuner]"
"""

import pathlib
import shutil
import tempfile

import keras
import numpy as np
from sklearn.datasets import load_digits

import kdropout
from kdropout import callbacks, schedules, tuning

LOGS = pathlib.Path("kdropout-demo", "logs")
SEED = 0  # of the split, the noise, the initial weights, the masks and the search
NOISE = 0.3  # share of wrong labels, which a network with little dropout memorises
NUM_TRAINING, NUM_VALIDATION = 900, 400  # the other 497 images are for the test
EPOCHS = 40
STEPS = EPOCHS * -(-NUM_TRAINING // 32)  # per training, for the schedule
TARGET = 0.4  # nats between validation and training loss
TRIALS, EPOCHS_PER_TRIAL = 12, 20

generator = np.random.default_rng(SEED)
images, labels = load_digits(return_X_y=True)
order = generator.permutation(len(images))
images, labels = images[order] / 16.0, labels[order]
noisy = generator.permutation(NUM_TRAINING + NUM_VALIDATION)
noisy = noisy[: round(NOISE * len(noisy))]  # the test labels stay clean
labels[noisy] = generator.integers(0, 10, len(noisy))
ends = (NUM_TRAINING, NUM_TRAINING + NUM_VALIDATION)
x_train, x_validation, x_test = np.split(images, ends)
y_train, y_validation, y_test = np.split(labels, ends)
validation = (x_validation, y_validation)


def make_model(rate):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(256, activation="relu"),
            kdropout.layers.Dropout(rate, name="drop1"),
            keras.layers.Dense(256, activation="relu"),
            kdropout.layers.Dropout(rate, name="drop2"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(name, rate, *movers):
    """Train with one kind of rate, and print its test error."""
    keras.utils.set_random_seed(SEED)
    model = make_model(rate)
    model.fit(
        x_train,
        y_train,
        epochs=EPOCHS,
        validation_data=validation,
        callbacks=[
            # The order matters: first measure the gap, then write it and act on it.
            callbacks.OverfittingGap((x_train, y_train)),
            callbacks.TensorBoardRates(LOGS / name, drop_fraction_data=x_train[:256]),
            *movers,
        ],
        verbose=0,
    )
    accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
    print(f"Test error on clean labels, {name}: {1 - accuracy:.1%}", flush=True)


def build(hp):
    return tuning.tune_rates(hp, make_model(0.5), (0.0, 0.8))


shutil.rmtree(LOGS, ignore_errors=True)  # files of an earlier run
train("fixed", 0.3)
train("scheduled", schedules.Ramp(0.0, 0.7, STEPS))
train("controlled", 0.3, callbacks.GapController(target=TARGET))

with tempfile.TemporaryDirectory() as folder:  # for the files of the search
    tuner = tuning.BayesianOptimization(
        build,
        "val_loss",
        max_trials=TRIALS,
        seed=SEED + 1,  # because KerasTuner reads a seed of 0 as None
        directory=folder,
        log_dir=LOGS / "search",
    )
    data = {"validation_data": validation, "epochs": EPOCHS_PER_TRIAL}
    tuner.search(x_train, y_train, **data, verbose=0)
    plan = tuning.plan_of(tuner.get_best_models()[0])
    rates = plan.rates(tuner.get_best_hyperparameters()[0].values)
found = ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())
print(f"Rates that the search found: {found}")
print(f"Look at all of it: tensorboard --logdir {LOGS}")
