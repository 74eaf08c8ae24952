"""Finds the dropout layers of a model and shows their rates."""

import dataclasses
import fnmatch
import warnings
from collections.abc import Callable, Sequence

import keras

from kdropout import _validation
from kdropout._keras_classes import (
    is_keras_dropout,
    live_counterpart,
    live_kind,
    rates_of_arguments,
)
from kdropout._model_kinds import check_layer
from kdropout._validation import nearest
from kdropout.layers.base import BaseDropout
from kdropout.layers.recurrent import LiveCell, LiveRecurrent

# The number of paths that a message lists. It counts the rest.
_MAX_LISTED = 3


def rates(model: keras.layers.Layer) -> dict[str, float]:
    """Return the rate in effect of each dropout layer.

    Args:
        model: A `keras.Model` or layer that holds dropout layers of kdropout, at
            any depth.

    Returns:
        Dict from the path of the layer, such as "block1/drop", to its rate.

    Raises:
        TypeError: If `model` is not a Keras layer or model.

    Warns:
        UserWarning: If all dropout layers of the model are layers of Keras. The dict is
            then empty.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> kdropout.rates(model)
    {'drop': 0.5}
    """
    layers = dropout_layers(model)
    plain = [] if layers else _plain_dropout(model)
    if plain:
        warnings.warn(_not_live(plain), stacklevel=2)
    bring_up_to_date(model)
    return {path: layer.rate for path, layer in layers.items()}


