"""Makes a plain Keras copy of a model, without kdropout."""

import keras
from keras import ops

from kdropout import _validation
from kdropout._keras_classes import plain_layer, set_plain_rate
from kdropout._model_kinds import has_call, require_built_model
from kdropout.inspection import dropout_layers, sublayers, walk
from kdropout.layers import BaseDropout, Standout
from kdropout.layers.rate_arguments import RateArguments
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.surgery.rebuild import configuration, copy_state, pairs, rebuild
from kdropout.surgery.replacements import make_plain

# The name of the layer that computes the probability of keeping a unit.
_GATE = "kept"


def strip(model: keras.Model, in_place: bool = False) -> keras.Model:
    """Return a plain Keras model, for deployment without kdropout.

    The copy makes the same predictions. If Keras has a layer of the same kind, it
    replaces the layer of kdropout, at the rate in effect. DropPath, DropBlock,
    TokenDropout and HeadDropout, which Keras does not have, become
    `keras.layers.Identity`. A wrapper becomes the layer that it wraps. Standout, which
    scales its outputs at inference, becomes a small model with the same outputs. An
    LSTM or another layer with rates among its arguments becomes that of Keras. Files of
    the result load without kdropout.

    By default, the result is a copy from the configuration of the model. Keras must be
    able to save the model, and the copy is not compiled. With `in_place=True`, the
    layers of the model itself change, so this works for every model that
    `kdropout.convert` accepts. The model stays compiled.

    Args:
        model: A built `keras.Model` that Keras can save. With `in_place=True`, any
            built `keras.Model`, or one with a training step but no `call`, whose parts
            are built.
        in_place: If True, change the model itself. Defaults to False.

    Returns:
        A new `keras.Model` with copied weights, and `model` does not change. With
        `in_place=True`, the same `model`.

    Raises:
        TypeError: If `model` is not a `keras.Model`, or `in_place` is not a bool.
        ValueError: If `model` is not built or has no layer of kdropout; if Keras cannot
            save it and `in_place` is False; or if it holds a Standout and `in_place` is
            True. The model does not change.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), kdropout.layers.Dropout(0.5), keras.layers.Dense(1)])
    >>> plain = kdropout.strip(model)
    >>> plain.layers[0].__class__ is keras.layers.Dropout
    True
    """
    require_built_model(model)
    if not isinstance(in_place, bool):
        raise _validation.type_error("in_place", "True or False", in_place)
    live = dropout_layers(model)
    if not live:
        raise ValueError(
            "'model' must hold dropout layers of kdropout. Received: "
            f"'{model.name}', which has none. It is already plain: use it as it is."
        )
    if in_place:
        make_plain(model)
        return model
    if not has_call(model):
        parts = [
            part.name
            for part in sublayers(model)
            if isinstance(part, keras.Model) and dropout_layers(part)
        ]
        message = (
            "'model' must have a call(), so that the copy can predict. Received: "
            f"'{model.name}', which has none. Use strip(model, in_place=True)"
        )
        if parts:
            message += f", or strip the models in it: {', '.join(map(repr, parts))}"
        raise ValueError(message)
    try:
        return _plain_copy(model)
    except ValueError as error:
        error.add_note(
            "kdropout.strip(model, in_place=True) needs no copy: it changes the layers "
            "of this model."
        )
        raise


def _plain_copy(model):
    """A new model without layers of kdropout."""
    parts = [model, *(layer for _, layer in walk(model))]
    kinds = {
        keras.saving.get_registered_name(type(part)): type(part)
        for part in parts
        if isinstance(part, (BaseDropout, RateArguments))
    }
    plain = rebuild(_replace(configuration(model), kinds), model)
    left = dropout_layers(plain)
    if left:
        raise ValueError(
            "'model' must be one whose configuration shows its dropout. Received: "
            f"'{model.name}', whose class {type(model).__name__}, or a class inside, "
            f"makes layers of kdropout in its code: {', '.join(map(repr, left))}. Pass "
            "the class of the dropout to that code as an argument, or make layers of "
            "Keras there and convert the model."
        )
    copy_state(model, plain)
    for ours, partner in pairs(model, plain):
        if isinstance(ours, Standout):
            _copy_gated_weights(ours, partner)
        elif isinstance(ours, DropoutWrapper):
            copy_state(ours.layer, partner)
        elif isinstance(ours, BaseDropout):
            set_plain_rate(partner, ours.rate)
        elif isinstance(ours, RateArguments):
            ours._copy_rates_to(partner)
    return plain


def _replace(config, kinds):
    """The configuration with plain layers in place of those of `kinds`."""
    if isinstance(config, (list, tuple)):
        return [_replace(part, kinds) for part in config]
    if not isinstance(config, dict):
        return config
    kind = kinds.get(_key_of_config(config))
    if kind is None:
        return {name: _replace(part, kinds) for name, part in config.items()}
    if issubclass(kind, RateArguments):
        return kind._plain_configuration(config)
    # The layer keeps its place in the model.
    place = {name: config[name] for name in ("name", "inbound_nodes") if name in config}
    return {**_plain_configuration(kind, config), **place}


def _plain_configuration(kind, config):
    arguments, build_config = config["config"], config.get("build_config")
    if not issubclass(kind, DropoutWrapper):
        return keras.saving.serialize_keras_object(plain_layer(kind, arguments))
    if issubclass(kind, Standout):
        shape = build_config["input_shape"]
        gated = _gated_layer(arguments["layer"], shape, arguments["name"])
        return keras.saving.serialize_keras_object(gated)
    wrapped = arguments["layer"]
    named = {**wrapped["config"], "name": arguments["name"]}
    return {**wrapped, "config": named, "build_config": build_config}


def _key_of_config(config):
    """The name of the class of a serialised object."""
    return config.get("registered_name") or config.get("class_name")


def _gated_layer(wrapped, input_shape, name):
    """A plain Keras model of a Standout layer: `layer(x) * sigmoid(linear(x))`."""
    # It is a Sequential model of a Functional one, with two layers of the kind of
    # `wrapped`. Keras counts the calls of a Functional model from 1 and those of a
    # layer from 0, so only a Sequential model can replace a layer.
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


def _copy_gated_weights(standout, model):
    """Give a model from `_gated_layer` the weights and rates of `standout`."""
    gated = model.layers[0]
    copy_state(standout.layer, gated.get_layer(standout.layer.name))
    gate = gated.get_layer(_GATE)
    gate.kernel.assign(standout.alpha * ops.convert_to_tensor(standout.layer.kernel))
    gate.bias.assign(ops.full(gate.bias.shape, standout.beta))
