"""Makes the rates of a model hyperparameters of a search."""

from typing import Any

import keras
import keras_tuner

from kdropout import _validation
from kdropout._keras_classes import live_counterpart
from kdropout.inspection import dropout_layers, walk
from kdropout.surgery import convert
from kdropout.tuning.space.parsing import parse
from kdropout.tuning.space.plan import RatePlan, keep_plan, plan_of
from kdropout.tuning.space.rules import own_values
from kdropout.tuning.space.selection import select_groups


def tune_rates(
    hp: keras_tuner.HyperParameters, model: keras.layers.Layer, space: Any = None
) -> keras.layers.Layer:
    """Make the rates of a model hyperparameters, and give it those of this trial.

    Call it in the function that builds the model of a trial. `kdropout.convert` first
    makes the dropout of Keras live. Layers that `space` does not name stay as they are.
    Without patterns, layers whose rate a schedule, a gradient or the inputs decide also
    stay as they are; a pattern that names a layer replaces its schedule.

    The hyperparameters are called "rate/<path>", or "rate/<pattern>" where layers share
    one. A line has "rate/<pattern>/first" and "/last"; a schedule has "/start", "/end",
    "/steps" and "/shape". `tuning.plan_of(model)` shows which hyperparameter sets which
    layers.

    Args:
        hp: The `keras_tuner.HyperParameters` of the trial.
        model: A `keras.Model` or layer with dropout layers.
        space: What to choose from: a pair `(low, high)`, `tuning.Rates` or
            `tuning.Schedules`, for all layers whose rate was given as a number. Or a
            dict from layer paths or globs, such as "encoder/*", to one of these, or to
            numbers, which fix a rate. Where several patterns match a layer, the last
            one counts. None for `tuning.Rates()`. Defaults to None.

    Returns:
        The same `model`.

    Raises:
        TypeError: If an argument is of the wrong type, or a gradient or the inputs
            decide the rate of a layer that `space` names.
        ValueError: If the model has no dropout, a pattern matches no layer, nothing is
            left to search, or a value is out of range.

    Warns:
        UserWarning: As `kdropout.convert`, of dropout that cannot be made live.

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
    """`tune_rates` with a space that `parse` returned."""
    layers = dropout_layers(model)
    plain = any(live_counterpart(layer) is not None for _, layer in walk(model))
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
    """What KerasTuner puts before a name, within `hp.name_scope`."""
    # There is no public way to ask.
    return hp._get_name("rate").removesuffix("rate")


def _check_names(hp, earlier, plan):
    """KerasTuner keeps the bounds of the first declaration, and says nothing."""
    declared = {hyperparameter.name for hyperparameter in hp.space}
    for name, hyperparameter in plan.hyperparameters.items():
        before = earlier.hyperparameters.get(name)
        if before and before.domain != hyperparameter.domain and name in declared:
            raise ValueError(
                f"The hyperparameter '{name}' must have one meaning. Received: "
                f"{hyperparameter.choice!r}, after an earlier call of 'tune_rates' "
                f"declared it as {before.choice!r}. Name the layer in one call only."
            )
