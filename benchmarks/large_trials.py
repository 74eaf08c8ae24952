"""How much faster is a trial than with KerasTuner, if its epochs are long?

A trial is one epoch with batches of 128 and one validation on 2,000 rows. A random
search tries the rates of the dropout layers of five models:

1. an MLP, 784-256-256-10, on images of 28 x 28 pixels;
2. a convolutional net on the same images, with 16 and 32 filters;
3. a large one, with 64 and 128 filters;
4. a Transformer block of KerasHub whose tokens are the 28 lines of an image;
5. a text classifier with `TextVectorization` and an embedding, on random sentences.

Each has several lengths of an epoch. The small convolutional net also gets a
`tf.data.Dataset`, with which trials train with `fit`. The images are those of
Fashion-MNIST with `--data-dir`, and random without it.

The tuners run in turn in one process, one trial at a time, with the same oracle and
seed. The first trial of each side, in which kdropout traces the model, does not count.
The columns, all of one trial:

- "kdropout_s" and "keras_tuner_s", the seconds, and "ratio" with its interval;
- "kdropout_cpu_s", "keras_tuner_cpu_s" and "cpu_ratio", the same in seconds of a core,
  which other programs on the machine hardly change.

If only the compilation were saved, the ratio would fall below 1.1 where a trial takes
10 times as long as a compilation.

    python -m benchmarks.large_trials --data-dir ...

Takes about 8 minutes on 2 cores. Replaces the rows of its backend in
results/large_trials.csv. Fails if a trial takes more of a core than with KerasTuner
(ratio below 0.97), or if scores differ on TensorFlow by more than rounding. TensorFlow
may add the gradients of residual connections in another order in a loop of steps.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy as np

import kdropout
from benchmarks import mnist, reporting, timing
from kdropout import tuning

BACKEND = keras.backend.backend()
BATCH_SIZE, VALIDATION = 128, 2000
ROUNDS, SEED = 3, 1
LEAST_RATIO = 0.97
ROUNDING = 1e-3 if BACKEND == "tensorflow" else np.inf  # of scores, relative
WORDS = np.array([f"word{number}" for number in range(5000)])
WORDS_PER_TEXT = 40


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and its data.

    Args:
        net: String, the name in the table.
        build: Function from the tuner's hyperparameters to a model.
        data: String, "images", "texts" or "dataset" (of images).
        rows: Sequence of the numbers of rows of an epoch.
    """

    net: str
    build: Callable
    data: str
    rows: tuple[int, ...]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    mnist.add_data_argument(parser)
    images = read_images(parser.parse_args().data_dir)
    texts = make_texts(20_000)
    rows, problems = [], []
    for case in CASES:
        if case.data != "images" and BACKEND != "tensorflow":
            continue
        for number in case.rows:
            row = compare(case, number, texts if case.data == "texts" else images)
            rows.append(row)
            print(row, flush=True)
            if row["cpu_ratio"] < LEAST_RATIO or float(row["difference"]) > ROUNDING:
                problems.append(f"{case.net}, {number} rows")
    others = reporting.rows_of_other_backends("large_trials")
    print(reporting.write_csv("large_trials", others + rows))
    sys.exit(f"Missed the target: {problems}" if problems else 0)


def compare(case, rows, data):
    """A row of results."""
    given = arguments(case, rows, data)
    kinds = {"keras_tuner": keras_tuner.RandomSearch, "kdropout": tuning.RandomSearch}
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            name: kind(
                case.build,
                "val_loss",
                max_trials=0,
                seed=SEED,
                directory=folder,
                project_name=name,
            )
            for name, kind in kinds.items()
        }
        seconds, of_a_core = run_in_turn(sides, given)
    theirs, ours = seconds["keras_tuner"], seconds["kdropout"]
    ratio, interval = timing.ratio_of_medians(theirs, ours)
    medians = {name: float(np.median(values)) for name, values in of_a_core.items()}
    first, second = (
        np.array([trial.score for trial in side.oracle.trials.values()])
        for side in sides.values()
    )
    return {
        "backend": BACKEND,
        "net": case.net,
        "rows": rows,
        "kdropout_s": round(float(np.median(ours)), 2),
        "keras_tuner_s": round(float(np.median(theirs)), 2),
        "ratio": round(ratio, 2),
        "interval": interval,
        "kdropout_cpu_s": round(medians["kdropout"], 2),
        "keras_tuner_cpu_s": round(medians["keras_tuner"], 2),
        "cpu_ratio": round(medians["keras_tuner"] / medians["kdropout"], 2),
        "equal_scores": np.array_equal(first, second),
        "difference": f"{np.max(np.abs(first / second - 1)):.0e}",
    }


