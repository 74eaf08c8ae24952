"""Where in a model dropout belongs."""

import keras
from keras import layers

from kdropout.layers import BaseDropout
from kdropout.surgery.counterparts import is_keras_dropout

_KERNELS = (
    layers.Dense,
    layers.EinsumDense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
)
_NORMALIZATIONS = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.RMSNormalization,
    layers.UnitNormalization,
)
_ACTIVATIONS = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.Softmax,
)


def has_kernel(layer):
    """Whether `layer` is dense or a convolution."""
    return isinstance(layer, _KERNELS)


class Chart:
    """Who follows whom in one Functional or Sequential model.

    Args:
        operations: Dict from name to operation.
        consumers: Dict from the name of each operation to the names of those that
            take its output.
        outputs: Names of the operations whose outputs the model returns.
        is_followed: Whether layers with weights follow the model, in the one that it
            is nested in.
    """

    def __init__(self, operations, consumers, outputs, is_followed):
        self.operations = operations
        self.consumers = consumers
        self.outputs = set(outputs)
        self.is_followed = is_followed
        self._hidden = {}

    def place_after(self, name):
        """The operation after which dropout for the layer `name` belongs.

        Of a dense or convolution layer, its activation, over its normalisation; of
        any other layer, the layer itself.
        """
        if not has_kernel(self.operations[name]) or self._is_active(name):
            return name
        place = name
        while len(self.consumers[place]) == 1 and place not in self.outputs:
            follower = self.consumers[place][0]
            operation = self.operations[follower]
            if isinstance(operation, _ACTIVATIONS):
                return follower
            if not isinstance(operation, _NORMALIZATIONS):
                break
            place = follower
        return place

    def is_hidden(self, name):
        """Whether each way from `name` to an output passes a layer with weights."""
        if name not in self._hidden:
            ends_here = name in self.outputs and not self.is_followed
            self._hidden[name] = not ends_here and all(
                self._has_weights(follower) or self.is_hidden(follower)
                for follower in self.consumers[name]
            )
        return self._hidden[name]

    def is_dropped(self, name):
        """Whether dropout follows `name` already."""
        followers = [self.operations[follower] for follower in self.consumers[name]]
        return any(isinstance(f, BaseDropout) or is_keras_dropout(f) for f in followers)

    def _is_active(self, name):
        activation = getattr(self.operations[name], "activation", None)
        return activation not in (None, keras.activations.linear)

    def _has_weights(self, name):
        operation = self.operations[name]
        passive = (*_NORMALIZATIONS, *_ACTIVATIONS)
        return (
            isinstance(operation, layers.Layer)
            and not isinstance(operation, passive)
            and bool(operation.weights)
        )
