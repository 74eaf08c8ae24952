"""Dropout that is not a layer, and so cannot be made live."""

import keras

from kdropout.layer_walk import dropout_layers
from kdropout.layers import BaseDropout
from kdropout.surgery.counterparts import is_keras_dropout


def frozen_dropout(walk):
    """Dropout that stays frozen: dict from path to what was found there.

    Args:
        walk: Pairs of path and layer, outer layers before inner ones.
    """
    found = {}
    for path, layer in walk:
        if isinstance(layer, (BaseDropout, keras.Model)) or dropout_layers(layer):
            continue
        rates = _rates(layer)
        # What an outer layer reports, its inner one (the cell of an LSTM) has, too.
        inside = any(path.startswith(f"{outer}/") for outer in found)
        if rates and not inside:
            found[path] = f"{type(layer).__name__} with {rates}"
    return found


def _rates(layer):
    """The rates among the arguments of a layer, as text."""
    is_dropout = is_keras_dropout(layer) or "drop" in type(layer).__name__.lower()
    names = [
        name
        for name in dir(layer)
        if not name.startswith("_")
        and ("drop" in name.lower() or (is_dropout and name == "rate"))
    ]
    values = {name: getattr(layer, name, None) for name in names}
    return ", ".join(
        f"{name}={value:g}"
        for name, value in values.items()
        if isinstance(value, float) and 0.0 < value <= 1.0
    )
