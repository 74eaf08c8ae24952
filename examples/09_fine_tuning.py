"""Fine-tuning on 40 images, with a frozen network and a live rate before the new head.

A network learns the digits 0 to 5 and is frozen. A new head then learns the digits 6 to
9 from 40 images, without dropout and with a rate that a schedule lowers from 0.5 to 0.
Both see the same images and initial weights, for five seeds.

    python examples/09_fine_tuning.py

With TensorFlow and seeds 0 to 4, it takes about 50 seconds of CPU time on two cores and
prints:

    Test error without dropout: 12.0%
    Test error, rate from 0.5 to 0: 12.7%
    Points of error removed, 95 % interval: -0.7 +- 0.5

In this run, the rate adds 0.7 points of error (95 % interval 0.2 to 1.2). A linear head
on frozen features, with right labels, needs no dropout here.

On other machines and backends, the same seeds give other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import keras
import numpy as np
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kdropout

SEEDS = range(5)  # of the 40 images, the head and the masks
NUM_BASE = 6  # the base network learns the digits 0 to 5, the head learns 6 to 9
TRAIN_SIZE = 40  # of the images of new classes; the others are for the test
BATCH_SIZE, EPOCHS = 20, 100

x, y = load_digits(return_X_y=True)
x, is_base = x.reshape(-1, 8, 8, 1) / 16.0, y < NUM_BASE
keras.utils.set_random_seed(0)
base = keras.Sequential([keras.Input((8, 8, 1))])
base.add(keras.layers.Conv2D(32, 3, activation="relu"))
base.add(keras.layers.Conv2D(64, 3, activation="relu"))
base.add(keras.layers.Flatten())
base.add(keras.layers.Dense(256, activation="relu"))
pretrained = keras.Sequential([base, keras.layers.Dense(NUM_BASE, "softmax")])
pretrained.compile("adam", "sparse_categorical_crossentropy")
pretrained.fit(x[is_base], y[is_base], epochs=10, verbose=0)
base.trainable = False
x, y = x[~is_base], y[~is_base] - NUM_BASE


def test_error(seed, rate):
    """Percent, for a new head trained on few images of the new classes."""
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, train_size=TRAIN_SIZE, random_state=seed, stratify=y
    )
    keras.utils.set_random_seed(seed)
    drop = kdropout.layers.Dropout(rate)
    model = keras.Sequential([base, drop, keras.layers.Dense(4, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, BATCH_SIZE, EPOCHS, verbose=0)
    return 100 - 100 * model.evaluate(x_test, y_test, verbose=0)[1]


annealed = kdropout.schedules.Ramp(0.5, 0.0, EPOCHS * TRAIN_SIZE // BATCH_SIZE)
plain = np.array([test_error(seed, 0.0) for seed in SEEDS])
errors = np.array([test_error(seed, annealed) for seed in SEEDS])
gain = plain - errors
half_width = stats.sem(gain) * stats.t.ppf(0.975, len(gain) - 1)
print(f"Test error without dropout: {plain.mean():.1f}%")
print(f"Test error, rate from 0.5 to 0: {errors.mean():.1f}%")
print(f"Points of error removed, 95 % interval: {gain.mean():.1f} +- {half_width:.1f}")
