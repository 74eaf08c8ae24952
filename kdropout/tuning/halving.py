"""The settings that late halving compares, and the epochs at which it halves them."""

import itertools
import numbers
from collections.abc import Mapping

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds_of_hyperparameters

from kdropout import _validation

SETTINGS = (0.0, 0.2, 0.4, 0.6)
RUNGS = (0.5, 0.75)

# Values that differ by less are equal but for rounding.
_SAME = 1e-9

# A message lists no more hyperparameters than these.
_MOST_NAMES = 4

_EXPECTED = "a rate in [0, 1), or a dict from names of hyperparameters to values"


def check_settings(settings):
    """The argument `settings`, as a tuple of floats and dicts."""
    expected = f"a sequence of at least 2, each {_EXPECTED}"
    if not isinstance(settings, (list, tuple)):
        raise _validation.type_error("settings", expected, settings)
    if len(settings) < 2:
        raise _validation.value_error("settings", expected, settings)
    return tuple(_check_setting(i, setting) for i, setting in enumerate(settings))


def check_rungs(rungs):
    """The argument `rungs`, as a tuple of floats."""
    expected = "a sequence of increasing fractions in (0, 1)"
    if not isinstance(rungs, (list, tuple)):
        raise _validation.type_error("rungs", expected, rungs)
    checked = []
    for index, rung in enumerate(rungs):
        try:
            rung = _validation.number(
                "rungs", rung, 0.0, 1.0, open_low=True, open_high=True
            )
        except (TypeError, ValueError) as error:
            problem = f"must be a fraction in (0, 1). Received: {rung!r}"
            raise _error_at("rungs", index, type(error), problem) from None
        checked.append(rung)
    if not checked or not _is_increasing(checked):
        raise _validation.value_error("rungs", expected, rungs)
    return tuple(checked)


def epochs_of_rungs(max_epochs, rungs):
    """The epochs after which the trials of each rung end; the last is `max_epochs`."""
    max_epochs = _validation.integer("max_epochs", max_epochs, low=1)
    epochs = [*(round(rung * max_epochs) for rung in rungs), max_epochs]
    if not _is_increasing([0, *epochs]):
        raise _validation.argument_error(
            ValueError,
            "max_epochs",
            "must be large enough that each rung trains an epoch at least. Received: "
            f"{max_epochs}, of which the rungs {list(rungs)} make "
            f"{', '.join(map(str, epochs))} epochs. Train longer, or take other rungs.",
        )
    return epochs


def distinct_values(settings, space, parts):
    """The values of all active hyperparameters in each setting, a list of dicts.

    Settings that become equal count once.

    Args:
        settings: What `check_settings` returned.
        space: List of KerasTuner's hyperparameters.
        parts: Dict from the name of each hyperparameter that moves rates to what it
            moves: "rate", or a part of a schedule.

    Raises:
        TypeError: If a value of a setting is of the wrong type.
        ValueError: If a setting does not fit the space, or all become equal.
    """
    distinct = []
    for index, setting in enumerate(settings):
        if isinstance(setting, dict):
            values = _values_of_dict(index, setting, space)
        else:
            values = _values_of_rate(index, setting, space, parts)
        if values not in distinct:
            distinct.append(values)
    if len(distinct) < 2:
        moved = [hp for hp in space if hp.name in parts or not parts]
        raise _validation.argument_error(
            ValueError,
            "settings",
            "must be at least 2 that still differ within the ranges of the "
            f"hyperparameters. Received: settings={settings!r}, which all become "
            f"{distinct[0]!r}. The ranges: {_ranges(moved)}.",
        )
    return distinct


def _check_setting(index, setting):
    if isinstance(setting, Mapping):
        if all(isinstance(name, str) for name in setting):
            return dict(setting)
        problem = f"must be {_EXPECTED}. Received: {_validation.shorten(setting)}"
        raise _error_at("settings", index, TypeError, problem)
    try:
        return _validation.number("settings", setting, 0.0, 1.0, open_high=True)
    except (TypeError, ValueError) as error:
        problem = f"must be {_EXPECTED}. Received: {_validation.shorten(setting)}"
        raise _error_at("settings", index, type(error), problem) from None


