"""A dropout rate that follows a schedule, computed inside the training step.

Prints a rate that rises from 0.05 in the first epoch to 0.5 after ten, and a test
error of about 3 %. Takes about 7 seconds on two CPU cores, most of it to import Keras
and to compile. Needs: pip install "kdropout[demo]"
"""

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kdropout

SEED = 0  # of the split, the initial weights and the masks
TRAIN_SIZE = 600  # few images, so that overfitting shows
EPOCHS = 30
BATCH_SIZE = 30  # divides 600: 20 steps per epoch
FINAL_RATE = 0.5  # the usual rate for a wide dense layer
WARMUP_STEPS = 200  # ten epochs: the net first learns, then is held back

keras.utils.set_random_seed(SEED)
images, labels = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    images / 16.0, labels, train_size=TRAIN_SIZE, random_state=SEED, stratify=labels
)

# A schedule takes the place of the number. Layers may share it: it keeps no state.
schedule = kdropout.schedules.Ramp(0.0, FINAL_RATE, steps=WARMUP_STEPS)
model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(256, activation="relu"),
        kdropout.layers.Dropout(schedule, name="drop1"),
        keras.layers.Dense(256, activation="relu"),
        kdropout.layers.Dropout(schedule, name="drop2"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    callbacks=[kdropout.callbacks.RateLogger()],
    verbose=0,
).history

print("epoch  rate   training loss")
for epoch in range(0, EPOCHS, 3):
    rate, loss = history["rate/drop1"][epoch], history["loss"][epoch]
    print(f"{epoch + 1:5d}  {rate:.3f}  {loss:.3f}")
kdropout.summary(model)
accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
print(f"Test error: {1 - accuracy:.1%}")
