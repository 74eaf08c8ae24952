"""The five ways to decide the rate, their data, and one training of one of them."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable

import keras
import numpy as np

from kdropout import layers
from kdropout._label_noise import with_noise
from kdropout.callbacks import (
    GapController,
    OverfittingGap,
    RateLogger,
    TensorBoardRates,
)
from kdropout.inspection import rates
from kdropout.rate_rules import LearnedRate
from kdropout.schedules import Curriculum

# The start of the learned and the controlled rate. It is too low for these data, so
# that there is something to find.
START = 0.3

# In nats. This and the end of the schedule were chosen on seeds 100 to 104, which the
# demo does not use.
TARGET = 0.4
END = 0.7

# The data set has 1,797 images. This number is small enough to memorise, wrong labels
# included. The other 497 images are for the test.
NUM_TRAINING = 900
NUM_VALIDATION = 400
NUM_CLASSES = 10

# Wide enough to memorise 900 images, and small enough to train in seconds on a CPU.
UNITS = (256, 256)
LEARNING_RATE = 1e-3
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to decide the rate.

    Args:
        name: Name of files and folders.
        label: Name in tables and pictures.
        rate: Function of the number of training steps and of training samples that
            returns the argument `rate` of a dropout layer.
        callbacks: Function that returns the callbacks that move the rate.
    """

    name: str
    label: str
    rate: Callable
    callbacks: Callable = list


ARMS = (
    Arm("no_dropout", "no dropout", lambda steps, samples: 0.0),
    # The usual choice without a search.
    Arm("fixed", "fixed at 0.5", lambda steps, samples: 0.5),
    # A network learns the digits first and the wrong labels later, so the rate rises.
    # With a rate annealed from 0.5 to 0, it memorises the noise in the end, with twice
    # the test error of a fixed 0.5. The speed is the rule of the paper.
    Arm(
        "scheduled",
        f"scheduled, 0 to {END:g}",
        lambda steps, samples: Curriculum(END, gamma=10.0 / steps),
    ),
    # The authors' weight for cross-entropy is 1 / N.
    Arm(
        "learned",
        "learned by gradient",
        lambda steps, samples: LearnedRate(START, regularizer=1.0 / samples),
    ),
    Arm(
        "controlled",
        "gap controller",
        lambda steps, samples: START,
        lambda: [GapController(target=TARGET)],
    ),
)

BASELINE = ARMS[0]


@dataclasses.dataclass(frozen=True)
class Digits:
    """Three tuples `(images, labels)`; only the labels of `test` are all correct."""

    training: tuple
    validation: tuple
    test: tuple


def noisy_digits(seed, noise):
    """Return the digits of scikit-learn, split at random, with noise in the labels.

    The validation labels are as noisy as the training labels, because data with wrong
    labels have them in both sets. The test labels are clean, so that they measure
    digits learned rather than noise. A tenth of the replaced labels happen to be right.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype("float32")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images))
    ends = (NUM_TRAINING, NUM_TRAINING + NUM_VALIDATION)
    training, validation, test = (
        (images[rows], labels[rows]) for rows in np.split(order, ends)
    )
    noisy = [
        (images, with_noise(labels, noise, NUM_CLASSES, generator))
        for images, labels in (training, validation)
    ]
    return Digits(*noisy, test)


@dataclasses.dataclass(frozen=True)
class Fit:
    """The results of one training.

    Args:
        arm: The `Arm`.
        seed: Integer, the seed.
        test_error: Float in [0, 1], the share of errors on the clean test images.
        history: Dict from the name of a metric to its values, one per epoch.
        rates: Dict from the path of a dropout layer to its rate at the end.
        seconds: Float, wall-clock time.
    """

    arm: object
    seed: int
    test_error: float
    history: dict
    rates: dict
    seconds: float


def build_model(arm, seed, num_steps, num_samples):
    """Return a compiled model. Its initial weights depend on `seed`, not on `arm`."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((64,))])
    for index, units in enumerate(UNITS, start=1):
        rate = arm.rate(num_steps, num_samples)
        model.add(keras.layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(rate, name=f"drop{index}"))
    model.add(keras.layers.Dense(NUM_CLASSES))
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def train(arm, digits, seed, epochs, log_dir, on_epoch):
    """Train a model, and test it on the clean labels."""
    begin = time.perf_counter()
    num_samples = len(digits.training[0])
    batches = ShuffledBatches(digits.training, BATCH_SIZE, seed)
    num_steps = epochs * len(batches)
    model = build_model(arm, seed, num_steps, num_samples)
    callbacks = [
        OverfittingGap(digits.training, batch_size=num_samples),
        RateLogger(),
        *arm.callbacks(),
        TensorBoardRates(log_dir),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: on_epoch(epoch)
        ),
    ]
    with one_thread():
        history = model.fit(
            batches,
            epochs=epochs,
            validation_data=digits.validation,
            validation_batch_size=len(digits.validation[0]),
            callbacks=callbacks,
            verbose=0,
        )
        test = model.evaluate(*digits.test, verbose=0, return_dict=True)
    return Fit(
        arm=arm,
        seed=seed,
        test_error=1.0 - test["accuracy"],
        history=history.history,
        rates=rates(model),
        seconds=time.perf_counter() - begin,
    )


@contextlib.contextmanager
def one_thread():
    """On PyTorch, use one thread, because the matrices are too small for several.

    On a busy machine with two cores, two threads that wait for each other took 30 times
    as long as one.
    """
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ShuffledBatches(keras.utils.PyDataset):
    """Batches of arrays in a new order in each epoch, the same on every backend.

    The shuffling of `fit` is not suitable. On TensorFlow, with the seed set, Keras 3.15
    shuffles once and repeats that order in every epoch, which helps a network to
    memorise labels.
    """

    def __init__(self, arrays, batch_size, seed):
        super().__init__()
        self.arrays = arrays
        self.batch_size = batch_size
        self.generator = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self):
        self.order = self.generator.permutation(len(self.arrays[0]))

    def __len__(self):
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return tuple(array[rows] for array in self.arrays)
