"""Makes the dropout of an existing model live."""

import dataclasses
import math
import types
import warnings
from collections.abc import Callable

import keras

from kdropout._keras_classes import is_keras_dropout, live_counterpart
from kdropout._model_kinds import check_layer, has_call, require_built
from kdropout.inspection import choose_rates, dropout_layers, sublayers, walk
from kdropout.layers import BaseDropout
from kdropout.rate_rules import LearnedRate
from kdropout.rate_rules.scheduled import ClockedRate
from kdropout.surgery.keras_state import (
    models_that_trained,
    refresh,
    strategy_scope,
    unlocked,
)
from kdropout.surgery.probe import modes_of_calls

# The number of layers that a warning lists. It counts the rest.
_MAX_LISTED = 8

# Libraries whose layers are known: their dropout is a layer, or an argument "dropout".
_KNOWN = ("keras", "keras_hub")

# Attributes that are the rate of dropout in a class whose code draws a mask.
_RATE_NAMES = ("p", "rate", "rates", "prob", "probs", "probability")
_RATE_ENDS = tuple(f"_{name}" for name in _RATE_NAMES)

# Functions that draw a mask, beside those with "dropout" in their name.
_MASKS = ("bernoulli", "binomial", "uniform", "rand", "rand_like")

# Attributes that stay when a layer changes its class: its identity, and the attributes
# that Keras keeps for each object.
_KEPT = {"name", "built", "build", "quantize", "autocast", "seed_generator"}


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """A dropout layer of Keras, and the class and arguments of its replacement."""

    layer: keras.layers.Layer
    owner: keras.layers.Layer  # the layer around it
    kind: type
    arguments: dict
    rate: float

    @property
    def description(self):
        return f"{type(self.layer).__name__} in {type(self.owner).__name__}"


