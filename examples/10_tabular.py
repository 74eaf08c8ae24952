"""Dropout for a table: on its columns, and after each hidden layer of an MLP.

The table has ten columns for 442 diabetes patients, of which 200 are for training. The
example drops columns at a rate of 0.1, inserts dropout after the hidden layers, and
lets AutoRate move those rates from 0.3. The error is the root mean squared error in
percent of the spread of the target; the mean as the answer has 100 %.

    python examples/10_tabular.py

With TensorFlow and seeds 0 to 4, it takes about 85 seconds of CPU time on two cores.
The rates of the hidden layers end between 0.52 and 0.65, and it prints:

    Test error without dropout: 92.4%
    Test error with dropout: 75.4%
    Points of error removed, 95 % interval: 17.0 +- 3.8

On other machines and backends, the same seeds give other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import keras
import numpy as np
from scipy import stats
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import kdropout

SEEDS = range(5)  # of the split, the initial weights and the masks
TEST_SIZE, VALIDATION_SIZE = 142, 100  # of 442 patients; 200 are for training
EPOCHS = 100
COLUMN_RATE = 0.1  # on average, one of the ten columns is missing
START = 0.3  # AutoRate moves the rates of the hidden layers from here

table, target = load_diabetes(return_X_y=True)
table /= table.std(axis=0)
target = (target - target.mean()) / target.std()


def test_error(seed, with_dropout):
    """Root mean squared error in percent of the spread of the target."""
    x, x_test, y, y_test = train_test_split(
        table, target, test_size=TEST_SIZE, random_state=seed
    )
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((10,))])
    if with_dropout:
        model.add(kdropout.layers.Dropout(COLUMN_RATE, name="columns"))
    model.add(keras.layers.Dense(128, activation="relu", name="hidden1"))
    model.add(keras.layers.Dense(128, activation="relu", name="hidden2"))
    model.add(keras.layers.Dense(1))
    movers = []
    if with_dropout:
        model = kdropout.insert(model, START, verbose=0)
        movers = [kdropout.callbacks.AutoRate(layers="hidden*")]
    model.compile("adam", "mse")
    validation = x[:VALIDATION_SIZE], y[:VALIDATION_SIZE]
    model.fit(
        x[VALIDATION_SIZE:],
        y[VALIDATION_SIZE:],
        epochs=EPOCHS,
        validation_data=validation,
        callbacks=movers,
        verbose=0,
    )
    if with_dropout:
        found = {path: round(rate, 2) for path, rate in kdropout.rates(model).items()}
        print(f"Seed {seed}: {found}")
    return 100 * model.evaluate(x_test, y_test, verbose=0) ** 0.5


plain = np.array([test_error(seed, False) for seed in SEEDS])
errors = np.array([test_error(seed, True) for seed in SEEDS])
gain = plain - errors
half_width = stats.sem(gain) * stats.t.ppf(0.975, len(gain) - 1)
print(f"Test error without dropout: {plain.mean():.1f}%")
print(f"Test error with dropout: {errors.mean():.1f}%")
print(f"Points of error removed, 95 % interval: {gain.mean():.1f} +- {half_width:.1f}")
