"""Prints objects as one line, in the form of the call that makes them."""

import inspect

import keras
import numpy as np

# Longer values are cut.
_WIDTH = 60

_MISSING = object()


def call_text(instance, with_defaults=True, **shown):
    """The call that makes an object, from the attributes named like its arguments.

    Args:
        instance: The object. Arguments without an attribute of their name are left out.
        with_defaults: False to leave out arguments at their default values.
        **shown: Values of arguments that the object does not keep under their names.

    Returns:
        Text without line breaks. Making it raises no error, not even for an object
        whose constructor did not end.

    >>> call_text(kdropout.LearnedRate(0.2))
    'LearnedRate(initial_rate=0.2, regularizer=1e-05, temperature=0.1)'
    """
    arguments = []
    for name, parameter in _parameters(type(instance)).items():
        value = shown[name] if name in shown else vars(instance).get(name, _MISSING)
        if value is _MISSING or (not with_defaults and _same(value, parameter.default)):
            continue
        arguments.append(f"{name}={value_text(value)}")
    return f"{type(instance).__name__}({', '.join(arguments)})"


def value_text(value):
    """A value as a short text: a name for a layer or function, a shape for an array."""
    if isinstance(value, keras.layers.Layer):
        return f"<{type(value).__name__} {value.name!r}>"
    if inspect.isroutine(value):
        name = getattr(value, "__name__", "unknown")
        return "<lambda>" if name == "<lambda>" else f"<function {name}>"
    if isinstance(value, np.ndarray) or keras.ops.is_tensor(value):
        return f"<array of shape {tuple(value.shape)}>"
    if type(value) in (list, tuple):
        items = ", ".join(map(value_text, value))
        comma = "," if type(value) is tuple and len(value) == 1 else ""
        text = f"[{items}]" if type(value) is list else f"({items}{comma})"
    elif type(value) is dict:
        items = (f"{key!r}: {value_text(item)}" for key, item in value.items())
        text = f"{{{', '.join(items)}}}"
    else:
        text = repr(value)
        if text == object.__repr__(value):  # its address does not help a reader
            return f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _parameters(cls):
    """The parameters of a constructor, by name, without those of any name."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return {}
    return {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind not in variable
    }


def _same(value, default):
    return type(value) is type(default) and bool(value == default)