def convert(
    model: keras.layers.Layer,
    rate: float | Callable | LearnedRate | dict | None = None,
) -> keras.layers.Layer:
    """Make every Keras dropout layer inside a model live, in place.

    This converts Dropout, SpatialDropout1D/2D/3D, GaussianDropout, AlphaDropout, and
    the stochastic depth of keras.applications and KerasHub. It finds them in
    Functional, Sequential and subclassed models, in nested models, and inside layers
    that hold dropout, such as `MultiHeadAttention`. A dropout layer that the model
    never calls stays as it is, because its rate would have no effect. An example is the
    dropout layer in a `MultiHeadAttention` with a dropout of 0. Objects, names, weights
    and predictions do not change, and neither do the compiled loss, metrics and
    optimizer.

    When you load a file, a Keras layer that holds dropout makes a dropout layer of
    Keras again, and so does the code of a subclassed model. To restore the rates in
    effect, convert the loaded model and call `load_weights` with the same file.

    Args:
        model: A built `keras.Model` or layer; or a model with a training step but no
            `call`, whose parts are built.
        rate: None to keep the rate of each layer; or a float in [0, 1], a schedule or a
            `kdropout.LearnedRate` for all converted layers; or a dict from layer paths
            or globs to rates, for some of the layers. Layers that are live already
            keep their rates. Defaults to None.

    Returns:
        The same `model`.

    Raises:
        TypeError: If `model` is not a Keras layer, or a rate is of the wrong type.
        ValueError: If `model` is not built or has no dropout layer, if a rate is out of
            range, if a path matches no layer to convert, or if there is a rate but no
            layer to convert. The model does not change.

    Warns:
        UserWarning: If the model has dropout that is not a dropout layer of Keras or
            KerasHub, such as the argument `dropout` of an LSTM, which stays as it is;
            if it never calls a dropout layer, or never in training mode; or if it calls
            a layer with a schedule in training mode outside of training. The warning
            lists the layers.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dropout(0.5, name="drop"),
    ...     keras.layers.Dense(1)])
    >>> model = kdropout.convert(model)
    >>> kdropout.set_rates(model, 0.3)
    >>> kdropout.rates(model)
    {'drop': 0.3}
    """
    _check_model(model)
    layers = list(walk(model))
    candidates = _candidates(model, layers)
    ours = {layer: path for path, layer in dropout_layers(model).items()}
    theirs = [candidate.layer for candidate in candidates.values()]
    modes = modes_of_calls(model, [*theirs, *ours], training=True)
    uncalled = {
        path: candidate
        for path, candidate in candidates.items()
        if modes.get(candidate.layer) == set() or _is_unused_attention(candidate)
    }
    called = {
        path: candidate
        for path, candidate in candidates.items()
        if path not in uncalled
    }
    keras_rates = {candidate.layer: candidate.rate for candidate in candidates.values()}
    frozen = _frozen_dropout(model, layers, keras_rates)
    if not called and not ours:
        raise ValueError(_nothing_to_convert(model, frozen, uncalled))
    if not called and rate is not None:
        kinds = {path: type(layer).__name__ for layer, path in ours.items()}
        raise ValueError(
            f"'rate' would have no effect, because '{model.name}' has no layer to "
            "convert: its dropout layers are live already, and keep their rates: "
            f"{_listed(kinds)}. Received: rate={rate!r}. To change them, call "
            "kdropout.set_rates, which takes numbers and schedules."
        )
    with strategy_scope(model):
        made = _make_all(called, rate)
    # Nothing changes before all is checked, so an error leaves the model as it was.
    reported = {
        path: candidate
        for path, candidate in uncalled.items()
        if _is_news(candidate, rate)
    }
    _warn(
        frozen,
        "kdropout cannot make some dropout live, because it is not a dropout layer of "
        "Keras or KerasHub, so it stays as it is: {}. Set it to 0 and put a layer of "
        "kdropout.layers in its place.",
    )
    _warn(
        _described(reported),
        "The model never calls some of its dropout layers, so they stay as they are, "
        "because a rate would have no effect: {}. If the layer around one was made "
        "with a dropout of 0, make it with a small rate, and then set this rate to 0 "
        "with kdropout.set_rates. Otherwise, call the dropout layer in the code of the "
        "layer around it.",
    )
    paths = ours | {candidate.layer: path for path, candidate in called.items()}
    _warn(
        _where(paths, [layer for layer in paths if modes.get(layer) == {False}]),
        "The model calls some dropout layers with training=False even in training, so "
        "their rates act only in kdropout.mc_predict: {}. Leave 'training' out of the "
        "call of the layer or model around them to switch them on.",
    )
    live = {layer: layer for layer in ours} | dict(made)
    clocked = [
        layer for layer in paths if isinstance(live[layer]._rate_rule, ClockedRate)
    ]
    modes = modes_of_calls(model, clocked, training=False)
    _warn(
        _where(paths, [layer for layer in clocked if True in modes.get(layer, ())]),
        "The model calls some dropout layers with training=True also outside of "
        "training, so each prediction and evaluation advances their schedule: {}. "
        "Pass on the 'training' of the call around them, and draw samples with "
        "kdropout.mc_predict, or pass a number as their rate.",
    )
    trained = models_that_trained([layer for layer, _ in made])
    for layer, replacement in made:
        _transform(layer, replacement)
    refresh([model, *(layer for _, layer in layers), *trained])
    return model


def _check_model(model):
    check_layer(model)
    if has_call(model):
        require_built(model)
        return
    # Its own code trains it. It cannot be called, but its parts can.
    models = [part for part in sublayers(model) if isinstance(part, keras.Model)]
    unbuilt = [part.name for part in models if not part.built]
    if unbuilt:
        raise ValueError(
            "'model' must have parts that are built, so that all its layers exist. "
            f"Received: '{model.name}', which has no call(), and whose parts "
            f"{', '.join(map(repr, unbuilt))} are not built. Call each of them on a "
            "batch of data first."
        )


def _candidates(model, layers):
    """Dict from path to `_Candidate` for each dropout layer of Keras."""
    owners = {"": model, **dict(layers)}
    candidates = {}
    for path, layer in layers:
        counterpart = live_counterpart(layer)
        if counterpart is not None:
            owner = owners[path.rpartition("/")[0]]
            candidates[path] = _Candidate(layer, owner, *counterpart)
    return candidates