def summary(
    model: keras.layers.Layer,
    print_fn: Callable[[str], object] = print,
    callbacks: Sequence[keras.callbacks.Callback]
    | keras.callbacks.Callback
    | None = None,
) -> None:
    """Print a table of the dropout layers: path, kind, rate, and what decides it.

    The last column shows "you" for a rate that is a number, the schedule, "gradient"
    for a learned rate, or the callback that moves the rate: `AutoRate`, `GapController`
    or `RateScheduler`. A line below the table lists the dropout layers of Keras, whose
    rates cannot change.

    Args:
        model: A `keras.Model` or layer that holds dropout layers of kdropout.
        print_fn: Function that is called with each line. Defaults to `print`.
        callbacks: The callbacks that you pass to the next `fit`, to see which rates
            they move; or None for those of the last training. Defaults to None.

    Raises:
        TypeError: If `model` is not a Keras layer or model, `callbacks` are not
            callbacks, or one of them names a layer whose rate cannot be set.
        ValueError: If one of the callbacks finds no layer whose rate it can set.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> kdropout.summary(model)
    layer  kind     rate    decided by
    drop   Dropout  0.5000  you
    >>> kdropout.summary(model, callbacks=[kdropout.callbacks.AutoRate()])
    layer  kind     rate    decided by
    drop   Dropout  0.5000  AutoRate
    """
    bring_up_to_date(model)
    rows = [("layer", "kind", "rate", "decided by")]
    layers = dropout_layers(model)
    deciders = _deciders(model, layers, callbacks)
    for path, layer in layers.items():
        kind = type(layer).__name__
        rows.append((path, kind, f"{layer.rate:.4f}", deciders[path]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_fn("  ".join(cells).rstrip())
    plain = _plain_dropout(model)
    if plain:
        print_fn(_not_live(plain))


def _deciders(model, layers, callbacks):
    """Dict from path to the text in the last column of `summary`."""
    if callbacks is None:
        return {path: layer._decided_by for path, layer in layers.items()}
    many = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    movers = {path: [] for path in layers}
    for callback in many:
        if not isinstance(callback, keras.callbacks.Callback):
            expected = "a list of keras.callbacks.Callback"
            raise _validation.type_error("callbacks", expected, callbacks)
        for path in getattr(callback, "_moved_layers", lambda model: ())(model):
            movers[path].append(type(callback).__name__)
    return {
        path: " and ".join(movers[path]) or layer._rate_rule.decided_by
        for path, layer in layers.items()
    }


def dropout_layers(model):
    """Dict from path to layer of every dropout layer of kdropout in `model`."""
    check_layer(model)
    layers = {}
    for path, layer in walk(model):
        if isinstance(layer, BaseDropout):
            layers[_unique(path, layers)] = layer
    return layers


def select_layers(model, layers=None, argument="layers"):
    """The part of `dropout_layers(model)` that the argument `layers` selects."""
    live = dropout_layers(model)
    if not live:
        raise ValueError(
            "'model' must hold dropout layers of kdropout. Received: "
            f"'{model.name}', which has none. Call kdropout.convert(model) to make the "
            "dropout layers of Keras live, or kdropout.insert(model, rate) to add some."
        )
    if layers is None:
        return live
    items = layers if isinstance(layers, (list, tuple)) else [layers]
    if not items:
        raise ValueError(
            f"'{argument}' must name at least one layer, or be None for all. Received: "
            f"{argument}={layers!r}"
        )
    selected = {}
    for item in items:
        if isinstance(item, str):
            paths = matching(live, item)
            if not paths:
                hint = _keras_hint(model, item)
                raise _no_match(argument, _DROPOUT, item, live, hint)
        elif isinstance(item, keras.layers.Layer):
            paths = [path for path, layer in live.items() if layer is item]
            if not paths:
                hint = _keras_hint(model, item)
                raise _no_match(argument, _DROPOUT, item.name, live, hint)
        else:
            raise TypeError(
                f"'{argument}' must be None, a glob on the layer path, a layer, or a "
                f"list of those. Received: {argument}={layers!r}"
            )
        selected.update((path, live[path]) for path in paths)
    return selected


_DROPOUT = "dropout layers of the model"


def matching(paths, pattern):
    """The paths that a pattern matches, a list."""
    # A pattern that is a path matches only this path. As a glob, a path with brackets
    # would not match itself.
    return [pattern] if pattern in paths else fnmatch.filter(paths, pattern)


def choose_rates(paths, rate, argument="rate", exact=()):
    """Dict from path to rate, for the argument `rate`. The last match counts.

    A glob does not match the paths in `exact`.
    """
    if not isinstance(rate, dict):
        return dict.fromkeys(paths, rate)
    if not rate:
        raise ValueError(
            f"'{argument}' must name at least one layer. Received: an empty collection."
        )
    if not all(isinstance(pattern, str) for pattern in rate):
        raise TypeError(
            "'rate' must be a rate, or a dict from layer paths or globs to rates. "
            f"Received: rate={rate!r}"
        )
    expected = "layers that can have dropout"
    chosen = {}
    for pattern, value in rate.items():
        matched = [pattern] if pattern in exact else matching(paths, pattern)
        if not matched:
            raise _no_match(argument, expected, pattern, [*paths, *exact])
        chosen.update(dict.fromkeys(matched, value))
    return chosen


def settable_layers(model, layers=None):
    """The layers of `select_layers` whose rate a callback may set."""
    selected = select_layers(model, layers)
    settable = {
        path: layer for path, layer in selected.items() if layer._rate_rule.settable
    }
    if layers is not None and len(settable) < len(selected):
        decided = ", ".join(
            f"'{path}' ({layer._rate_rule.decided_by})"
            for path, layer in selected.items()
            if path not in settable
        )
        raise TypeError(
            "'layers' must name layers whose rate was given as a number, because "
            f"only those can be set. Received: {decided}. Leave them out, or call "
            "kdropout.set_rates to give them numbers."
        )
    if not settable:
        raise ValueError(
            "'model' must hold a dropout layer whose rate was given as a number, "
            f"because only those can be set. Received: '{model.name}', in which "
            "schedules or gradients decide all rates."
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
            # The rates of an LSTM are those of the cell that it makes.
            is_own_cell = isinstance(child, LiveCell) and isinstance(
                layer, LiveRecurrent
            )
            yield from _walk(child, path if is_own_cell else child_path, seen)


def sublayers(layer):
    """The layers directly inside `layer`."""
    if isinstance(layer, keras.Sequential):
        return layer.layers  # without its inner Functional model, which repeats them
    # `Model.layers` is public but lacks the layers that plain layers hold, such as the
    # dropout of `MultiHeadAttention`. This is the only use of the private method.
    return layer._flatten_layers(include_self=False, recursive=False)


def _unique(path, taken):
    """`path`, numbered if a sibling of the same name already has it."""
    candidate, number = path, 1
    while candidate in taken:
        number += 1
        candidate = f"{path}_{number}"
    return candidate


def _no_match(argument, expected, received, paths, hint=""):
    hint = hint or nearest(received, paths)
    return ValueError(
        f"'{argument}' must name {expected}. Received: '{received}'.{hint} The model "
        f"has: {', '.join(map(repr, paths)) or 'none'}"
    )


def _keras_hint(model, item):
    """A hint if a layer, or the one at a path, is a dropout layer of Keras."""
    if any(
        is_keras_dropout(layer) and (layer is item or path == item)
        for path, layer in walk(model)
    ):
        return (
            " This is a layer of Keras: call kdropout.convert(model) to make it live."
        )
    for found in keras_rates(model):
        if found.path == item:
            rate = f", {{{item!r}: 0.2}}" if found.is_off else ""
            return (
                " This is an argument of a layer of Keras: call "
                f"kdropout.convert(model{rate}) to make it live."
            )
    return ""


@dataclasses.dataclass(frozen=True)
class KerasRate:
    """A rate of a layer of Keras that `kdropout.convert` can make live."""

    path: str
    layer: keras.layers.Layer
    rate: float
    argument: str | None = None  # if the rate is an argument, such as that of an LSTM

    @property
    def is_off(self):
        """True for an argument of 0: then Keras has no dropout there."""
        return self.argument is not None and self.rate == 0.0


def keras_rates(model):
    """List of `KerasRate` of all dropout layers of Keras, and arguments of layers."""
    found, own_cells = [], set()
    for path, layer in walk(model):
        counterpart = live_counterpart(layer)
        if counterpart is not None:
            found.append(KerasRate(path, layer, float(counterpart[-1])))
        kind = live_kind(layer)
        if kind is None or id(layer) in own_cells:
            continue
        if issubclass(kind, LiveRecurrent):  # its arguments are those of its cell
            own_cells.add(id(layer.cell))
        for name, rate in rates_of_arguments(layer).items():
            found.append(KerasRate(f"{path}/{name}", layer, float(rate), name))
    return found


def _plain_dropout(model):
    """The paths of the dropout of Keras in `model` with a rate above 0."""
    # Attention without dropout holds a layer with a rate of 0, which it never calls.
    return [found.path for found in keras_rates(model) if found.rate > 0.0]


def _not_live(paths):
    listed = ", ".join(map(repr, paths[:_MAX_LISTED]))
    if len(paths) > _MAX_LISTED:
        listed += f" and {len(paths) - _MAX_LISTED} more"
    return (
        f"The rates of {listed} cannot change, because they belong to layers of Keras. "
        "Call kdropout.convert(model) to make them live."
    )


def bring_up_to_date(model):
    """Update the variables: on JAX, `fit` holds their values between batches."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
