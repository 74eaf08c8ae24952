"""Which dropout helps a recurrent network: none, one rate, or a rate for each place?"""

import dataclasses
import functools
import math
import pathlib

import keras
import numpy as np

import kdropout
from benchmarks.studies import confirmations, findings

NAME = "recurrent"
SEEDS = 5  # of the confirmation; they differ from the seed of the search
SEARCH_SEED = 1000
HERE = "benchmarks.studies.recurrent"
UNITS = 128
PIECE = 64  # characters
SYMBOLS = 65
SPEAKERS = 9
LARGEST = 0.7  # rate
TITLES = {
    "text": "Next of 41,000 characters of a text",
    "vowels": "Speaker of a vowel, 200 recordings",
}
UNIT = {"text": "bits per character", "vowels": "points of test error"}


@dataclasses.dataclass(frozen=True)
class Search:
    """A search for the rates of the inputs, the state and the outputs of an LSTM."""

    task: str
    epochs: int
    trials: int
    seeds: int


def jobs(seeds):
    return [Search("vowels", 60, 20, seeds), Search("text", 80, 15, seeds)]


def run(search, data_dir):
    """A dict of the rates that the search found, and the results of confirming them."""
    return confirmations.run(
        ERRORS[search.task],
        model={"build": f"{HERE}:build_{search.task}"},
        data={"function": f"{HERE}:{search.task}", "arguments": {"data_dir": data_dir}},
        space={"*": (0.0, LARGEST)},
        search={
            "algorithm": "BayesianOptimization",
            "max_trials": search.trials,
            "seed": SEARCH_SEED,
        },
        training={"epochs": search.epochs, "batch_size": 64},
        confirm={"top": 1, "seeds": search.seeds, "metric": METRICS[search.task]},
    )


METRICS = {"text": "loss", "vowels": "accuracy"}
ERRORS = {
    "text": lambda loss: loss / math.log(2.0),
    "vowels": lambda accuracy: 100.0 * (1.0 - accuracy),
}


@functools.cache
def text(data_dir):
    """Pieces of Shakespeare and, for each character, the next one.

    640 pieces are for training, 640 for validation and 4,000 for the test. They do not
    overlap.
    """
    path = pathlib.Path(data_dir) / "text" / "tinyshakespeare" / "input.txt"
    _, codes = np.unique(list(path.read_text()), return_inverse=True)
    ends = np.cumsum((640, 640, 4000))
    num_pieces = ends[-1]
    x = codes[: num_pieces * PIECE].reshape(-1, PIECE)
    y = codes[1 : num_pieces * PIECE + 1].reshape(-1, PIECE)
    order = np.random.default_rng(0).permutation(num_pieces)
    return tuple((x[rows], y[rows]) for rows in np.split(order, ends[:-1]))


@functools.cache
def vowels(data_dir):
    """Recordings of two Japanese vowels by nine speakers, from the package aeon.

    They have 12 channels and 7 to 29 steps; zeros follow the shorter ones. The source
    has 270 for training, which are divided into 200 for training and 70 for validation.
    """
    from aeon.datasets import load_japanese_vowels

    parts = [load_japanese_vowels(split) for split in ("train", "test")]
    steps = max(series.shape[1] for x, _ in parts for series in x)
    (x, y), test = (
        (np.stack([_padded(one, steps) for one in x]), y.astype(int) - 1)
        for x, y in parts
    )
    order = np.random.default_rng(0).permutation(len(x))
    train, validation = np.split(order, (200,))
    return (x[train], y[train]), (x[validation], y[validation]), test


def _padded(series, steps):
    return np.pad(series.T, ((0, steps - series.shape[1]), (0, 0))).astype("float32")


def build_text(data):
    """An LSTM that predicts the next character at each step."""
    embedding = keras.layers.Embedding(SYMBOLS, 32)
    return _network(data.input_shape, embedding, SYMBOLS, 1e-2, return_sequences=True)


def build_vowels(data):
    """An LSTM that classifies a sequence after its last step."""
    return _network(data.input_shape, keras.layers.Masking(), SPEAKERS, 3e-3)


def _network(shape, first, outputs, learning_rate, **arguments):
    model = keras.Sequential(
        [
            keras.Input(shape),
            first,
            kdropout.layers.LSTM(
                UNITS, dropout=0.2, recurrent_dropout=0.2, name="lstm", **arguments
            ),
            kdropout.layers.Dropout(0.2, name="outputs"),
            keras.layers.Dense(outputs),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    return model


def tables(rows):
    header = ["task", "rates found: inputs, state, outputs", "no dropout"]
    header += ["best single rate", "a rate for each"]
    header += ["gain over the single rate", "gain over none"]
    lines = [
        [f"{title(row)}: {UNIT[row['task']]}", *confirmations.cells(row, 3)]
        for row in rows
    ]
    return findings.table(header, lines)


def title(row):
    return TITLES[row["task"]]


def draw(rows):
    xlabels = [f"{UNIT[row['task']]}, against no dropout" for row in rows]
    return confirmations.draw(rows, title, xlabels)
