"""Makes the dropout of an existing model live."""

import dataclasses
import inspect
from collections.abc import Callable

import keras

from kdropout import _validation
from kdropout._model_kinds import check_layer, has_call, require_built
from kdropout.inspection import (
    KerasRate,
    choose_rates,
    dropout_layers,
    keras_rates,
    sublayers,
    walk,
)
from kdropout.layers import BaseDropout
from kdropout.layers.wrapper import DropoutWrapper
from kdropout.rate_rules import LearnedRate
from kdropout.rate_rules.scheduled import ClockedRate
from kdropout.surgery import reports
from kdropout.surgery.frozen import frozen_dropout
from kdropout.surgery.keras_state import models_that_trained, refresh, strategy_scope
from kdropout.surgery.probe import modes_of_calls
from kdropout.surgery.replacements import LiveLayer, LiveRates

# The way out for dropout of another kind.
_ALSO = (
    "If it is a layer, pass its class and a function that makes the layer of kdropout "
    "in its place: kdropout.convert(model, also={TheClass: make_live}). Otherwise, set "
    "it to 0 and put a layer of kdropout.layers there."
)


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """A rate of a layer that becomes live, and the layer around that layer."""

    found: KerasRate
    owner: keras.layers.Layer
    example: BaseDropout | None = None  # what a function in `also` returned

    @property
    def layer(self):
        return self.found.layer

    @property
    def rate(self):
        return self.found.rate

    @property
    def default(self):
        """The argument `rate` of the live layer, if the user passes none."""
        return self.rate if self.example is None else self.example._rate_rule

    @property
    def description(self):
        kind = type(self.layer).__name__
        if self.found.argument is not None:
            return f"argument '{self.found.argument}' of {kind}"
        return f"{kind} in {type(self.owner).__name__}"

    def replacement(self, rates):
        """The `Replacement` for the layer, with a dict from argument to rate."""
        if self.found.argument is not None:
            return LiveRates(self.layer, rates, self.owner)
        return LiveLayer(self.layer, rates[None], self.example)


