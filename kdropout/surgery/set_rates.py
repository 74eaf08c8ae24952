"""Sets the rates of a model, or what decides them."""

import keras

from kdropout import _validation
from kdropout._types import RateLike
from kdropout.inspection import bring_up_to_date, dropout_layers, select_layers
from kdropout.rate_rules import resolve
from kdropout.rate_rules.base import EXPECTED, FixedRate
from kdropout.rate_rules.scheduled import ClockedRate
from kdropout.surgery.reports import warn_of_clocks_outside_of_training
from kdropout.surgery.rules import replace_rules


def set_rates(model: keras.layers.Layer, rates: RateLike | dict[str, RateLike]) -> None:
    """Set the rates of dropout layers, or what decides them.

    A number takes effect at the next step. A number for a layer whose rate is a number
    does not compile anything.

    A schedule or a `kdropout.LearnedRate` replaces what decided the rate of a layer so
    far, and a number replaces a schedule or a `LearnedRate`. The model keeps its
    weights, its masks go on in the same random stream, and you need not compile it. The
    next step of each model that holds the layer is traced once more. The clock of the
    schedule starts at step 0, also if the layer has the same schedule already. A
    `LearnedRate` starts at its `initial_rate`. It brings one more trainable variable,
    for which a built optimizer makes new state. It keeps its state for all others.

    You may call it in a callback during `fit`, with `self.model`. A training step that
    you compiled yourself, with `tf.function` or `jax.jit`, has the old rates: make it
    again after a schedule or a `LearnedRate` was set or replaced.

    If one of the rates cannot be set, none is set.

    Args:
        model: A `keras.Model` or layer that holds dropout layers of kdropout.
        rates: Number in [0, 1], schedule or `kdropout.LearnedRate` for all layers; or a
            dict from the path of a layer, or a glob such as "encoder/*", to one of
            these. If several patterns match a layer, the last one counts.

    Raises:
        TypeError: If a rate is of the wrong type; if a layer, such as
            `ConcreteDropout`, does not take a rate; or for a `LearnedRate`, if the
            noise of a layer cannot be relaxed.
        ValueError: If a rate is not in [0, 1], a path matches no dropout layer, the
            dict is empty, or the model has no dropout layer; or for a `LearnedRate`, if
            a built optimizer cannot take another variable.
        RuntimeError: If Keras holds the variables of the layer, because on JAX a model
            around `model` trains.

    Warns:
        UserWarning: If a saved model with a schedule would not load, as for a lambda;
            or if the model calls a layer with a new schedule in training mode outside
            of training.

    Example:

    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> kdropout.set_rates(model, {"drop": 0.3})
    >>> kdropout.rates(model)
    {'drop': 0.3}
    >>> kdropout.set_rates(model, kdropout.schedules.Ramp(0.1, 0.5, steps=1000))
    >>> kdropout.summary(model)
    layer  kind     rate    decided by
    drop   Dropout  0.1000  schedule Ramp
    """
    bring_up_to_date(model)
    numbers, rules = {}, {}
    for layer, (rate, rule) in _choose(model, rates).items():
        if isinstance(rule, FixedRate) and layer._rate_rule.settable:
            numbers[layer] = rate
        else:
            _check_takes(layer, rate, rule)
            rules[layer] = rule
    before = {layer: layer.rate for layer in numbers}
    try:
        for layer, rate in numbers.items():
            layer.rate = rate
        if rules:
            clocked = {
                layer: path
                for path, layer in dropout_layers(model).items()
                if isinstance(rules.get(layer), ClockedRate)
            }
            warn_of_clocks_outside_of_training(model, clocked)
            replace_rules(model, rules)
    except Exception:
        for layer, rate in before.items():
            layer.rate = rate
        raise


def _choose(model, rates):
    """Dict from layer to the rate that the user passed for it, and its rule."""
    if not isinstance(rates, dict):
        rates = {"*": rates}
    if not rates:
        raise ValueError("'rates' must name at least one layer. Received: rates={}")
    chosen = {}
    for pattern, rate in rates.items():
        if not isinstance(pattern, str):
            raise TypeError(
                "'rates' must be a rate, or a dict from layer paths or globs to rates. "
                f"Received: rates={rates!r}"
            )
        selected = select_layers(model, pattern, argument="rates")
        if isinstance(rate, dict):
            raise _validation.type_error("rate", EXPECTED, rate)
        rule = resolve(rate)
        chosen.update(dict.fromkeys(selected.values(), (rate, rule)))
    return chosen


def _check_takes(layer, rate, rule):
    """Raise if the rule of a layer cannot be replaced."""
    if "rate" not in layer.get_config():  # such as ConcreteDropout and Standout
        layer._rate_rule.assign(layer, rate)  # raises, with the way out
    layer._check_can_learn(rule, rate)