def _values_of_rate(index, rate, space, parts):
    """Give the rate to all that moves rates, and the others their defaults."""
    names = [hp.name for hp in space if hp.name in parts]
    of_schedules = [name for name in names if parts[name] != "rate"]
    if of_schedules:
        raise _error_at(
            "settings",
            index,
            ValueError,
            "must be a dict from names of hyperparameters to values, because a single "
            f"rate does not say how a schedule runs. Received: {rate:g}, for a search "
            f"over {_listed(of_schedules)}.",
        )
    if not names:
        raise _error_at(
            "settings",
            index,
            ValueError,
            "must be a dict from names of hyperparameters to values, because no "
            f"hyperparameter is known to move a rate. Received: {rate:g}. The names "
            f"are: {_listed([hp.name for hp in space]) or 'none'}. To search rates, "
            "let the hypermodel call 'tuning.tune_rates'.",
        )

    def value_of(hyperparameter):
        if hyperparameter.name in parts and _is_numeric(hyperparameter):
            return _nearest(hyperparameter, rate)
        return hyperparameter.default

    return _active_values(space, value_of)


def _values_of_dict(index, setting, space):
    """Give hyperparameters what the setting names, and the others their defaults."""
    names = list(dict.fromkeys(hp.name for hp in space))
    for name in setting:
        if name not in names:
            raise _error_at(
                "settings",
                index,
                ValueError,
                f"must name hyperparameters of the search. Received: {name!r}."
                f"{_validation.nearest(name, names)} The names are: "
                f"{', '.join(map(repr, names)) or 'none'}",
            )

    def value_of(hyperparameter):
        if hyperparameter.name in setting:
            return _checked(index, hyperparameter, setting[hyperparameter.name])
        return hyperparameter.default

    values = _active_values(space, value_of)
    for name in setting:
        if name not in values:
            others = {other: values[other] for other in setting if other in values}
            raise _error_at(
                "settings",
                index,
                ValueError,
                "must name hyperparameters that are active together. Received: "
                f"{name!r}, which is not active with {others!r}.",
            )
    return values


def _active_values(space, value_of):
    """Dict from name to value of the hyperparameters that are active."""
    hyperparameters = keras_tuner.HyperParameters()
    for hyperparameter in space:
        hyperparameters.merge([hyperparameter])
        if hyperparameters.is_active(hyperparameter):
            value = value_of(hyperparameter)
            hyperparameters.values[hyperparameter.name] = value
    return dict(hyperparameters.values)


def _checked(index, hyperparameter, value):
    """A value of a dict, which the hyperparameter must be able to have."""
    if _is_numeric(hyperparameter):
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        fits = is_number and abs(_nearest(hyperparameter, value) - value) <= _SAME
        if fits:
            return _nearest(hyperparameter, value)
    else:
        fits = any(
            type(value) is type(option) and value == option
            for option in hyperparameter.values
        )
        if fits:
            return value
    raise _error_at(
        "settings",
        index,
        ValueError,
        f"must hold values that hyperparameters can have: {_ranges([hyperparameter])}. "
        f"Received: {hyperparameter.name!r}: {value!r}",
    )


def _nearest(hyperparameter, number):
    """The value of a numeric hyperparameter that is next to a number."""
    kinds = kinds_of_hyperparameters
    if isinstance(hyperparameter, kinds.Choice) or (
        isinstance(hyperparameter, kinds.Float) and hyperparameter.step is not None
    ):
        return min(hyperparameter.values, key=lambda value: abs(value - number))
    low, high = hyperparameter.min_value, hyperparameter.max_value
    nearest = min(max(number, low), high)
    is_integer = isinstance(hyperparameter, kinds.Int)
    return round(nearest) if is_integer else float(nearest)


def _is_increasing(values):
    return all(one < next_one for one, next_one in itertools.pairwise(values))


def _is_numeric(hyperparameter):
    kinds = kinds_of_hyperparameters
    if isinstance(hyperparameter, kinds.Choice):
        return not any(isinstance(v, (str, bool)) for v in hyperparameter.values)
    return isinstance(hyperparameter, (kinds.Float, kinds.Int))


def _ranges(hyperparameters):
    """What the first few hyperparameters may be, in words."""
    by_name = {hp.name: hp for hp in hyperparameters}
    parts = []
    for name, hyperparameter in list(by_name.items())[:_MOST_NAMES]:
        if hasattr(hyperparameter, "min_value"):
            low, high = hyperparameter.min_value, hyperparameter.max_value
            parts.append(f"{name!r} from {low:g} to {high:g}")
        else:
            options = ", ".join(map(repr, hyperparameter.values))
            parts.append(f"{name!r} one of {options}")
    more = len(by_name) - _MOST_NAMES
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def _listed(names):
    names = list(dict.fromkeys(names))
    more = len(names) - _MOST_NAMES
    listed = ", ".join(map(repr, names[:_MOST_NAMES]))
    return f"{listed} and {more} more" if more > 0 else listed


def _error_at(argument, index, kind, problem):
    """The error of one entry of a sequence."""
    error = kind(f"{argument}[{index}] {problem}")
    error.argument, error.key, error.problem = argument, (argument, index), problem
    return error
