"""What remains of a Standout layer at inference, in plain Keras."""

import keras
from keras import ops

GATE = "gate"


def gated_layer(wrapped, input_shape, name):
    """A model that computes `layer(x) * sigmoid(linear(x))`.

    Args:
        wrapped: Configuration of the layer inside a Standout layer.
        input_shape: Shape of its inputs, batch first.
        name: Name of the model.

    Returns:
        A Functional model with two layers of the kind of `wrapped`: the second one is
        called "gate".
    """
    layer = keras.saving.deserialize_keras_object(wrapped)
    config = {**layer.get_config(), "name": GATE, "activation": "sigmoid"}
    if isinstance(layer, keras.layers.EinsumDense):
        config["bias_axes"] = layer.equation[-1]
    else:
        config["use_bias"] = True
    gate = type(layer).from_config(config)
    inputs = keras.Input(tuple(input_shape[1:]), dtype=layer.compute_dtype)
    outputs = keras.layers.Multiply(dtype=layer.dtype_policy)(
        [layer(inputs), gate(inputs)]
    )
    return keras.Model(inputs, outputs, name=name)


def set_gate(gate, standout):
    """Give the layer "gate" the weights that the rates of `standout` follow from."""
    gate.kernel.assign(standout.alpha * ops.convert_to_tensor(standout.layer.kernel))
    gate.bias.assign(ops.full(gate.bias.shape, standout.beta))
