"""A network whose dropout rates move, and yet cannot matter."""

import keras
from keras import ops

import kdropout

UNITS = (32, 32)
LEARNING_RATE = 3e-3


class FairCoin(keras.layers.Layer):
    """In training, doubles each input or sets it to 0, with equal chance.

    A fair coin is thrown for each input, and turned over where dropout has kept a one:

        keep = coin xor kept,    output = 2 * input * keep

    A fair coin that is turned over is still fair, however often, as long as nothing of
    it decides that. So the masks are those of dropout at the rate 0.5, whatever the
    rate of the dropout is, and two rates differ in how their coins fall.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs, kept, training=False):
        if not training:
            return inputs
        shape = ops.shape(inputs)
        coin = keras.random.uniform(shape, seed=self.seed_generator) < 0.5
        keep = ops.logical_xor(coin, kept > 0.0)
        return 2.0 * inputs * ops.cast(keep, inputs.dtype)


def build(data):
    """A compiled classifier with two layers of dropout, as a job's `model.build`."""
    inputs = keras.Input(data.input_shape)
    hidden = inputs
    for number, units in enumerate(UNITS, 1):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
        drop = kdropout.layers.Dropout(0.3, name=f"drop{number}")
        hidden = FairCoin(name=f"coin{number}")(hidden, drop(ops.ones_like(hidden)))
    outputs = keras.layers.Dense(data.num_classes, activation="softmax")(hidden)
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
