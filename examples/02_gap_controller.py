"""A controller that moves the dropout rate until the overfitting gap meets a target.

30 % of the labels are wrong. The rate falls from 0.3 to 0.25 while the gap is small,
and then rises to about 0.79, which lowers the clean gap from 0.57 to about 0.41. The
naive gap, from the losses that Keras reports, is then at 0 and shows no overfitting.
The test error is 4 to 6 %, depending on the backend; at a rate of 0, it is 13 to 17 %.

    python examples/02_gap_controller.py

With TensorFlow and seed 0, it takes about 10 seconds on two CPU cores and prints:

    epoch  rate   clean gap  naive gap
        1  0.300      0.032     -0.282
        5  0.275      0.176      0.035
       10  0.259      0.301      0.201
       15  0.254      0.420      0.328
       20  0.320      0.516      0.372
       25  0.493      0.570      0.370
       30  0.677      0.504      0.136
       35  0.755      0.467      0.068
       40  0.787      0.406     -0.026
    Test error on clean labels: 5.0%

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import kdropout

SEED = 0  # of the split, the noise, the initial weights and the masks
NOISE = 0.3  # share of wrong labels, which a network without dropout memorises
NUM_TRAINING, NUM_VALIDATION = 900, 400  # the other 497 images are for the test
EPOCHS = 40  # the controller moves the rate once per epoch, and needs time
START = 0.3  # the first rate, which is too low for these data
TARGET = 0.4  # nats between validation and training loss; 0 would be underfitting

keras.utils.set_random_seed(SEED)
generator = np.random.default_rng(SEED)
images, labels = load_digits(return_X_y=True)
order = generator.permutation(len(images))
images, labels = images[order] / 16.0, labels[order]
noisy = generator.permutation(NUM_TRAINING + NUM_VALIDATION)
noisy = noisy[: round(NOISE * len(noisy))]  # the test labels stay clean
labels[noisy] = generator.integers(0, 10, len(noisy))
ends = (NUM_TRAINING, NUM_TRAINING + NUM_VALIDATION)
x_train, x_validation, x_test = np.split(images, ends)
y_train, y_validation, y_test = np.split(labels, ends)

model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(256, activation="relu"),
        kdropout.layers.Dropout(START, name="drop1"),
        keras.layers.Dense(256, activation="relu"),
        kdropout.layers.Dropout(START, name="drop2"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train,
    y_train,
    epochs=EPOCHS,
    validation_data=(x_validation, y_validation),
    callbacks=[
        # The order matters: first measure the gap, then act on it.
        kdropout.callbacks.OverfittingGap((x_train, y_train)),
        kdropout.callbacks.GapController(target=TARGET),
        kdropout.callbacks.RateLogger(),
    ],
    verbose=0,
).history

print("epoch  rate   clean gap  naive gap")
for epoch in [0, *range(4, EPOCHS, 5)]:
    print(
        f"{epoch + 1:5d}  {history['rate/drop1'][epoch]:.3f}  "
        f"{history['gap_loss'][epoch]:9.3f}  {history['naive_gap_loss'][epoch]:9.3f}"
    )
accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
print(f"Test error on clean labels: {1 - accuracy:.1%}")
