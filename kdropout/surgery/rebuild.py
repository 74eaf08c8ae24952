"""Copies a model: the structure from its configuration, the state as Keras saves it.

The state of a layer is more than its variables. `Normalization` computes with numbers
that `adapt` stored, a lookup layer has a table, and a tokenizer has a vocabulary. So
the methods with which Keras saves and loads an object copy its state.
"""

import functools
import inspect
import os
import tempfile
import warnings

import keras
from keras import ops

from kdropout._model_kinds import has_known_graph, has_named_layers, is_functional
from kdropout.inspection import sublayers, walk
from kdropout.layers import BaseDropout
from kdropout.layers.rate_arguments import RateArguments

# Objects that compiling makes. A copy is not compiled.
_COMPILED = (keras.optimizers.Optimizer, keras.losses.Loss, keras.metrics.Metric)


def configuration(model):
    """The structure of `model` that `model.save` writes, as a dict."""
    try:
        config = keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"'model' must be one that Keras can save. Received: '{model.name}', for "
            f"which Keras reports: {error}"
        ) from error
    return _with_names(_not_compiled(config), model)


def rebuild(config, model):
    """A new model from `config`, made of the same classes as `model`."""
    # Without the classes of Keras, because some have the name of an operation.
    kinds = {type(layer) for layer in (model, *(layer for _, layer in walk(model)))}
    kinds = {kind for kind in kinds if not kind.__module__.startswith("keras.")}
    names = {kind.__name__: kind for kind in kinds}
    names |= {keras.saving.get_registered_name(kind): kind for kind in kinds}
    try:
        # The configuration comes from a model of the user, so its lambdas are safe.
        copy = keras.saving.deserialize_keras_object(
            config, custom_objects=names, safe_mode=False
        )
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"'model' must be one that Keras can load. Received: '{model.name}', for "
            f"which Keras reports: {error}"
        ) from error
    if not copy.built:
        raise ValueError(
            "'model' must be one that Keras can build from its configuration. "
            f"Received: '{model.name}'. Implement get_build_config and "
            f"build_from_config in {type(model).__name__}."
        )
    return copy


def pairs(owner, copy):
    """Each object inside `owner`, with the one at the same place inside `copy`."""
    # These are all objects that Keras saves, outermost first, each once. If the partner
    # of a layer has another class, the objects inside are left out.
    yield from _pairs(owner, copy, {(id(owner), id(copy))})


def copy_state(owner, copy):
    """Give `copy`, and all objects inside, the state of `owner`."""
    partners = {}
    for ours, partner in [(owner, copy), *pairs(owner, copy)]:
        # If `strip` put another class here, it copies the state itself.
        if not isinstance(ours, BaseDropout) or type(partner) is type(ours):
            _copy_own_state(ours, partner)
            partners.setdefault(id(ours), (ours, []))[1].append(partner)
    # A configuration of Keras does not record that two graphs share a layer.
    parted = [
        _name(ours)
        for ours, copies in partners.values()
        if len(copies) > 1 and getattr(ours, "trainable_variables", None)
    ]
    if parted:
        warnings.warn(
            f"Layers that several models inside '{owner.name}' share are separate ones "
            f"in the copy: {', '.join(map(repr, parted))}. Their weights and the "
            "predictions are the same now, but training makes them differ.",
            stacklevel=3,
        )


def _not_compiled(config):
    """The configuration without the compiled parts of all models in it."""
    if isinstance(config, (list, tuple)):
        return [_not_compiled(part) for part in config]
    if not isinstance(config, dict):
        return config
    is_object = "class_name" in config and "config" in config
    return {
        name: _not_compiled(part)
        for name, part in config.items()
        if not (is_object and name == "compile_config")
    }


def _with_names(config, model):
    """The configuration, with names for layers that do not have one in it."""
    if not can_edit(model, config):
        return config
    entries = config["config"]["layers"]
    layers = {layer.name: layer for layer in model.layers}
    if is_functional(model):
        listed = [layers.get(entry["name"]) for entry in entries]
    else:  # the configuration of a Sequential model may begin with an Input
        listed = [None] * (len(entries) - len(layers)) + [*layers.values()]
    for entry, layer in zip(entries, listed, strict=True):
        if layer is not None and _takes_name(type(layer)):
            entry["config"].setdefault("name", layer.name)
            _with_names(entry, layer)
    return config


def can_edit(model, config):
    """Return whether `config` lists the layers of `model`, whose order is known."""
    return (
        isinstance(model, keras.Model)
        and has_known_graph(model)
        and "layers" in config["config"]
    )


def _takes_name(kind):
    parameters = inspect.signature(kind.__init__).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    return "name" in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def _pairs(owner, copy, seen):
    partners = _parts(copy)
    if has_named_layers(owner) and has_named_layers(copy):
        partners |= _layers_by_name(owner, copy)
    for place, part in _parts(owner).items():
        partner = partners.get(place)
        if partner is None:
            # `strip` makes numbers of the rates of an LSTM, and copies them itself.
            if not (isinstance(part, BaseDropout) and isinstance(owner, RateArguments)):
                _check_stateless(part, owner)
            continue
        if (id(part), id(partner)) in seen:
            continue
        seen.add((id(part), id(partner)))
        _build_like(part, partner)
        yield part, partner
        if not isinstance(part, BaseDropout) or type(partner) is type(part):
            yield from _pairs(part, partner, seen)