def _is_unused_attention(candidate):
    """Return whether it is in a Keras attention that never calls it: of dropout 0."""
    kinds = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
    return isinstance(candidate.owner, kinds) and candidate.owner.dropout == 0.0


def _is_news(uncalled, rate):
    """Return whether a user would expect that the model calls the layer."""
    return uncalled.rate > 0 or rate is not None or not _is_unused_attention(uncalled)


def _nothing_to_convert(model, frozen, uncalled):
    message = (
        "'model' must hold dropout layers of Keras. Received: "
        f"'{model.name}', which has none. Add some with kdropout.insert."
    )
    if frozen:
        message += (
            " Dropout that is not a dropout layer of Keras or KerasHub cannot be made "
            f"live: {_listed(frozen)}."
        )
    if uncalled:
        message += (
            " Dropout layers that the model never calls have no effect: "
            f"{_listed(_described(uncalled))}. Make the layers around them with a "
            "dropout above 0."
        )
    return message


def _make_all(candidates, rate):
    """Pairs of a layer of Keras and its live replacement."""
    chosen = {path: candidate.rate for path, candidate in candidates.items()}
    if rate is not None:
        chosen.update(choose_rates(list(candidates), rate))
    return [
        (candidate.layer, _make(candidate, chosen[path]))
        for path, candidate in candidates.items()
    ]


def _make(candidate, rate):
    layer = candidate.layer
    return candidate.kind(
        rate=rate,
        seed=getattr(layer, "seed", None),
        name=layer.name,
        dtype=layer.dtype_policy,
        **candidate.arguments,
    )


def _where(paths, layers):
    return {paths[layer]: type(layer).__name__ for layer in layers}


def _described(candidates):
    return {path: candidate.description for path, candidate in candidates.items()}


def _warn(found, message):
    if found:
        warnings.warn(message.format(_listed(found)), stacklevel=3)


def _listed(found):
    listed = [f"'{path}' ({what})" for path, what in found.items()]
    if len(listed) > _MAX_LISTED:
        listed[_MAX_LISTED:] = [f"and {len(listed) - _MAX_LISTED} more"]
    return "; ".join(listed)


def _frozen_dropout(model, layers, live):
    """Dropout that stays frozen: dict from path to a description."""
    # `layers` are pairs of path and layer inside the model, outer ones first. `live`
    # maps each layer that is or becomes live to the rate that Keras had.
    found, shown = {}, {}
    for path, layer in [(model.name, model), *layers]:
        if isinstance(layer, BaseDropout) or layer in live:
            continue
        rates = _frozen_rates(layer, live)
        # Skip inner layers (the cell of an LSTM): they repeat their parent's arguments.
        around = [shown[other] for other in shown if _is_inside(path, other, model)]
        repeated = any({*rates.values()} <= {*outer.values()} for outer in around)
        if rates and not repeated:
            shown[path] = rates
            listed = ", ".join(f"{name}={value}" for name, value in rates.items())
            found[path] = f"{type(layer).__name__} with {listed}"
        elif not rates and _calls_dropout(layer):
            found[path] = f"{type(layer).__name__} that calls dropout in its code"
    return found


def _is_inside(path, other, model):
    return other == model.name or path.startswith(f"{other}/")


