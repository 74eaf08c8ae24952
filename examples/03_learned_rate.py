"""Dropout rates that gradient descent learns together with the weights, one per layer.

All three rates start at 0.1. The rate of the pixels falls to about 0.05, and the rates
of the hidden layers rise to 0.31 to 0.33, and would rise further. The test error is
about 3 to 4 %.

    python examples/03_learned_rate.py

With TensorFlow and seed 0, it takes about 9 seconds on two CPU cores and prints:

    epoch  rate/drop_pixels        rate/drop1        rate/drop2
        1             0.101             0.103             0.104
        5             0.092             0.118             0.118
       10             0.082             0.140             0.140
       15             0.075             0.166             0.167
       20             0.070             0.194             0.196
       25             0.065             0.224             0.229
       30             0.061             0.254             0.264
       35             0.056             0.282             0.297
       40             0.055             0.309             0.329
    Test error: 2.7%

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kdropout

SEED = 0  # of the split, the initial weights and the masks
TRAIN_SIZE = 600  # few images, so that the network overfits
EPOCHS = 40
BATCH_SIZE = 30  # divides 600: 20 steps per epoch
INITIAL = 0.1  # the initial rate of the authors of concrete dropout
LEARNING_RATE = 2e-3  # Adam moves the logit of a rate by at most this per step
REGULARIZER = 1 / TRAIN_SIZE  # the authors' weight for cross-entropy: 1 / N

keras.utils.set_random_seed(SEED)
images, labels = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    images / 16.0, labels, train_size=TRAIN_SIZE, random_state=SEED, stratify=labels
)

learned = kdropout.LearnedRate(INITIAL, regularizer=REGULARIZER)
model = keras.Sequential(
    [
        keras.Input((64,)),
        kdropout.layers.Dropout(learned, name="drop_pixels"),
        keras.layers.Dense(256, activation="relu"),
        kdropout.layers.Dropout(learned, name="drop1"),
        keras.layers.Dense(256, activation="relu"),
        kdropout.layers.Dropout(learned, name="drop2"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    keras.optimizers.Adam(LEARNING_RATE),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    callbacks=[kdropout.callbacks.RateLogger()],
    verbose=0,
).history

names = ["rate/drop_pixels", "rate/drop1", "rate/drop2"]
print("epoch  " + "  ".join(f"{name:>16}" for name in names))
for epoch in [0, *range(4, EPOCHS, 5)]:
    rates = "  ".join(f"{history[name][epoch]:16.3f}" for name in names)
    print(f"{epoch + 1:5d}  {rates}")
accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
print(f"Test error: {1 - accuracy:.1%}")
