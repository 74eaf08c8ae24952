"""Makes the dropout of an existing model live."""

import dataclasses
import warnings

import keras

from kdropout.layer_walk import dropout_layers, sublayers, walk
from kdropout.model_kinds import check_layer, has_call
from kdropout.rate_rules.scheduled import ClockedRate
from kdropout.surgery.counterparts import live_counterpart
from kdropout.surgery.keras_state import models_that_trained, refresh
from kdropout.surgery.leftovers import frozen_dropout
from kdropout.surgery.probe import modes_of_calls
from kdropout.surgery.rate_choice import choose_rates
from kdropout.surgery.transform import transform

# How many layers a warning lists.
_MAX_LISTED = 8


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """A dropout layer of Keras, and what becomes of it."""

    layer: keras.layers.Layer
    owner: keras.layers.Layer  # the layer around it
    kind: type
    arguments: dict
    rate: float

    @property
    def description(self):
        return f"{type(self.layer).__name__} in {type(self.owner).__name__}"


def convert(model, rate=None):
    """Make every Keras dropout layer inside a model live, in place.

    Dropout, SpatialDropout1D/2D/3D, GaussianDropout, AlphaDropout, and the stochastic
    depth of keras.applications and KerasHub become the layers of the same kind of
    kdropout: anywhere in Functional, Sequential and subclassed models, in nested
    models, and inside layers that hold a dropout, such as `MultiHeadAttention`. A layer
    that the model never calls stays as it is, because its rate would have no effect:
    Keras's attention that was made with a dropout of 0 has one. Objects, names,
    weights, predictions, the compiled loss, metrics and optimizer stay as they are.

    A layer of Keras that holds a dropout makes Keras's anew when a file is loaded, and
    so does a subclassed model whose code does. Convert what was loaded, and
    `load_weights` of the same file, to have the rates in effect back.

    Args:
        model: A built `keras.Model` or layer; or a model with a training step but no
            `call`, whose parts are built.
        rate: None to keep the rate of each layer. A float in [0, 1], a schedule or a
            `kdropout.LearnedRate` for all converted layers, or a dict from layer paths
            or globs to such, for some of them. Defaults to None.

    Returns:
        The same `model`.

    Raises:
        TypeError: If `model` is not a Keras layer, or a rate is of the wrong type.
        ValueError: If `model` is not built, has no dropout layer, a rate is out of
            range, or a path names no layer that is converted. Then nothing is changed.

    Warns:
        UserWarning: If the model has dropout that is not a layer, such as the argument
            `dropout` of an LSTM, which stays as it is; if it never calls a dropout
            layer, or never in training mode; or if it calls one with a schedule in
            training mode outside of training. The warning lists where.

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
    found = {path: one for path, one in candidates.items() if path not in uncalled}
    frozen = _frozen(model, layers, candidates)
    if not found and not ours:
        raise ValueError(_nothing_to_convert(model, frozen, uncalled))
    made = _make_all(found, rate)
    # All is known before any layer changes: an error leaves the model whole.
    reported = {path: one for path, one in uncalled.items() if _is_news(one, rate)}
    _warn(
        frozen,
        "Some dropout is not a layer, so it could not be made live and stays as it "
        "is: {}. Set it to 0 and put a layer of kdropout.layers in its place.",
    )
    _warn(
        _described(reported),
        "The model never calls some of its dropout layers, so they stay as they are, "
        "because a rate would have no effect: {}. If the layer around one was made "
        "with a dropout of 0, make it with a small rate, then set that to 0 with "
        "kdropout.set_rates; else its code needs the call.",
    )
    paths = {**ours, **{candidate.layer: path for path, candidate in found.items()}}
    _warn(
        _where(paths, [layer for layer in paths if modes.get(layer) == {False}]),
        "The model calls some dropout layers with training=False even in training, so "
        "their rates act in kdropout.mc_predict alone: {}. Leave 'training' out of the "
        "call of the layer or model around them to switch them on.",
    )
    live = {**{layer: layer for layer in ours}, **dict(made)}
    clocked = [one for one in paths if isinstance(live[one].rate_rule, ClockedRate)]
    modes = modes_of_calls(model, clocked, training=False)
    _warn(
        _where(paths, [layer for layer in clocked if True in modes.get(layer, ())]),
        "The model calls some dropout layers with training=True outside of training, "
        "too, so that each prediction and evaluation moves their schedule: {}. Pass on "
        "the 'training' of the call around them, and draw samples with "
        "kdropout.mc_predict; or give a number as their rate.",
    )
    trained = models_that_trained([layer for layer, _ in made])
    for layer, live in made:
        transform(layer, live)
    refresh([model, *(layer for _, layer in layers), *trained])
    return model


def _check_model(model):
    check_layer(model)
    if has_call(model):
        if not model.built:
            raise ValueError(
                f"'model' must be built, so that all its layers exist. Received: "
                f"'{model.name}', which is not. Call it on a batch of data first, or "
                "give a Sequential model a keras.Input."
            )
        return
    # It is trained by its own code, and cannot be called: its parts are.
    models = [part for part in sublayers(model) if isinstance(part, keras.Model)]
    unbuilt = [part.name for part in models if not part.built]
    if unbuilt:
        raise ValueError(
            "'model' must have parts that are built, so that all its layers exist. "
            f"Received: '{model.name}', which has no call(), and in which these are "
            f"not: {', '.join(map(repr, unbuilt))}. Call each of them on a batch of "
            "data first."
        )


def _candidates(model, layers):
    """Dict from path to `_Candidate` for each dropout layer of Keras."""
    owners = {"": model, **dict(layers)}
    found = {}
    for path, layer in layers:
        counterpart = live_counterpart(layer)
        if counterpart is not None:
            owner = owners[path.rpartition("/")[0]]
            found[path] = _Candidate(layer, owner, *counterpart)
    return found


def _is_unused_attention(candidate):
    """Whether it is in attention of Keras without dropout, which never calls it."""
    kinds = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
    return isinstance(candidate.owner, kinds) and candidate.owner.dropout == 0.0


def _is_news(uncalled, rate):
    """Whether the user did not expect that a layer is not called."""
    return uncalled.rate > 0 or rate is not None or not _is_unused_attention(uncalled)


def _frozen(model, layers, candidates):
    rates = {candidate.layer: candidate.rate for candidate in candidates.values()}
    return frozen_dropout(model, layers, rates)


def _nothing_to_convert(model, frozen, uncalled):
    message = (
        "'model' must hold dropout layers of Keras. Received: "
        f"'{model.name}', which has none. Add some with kdropout.insert."
    )
    if frozen:
        message += f" Dropout that is no layer cannot be made live: {_listed(frozen)}."
    if uncalled:
        message += (
            " Dropout layers that the model never calls have no effect: "
            f"{_listed(_described(uncalled))}. Make the layers around them with a "
            "dropout above 0."
        )
    return message


def _make_all(found, rate):
    """Pairs of a layer of Keras and the live one that it becomes."""
    chosen = {path: candidate.rate for path, candidate in found.items()}
    if rate is not None:
        chosen.update(choose_rates(list(found), rate))
    return [
        (candidate.layer, _make(candidate, chosen[path]))
        for path, candidate in found.items()
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
