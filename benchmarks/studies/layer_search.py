"""Is a rate for each layer, found by a search, better than the best single rate?"""

import dataclasses

import keras

from benchmarks.studies import confirmations, findings, methods, trainings
from kdropout import layers

NAME = "layer_search"
SEEDS = 20  # of the confirmation; they differ from the seed of the search
TRIALS = 40
SEARCH_SEED = 1000  # also decides images and wrong labels
HERE = "benchmarks.studies.layer_search"


@dataclasses.dataclass(frozen=True)
class Search:
    """A search for the rates of the inputs and both hidden layers."""

    data: str
    samples: int
    noise: float
    updates: int
    seeds: int


def jobs(seeds):
    tasks = [
        ("mnist", 1000, 0.0, 1500),
        ("mnist", 5000, 0.3, 2400),
        ("fashion_mnist", 5000, 0.0, 1500),
    ]
    return [Search(*task, seeds) for task in tasks]


def run(search, data_dir):
    """A dict of the rates that the search found, and the results of confirming them."""
    return confirmations.run(
        lambda accuracy: 100 * (1 - accuracy),
        model={"build": f"{HERE}:build"},
        data={
            "function": f"{HERE}:load",
            "arguments": {**dataclasses.asdict(search), "data_dir": data_dir},
        },
        space={"*": (0.0, 0.8)},
        search={
            "algorithm": "BayesianOptimization",
            "max_trials": TRIALS,
            "seed": SEARCH_SEED,
        },
        objective={"metric": "val_loss", "scored_epoch": "last"},
        training={
            "epochs": round(search.updates * trainings.BATCH_SIZE / search.samples),
            "batch_size": trainings.BATCH_SIZE,
        },
        confirm={"top": 1, "seeds": search.seeds, "metric": "accuracy"},
    )


def load(data, samples, noise, updates, seeds, data_dir):
    """Training, validation and test data of the search and its confirmation."""
    training = trainings.Training("none", samples, SEARCH_SEED, data, noise)
    return trainings.split(training, data_dir)


def build(data):
    """The network of the other studies, with dropout in three places."""
    model = keras.Sequential([keras.Input(data.input_shape)])
    model.add(layers.Dropout(0.5, name="inputs"))
    for index, units in enumerate(methods.UNITS, start=1):
        model.add(keras.layers.Dense(units, "relu"))
        model.add(layers.Dropout(0.5, name=f"hidden{index}"))
    model.add(keras.layers.Dense(trainings.CLASSES, "softmax"))
    optimizer = keras.optimizers.Adam(trainings.LEARNING_RATE)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def tables(rows):
    header = ["task", "rates found: inputs, hidden 1, 2", "no dropout, %"]
    header += ["best single rate, %", "a rate for each, %"]
    header += ["gain over the single rate", "gain over none"]
    lines = [[title(row), *confirmations.cells(row)] for row in rows]
    return findings.table(header, lines)


def title(row):
    noise = f", {row['noise']:.0%} wrong labels" if row["noise"] else ""
    return f"{trainings.TITLES[row['data']]}, {row['samples']:,} images{noise}"


def draw(rows):
    xlabel = "points of test error, against no dropout"
    return confirmations.draw(rows, title, [xlabel] * len(rows))
