"""Is a rate for each layer, found by a search, better than the best single rate?"""

import dataclasses
import tempfile

import keras

from benchmarks.studies import figures, findings, methods, trainings
from kdropout import layers, tuning

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
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        job = tuning.Job(
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
            output=folder,
        )
        report = tuning.run_job(job, verbose=0)
    return _row(report)


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


def _row(report):
    confirmation = report.confirmation
    (found,), (uniform,) = confirmation.search, confirmation.uniform
    gains = {(c.label, c.reference): c for c in confirmation.comparisons}
    row = {
        "rates": " ".join(f"{r:.2f}" for r in confirmation.candidates[found].values()),
        "uniform": uniform,
    }
    labels = {"none": "no dropout", "uniform": uniform, "found": found}
    for name, label in labels.items():
        scores = confirmation.scores_of(label).values()
        row[f"errors_{name}"] = " ".join(f"{100 * (1 - s):.2f}" for s in scores)
    for name, pair in (
        ("found_none", (found, "no dropout")),
        ("found_uniform", (found, uniform)),
        ("uniform_none", (uniform, "no dropout")),
    ):
        gain = gains[pair].gain
        row[f"gain_{name}"] = round(100 * gain.mean, 3)
        row[f"half_width_{name}"] = round(100 * gain.half_width, 3)
    return row


def tables(rows):
    lines = []
    for row in rows:
        errors = [
            findings.mean(_errors(row, name)) for name in ("none", "uniform", "found")
        ]
        lines.append([_title(row), row["rates"].replace(" ", ", "), *errors])
        lines[-1] += [_gain(row, pair) for pair in ("found_uniform", "found_none")]
        lines[-1][3] += f" ({row['uniform'].removeprefix('uniform ')})"
    header = ["task", "rates found: inputs, hidden 1, 2", "no dropout, %"]
    header += ["best single rate, %", "a rate for each, %"]
    header += ["gain over the single rate", "gain over none"]
    return findings.table(header, lines)


def _title(row):
    noise = f", {row['noise']:.0%} wrong labels" if row["noise"] else ""
    return f"{trainings.TITLES[row['data']]}, {row['samples']:,} images{noise}"


def _errors(row, name):
    return [float(word) for word in row[f"errors_{name}"].split()]


def _gain(row, pair):
    gain, width = row[f"gain_{pair}"], row[f"half_width_{pair}"]
    verdict = " better" if gain > width else " worse" if gain < -width else ""
    return f"{gain:+.2f} ({gain - width:+.2f} to {gain + width:+.2f}){verdict}"


def draw(rows):
    figure, axes = figures.panels(len(rows), 4.2, 1.9)
    for axis, row in zip(axes, rows, strict=True):
        labels = ("a single rate", "a rate for each")
        groups = [_errors(row, name) for name in ("uniform", "found")]
        figures.differences(axis, labels, groups, _errors(row, "none"), 3)
        figures.finish(axis, _title(row), "points of test error, against no dropout")
    return figure
