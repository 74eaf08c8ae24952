"""A network in which dropout rates change the masks, but cannot change the result."""

import keras
from keras import ops

import kdropout

UNITS = (32, 32)
LEARNING_RATE = 3e-3


class FairCoin(keras.layers.Layer):
    """In training, doubles each input or sets it to 0, with equal chance.

    It throws a fair coin for each input, and turns it over where dropout kept a one:

        keep = coin xor kept,    output = 2 * input * keep

    A fair coin that is turned over is still fair, if the decision to turn it over does
    not depend on the coin. So the masks have the distribution of dropout at the rate
    0.5, for any rate of the dropout. Two rates differ only in how their coins fall.
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
    """A compiled classifier with two layers of dropout, for `model.build` of a job."""
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
