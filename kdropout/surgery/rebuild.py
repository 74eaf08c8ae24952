"""Copies of a model, by way of the configuration that Keras saves."""

import keras
from keras import ops

from kdropout.layer_walk import dropout_layers, walk


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
    kinds = {type(layer) for _, layer in walk(model)} | {type(model)}
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


def copy_weights(model, copy, added=()):
    """Give `copy` the weights of `model`, but for those of dropout layers.

    Args:
        model: The model to copy from.
        copy: The model to copy to.
        added: Variables of `copy` that `model` does not have.
    """
    sources = _weights_without_rates(model)
    skipped = {id(variable) for variable in added}
    targets = [v for v in _weights_without_rates(copy) if id(v) not in skipped]
    shapes = [[tuple(v.shape) for v in side] for side in (sources, targets)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "'model' must be one whose configuration tells its weights. Received: "
            f"'{model.name}', which has {len(sources)} weights, and rebuilt from its "
            f"configuration {len(targets)}, or of other shapes."
        )
    for source, target in zip(sources, targets, strict=True):
        target.assign(ops.copy(source))


def _weights_without_rates(model):
    rates = {
        id(variable)
        for layer in dropout_layers(model).values()
        for variable in layer.rate_variables.values()
    }
    return [variable for variable in model.weights if id(variable) not in rates]
