"""A dropout rate that follows a schedule, computed inside the compiled training step.

The rate of two layers rises from 0 to 0.5 in the first ten epochs and then stays.

    python examples/01_schedule.py

With TensorFlow and seed 0, it takes about 7 seconds on two CPU cores and prints:

    epoch  rate   training loss
        1  0.048  1.933
        4  0.197  0.324
        7  0.347  0.226
       10  0.497  0.241
       13  0.500  0.158
       16  0.500  0.147
       19  0.500  0.144
       22  0.500  0.097
       25  0.500  0.089
       28  0.500  0.085
    layer  kind     rate    decided by
    drop1  Dropout  0.5000  schedule Ramp
    drop2  Dropout  0.5000  schedule Ramp
    Test error: 2.8%

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kdropout

SEED = 0  # of the split, the initial weights and the masks
TRAIN_SIZE = 600  # few images, so that the network overfits
EPOCHS = 30
BATCH_SIZE = 30  # divides 600: 20 steps per epoch
FINAL_RATE = 0.5  # the usual rate for a wide dense layer
WARMUP_STEPS = 200  # ten epochs, so that the network first learns without much dropout

keras.utils.set_random_seed(SEED)
images, labels = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    images / 16.0, labels, train_size=TRAIN_SIZE, random_state=SEED, stratify=labels
)

# Pass a schedule instead of a number. Layers may share it, because it has no state.
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
