"""The linear map inside a Dense, Conv or EinsumDense layer, with any kernel."""

import math

import keras
from keras import ops

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
SUPPORTED = (keras.layers.Dense, keras.layers.EinsumDense, *_CONVOLUTIONS)


def check_layer(layer):
    """Raise an error for a layer that cannot be computed with other weights."""
    names = ", ".join(kind.__name__ for kind in SUPPORTED)
    kinds = [kind for kind in SUPPORTED if isinstance(layer, kind)]
    # A subclass with another `call` computes something else.
    if not kinds or type(layer).call is not kinds[0].call:
        raise TypeError(
            f"'layer' must be one of {names}. Received: layer={layer!r}. For another "
            "layer, put a kdropout.layers.Dropout before it."
        )
    if layer.quantization_mode is not None:
        raise ValueError(
            "'layer' must not be quantized, because training needs its kernel. "
            f"Received: layer={layer!r}. Quantize after kdropout.strip."
        )
    if layer.activity_regularizer is not None:
        raise ValueError(
            "'layer' must not have an activity_regularizer, because it would not see "
            f"the outputs of the wrapper. Received: layer={layer!r}. Pass the "
            "regularizer to the wrapper instead."
        )


def is_convolution(layer):
    """Return whether `layer` shares its kernel between positions."""
    return isinstance(layer, _CONVOLUTIONS)


def apply_kernel(layer, inputs, kernel):
    """The outputs of `layer` with `kernel`, before its bias and activation."""
    if isinstance(layer, keras.layers.Dense):
        return ops.matmul(inputs, kernel)
    if isinstance(layer, keras.layers.EinsumDense):
        return ops.einsum(layer.equation, inputs, kernel)
    padding = layer.padding
    if padding == "causal":  # only Conv1D has it
        margins = [(0, 0)] * 3
        axis = 2 if layer.data_format == "channels_first" else 1
        margins[axis] = (layer.dilation_rate[0] * (layer.kernel_size[0] - 1), 0)
        inputs, padding = ops.pad(inputs, margins), "valid"
    return ops.conv(
        inputs,
        kernel,
        strides=list(layer.strides),
        padding=padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def add_bias_and_activate(layer, outputs):
    """The outputs of `layer`, from those of its linear map."""
    bias = layer.bias
    if bias is not None:
        if is_convolution(layer) and layer.data_format == "channels_first":
            bias = ops.reshape(bias, (-1, *[1] * layer.rank))
        outputs = ops.add(outputs, bias)
    return outputs if layer.activation is None else layer.activation(outputs)


def num_inputs(layer, shape):
    """The number of inputs that can be dropped: features, or channels of a map."""
    if isinstance(layer, keras.layers.EinsumDense):
        return math.prod(shape[axis] for axis in _contracted_axes(layer.equation))
    return shape[channel_axis(layer)]


def channel_axis(layer):
    """The axis of the inputs that holds features or channels."""
    first = is_convolution(layer) and layer.data_format == "channels_first"
    return 1 if first else -1


def keep_kernel(layer):
    """Make `keras.Model.quantize` skip `layer`, with a warning."""

    # A wrapper computes with the kernel, which a quantized layer does not have.
    def quantize(*args, **kwargs):
        raise NotImplementedError(
            f"Layer '{layer.name}' is not quantized, because the kdropout layer around "
            "it needs its kernel. Quantize kdropout.strip(model) instead."
        )

    layer.quantize = quantize


def _contracted_axes(equation):
    """The axes of the inputs that an einsum sums over."""
    operands, result = equation.replace(" ", "").split("->")
    # Letters after the dots are counted from the end.
    first, _, last = operands.split(",")[0].partition("...")
    axes = {label: axis for axis, label in enumerate(first)}
    axes |= {label: axis - len(last) for axis, label in enumerate(last)}
    return [axis for label, axis in axes.items() if label not in result]