def _frozen_rates(layer, live):
    """The rates among the attributes of a layer: dict from name to text."""
    # This leaves out rates that the layer repeats from the live layers inside.
    inside = [inner for _, inner in walk(layer)]
    was_live = any(isinstance(inner, BaseDropout) for inner in inside)
    rates_inside = [live[inner] for inner in inside if inner in live]
    draws = bool(_masks_in(layer))
    if was_live and not draws:  # the rates that it repeats are not known any more
        return {}
    if _is_known(type(layer)):
        if rates_inside or isinstance(layer, keras.Model):
            return {}
        if hasattr(layer, "module"):
            return _rates_of_torch(layer.module)
    is_dropout = is_keras_dropout(layer) or "drop" in type(layer).__name__.lower()
    repeated = [] if draws else rates_inside
    found = {}
    for name in _attributes(layer):
        plain = name.strip("_").lower()
        is_rate = plain in _RATE_NAMES or plain.endswith(_RATE_ENDS)
        if not ("drop" in plain or (is_rate and (is_dropout or draws))):
            continue
        try:
            rates = _numbers(getattr(layer, name))
        except Exception:  # a property that cannot be read now
            continue
        if any(not _is_among(rate, repeated) for rate in rates):
            texts = [f"{rate:g}" for rate in rates]
            found[name] = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return found


def _attributes(layer):
    """The names of public attributes, and of private ones of a user's class."""
    public = [name for name in dir(layer) if not name.startswith("_")]
    if _is_known(type(layer)):
        return public
    private = [name for name in vars(layer) if name.startswith("_")]
    return public + [name for name in private if name.strip("_") not in public]


def _is_among(rate, rates):
    return any(math.isclose(rate, other, rel_tol=1e-6) for other in rates)


def _numbers(value):
    """The rates that a value is or holds: floats above 0 and up to 1."""
    if isinstance(value, (list, tuple)):
        return [rate for item in value for rate in _numbers(item)]
    if isinstance(value, dict):
        return [rate for item in value.values() for rate in _numbers(item)]
    if not isinstance(value, float):
        # A variable, tensor or NumPy number. An integer has no dtype.
        dtype = str(getattr(value, "dtype", ""))
        if "float" not in dtype or tuple(value.shape) != ():
            return []
        value = float(value)
    return [value] if 0.0 < value <= 1.0 else []


def _rates_of_torch(module):
    """The rates of the dropout inside a PyTorch module: dict from name to text."""
    return {
        f"{name or 'module'}.p": f"{part.p:g}"
        for name, part in module.named_modules()
        if "drop" in type(part).__name__.lower() and _numbers(getattr(part, "p", None))
    }


def _is_known(kind):
    return kind.__module__.split(".")[0] in _KNOWN


def _calls_dropout(layer):
    """Return whether the code of a layer calls a function named for dropout."""
    return any("dropout" in name for name in _masks_in(layer))


def _masks_in(layer):
    """The mask-drawing functions in the code of a user's class, or of a Lambda."""
    if isinstance(layer, keras.layers.Lambda):
        functions = [layer.function]
    else:
        functions = [
            method
            for kind in type(layer).__mro__
            if not _is_known(kind)
            for method in vars(kind).values()
            if isinstance(method, types.FunctionType) and method.__name__ != "__init__"
        ]
    names = set().union(*map(_names_in, functions)).difference(dir(layer))
    return {name for name in names if "dropout" in name or name in _MASKS}


def _names_in(function):
    """The names of globals, modules and attributes that a function uses."""
    codes, names = [getattr(function, "__code__", None)], set()
    while codes:
        code = codes.pop()
        if code is not None:
            names.update(code.co_names)
            codes += [
                constant
                for constant in code.co_consts
                if isinstance(constant, types.CodeType)
            ]
    return names


def _transform(layer, live):
    """Give `layer` the class and the content of `live`, a layer of the same name."""
    # The graph of a Functional model, the attributes of composite layers and the paths
    # in saved files all refer to the object. Replacing the object in all these places
    # would need private data of Keras. Changing its class does not.
    old, new = vars(layer), vars(live)
    for name in _public(old) - _public(new):
        del old[name]
    layer.__class__ = type(live)
    with unlocked(layer):
        for name in _public(new) - (_KEPT & old.keys()):
            setattr(layer, name, new[name])
        layer._rate_rule = live._rate_rule
    for name in new:
        # The signature of `call` that Keras found, and its input checks.
        if name.startswith("_call_") or name in ("_supports_masking", "_input_spec"):
            old[name] = new[name]


def _public(attributes):
    return {name for name in attributes if not name.startswith("_")}