def run_in_turn(sides, given):
    """The seconds of each trial but the first, and its seconds of a core, by side."""
    seconds = {name: [] for name in sides}
    of_a_core = {name: [] for name in sides}
    for number in range(1 + ROUNDS):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            sides[name].oracle.max_trials += 1
            begin, begin_of_core = time.perf_counter(), time.process_time()
            sides[name].search(**given, epochs=1, shuffle=False, verbose=0)
            if number:
                seconds[name].append(time.perf_counter() - begin)
                of_a_core[name].append(time.process_time() - begin_of_core)
    return seconds, of_a_core


def arguments(case, rows, data):
    """The data as arguments of `search`."""
    (x, y), validation = data
    x, y = x[:rows], y[:rows]
    if case.data != "dataset":
        return {
            "x": x,
            "y": y,
            "validation_data": validation,
            "batch_size": BATCH_SIZE,
        }
    return {"x": dataset(x, y), "validation_data": dataset(*validation)}


def dataset(x, y):
    import tensorflow as tf

    slices = tf.data.Dataset.from_tensor_slices((x, y))
    return slices.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def read_images(data_dir):
    """Pairs of images and classes, for training and for validation."""
    if data_dir is None:
        rng = np.random.default_rng(SEED)
        sizes = (50_000, VALIDATION)
        return [
            (rng.random((n, 28, 28), "float32"), rng.integers(0, 10, n)) for n in sizes
        ]
    train, test = mnist.load(data_dir, "fashion_mnist")
    parts = [(train, 50_000), (test, VALIDATION)]
    return [(x[:n].reshape(-1, 28, 28), y[:n]) for (x, y), n in parts]


def make_texts(number):
    """Pairs of texts and classes, for training and for validation."""
    rng = np.random.default_rng(SEED)
    parts = []
    for size in (number, VALIDATION):
        words = WORDS[rng.integers(0, len(WORDS), (size, WORDS_PER_TEXT))]
        texts = [" ".join(line) for line in words]
        parts.append((np.array(texts, dtype=object), rng.integers(0, 10, size)))
    return parts


def compiled(hp, stack, space=None):
    model = keras.Sequential([*stack, keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return tuning.tune_rates(hp, model, space)


def build_mlp(hp):
    keras.utils.set_random_seed(SEED)
    stack = [keras.Input((28, 28)), keras.layers.Flatten()]
    for number in range(2):
        stack.append(keras.layers.Dense(256, activation="relu"))
        stack.append(kdropout.layers.Dropout(0.5, name=f"drop{number}"))
    return compiled(hp, stack)


def build_convnet(hp, filters_of_blocks=(16, 32)):
    keras.utils.set_random_seed(SEED)
    stack = [keras.Input((28, 28)), keras.layers.Reshape((28, 28, 1))]
    for number, filters in enumerate(filters_of_blocks):
        stack.append(keras.layers.Conv2D(filters, 3, activation="relu"))
        stack.append(keras.layers.MaxPooling2D())
        stack.append(kdropout.layers.SpatialDropout2D(0.2, name=f"map{number}"))
    stack.append(keras.layers.Flatten())
    stack.append(kdropout.layers.Dropout(0.5, name="drop"))
    return compiled(hp, stack)


def build_large_convnet(hp):
    return build_convnet(hp, (64, 128))


def build_transformer(hp):
    from keras_hub.layers import TransformerEncoder

    keras.utils.set_random_seed(SEED)
    stack = [
        keras.Input((28, 28)),
        keras.layers.Dense(64),
        TransformerEncoder(128, 4, activation="gelu"),
        keras.layers.GlobalAveragePooling1D(),
        kdropout.layers.Dropout(0.5, name="drop"),
    ]
    # The layers in the block have other names in each trial of KerasTuner.
    return compiled(hp, stack, {"drop": (0.0, 0.5)})


def build_text(hp):
    keras.utils.set_random_seed(SEED)
    size = len(WORDS) + 2  # with the words for padding and for unknown words
    stack = [
        keras.Input((), dtype="string"),
        keras.layers.TextVectorization(
            vocabulary=WORDS, output_sequence_length=WORDS_PER_TEXT
        ),
        keras.layers.Embedding(size, 32),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(64, activation="relu"),
        kdropout.layers.Dropout(0.5, name="drop"),
    ]
    return compiled(hp, stack)


CASES = [
    Case("mlp", build_mlp, "images", (1_000, 10_000, 50_000)),
    Case("convnet", build_convnet, "images", (1_000, 10_000, 50_000)),
    Case("convnet, tf.data", build_convnet, "dataset", (1_000, 10_000)),
    Case("large convnet", build_large_convnet, "images", (2_000, 10_000)),
    Case("transformer", build_transformer, "images", (1_000, 5_000, 20_000)),
    Case("text", build_text, "texts", (1_000, 5_000, 20_000)),
]


if __name__ == "__main__":
    main()
