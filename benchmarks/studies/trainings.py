"""One training of a small network on few images, and what is measured of it."""

import dataclasses
import functools

import keras
import numpy as np

import kdropout
from benchmarks import mnist
from benchmarks.studies import methods
from kdropout import _label_noise

TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
VALIDATION = 2000
CLASSES = 10
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
EPOCH = 100  # updates, whatever the number of images: gaps are measured that often
LAST = 5  # epochs averaged for the gap at the end: it is noisy from one to the next


@dataclasses.dataclass(frozen=True)
class Training:
    """What is trained, 784-256-256-10 with Adam.

    Args:
        method: How the rates are decided: see `methods`.
        samples: Integer, training images.
        seed: Integer, decides images, wrong labels, weights, order and masks.
        data: "mnist" or "fashion_mnist".
        noise: Float in [0, 1], share of training and validation labels replaced by
            random ones. Those of the test are right.
        updates: Integer, training steps.
        weight_decay: Float of at least 0, of AdamW.
    """

    method: str
    samples: int
    seed: int
    data: str = "mnist"
    noise: float = 0.0
    updates: int = 1500
    weight_decay: float = 0.0


def run(training, data_dir):
    """A dict of what came out of a training."""
    keras.utils.clear_session()
    return measure(build(training), training, data_dir)


def measure(model, training, data_dir):
    """Train a compiled model, and return a dict of what came out of it."""
    train, validation, test = split(training, data_dir)
    history = fit(model, training, train, validation)
    loss, accuracy = model.evaluate(*test, batch_size=2000, verbose=0)
    rates = {name: v for name, v in history.items() if name.startswith("rate/")}
    hidden = rates.get("rate/drop1", rates.get("rate/hidden1", []))
    return {
        "test_error": round(100.0 * (1.0 - accuracy), 2),
        "test_loss": round(loss, 4),
        "validation_error": round(100.0 * (1.0 - history["val_accuracy"][-1]), 2),
        "clean_gap": _end(history["gap_loss"]),
        "naive_gap": _end(history["naive_gap_loss"]),
        "clean_accuracy_gap": _end(history["gap_accuracy"]),
        "naive_accuracy_gap": _end(history["naive_gap_accuracy"]),
        "rates": " ".join(f"{v[-1]:.3f}" for v in rates.values()),
        "gap_by_epoch": _listed(history["gap_loss"]),
        "rate_by_epoch": _listed(hidden),
    }


def split(training, data_dir):
    """Training, validation and test data, each a tuple `(x, y)`."""
    (x, y), test = _load(data_dir, training.data)
    generator = np.random.default_rng(training.seed)
    rows = generator.permutation(len(x))[: training.samples + VALIDATION]
    x, y = x[rows], y[rows]
    y = _label_noise.with_noise(y, training.noise, CLASSES, generator)
    n = training.samples
    return (x[:n], y[:n]), (x[n:], y[n:]), test


def build(training):
    """The compiled model."""
    keras.utils.set_random_seed(training.seed)
    # First all layers with weights: these are then the same whatever the method.
    output = keras.layers.Dense(CLASSES)
    hidden = methods.hidden_layers(training.method, training.updates, training.samples)
    model = keras.Sequential([keras.Input((784,)), *hidden, output])
    return compiled(model, training.weight_decay)


def compiled(model, weight_decay=0.0):
    """The same model, compiled."""
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "rate_logit"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # An epoch as one graph: half of the time of a small network is spent between steps.
    model.compile(optimizer, loss, metrics=["accuracy"], steps_per_execution=EPOCH)
    return model


def fit(model, training, train, validation):
    """Train, and return the history."""
    return model.fit(
        batches(train, training.seed),
        shuffle=False,  # they are, already
        epochs=training.updates // EPOCH,
        steps_per_epoch=EPOCH,
        validation_data=validation,
        validation_batch_size=VALIDATION,
        callbacks=[
            kdropout.callbacks.OverfittingGap(train),
            *methods.make_callbacks(training.method),
        ],
        verbose=0,
    ).history


def batches(arrays, seed):
    """Endless batches, in a new order each time all were seen.

    Not by `fit`: with the seed set, Keras 3.15 repeats one order on TensorFlow, which
    helps a network to learn wrong labels by heart.
    """
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices(arrays).cache()
    data = data.shuffle(len(arrays[0]), seed=seed).repeat()
    return data.batch(BATCH_SIZE).prefetch(4)


@functools.cache
def _load(data_dir, name):
    return mnist.load(data_dir, name)


def _end(values):
    return round(float(np.mean(values[-LAST:])), 4)


def _listed(values):
    return " ".join(f"{value:.3f}" for value in values)
