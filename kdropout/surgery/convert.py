"""Makes the dropout of an existing model live."""

import warnings

import keras

from kdropout.layer_walk import dropout_layers, sublayers, walk
from kdropout.surgery.counterparts import live_counterpart
from kdropout.surgery.keras_state import forget_compiled_steps
from kdropout.surgery.leftovers import frozen_dropout
from kdropout.surgery.rate_choice import choose_rates
from kdropout.surgery.transform import transform


def convert(model, rate=None):
    """Make every Keras dropout layer inside a model live, in place.

    Dropout, SpatialDropout1D/2D/3D, GaussianDropout, AlphaDropout, and the stochastic
    depth of keras.applications and KerasHub become the layers of the same kind of
    kdropout: anywhere in Functional, Sequential and subclassed models, in nested
    models, and inside layers that hold a dropout, such as `MultiHeadAttention` (not if
    that was made with a dropout of 0, because then it never calls it). Objects, names,
    weights, predictions, the compiled loss, metrics and optimizer stay as they are.

    A layer of Keras that holds a dropout makes Keras's anew when a file is loaded, and
    so does a subclassed model whose code does. Convert what was loaded, and
    `load_weights` of the same file, to have the rates in effect back.

    Args:
        model: A built `keras.Model` or layer.
        rate: None to keep the rate of each layer. A float in [0, 1], a schedule or a
            `kdropout.LearnedRate` for all converted layers, or a dict from layer paths
            or globs to such, for some of them. Defaults to None.

    Returns:
        The same `model`.

    Raises:
        TypeError: If `model` is not a Keras layer, or a rate is of the wrong type.
        ValueError: If `model` is not built, has no dropout layer, a rate is out of
            range, or a path names no layer that is converted.

    Warns:
        UserWarning: If the model has dropout that is not a layer, such as the argument
            `dropout` of an LSTM. It stays as it is; the warning lists where.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dropout(0.5, name="drop"),
    ...     keras.layers.Dense(1)])
    >>> model = kdropout.convert(model)
    >>> kdropout.set_rates(model, 0.3)
    >>> kdropout.rates(model)
    {'drop': 0.3}
    """
    if not isinstance(model, keras.layers.Layer):
        raise TypeError(
            f"'model' must be a keras.Model or layer. Received: model={model!r}"
        )
    if not model.built:
        raise ValueError(
            f"'model' must be built, so that all its layers exist. Received: "
            f"'{model.name}', which is not. Call it on a batch of data first."
        )
    layers = list(walk(model))
    found = {}
    never_called = _inside_attention_without_dropout(model, layers)
    for path, layer in layers:
        counterpart = live_counterpart(layer)
        if counterpart is not None and layer not in never_called:
            found[path] = (layer, *counterpart)
    if not found and not dropout_layers(model):
        frozen = _listed(frozen_dropout(layers))
        more = (
            f" Dropout that is no layer cannot be made live: {frozen}" if frozen else ""
        )
        raise ValueError(
            "'model' must hold dropout layers of Keras. Received: "
            f"'{model.name}', which has none. Add some with kdropout.insert.{more}"
        )
    own = {path: own_rate for path, (*_, own_rate) in found.items()}
    chosen = {**own, **({} if rate is None else choose_rates(list(found), rate))}
    # All are made before any is put in place: a bad rate leaves the model whole.
    made = [
        (layer, _make(layer, kind, arguments, chosen[path]))
        for path, (layer, kind, arguments, _) in found.items()
    ]
    for layer, live in made:
        transform(layer, live)
    forget_compiled_steps([model, *(layer for _, layer in layers)])
    frozen = frozen_dropout(layers)
    if frozen:
        warnings.warn(
            "Some dropout is not a layer, so it could not be made live and stays as "
            f"it is: {_listed(frozen)}. Set it to 0 and put a layer of "
            "kdropout.layers in its place.",
            stacklevel=2,
        )
    return model


def _inside_attention_without_dropout(model, layers):
    """Dropout layers that attention made with `dropout=0` holds, but never calls."""
    kinds = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
    return [
        inner
        for layer in [model, *(layer for _, layer in layers)]
        if isinstance(layer, kinds) and layer.dropout == 0.0
        for inner in sublayers(layer)
    ]


def _make(layer, kind, arguments, rate):
    seed = getattr(layer, "seed", None)
    if not isinstance(seed, int) or not 0 <= seed < 2**31:
        seed = None  # the seed generator itself is kept
    return kind(
        rate=rate, seed=seed, name=layer.name, dtype=layer.dtype_policy, **arguments
    )


def _listed(found):
    return "; ".join(f"'{path}' ({what})" for path, what in found.items())
