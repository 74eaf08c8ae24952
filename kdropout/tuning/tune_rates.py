"""Turns the rates of a model into hyperparameters of a search."""

from typing import Any

import keras
import keras_tuner

from kdropout import _validation
from kdropout.inspection import dropout_layers, keras_rates
from kdropout.surgery import convert
from kdropout.tuning.space.parsing import parse
from kdropout.tuning.space.plan import RatePlan, keep_plan, plan_of
from kdropout.tuning.space.rules import own_values
from kdropout.tuning.space.selection import select_groups


def tune_rates(
    hp: keras_tuner.HyperParameters, model: keras.layers.Layer, space: Any = None
) -> keras.layers.Layer:
    """Turn the rates of a model into hyperparameters, and set those of this trial.

    Call it in the function that builds the model of a trial. It first converts the
    dropout layers of Keras with `kdropout.convert`. Layers that `space` does not name
    keep their rates. Without patterns, layers whose rate depends on a schedule, a
    gradient or the inputs also keep them. A pattern that names a layer replaces its
    schedule.

    The hyperparameters are called "rate/<path>", or "rate/<pattern>" if layers share
    one. A line has "rate/<pattern>/first" and "/last", and a schedule has "/start",
    "/end", "/steps" and "/shape". `tuning.plan_of(model)` shows which hyperparameter
    sets which layers.

    Args:
        hp: The `keras_tuner.HyperParameters` of the trial.
        model: A `keras.Model` or layer with dropout layers.
        space: The values to choose from. A pair `(low, high)`, `tuning.Rates` or
            `tuning.Schedules` applies to all layers whose rate was given as a number. A
            dict maps layer paths or globs, such as "encoder/*", to one of these, or to
            a number, which fixes the rate. If several patterns match a layer, the last
            one counts. None for `tuning.Rates()`. Defaults to None.

    Returns:
        The same `model`.

    Raises:
        TypeError: If an argument is of the wrong type, or if the rate of a layer that
            `space` names depends on a gradient or on the inputs.
        ValueError: If the model has no dropout, a pattern matches no layer, there is
            nothing to search, or a value is out of range.

    Warns:
        UserWarning: If a dropout layer cannot be converted, as in `kdropout.convert`.

    Example:

    >>> import keras_tuner
    >>> from kdropout import tuning
    >>> model = keras.Sequential([
    ...     kdropout.layers.Dropout(0.2, name="input_drop"),
    ...     kdropout.layers.Dropout(0.5, name="drop")])
    >>> hp = keras_tuner.HyperParameters()
    >>> model = tuning.tune_rates(hp, model, {"*": (0.0, 0.6), "input_drop": 0.1})
    >>> hp.values
    {'rate/drop': 0.5}
    >>> kdropout.rates(model)
    {'input_drop': 0.1, 'drop': 0.5}
    """
    if not isinstance(hp, keras_tuner.HyperParameters):
        expected = "the keras_tuner.HyperParameters of a trial"
        raise _validation.type_error("hp", expected, hp)
    if not isinstance(model, keras.layers.Layer):
        expected = "a keras.Model or layer"
        raise _validation.type_error("model", expected, model)
    return tune_parsed(hp, model, parse(space))


def tune_parsed(hp, model, space):
    """Apply `tune_rates` with a space that `parse` returned."""
    layers = dropout_layers(model)
    plain = any(not found.is_off for found in keras_rates(model))
    if plain or not layers:
        convert(model)  # raises if there is nothing to convert
        layers = dropout_layers(model)
    scope = _scope(hp)
    plan = RatePlan(select_groups(model, space, f"{scope}rate", layers))
    earlier = plan_of(model)
    if earlier is not None:
        _check_names(hp, earlier, plan)
    merged = plan if earlier is None else earlier.merged(plan)
    own = {path: own_values(layer) for path, layer in layers.items()}
    values = {
        hyperparameter.name: hyperparameter.declare(
            hp, scope, own[hyperparameter.path].get(hyperparameter.part)
        )
        for hyperparameter in plan.hyperparameters.values()
    }
    plan.assign(model, values)
    keep_plan(model, merged)
    return model


def _scope(hp):
    """The prefix that KerasTuner adds to names within `hp.name_scope`."""
    # KerasTuner has no public way to get it.
    return hp._get_name("rate").removesuffix("rate")


def _check_names(hp, earlier, plan):
    """Raise if a hyperparameter is declared twice, with different bounds.

    KerasTuner would silently keep the bounds of the first declaration.
    """
    declared = {hyperparameter.name for hyperparameter in hp.space}
    for name, hyperparameter in plan.hyperparameters.items():
        before = earlier.hyperparameters.get(name)
        if before and before.domain != hyperparameter.domain and name in declared:
            raise ValueError(
                f"The hyperparameter '{name}' must have the same range in all calls of "
                f"'tune_rates'. Received: {hyperparameter.choice!r}, after an earlier "
                f"call with {before.choice!r}. Name the layer in one call only."
            )
