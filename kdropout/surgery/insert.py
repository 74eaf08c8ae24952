"""Adds dropout to an existing model."""

import keras

from kdropout import layers, validation
from kdropout.model_kinds import check_layer, has_call
from kdropout.surgery.chart import has_kernel
from kdropout.surgery.model_config import ModelConfig, can_edit
from kdropout.surgery.rate_choice import choose_rates
from kdropout.surgery.rebuild import configuration, copy_state, rebuild


def insert(model, rate, after="hidden", make_layer=layers.Dropout):
    """A copy of a model with dropout after the activation of its hidden layers.

    A layer is hidden if every way from it to an output passes another layer with
    weights: nothing is dropped after an output layer, or after an activation that
    follows one. Dropout goes behind the layer's normalisation and activation, where
    these are layers of their own. Where a dropout layer follows already, none is added:
    make that one live with `kdropout.convert`. Nested Functional and Sequential models
    are treated in the same way.

    Args:
        model: A built Functional or Sequential model.
        rate: Float in [0, 1], schedule or `kdropout.LearnedRate` for all; or a dict
            from paths or globs of the layers that dropout follows to such: then only
            these get dropout.
        after: "hidden" for all hidden dense and convolution layers, a glob on the
            layer path such as "block*/conv", a list of globs, or a function from a
            layer to a bool. Defaults to "hidden".
        make_layer: Function from a rate to a dropout layer of kdropout, such as
            `kdropout.layers.SpatialDropout2D`. Defaults to `kdropout.layers.Dropout`.

    Returns:
        A new model with copied weights, under the same names; "<name>_dropout" is
        what follows the layer "<name>". `model` is not changed. The copy is not
        compiled.

    Raises:
        TypeError: If an argument is of the wrong type; if the model has a `call` of its
            own, which alone knows the order of its layers.
        ValueError: If the model is not built, a path or glob names no hidden layer, or
            there is none.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...     keras.layers.Dense(1)])
    >>> model = kdropout.insert(model, rate=0.2)
    >>> kdropout.rates(model)
    {'hidden_dropout': 0.2}
    """
    if not callable(make_layer):
        raise TypeError(_not_a_maker(make_layer))
    config = _checked_configuration(model)
    parts = list(_all_parts(ModelConfig(config, model)))
    is_chosen = _chooser(after, parts)
    places = {
        part.path_of(name): (part, name, place)
        for part in parts
        for name, place in _places(part, is_chosen)
    }
    if not places:
        raise ValueError(
            "'after' must name layers that dropout can follow: hidden ones, without "
            f"dropout behind them. Received: after={after!r}, but '{model.name}' has "
            "none. Dropout that it has can be made live with kdropout.convert."
        )
    for path, chosen in choose_rates(list(places), rate).items():
        part, name, place = places[path]
        layer = make_layer(chosen)
        if not isinstance(layer, layers.BaseDropout):
            raise TypeError(f"{_not_a_maker(make_layer)}, which gave {layer!r}")
        part.insert(place, _named(layer, name, part.chart.operations))
    copy = rebuild(config, model)
    copy_state(model, copy)
    return copy


def _not_a_maker(make_layer):
    expected = "a function from a rate to a dropout layer of kdropout"
    return validation.received("make_layer", expected, make_layer)


def _chooser(after, parts):
    """A function from path and layer to whether dropout shall follow it."""
    if isinstance(after, str) and after == "hidden":
        return lambda path, layer: has_kernel(layer)
    if callable(after):
        return lambda path, layer: bool(after(layer))
    globs = [after] if isinstance(after, str) else after
    if not isinstance(globs, (list, tuple)) or not all(
        isinstance(glob, str) for glob in globs
    ):
        expected = '"hidden", a glob, a list of globs or a function of a layer'
        raise TypeError(validation.received("after", expected, after))
    paths = [part.path_of(name) for part in parts for name in part.chart.operations]
    chosen = choose_rates(paths, dict.fromkeys(globs), argument="after")
    return lambda path, layer: path in chosen


def _checked_configuration(model):
    check_layer(model, keras.Model, "a keras.Model")
    if not has_call(model):
        raise TypeError(
            "'model' must be a Functional or Sequential model. Received: "
            f"'{model.name}', which has no call(). Use kdropout.insert on its parts, "
            "and make a model of the copies."
        )
    if not model.built:
        raise ValueError(
            f"'model' must be built. Received: '{model.name}', which is not. Give it a "
            "keras.Input."
        )
    config = configuration(model)
    if not can_edit(model, config):
        raise TypeError(
            "'model' must be a Functional or Sequential model: only the code of "
            f"{type(model).__name__} knows the order of its layers. Received: "
            f"'{model.name}'. Put layers of kdropout.layers into that code, or use "
            "kdropout.convert on the dropout that it has."
        )
    return config


def _all_parts(part):
    """A model and those nested in it, outermost first."""
    yield part
    for nested in part.nested():
        yield from _all_parts(nested)


def _places(part, is_chosen):
    """Names of chosen layers, each with the operation that dropout shall follow."""
    taken = set()
    for name, operation in part.chart.operations.items():
        if not isinstance(operation, keras.layers.Layer) or isinstance(
            operation, keras.layers.InputLayer
        ):
            continue
        place = part.chart.place_after(name)
        if (
            is_chosen(part.path_of(name), operation)
            and part.chart.is_hidden(place)
            and not part.chart.is_dropped(place)
            and place not in taken
        ):
            taken.add(place)
            yield name, place


def _named(layer, name, operations):
    """The layer, called after the one that it follows."""
    wanted, number = f"{name}_dropout", 1
    while wanted in operations:
        number += 1
        wanted = f"{name}_dropout_{number}"
    return type(layer).from_config({**layer.get_config(), "name": wanted})