def _layers_by_name(owner, copy):
    """The layers of a copied graph, under the places of those of `owner`."""
    names = [layer.name for layer in owner.layers]
    layers = {layer.name: layer for layer in copy.layers}
    # A layer whose code makes a whole model gives its layers new names.
    if not layers.keys() >= {*names} and len(names) == len(layers):
        layers = dict(zip(names, layers.values(), strict=True))
    return {f"layers/{name}": layers[name] for name in names if name in layers}


def _parts(owner):
    """The parts directly inside an object that Keras saves: dict by their place."""
    # Keras finds them in the same way, by attributes. Names of layers do not identify
    # them, because layers that a layer makes have other numbers in each copy.
    found = {}
    if has_named_layers(owner):
        found = {f"layers/{layer.name}": layer for layer in owner.layers}
    # Private names come last: a property may store its layer in one.
    for name in sorted(dir(owner), key=lambda name: (name.startswith("_"), name)):
        if name.startswith("__") or name in _names_of_every_layer():
            continue
        try:
            value = getattr(owner, name)
        except Exception:  # the property cannot be read now
            continue
        found.update(_saveable(name, value, set()))
    # Only the first place counts, because an attribute may be a second name of a layer.
    known, places = set(), {}
    for place, part in found.items():
        if id(part) not in known:
            known.add(id(part))
            places[place] = part
    hidden = sublayers(owner) if isinstance(owner, keras.layers.Layer) else []
    hidden = [layer for layer in hidden if id(layer) not in known]
    return {**places, **{f"hidden/{i}": layer for i, layer in enumerate(hidden)}}


def _saveable(place, value, seen):
    """Place and part, for `value` itself or all parts in its lists and dicts."""
    if hasattr(type(value), "save_own_variables"):
        if not isinstance(value, _COMPILED):
            yield place, value
    elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _saveable(f"{place}/{key}", item, seen)


@functools.cache
def _names_of_every_layer():
    """Attributes that Keras uses for every layer or graph."""
    # The inner model of a Sequential model repeats its layers, and the list of
    # operations repeats those of a Functional model.
    return {*dir(keras.layers.Layer()), "_functional", "operations", "_operations"}


def _build_like(part, partner):
    """Build a part that would be built late, such as in its first `predict`."""
    if not getattr(part, "built", True) or getattr(partner, "built", True):
        return
    config = part.get_build_config()
    if config:
        partner.build_from_config(config)


def _check_stateless(part, owner):
    """Check that a copy of `owner` without `part` loses no state."""
    inside = [part, *(inner for inner, _ in pairs(part, part))]
    stateful = next((inner for inner in inside if _has_state(inner)), None)
    if stateful is not None:
        raise ValueError(
            "'model' must be one whose configuration shows all its layers. Received: "
            f"'{_name(owner)}' ({type(owner).__name__}), which holds '{_name(part)}' "
            f"({type(part).__name__}), but not after it is rebuilt from its "
            f"configuration. Make it in __init__ or build of {type(owner).__name__}."
        )


def _has_state(part):
    if _own_variables(part):
        return True
    with tempfile.TemporaryDirectory() as folder:
        return _saved_assets(part, folder)


def _copy_own_state(ours, partner):
    """Copy the state of one object, without the objects inside."""
    try:
        _copy_trainable(ours, partner)
        variables = _own_variables(ours)
        if variables or _own_variables(partner):
            partner.load_own_variables(variables)
        with tempfile.TemporaryDirectory() as folder:
            if _saved_assets(ours, folder):
                partner.load_assets(folder)
    except Exception as error:  # the code of a layer may raise any error
        raise ValueError(
            "'model' must be one whose configuration shows its weights. Received: "
            f"'{_name(ours)}' ({type(ours).__name__}), which cannot take its state "
            f"when it is rebuilt from its configuration: {error}"
        ) from error


class _Store(dict):
    """A store for `save_own_variables`, which keeps an array under each key."""

    def __setitem__(self, key, value):
        super().__setitem__(key, ops.convert_to_numpy(value))


def _own_variables(part):
    store = _Store()
    part.save_own_variables(store)
    return store


def _saved_assets(part, folder):
    """Save the files of `part` into `folder`, and return whether it has any."""
    if hasattr(part, "save_assets"):
        part.save_assets(folder)
    return bool(os.listdir(folder))


def _copy_trainable(ours, partner):
    """Freeze the layers and variables that the user froze."""
    if not isinstance(ours, keras.layers.Layer):
        return
    if partner.trainable != ours.trainable:
        partner.trainable = ours.trainable
    sources, targets = _own_weights(ours), _own_weights(partner)
    if len(sources) == len(targets):
        for source, target in zip(sources, targets, strict=True):
            if target.trainable != source.trainable:
                target.trainable = source.trainable


def _own_weights(layer):
    """The weights of a layer without those of the layers inside."""
    inner = {id(weight) for part in sublayers(layer) for weight in part.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def _name(part):
    return getattr(part, "name", type(part).__name__)
