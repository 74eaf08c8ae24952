"""A dropout rate that a controller moves until the overfitting gap meets a target.

Prints the rate, the clean gap and the naive gap over epochs. The rate falls from 0.3
to 0.25 while the gap is small, then rises to about 0.79 and brings the clean gap
back from 0.57 to about 0.41. The naive gap is by then at 0: it shows no overfitting.
The test error is 4 to 6 %, depending on the backend; at a rate of 0, 13 to 17 %.
Takes about 10 seconds on two CPU cores. Needs: pip install "kdropout[demo]"
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import kdropout

SEED = 0  # of the split, the noise, the initial weights and the masks
NOISE = 0.3  # share of wrong labels: without dropout, the net learns them by heart
NUM_TRAINING, NUM_VALIDATION = 900, 400  # the other 497 images are for the test
EPOCHS = 40  # the controller moves once per epoch, and needs some to arrive
START = 0.3  # where the rate begins: for these data too low
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
        # The order counts: measure the gap, then act on it.
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
