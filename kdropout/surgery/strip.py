"""Takes kdropout out of a model."""

import keras

from kdropout.layer_walk import dropout_layers, sublayers
from kdropout.layers import BaseDropout, Standout
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.model_kinds import check_layer, has_call
from kdropout.surgery.counterparts import plain_layer, set_plain_rate
from kdropout.surgery.gated_layer import copy_gated_weights, gated_layer
from kdropout.surgery.rebuild import configuration, copy_state, pairs, rebuild


def strip(model):
    """A plain Keras copy of a model, for deployment: same predictions, no kdropout.

    Layers that Keras has, too, become Keras's, at the rate in effect. DropPath,
    DropBlock, TokenDropout and HeadDropout, which Keras does not have, become
    `keras.layers.Identity`. A wrapper gives way to the layer that it wraps; Standout,
    which scales its outputs at inference, to a small model that does the same. What
    the copy saves and exports can be loaded where kdropout is not installed, and at
    inference nothing of dropout remains. The copy is not compiled.

    Args:
        model: A built `keras.Model` that Keras can save.

    Returns:
        A new `keras.Model` with copied weights. `model` is not changed.

    Raises:
        TypeError: If `model` is not a `keras.Model`.
        ValueError: If it is not built, has no layer of kdropout, or Keras cannot save
            it.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), kdropout.layers.Dropout(0.5), keras.layers.Dense(1)])
    >>> plain = kdropout.strip(model)
    >>> plain.layers[0].__class__ is keras.layers.Dropout
    True
    """
    check_layer(model, keras.Model, "a keras.Model")
    if not has_call(model):
        parts = [part.name for part in sublayers(model) if dropout_layers(part)]
        raise ValueError(
            "'model' must have a call(), which the copy is to predict with. Received: "
            f"'{model.name}', which has none. Use kdropout.strip on each of its parts "
            f"that you need: {', '.join(map(repr, parts)) or 'none has dropout'}"
        )
    if not model.built:
        raise ValueError(
            f"'model' must be built. Received: '{model.name}', which is not. Call it "
            "on a batch of data first, or give a Sequential model a keras.Input."
        )
    live = dropout_layers(model)
    if not live:
        raise ValueError(
            "'model' must hold dropout layers of kdropout. Received: "
            f"'{model.name}', which has none: it is plain already, use it as it is."
        )
    kinds = {type(layer) for layer in live.values()}
    kinds = {keras.saving.get_registered_name(kind): kind for kind in kinds}
    plain = rebuild(_replace(configuration(model), kinds), model)
    left = dropout_layers(plain)
    if left:
        raise ValueError(
            "'model' must be one whose configuration shows its dropout. Received: "
            f"'{model.name}', whose class {type(model).__name__}, or one inside, makes "
            f"layers of kdropout in its own code: {', '.join(map(repr, left))}. Let "
            "that code take the class of its dropout as an argument, or make Keras's "
            "there and convert the model."
        )
    copy_state(model, plain)
    for ours, partner in pairs(model, plain):
        if isinstance(ours, Standout):
            copy_gated_weights(ours, partner)
        elif isinstance(ours, DropoutWrapper):
            copy_state(ours.layer, partner)
        elif isinstance(ours, BaseDropout):
            set_plain_rate(partner, ours.rate)
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
    # Where the layer stands in its model stays.
    place = {name: config[name] for name in ("name", "inbound_nodes") if name in config}
    return {**_plain_configuration(kind, config), **place}


def _plain_configuration(kind, config):
    arguments, build_config = config["config"], config.get("build_config")
    if not issubclass(kind, DropoutWrapper):
        return keras.saving.serialize_keras_object(plain_layer(kind, arguments))
    if issubclass(kind, Standout):
        shape = build_config["input_shape"]
        gated = gated_layer(arguments["layer"], shape, arguments["name"])
        return keras.saving.serialize_keras_object(gated)
    wrapped = arguments["layer"]
    named = {**wrapped["config"], "name": arguments["name"]}
    return {**wrapped, "config": named, "build_config": build_config}


def _key_of_config(config):
    """What identifies the class of a serialised object."""
    return config.get("registered_name") or config.get("class_name")
