"""Keras masks across the border between two compiled functions.

Keras ties a mask to a tensor in a way of its own on each backend; layers are the
public way to read and to set it.
"""

import keras


def read_mask(tensor):
    """The mask that Keras carries with a tensor, or None."""
    return (MaskReader(autocast=False)(tensor) + [None])[1]


def with_mask(tensor, mask):
    """The tensor, with the mask that the layers after it will see."""
    return tensor if mask is None else MaskSetter(autocast=False)([tensor, mask])


class MaskReader(keras.layers.Layer):
    def call(self, inputs, mask=None):
        return [inputs] if mask is None else [inputs, mask]

    def compute_mask(self, inputs, previous_mask=None):
        return None


class MaskSetter(keras.layers.Layer):
    def call(self, inputs):
        return inputs[0]

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[1]
