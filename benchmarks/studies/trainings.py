"""One training of a small network on few images, and its results."""

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
EPOCH = 100  # updates, for any number of images; the gaps are measured once per epoch
LAST = 5  # epochs in the mean gap at the end, because one epoch is noisy


@dataclasses.dataclass(frozen=True)
class Training:
    """The settings of a training of 784-256-256-10 with Adam.

    Args:
        method: Text, the method that decides the rates: see `methods`.
        samples: Integer, number of training images.
        seed: Integer that decides images, wrong labels, weights, order and masks.
        data: "mnist" or "fashion_mnist".
        noise: Float in [0, 1], share of training and validation labels that random
            ones replace. The test labels are right.
        updates: Integer, number of training steps.
        weight_decay: Float of at least 0, the weight decay of AdamW.
    """

    method: str
    samples: int
    seed: int
    data: str = "mnist"
    noise: float = 0.0
    updates: int = 1500
    weight_decay: float = 0.0


def run(training, data_dir):
    """A dict of the results of a training."""
    keras.utils.clear_session()
    return measure(build(training), training, data_dir)


def measure(model, training, data_dir):
    """Train a compiled model, and return a dict of the results."""
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
    # Make layers with weights first, so that these are the same for all methods.
    output = keras.layers.Dense(CLASSES)
    hidden = methods.hidden_layers(training.method, training.updates, training.samples)
    model = keras.Sequential([keras.Input((784,)), *hidden, output])
    return compiled(model, training.weight_decay)


def compiled(model, weight_decay=0.0):
    """The same model, compiled."""
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "rate_logit"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # One graph per epoch: a small network spends half of its time between steps.
    model.compile(optimizer, loss, metrics=["accuracy"], steps_per_execution=EPOCH)
    return model


def fit(model, training, train, validation):
    """Train, and return the history."""
    return model.fit(
        batches(train, training.seed),
        shuffle=False,  # the batches are already shuffled
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
    """Endless batches, in a new order in each pass through the data.

    `fit` cannot shuffle them: with the seed set, Keras 3.15 repeats one order on
    TensorFlow, which helps a network to memorise wrong labels.
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
