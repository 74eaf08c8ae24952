"""The one walk over the dropout layers of a model."""

import fnmatch

import keras

from kdropout.layers.base import BaseDropout
from kdropout.validation import nearest


def dropout_layers(model):
    """Dict from path to layer of every dropout layer of kdropout in `model`.

    Raises:
        TypeError: If `model` is not a Keras layer or model.
    """
    if not isinstance(model, keras.layers.Layer):
        raise TypeError(
            f"'model' must be a keras.Model or layer. Received: model={model!r}"
        )
    found = {}
    for path, layer in walk(model):
        if isinstance(layer, BaseDropout):
            found[_unique(path, found)] = layer
    return found


def select_layers(model, layers=None, argument="layers"):
    """The part of `dropout_layers(model)` that `layers` names.

    Args:
        model: A `keras.Model` or layer.
        layers: None for all, a path, a glob on the path, a layer, or a list of those.
        argument: What the user calls `layers`, for the messages.

    Raises:
        TypeError: If `layers` is of another type.
        ValueError: If the model has no dropout layers, or a glob or a layer of
            `layers` is not among them.
    """
    found = dropout_layers(model)
    if not found:
        raise ValueError(
            f"'model' must hold dropout layers of kdropout. Received: '{model.name}', "
            "which has none. Make the dropout that Keras gave it live with "
            "kdropout.convert. Use kdropout.layers.Dropout in place of Keras's in code "
            "that makes a model."
        )
    if layers is None:
        return found
    items = layers if isinstance(layers, (list, tuple)) else [layers]
    if not items:
        raise ValueError(
            f"'{argument}' must name at least one layer, or be None for all. Received: "
            f"{argument}={layers!r}"
        )
    selected = {}
    for item in items:
        if isinstance(item, str):
            # A path comes first: one with brackets would not match itself as a glob.
            matches = [item] if item in found else fnmatch.filter(found, item)
        elif isinstance(item, keras.layers.Layer):
            matches = [path for path, layer in found.items() if layer is item]
        else:
            raise TypeError(
                f"'{argument}' must be None, a glob on the layer path, a layer, or a "
                f"list of those. Received: {argument}={layers!r}"
            )
        if not matches:
            raise ValueError(_no_match(item, found, argument))
        selected.update((path, found[path]) for path in matches)
    return selected


def settable_layers(model, layers=None):
    """The layers of `select_layers` whose rate a callback may set.

    Args:
        model: A `keras.Model` or layer.
        layers: None for all that can be set, a glob, a layer, or a list of those.

    Raises:
        TypeError: If `layers` names one that a schedule or a gradient decides.
        ValueError: As for `select_layers`, or if no rate of the model can be set.
    """
    selected = select_layers(model, layers)
    fixed = {path: s for path, s in selected.items() if not s.rate_rule.settable}
    settable = {path: s for path, s in selected.items() if path not in fixed}
    if layers is not None and fixed:
        decided = ", ".join(
            f"'{path}' ({s.rate_rule.decided_by})" for path, s in fixed.items()
        )
        raise TypeError(
            "'layers' must name layers whose rate was given as a number, because "
            f"only those can be set. Received: {decided}. Leave them out, or pass a "
            "number as their 'rate'."
        )
    if not settable:
        raise ValueError(
            "'model' must hold a dropout layer whose rate was given as a number, "
            f"because only those can be set. Received: '{model.name}', in which "
            "schedules or gradients decide all."
        )
    return settable


def walk(layer):
    """Path and layer of all layers inside `layer`, outermost first, each once."""
    return _walk(layer, "", set())


def _walk(layer, path, seen):
    for child in sublayers(layer):
        if id(child) not in seen:
            seen.add(id(child))
            child_path = f"{path}/{child.name}" if path else child.name
            yield child_path, child
            yield from _walk(child, child_path, seen)


def sublayers(layer):
    """The layers directly inside `layer`.

    `Model.layers` is public but misses what plain layers hold, such as the dropout
    of `MultiHeadAttention`; this one use of a private method does not.
    """
    if isinstance(layer, keras.Sequential):
        return layer.layers  # not its inner functional model, which repeats them
    return layer._flatten_layers(include_self=False, recursive=False)


def _unique(path, found):
    """`path`, numbered if a sibling of the same name already has it."""
    candidate, number = path, 1
    while candidate in found:
        number += 1
        candidate = f"{path}_{number}"
    return candidate


def _no_match(item, found, argument):
    name = item if isinstance(item, str) else item.name
    return (
        f"'{argument}' must name dropout layers of the model. "
        f"Received: '{name}'.{nearest(name, found)} "
        f"The model has: {', '.join(map(repr, found))}"
    )
