"""What remains of a Standout layer at inference, in plain Keras."""

import keras
from keras import ops

from kdropout.surgery.rebuild import copy_state

# The name of the layer that computes with what probability units are kept.
_GATE = "kept"


def gated_layer(wrapped, input_shape, name):
    """A model that computes `layer(x) * sigmoid(linear(x))`.

    Args:
        wrapped: Configuration of the layer inside a Standout layer.
        input_shape: Shape of its inputs, batch first.
        name: Name of the model.

    Returns:
        A Sequential model of a Functional one, with two layers of the kind of
        `wrapped`. (Keras counts the calls of a Functional model from 1, and of a layer
        from 0, so only a Sequential one can stand in the place of a layer.)
    """
    layer = keras.saving.deserialize_keras_object(wrapped)
    config = {**layer.get_config(), "name": _GATE, "activation": "sigmoid"}
    if isinstance(layer, keras.layers.EinsumDense):
        config["bias_axes"] = layer.equation[-1]
    else:
        config["use_bias"] = True
    gate = type(layer).from_config(config)
    inputs = keras.Input(tuple(input_shape[1:]), dtype=layer.compute_dtype)
    outputs = keras.layers.Multiply(dtype=layer.dtype_policy)(
        [layer(inputs), gate(inputs)]
    )
    gated = keras.Model(inputs, outputs)
    return keras.Sequential([keras.Input(inputs.shape[1:]), gated], name=name)


def copy_gated_weights(standout, model):
    """Give a model that `gated_layer` made the weights and rates of `standout`."""
    gated = model.layers[0]
    copy_state(standout.layer, gated.get_layer(standout.layer.name))
    gate = gated.get_layer(_GATE)
    gate.kernel.assign(standout.alpha * ops.convert_to_tensor(standout.layer.kernel))
    gate.bias.assign(ops.full(gate.bias.shape, standout.beta))
