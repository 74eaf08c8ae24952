"""AutoRate finds the dropout rate in one training, where 30 % of the labels are wrong.

Needs in a clone: pip install ".[demo]". On other machines, seeds give other numbers.
With TensorFlow and two CPU cores, this takes about 10 seconds and prints:

    AutoRate: after 40 epochs, the rates of 2 layers are 0.72 and still rising: train
    longer, or start the next training at 0.7.
    Test error on clean labels: 3.8%
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import kdropout

generator = np.random.default_rng(0)
x, y = load_digits(return_X_y=True)
order = generator.permutation(len(x))
x, y = x[order] / 16.0, y[order]
wrong = generator.permutation(1300)[:390]
y[wrong] = generator.integers(0, 10, 390)  # the test labels stay clean
train, validation = (x[:900], y[:900]), (x[900:1300], y[900:1300])

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((64,))])
for _ in range(2):
    model.add(keras.layers.Dense(256, activation="relu"))
    model.add(keras.layers.Dropout(0.3))
model.add(keras.layers.Dense(10, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model = kdropout.convert(model)
auto = kdropout.callbacks.AutoRate()
logger = kdropout.callbacks.RateLogger()
model.fit(
    *train, epochs=40, validation_data=validation, callbacks=[auto, logger], verbose=0
)
_, accuracy = model.evaluate(x[1300:], y[1300:], verbose=0)
print(auto.summary(), f"Test error on clean labels: {1 - accuracy:.1%}", sep="\n")