def convert(
    model: keras.layers.Layer,
    rate: float | Callable | LearnedRate | dict | None = None,
    also: dict[type, Callable[[keras.layers.Layer], BaseDropout]] | None = None,
) -> keras.layers.Layer:
    """Make every Keras dropout layer inside a model live, in place.

    This converts Dropout, SpatialDropout1D/2D/3D, GaussianDropout, AlphaDropout, and
    the stochastic depth of keras.applications and KerasHub; the arguments `dropout` and
    `recurrent_dropout` of LSTM, GRU, SimpleRNN, ConvLSTM1D/2D/3D and their cells; and
    the argument `dropout` of Attention and AdditiveAttention. It finds them in
    Functional, Sequential and subclassed models, in nested models, and inside layers
    that hold dropout, such as `MultiHeadAttention` and `Bidirectional`. Objects, names,
    weights and predictions do not change, and neither do the compiled loss, metrics and
    optimizer.

    A dropout layer that the model never calls stays as it is, because its rate would
    have no effect. An example is the dropout layer in a `MultiHeadAttention` with a
    dropout of 0. An argument of 0 also stays as it is, unless `rate` is a dict with its
    path: on a GPU, an LSTM or GRU is much faster without `recurrent_dropout`.

    When you load a file, a Keras layer that holds dropout makes a dropout layer of
    Keras again, and so does the code of a subclassed model. To restore the rates in
    effect, convert the loaded model and call `load_weights` with the same file.

    Args:
        model: A built `keras.Model` or layer; or a model with a training step but no
            `call`, whose parts are built.
        rate: None to keep the rate of each layer; or a float in [0, 1], a schedule or a
            `kdropout.LearnedRate` for all converted layers; or a dict from layer paths
            or globs to rates, for some of the layers. Layers that are live already
            keep their rates. The paths of the arguments of an LSTM called "lstm" are
            "lstm/dropout" and "lstm/recurrent_dropout". Defaults to None.
        also: Dict from other classes of dropout layers, such as your own, to functions.
            A function takes a layer of exactly this class, and returns the layer of
            kdropout that takes its place. The name and the dtype stay. Defaults to
            None.

    Returns:
        The same `model`.

    Raises:
        TypeError: If `model` is not a Keras layer, a rate is of the wrong type, or
            `also` does not map classes to functions that return dropout layers of
            kdropout.
        ValueError: If `model` is not built or has no dropout layer, if a rate is out of
            range, if a path matches no layer to convert, if there is a rate but no
            layer to convert, or if `also` names a class of which the model has no
            layer, or whose layers have weights or several inputs. The model does not
            change.

    Warns:
        UserWarning: If the model has dropout of another kind, such as a class of
            yours that is not in `also`, which stays as it is; if it never calls a
            dropout layer, or never in training mode; or if it calls a layer with a
            schedule in training mode outside of training. The warning lists the layers.

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
    candidates, off = _candidates(model, layers, rate, _check_also(also, layers))
    ours = {layer: path for path, layer in dropout_layers(model).items()}
    theirs = {candidate.layer: None for candidate in candidates.values()}
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
    frozen = frozen_dropout(model, layers, _rates_by_layer(candidates))
    if not called and not ours:
        raise ValueError(_nothing_to_convert(model, frozen, uncalled, off))
    if not called and rate is not None:
        kinds = {path: type(layer).__name__ for layer, path in ours.items()}
        raise ValueError(
            f"'rate' would have no effect, because '{model.name}' has no layer to "
            "convert: its dropout layers are live already, and keep their rates: "
            f"{reports.listed(kinds)}. Received: rate={rate!r}. To change them, call "
            "kdropout.set_rates, which takes numbers and schedules."
        )
    with strategy_scope(model):
        made = _make_all(called, rate, off)
    # Nothing changes before all is checked, so an error leaves the model as it was.
    reported = {
        path: candidate
        for path, candidate in uncalled.items()
        if _is_news(candidate, rate)
    }
    reports.warn(
        frozen,
        "kdropout cannot make some dropout live, because it is not a dropout layer of "
        "Keras or KerasHub, so it stays as it is: {}. " + _ALSO,
    )
    reports.warn(
        _described(reported),
        "The model never calls some of its dropout layers, so they stay as they are, "
        "because a rate would have no effect: {}. If the layer around one was made "
        "with a dropout of 0, make it with a small rate, and then set this rate to 0 "
        "with kdropout.set_rates. Otherwise, call the dropout layer in the code of the "
        "layer around it.",
    )
    paths = ours | {candidate.layer: path for path, candidate in called.items()}
    reports.warn_of_dropout_that_is_off(model, paths, modes)
    live = {layer: [layer] for layer in ours} | {
        replacement.layer: replacement.dropout_layers for replacement in made
    }
    clocked = {
        layer: path
        for layer, path in paths.items()
        if any(isinstance(part._rate_rule, ClockedRate) for part in live[layer])
    }
    reports.warn_of_clocks_outside_of_training(model, clocked)
    trained = models_that_trained([replacement.layer for replacement in made])
    for replacement in made:
        replacement.apply()
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


def _check_also(also, layers):
    """The argument `also` as a dict."""
    if also is None:
        return {}
    expected = "a dict from classes of layers to functions that return a dropout layer"
    if not isinstance(also, dict):
        raise _validation.type_error("also", expected, also)
    kinds = {type(layer) for _, layer in layers}
    for kind, make_live in also.items():
        is_class = isinstance(kind, type) and issubclass(kind, keras.layers.Layer)
        if not is_class or not callable(make_live) or isinstance(make_live, type):
            raise _validation.type_error("also", expected, also)
        if kind not in kinds:
            names = sorted(kind.__name__ for kind in kinds)
            raise ValueError(
                "'also' must map classes of layers in the model. Received: "
                f"{kind.__name__}, of which the model has no layer."
                f"{_validation.nearest(kind.__name__, names)} Its classes are: "
                f"{', '.join(names)}"
            )
    return also


def _candidates(model, layers, rate, also):
    """The rates that become live, and those that are off and stay so: two dicts."""
    around = {"": model, **dict(layers)}
    owners = {layer: around[path.rpartition("/")[0]] for path, layer in layers}
    candidates, off = {}, {}
    for found in keras_rates(model):
        if type(found.layer) in also:
            continue
        # An argument of 0 means that there is no dropout. It stays, unless it is named.
        is_named = isinstance(rate, dict) and found.path in rate
        group = off if found.is_off and not is_named else candidates
        group[found.path] = _Candidate(found, owners[found.layer])
    for path, layer in layers:
        if type(layer) in also:
            example = _made_by_user(path, layer, also[type(layer)])
            found = KerasRate(path, layer, example.rate)
            candidates[path] = _Candidate(found, owners[layer], example)
    return candidates, off


def _made_by_user(path, layer, make_live):
    """The result of a function in `also`, if it can take the place of `layer`."""
    kind = type(layer).__name__
    live = make_live(layer)
    if not isinstance(live, BaseDropout) or isinstance(live, DropoutWrapper):
        raise TypeError(
            f"'also' must map {kind} to a function that returns a dropout layer, such "
            f"as kdropout.layers.DropPath(layer.rate). Received: {live!r} for '{path}'."
        )
    if layer.weights:
        raise ValueError(
            f"'also' must map layers without weights. Received: {kind}, whose layer "
            f"'{path}' has {len(layer.weights)}, which would be lost. Put dropout of "
            "kdropout into the code of this class."
        )
    if _num_inputs(layer) > 1:
        raise ValueError(
            f"'also' must map layers with one input. Received: {kind}, whose layer "
            f"'{path}' has several. Put dropout of kdropout on the input that it drops "
            "in the code of the model, and a keras.layers.Add after it."
        )
    return live


def _num_inputs(layer):
    """The largest number of tensors in a call of a layer, as far as it is known."""
    needed = [
        name
        for name, parameter in inspect.signature(layer.call).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and name != "training"
    ]
    # Keras has no public view of the calls in a graph.
    sizes = [len(node.input_tensors) for node in layer._inbound_nodes]
    return max([len(needed), *sizes])


def _rates_by_layer(candidates):
    rates = {}
    for candidate in candidates.values():
        rates.setdefault(candidate.layer, []).append(candidate.rate)
        # The cell of an LSTM has the same arguments.
        cell = getattr(candidate.layer, "cell", None)
        if cell is not None:
            rates.setdefault(cell, []).append(candidate.rate)
    return rates


def _is_unused_attention(candidate):
    """Return whether it is in a Keras attention that never calls it: of dropout 0."""
    kinds = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
    return isinstance(candidate.owner, kinds) and candidate.owner.dropout == 0.0


def _is_news(uncalled, rate):
    """Return whether a user would expect that the model calls the layer."""
    return uncalled.rate > 0 or rate is not None or not _is_unused_attention(uncalled)


def _nothing_to_convert(model, frozen, uncalled, off):
    message = (
        "'model' must hold dropout layers of Keras. Received: "
        f"'{model.name}', which has none. Add some with kdropout.insert."
    )
    if frozen:
        message += f" It has other dropout: {reports.listed(frozen)}. {_ALSO}"
    if uncalled:
        message += (
            " Dropout layers that the model never calls have no effect: "
            f"{reports.listed(_described(uncalled))}. Make the layers around them with "
            "a dropout above 0."
        )
    if off:
        path = next(iter(off))
        rates = reports.listed(_described(off))
        message += (
            f" Rates of 0 become live if you name them: {rates}. "
            f"Call kdropout.convert(model, {{{path!r}: 0.2}})."
        )
    return message


def _make_all(candidates, rate, off):
    """The replacements for all layers of `candidates`: a list."""
    chosen = {path: candidate.default for path, candidate in candidates.items()}
    if rate is not None:
        named = [path for path in candidates if candidates[path].found.is_off]
        on = [path for path in candidates if path not in named]
        chosen.update(choose_rates(on, rate, exact=[*named, *off]))
    rates = {}
    for path, candidate in candidates.items():
        rates_of_layer = rates.setdefault(candidate.layer, {})
        rates_of_layer[candidate.found.argument] = chosen[path]
    first = {candidate.layer: candidate for candidate in candidates.values()}
    return [first[layer].replacement(rates[layer]) for layer in rates]


def _described(candidates):
    return {path: candidate.description for path, candidate in candidates.items()}
