"""Shows and sets the rates of a model."""

import warnings

from kdropout.layer_walk import dropout_layers, select_layers, walk
from kdropout.surgery.counterparts import live_counterpart

# Paths that a message names before it counts the rest.
_NAMED = 3


def rates(model):
    """The rate in effect of each dropout layer.

    Args:
        model: A `keras.Model` or layer that holds dropout layers of kdropout, at
            any depth.

    Returns:
        Dict from the path of the layer, such as "block1/drop", to its rate.

    Raises:
        TypeError: If `model` is not a Keras layer or model.

    Warns:
        UserWarning: If all dropout layers of the model are Keras's, so that the dict
            is empty.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> kdropout.rates(model)
    {'drop': 0.5}
    """
    live = dropout_layers(model)
    plain = [] if live else _plain_dropout(model)
    if plain:
        warnings.warn(_not_live(plain), stacklevel=2)
    _bring_up_to_date(model)
    return {path: layer.rate for path, layer in live.items()}


def set_rates(model, rates):
    """Set the rates of dropout layers. They take effect at the next step.

    Nothing is set unless all can be.

    Args:
        model: A `keras.Model` or layer that holds dropout layers of kdropout.
        rates: Number in [0, 1] for all layers, or a dict from the path of a layer,
            or a glob such as "encoder/*", to a number.

    Raises:
        TypeError: If a rate is no number, or a schedule or gradient decides it.
        ValueError: If a rate is not in [0, 1], or a path names no dropout layer.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> kdropout.set_rates(model, {"drop": 0.3})
    >>> kdropout.rates(model)
    {'drop': 0.3}
    """
    if not isinstance(rates, dict):
        rates = {"*": rates}
    _bring_up_to_date(model)
    wanted = {}
    for pattern, rate in rates.items():
        if not isinstance(pattern, str):
            raise TypeError(
                "'rates' must be a number, or a dict from layer paths or globs to "
                f"numbers. Received: rates={rates!r}"
            )
        selected = select_layers(model, pattern, argument="rates")
        wanted.update(dict.fromkeys(selected.values(), rate))
    before = {layer: layer.rate for layer in wanted}
    try:
        for layer, rate in wanted.items():
            layer.rate = rate
    except (TypeError, ValueError):
        for layer, rate in before.items():
            if layer.rate_rule.settable:
                layer.rate = rate
        raise


def summary(model, print_fn=print):
    """Print a table of the dropout layers: path, kind, rate, who decides it.

    A line below it names those that are Keras's, whose rate cannot be moved.

    Args:
        model: A `keras.Model` or layer that holds dropout layers of kdropout.
        print_fn: Function called with each line. Defaults to `print`.

    Raises:
        TypeError: If `model` is not a Keras layer or model.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> kdropout.summary(model)
    layer  kind     rate    decided by
    drop   Dropout  0.5000  you
    """
    _bring_up_to_date(model)
    rows = [("layer", "kind", "rate", "decided by")]
    for path, layer in dropout_layers(model).items():
        kind, rule = type(layer).__name__, layer.rate_rule
        rows.append((path, kind, f"{layer.rate:.4f}", rule.decided_by))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_fn("  ".join(cells).rstrip())
    plain = _plain_dropout(model)
    if plain:
        print_fn(_not_live(plain))


def _plain_dropout(model):
    """The paths of the dropout layers of Keras in `model`.

    Those of a rate of 0 are left out: attention that was made without dropout holds
    one that it never calls.
    """
    found = ((path, live_counterpart(layer)) for path, layer in walk(model))
    return [path for path, counterpart in found if counterpart and counterpart[-1]]


def _not_live(paths):
    named = ", ".join(map(repr, paths[:_NAMED]))
    if len(paths) > _NAMED:
        named += f" and {len(paths) - _NAMED} more"
    return (
        f"The rates of {named} cannot be moved, because these layers are Keras's. "
        "kdropout.convert(model) makes them live."
    )


def _bring_up_to_date(model):
    """On JAX, `fit` keeps the values of the variables to itself between two batches."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
