"""The networks of the study of kinds, with the places of each kind of dropout.

All networks take the 784 numbers of an image and return the logits of its classes. They
are small, because the study trains each of them some hundred times.
"""

import functools

import keras
from keras import layers, ops

from benchmarks.studies.methods import UNITS
from benchmarks.studies.trainings import CLASSES
from kdropout.layers import (
    AlphaDropout,
    DropBlock2D,
    DropConnect,
    Dropout,
    DropPath,
    GaussianDropout,
    HeadDropout,
    SpatialDropout2D,
    TokenDropout,
)

FILTERS = (16, 32)
PATCH = 7  # pixels along each side
BLOCKS, WIDTH, HEADS = 3, 48, 4  # of the transformer


class Drops:
    """Adds the dropout layers of one kind, at the places where the kind belongs.

    Args:
        method: "none", or a kind and its rate, such as "DropPath 0.3".
        seed: Integer, from which the seeds of the layers follow. They do not follow
            from the seed of Keras, so the weights are the same for all methods.
    """

    def __init__(self, method, seed):
        self._kind, _, rate = method.partition(" ")
        self._rate = float(rate or 0.0)
        self._seed = 1000 * seed

    def units(self, x):
        """Drop outputs of a layer or, in a transformer, of a branch."""
        return self._drop(UNIT_KINDS, x)

    def tokens(self, x):
        """Drop tokens of a sequence, at the entry of the transformer."""
        return self._drop({"TokenDropout": TokenDropout}, x)

    def heads(self, x):
        """Drop heads in the outputs of attention, (batch, heads, tokens, size)."""
        return self._drop({"HeadDropout": HeadDropout}, x)

    def weights(self, layer):
        """Drop weights of a layer."""
        if self._kind != "DropConnect":
            return layer
        return DropConnect(layer, self._rate, **self._next())

    def _drop(self, kinds, x):
        if self._kind not in kinds:
            return x
        return kinds[self._kind](self._rate, **self._next())(x)

    def _next(self):
        self._seed += 1
        return {"seed": self._seed, "name": f"drop{self._seed % 1000}"}


UNIT_KINDS = {
    "Dropout": Dropout,
    "GaussianDropout": GaussianDropout,
    "AlphaDropout": AlphaDropout,
    "SpatialDropout2D": SpatialDropout2D,
    "DropBlock2D": lambda rate, **kwargs: DropBlock2D(rate, block_size=5, **kwargs),
    "DropPath": DropPath,
}


def dense(drop, activation="relu", initializer="glorot_uniform"):
    """784-256-256-10."""
    x = inputs = keras.Input((784,))
    for units in UNITS:
        layer = layers.Dense(units, activation, kernel_initializer=initializer)
        x = drop.units(drop.weights(layer)(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


# Self-normalizing.
selu = functools.partial(dense, activation="selu", initializer="lecun_normal")


def convolutional(drop):
    """Two convolutions on maps of 28 x 28 and 14 x 14; drops on maps of 14 x 14."""
    inputs = keras.Input((784,))
    x = layers.Reshape((28, 28, 1))(inputs)
    x = layers.Conv2D(FILTERS[0], 3, padding="same", activation="relu")(x)
    x = drop.units(layers.MaxPooling2D()(x))
    x = layers.Conv2D(FILTERS[1], 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(drop.units(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(x)))


def transformer(drop):
    """Three blocks on 16 patches of 7 x 7 pixels, normalised before each branch."""
    inputs = keras.Input((784,))
    side = 28 // PATCH
    x = layers.Reshape((side, PATCH, side, PATCH))(inputs)
    x = layers.Reshape((side**2, PATCH**2))(layers.Permute((1, 3, 2, 4))(x))
    # The bias of a token encodes its place.
    shape = (side**2, WIDTH)
    x = layers.EinsumDense("btf,fd->btd", shape, bias_axes="td")(x)
    x = drop.tokens(x)
    for _ in range(BLOCKS):
        x = x + drop.units(_attention(layers.LayerNormalization()(x), drop))
        wide = layers.Dense(2 * WIDTH, "gelu")(layers.LayerNormalization()(x))
        x = x + drop.units(layers.Dense(WIDTH)(wide))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def _attention(x, drop):
    size = WIDTH // HEADS
    query, key, value = (
        layers.EinsumDense("btf,fhd->bhtd", (HEADS, None, size))(x) for _ in range(3)
    )
    scores = ops.einsum("bhqd,bhkd->bhqk", query, key) / size**0.5
    mixed = ops.einsum("bhqk,bhkd->bhqd", ops.softmax(scores), value)
    return layers.EinsumDense("bhtd,hdf->btf", (None, WIDTH))(drop.heads(mixed))


# The function that makes each network, and the kinds of dropout for it.
NETWORKS = {
    "dense": (dense, ("Dropout", "GaussianDropout", "DropConnect")),
    "dense, SELU": (selu, ("Dropout", "AlphaDropout")),
    "convolutional": (convolutional, ("Dropout", "SpatialDropout2D", "DropBlock2D")),
    "transformer": (
        transformer,
        ("Dropout", "DropPath", "TokenDropout", "HeadDropout"),
    ),
}


def build(name, method, seed):
    """A network. Its weights are the same for all methods."""
    keras.utils.set_random_seed(seed)
    return NETWORKS[name][0](Drops(method, seed))
