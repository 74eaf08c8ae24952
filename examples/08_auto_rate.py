"""AutoRate finds the dropout rate in one training, without a target to choose.

30 % of the labels are wrong. AutoRate lowers the rates of a Keras model from 0.3 to
about 0.12 while it does not overfit, and then raises them to about 0.7. The example
prints the summary of AutoRate, and the test error on clean labels.

    python examples/08_auto_rate.py

With TensorFlow and seed 0, it takes about 10 seconds on two CPU cores and prints:

    AutoRate: after 40 epochs, the rates of 2 layers are 0.72 and still rising: train
    longer, or start the next training at 0.7.
    Test error on clean labels: 3.8%

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[demo]"
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

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((64,))])
for _ in range(2):
    model.add(keras.layers.Dense(256, activation="relu"))
    model.add(keras.layers.Dropout(0.3))
model.add(keras.layers.Dense(10, activation="softmax"))

model = kdropout.convert(model)
auto = kdropout.callbacks.AutoRate()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
validation = x[900:1300], y[900:1300]
history = model.fit(
    x[:900],
    y[:900],
    epochs=40,
    validation_data=validation,
    callbacks=[auto, kdropout.callbacks.RateLogger()],
    verbose=0,
).history
accuracy = model.evaluate(x[1300:], y[1300:], verbose=0, return_dict=True)["accuracy"]
print(auto.summary())
print(f"Test error on clean labels: {1 - accuracy:.1%}")
