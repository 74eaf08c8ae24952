"""A model of keras.applications, converted, trained, and made plain again.

A controller moves the rate of the dropout in the head of MobileNetV3Small from 0.2
towards a target of the overfitting gap. With TensorFlow, the rate rises to about 0.25
in ten epochs. The gap stays at about 0.15, above the target, because the rate needs
more epochs to take effect. The test error is 3 to 5 %.

    python examples/04_existing_model.py

With TensorFlow and seed 0, it takes about 50 seconds of CPU time on two cores and
prints:

    layer    kind     rate    decided by
    dropout  Dropout  0.2000  you
    epoch  rate   clean gap
        1  0.200     -0.006
        2  0.198     -0.005
        3  0.197     -0.017
        4  0.195      0.067
        5  0.194      0.178
        6  0.207      0.148
        7  0.215      0.153
        8  0.224      0.153
        9  0.233      0.152
       10  0.243      0.152
    Keras's own dropout, at a rate of 0.252
    Test error: 3.4%

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import tempfile

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kdropout

SEED = 0  # of the split, the initial weights and the masks
TRAIN_SIZE, VALIDATION_SIZE = 900, 400  # the other 497 images are for the test
SIZE = 32  # the smallest image that MobileNetV3 takes; digits have 8 x 8 pixels
EPOCHS = 10
BATCH_SIZE = 60
STEPS_PER_EPOCH = TRAIN_SIZE // BATCH_SIZE
TARGET = 0.1  # nats between validation and training loss

keras.utils.set_random_seed(SEED)
images, labels = load_digits(return_X_y=True)
images = np.kron(images.reshape(-1, 8, 8) * (255 / 16), np.ones((4, 4)))
images = np.repeat(images[..., np.newaxis], 3, axis=-1)
x_train, x_rest, y_train, y_rest = train_test_split(
    images, labels, train_size=TRAIN_SIZE, random_state=SEED, stratify=labels
)
x_validation, x_test = np.split(x_rest, [VALIDATION_SIZE])
y_validation, y_test = np.split(y_rest, [VALIDATION_SIZE])

model = keras.applications.MobileNetV3Small(
    weights=None, input_shape=(SIZE, SIZE, 3), classes=10
)
for layer in model.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.momentum = 0.9  # the default needs more steps than this training has
decay = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * STEPS_PER_EPOCH)
model.compile(
    keras.optimizers.Adam(decay),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)

# `model` is the same object with the same weights, and its rates can now move.
kdropout.convert(model)
kdropout.summary(model)
history = model.fit(
    x_train,
    y_train,
    BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(x_validation, y_validation),
    callbacks=[
        kdropout.callbacks.OverfittingGap((x_train, y_train), max_samples=300),
        kdropout.callbacks.RateLogger(),
        kdropout.callbacks.GapController(target=TARGET),
    ],
    verbose=0,
).history
print("epoch  rate   clean gap")
for epoch in range(EPOCHS):
    rate, gap = history["rate/dropout"][epoch], history["gap_loss"][epoch]
    print(f"{epoch + 1:5d}  {rate:.3f}  {gap:9.3f}")

# The saved file loads where kdropout is not installed.
plain = kdropout.strip(model)
print(f"Keras's own dropout, at a rate of {plain.get_layer('dropout').rate:.3f}")
with tempfile.TemporaryDirectory() as folder:
    plain.save(f"{folder}/model.keras")
    loaded = keras.saving.load_model(f"{folder}/model.keras")
predicted = keras.ops.convert_to_numpy(loaded(x_test)).argmax(axis=-1)
print(f"Test error: {np.mean(predicted != y_test):.1%}")
