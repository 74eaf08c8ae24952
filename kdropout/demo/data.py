"""Handwritten digits with wrong labels: a case in which the rate decides."""

import dataclasses

import numpy as np

from kdropout import label_noise

# Of 1,797 images. Few enough to be learned by heart, wrong labels included; the
# rest, 497, is left for the test.
NUM_TRAINING = 900
NUM_VALIDATION = 400
NUM_CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Digits:
    """Three tuples `(images, labels)`; only the labels of `test` are all right."""

    training: tuple
    validation: tuple
    test: tuple


def noisy_digits(seed, noise):
    """The digits of scikit-learn, split at random, with noise in the labels.

    The validation labels are as noisy as the training labels, because whoever has
    wrong labels has them in both. The test labels are clean: they tell what was
    learned of the digits rather than of the noise.

    Args:
        seed: Integer, decides the split and the noise.
        noise: Float in [0, 1], share of labels replaced by uniformly random ones. A
            tenth of those happen to be right.

    Returns:
        `Digits`; images are float32 of shape (samples, 64) in [0, 1].
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
    return Digits(
        (training[0], with_noise(training[1], noise, generator)),
        (validation[0], with_noise(validation[1], noise, generator)),
        test,
    )


def with_noise(labels, noise, generator):
    """A copy of `labels` in which a share `noise` is replaced by random ones."""
    return label_noise.with_noise(labels, noise, NUM_CLASSES, generator)
