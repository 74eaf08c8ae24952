"""Finds dropout that kdropout cannot make live, in the layers and code of a model."""

import math
import types

import keras

from kdropout._keras_classes import is_keras_dropout
from kdropout.inspection import walk
from kdropout.layers import BaseDropout
from kdropout.layers.rate_arguments import RateArguments

# Libraries whose layers are known: their dropout is a layer, or an argument "dropout".
_KNOWN = ("keras", "keras_hub")

# Attributes that are the rate of dropout in a class whose code draws a mask.
_RATE_NAMES = ("p", "rate", "rates", "prob", "probs", "probability")
_RATE_ENDS = tuple(f"_{name}" for name in _RATE_NAMES)

# Functions that draw a mask, beside those with "dropout" in their name.
_MASKS = ("bernoulli", "binomial", "uniform", "rand", "rand_like")


def frozen_dropout(model, layers, live):
    """Dropout that stays frozen: dict from path to a description."""
    # `layers` are pairs of path and layer inside the model, outer ones first. `live`
    # maps each layer that is or becomes live to the rates that Keras had.
    found, shown = {}, {}
    for path, layer in [(model.name, model), *layers]:
        if isinstance(layer, (BaseDropout, RateArguments)) or layer in live:
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
    rates_inside = [rate for inner in inside for rate in live.get(inner, ())]
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
