"""The settings of late halving, and the epochs after which it drops the worse half."""

import itertools
import numbers
from collections.abc import Mapping

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds_of_hyperparameters

from kdropout import _validation

SETTINGS = (0.0, 0.2, 0.4, 0.6)
RUNGS = (0.5, 0.75)

# Smaller differences between values are rounding errors.
_SAME = 1e-9

# A message lists at most this many hyperparameters.
_MOST_NAMES = 4

_EXPECTED = "a rate in [0, 1), or a dict from names of hyperparameters to values"


def check_settings(settings):
    """Return the argument `settings` as a tuple of floats and dicts, or raise."""
    expected = f"a sequence of at least 2, each {_EXPECTED}"
    if not isinstance(settings, (list, tuple)):
        raise _validation.type_error("settings", expected, settings)
    if len(settings) < 2:
        raise _validation.value_error("settings", expected, settings)
    return tuple(_check_setting(i, setting) for i, setting in enumerate(settings))


def check_rungs(rungs):
    """Return the argument `rungs` as a tuple of floats, or raise."""
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
    """Return the epochs after which the trials of each rung end."""
    max_epochs = _validation.integer("max_epochs", max_epochs, low=1)
    epochs = [*(round(rung * max_epochs) for rung in rungs), max_epochs]
    if not _is_increasing([0, *epochs]):
        raise _validation.argument_error(
            ValueError,
            "max_epochs",
            "must be large enough for at least one epoch per rung. Received: "
            f"{max_epochs}, so the trials of the rungs {list(rungs)} end after "
            f"{', '.join(map(str, epochs))} epochs. Increase 'max_epochs' or change "
            "'rungs'.",
        )
    return epochs


def distinct_values(settings, space, parts):
    """Return the values of all active hyperparameters in each setting.

    Settings that become equal count once.

    Args:
        settings: The result of `check_settings`.
        space: List of KerasTuner's hyperparameters.
        parts: Dict from each hyperparameter that sets rates to what it sets: "rate",
            or a part of a schedule.

    Returns:
        List of dicts from name to value.

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
            "must be at least 2 settings that differ within the ranges of the "
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
    """Give the rate to all hyperparameters of rates, and others their defaults."""
    names = [hp.name for hp in space if hp.name in parts]
    of_schedules = [name for name in names if parts[name] != "rate"]
    if of_schedules:
        raise _error_at(
            "settings",
            index,
            ValueError,
            "must be a dict from names of hyperparameters to values, because a single "
            f"rate does not define a schedule. Received: {rate:g}, for a search over "
            f"{_listed(of_schedules)}.",
        )
    if not names:
        raise _error_at(
            "settings",
            index,
            ValueError,
            "must be a dict from names of hyperparameters to values, because no "
            f"hyperparameter is known to set a rate. Received: {rate:g}. The names "
            f"are: {_listed([hp.name for hp in space]) or 'none'}. To search rates, "
            "call 'tuning.tune_rates' in the hypermodel.",
        )

    def value_of(hyperparameter):
        if hyperparameter.name in parts and _is_numeric(hyperparameter):
            return _nearest(hyperparameter, rate)
        return hyperparameter.default

    return _active_values(space, value_of)


def _values_of_dict(index, setting, space):
    """Give hyperparameters the values of the setting, and others their defaults."""
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
    """Dict from name to value of the active hyperparameters."""
    hyperparameters = keras_tuner.HyperParameters()
    for hyperparameter in space:
        hyperparameters.merge([hyperparameter])
        if hyperparameters.is_active(hyperparameter):
            value = value_of(hyperparameter)
            hyperparameters.values[hyperparameter.name] = value
    return dict(hyperparameters.values)


def _checked(index, hyperparameter, value):
    """Return a value of a dict, or raise if the hyperparameter does not allow it."""
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
        f"must contain allowed values: {_ranges([hyperparameter])}. Received: "
        f"{hyperparameter.name!r}: {value!r}",
    )


def _nearest(hyperparameter, number):
    """The value of a numeric hyperparameter that is closest to a number."""
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
    """The ranges of the first few hyperparameters, in words."""
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
    """Return the error for one entry of a sequence."""
    error = kind(f"{argument}[{index}] {problem}")
    error.argument, error.key, error.problem = argument, (argument, index), problem
    return error
