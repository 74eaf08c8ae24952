"""Copies of a model, by way of the configuration that Keras saves."""

import keras
from keras import ops

from kdropout.layer_walk import sublayers, walk
from kdropout.layers import BaseDropout


def configuration(model):
    """What `model.save` would write about the structure of `model`, as a dict.

    Raises:
        ValueError: If Keras could not save it.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"'model' must be one that Keras can save. Received: '{model.name}', for "
            f"which Keras says: {error}"
        ) from error
    config.pop("compile_config", None)
    return config


def rebuild(config, model):
    """A new model from `config`, made of the same classes as `model`.

    Raises:
        ValueError: If Keras cannot build it.
    """
    # Not Keras's own, some of which have the name of an operation.
    kinds = {type(layer) for layer in (model, *(layer for _, layer in walk(model)))}
    kinds = {kind for kind in kinds if not kind.__module__.startswith("keras.")}
    names = {kind.__name__: kind for kind in kinds}
    names |= {keras.saving.get_registered_name(kind): kind for kind in kinds}
    try:
        # The configuration is that of the user's own model: its lambdas are safe.
        copy = keras.saving.deserialize_keras_object(
            config, custom_objects=names, safe_mode=False
        )
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"'model' must be one that Keras can load. Received: '{model.name}', for "
            f"which Keras says: {error}"
        ) from error
    if not copy.built:
        raise ValueError(
            "'model' must be one that Keras can build from its configuration. "
            f"Received: '{model.name}'. Implement get_build_config and "
            f"build_from_config in {type(model).__name__}."
        )
    return copy


def pairs(layer, copy):
    """Each layer inside `layer` with the one at the same place inside `copy`.

    What is inside a dropout layer is left out. By name where the names are the same;
    Keras numbers those of layers inside layers anew, so there by place.
    """
    inside = sublayers(layer)
    named = {part.name: part for part in sublayers(copy)}
    if {part.name for part in inside} <= named.keys():
        partners = [named[part.name] for part in inside]
    else:
        partners = sublayers(copy)
    for ours, partner in zip(inside, partners, strict=True):
        yield ours, partner
        if not isinstance(ours, BaseDropout):
            yield from pairs(ours, partner)


def copy_weights(layer, copy):
    """Give `copy` the weights of `layer`, and so inside, but for dropout layers.

    Raises:
        ValueError: If the two have different weights.
    """
    both = [(layer, copy), *pairs(layer, copy)]
    for ours, partner in both:
        if isinstance(ours, BaseDropout):
            continue
        sources, targets = _own_weights(ours), _own_weights(partner)
        shapes = [[tuple(v.shape) for v in side] for side in (sources, targets)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "'model' must be one whose configuration tells its weights. Received: "
                f"'{ours.name}' with weights of shapes {shapes[0]}, which rebuilt from "
                f"its configuration are {shapes[1]}."
            )
        for source, target in zip(sources, targets, strict=True):
            target.assign(ops.copy(source))


def _own_weights(layer):
    """The weights of a layer that are not those of a layer inside it."""
    inner = {id(weight) for part in sublayers(layer) for weight in part.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]
