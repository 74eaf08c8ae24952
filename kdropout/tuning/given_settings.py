"""Settings that a user lists: for late halving, or as the first trials of a search.

A setting is a number, the rate of all layers, or a dict from hyperparameters, layer
paths or globs of paths to values.
"""

import numbers
from collections.abc import Mapping

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters as kinds_of_hyperparameters

from kdropout import _validation
from kdropout.inspection import matching
from kdropout.tuning.space.dimension import parts_of

# Smaller differences between values are rounding errors.
_SAME = 1e-9

# A message lists at most this many hyperparameters.
_MOST_NAMES = 4

EXPECTED = "a rate in [0, 1), or a dict from names of hyperparameters to values"


class Targets:
    """The layers that each hyperparameter sets, learned from the models of a search.

    Attributes:
        are_known: Boolean, whether a model was seen.
        parts: Dict from each hyperparameter that sets rates to what it sets: "rate", or
            a part of a schedule.
        layers: Dict from each of them to the paths of its layers.
    """

    def __init__(self, plan=None):
        self.are_known = False
        self.parts = {}
        self.layers = {}
        if plan is not None:
            self.learn(plan)

    def learn(self, plan):
        """Learn from the `RatePlan` of a model, or from None if it has none."""
        self.are_known = True
        if plan is not None:
            self.parts.update(parts_of(plan))
            self.layers.update(plan.groups())

    def rates_of(self, pattern):
        """Return the hyperparameters of the rates of layers, by a path or a glob."""
        return [
            name
            for name, paths in self.layers.items()
            if self.parts[name] == "rate" and matching(paths, pattern)
        ]


class SettingReader:
    """Reads the entries of one argument, which lists settings.

    Args:
        argument: String, name of the argument.
        on_grid: Boolean, whether only the values of a grid search are allowed.
            Defaults to False.
    """

    def __init__(self, argument, on_grid=False):
        self._argument = argument
        self._on_grid = on_grid

    def check(self, index, setting):
        """Return a setting as a float or a dict, or raise."""
        problem = f"must be {EXPECTED}. Received: {_validation.shorten(setting)}"
        if isinstance(setting, Mapping):
            if all(isinstance(name, str) for name in setting):
                return {name: _to_python(value) for name, value in setting.items()}
            raise error_at(self._argument, index, TypeError, problem)
        try:
            return _validation.number(self._argument, setting, 0.0, 1.0, open_high=True)
        except (TypeError, ValueError) as error:
            raise error_at(self._argument, index, type(error), problem) from None

    def values(self, index, setting, space, targets):
        """Return the values of all active hyperparameters in a checked setting.

        Args:
            index: Integer, place of the setting in the argument.
            setting: The result of `check`.
            space: List of KerasTuner's hyperparameters.
            targets: `Targets` of the search.

        Returns:
            Dict from name to value.

        Raises:
            ValueError: If the setting does not fit the space.
        """
        if isinstance(setting, dict):
            return self._values_of_dict(index, setting, space, targets)
        return self._values_of_rate(index, setting, space, targets)

    def _values_of_rate(self, index, rate, space, targets):
        """Give the rate to all hyperparameters of rates, and others their defaults."""
        parts = targets.parts
        names = [hp.name for hp in space if hp.name in parts]
        of_schedules = [name for name in names if parts[name] != "rate"]
        if of_schedules:
            raise self._error(
                index,
                "must be a dict from names of hyperparameters to values, because a "
                f"single rate does not define a schedule. Received: {rate:g}, for a "
                f"search over {_listed(of_schedules)}.",
            )
        if not names:
            raise self._error(
                index,
                "must be a dict from names of hyperparameters to values, because no "
                f"hyperparameter is known to set a rate. Received: {rate:g}. The names "
                f"are: {_listed([hp.name for hp in space]) or 'none'}. To search "
                "rates, call 'tuning.tune_rates' in the hypermodel.",
            )

        def value_of(hyperparameter):
            if hyperparameter.name in parts and _is_numeric(hyperparameter):
                return self._nearest(hyperparameter, rate)
            return hyperparameter.default

        return _active_values(space, value_of)

    def _values_of_dict(self, index, setting, space, targets):
        """Give hyperparameters the values of the setting, and others their defaults."""
        given = {}
        for name, value in setting.items():
            for hyperparameter in self._named(index, name, space, targets):
                given[hyperparameter] = value

        def value_of(hyperparameter):
            if hyperparameter.name in given:
                return self._checked(index, hyperparameter, given[hyperparameter.name])
            return hyperparameter.default

        values = _active_values(space, value_of)
        for name in given:
            if name not in values:
                others = {other: values[other] for other in given if other in values}
                raise self._error(
                    index,
                    "must name hyperparameters that are active together. Received: "
                    f"{name!r}, which is not active with {others!r}.",
                )
        return values

    def _named(self, index, name, space, targets):
        """The hyperparameters that a key of a setting names."""
        names = list(dict.fromkeys(hp.name for hp in space))
        if name in names:
            return [name]
        of_layers = [each for each in targets.rates_of(name) if each in names]
        if of_layers:
            return of_layers
        paths = [path for paths in targets.layers.values() for path in paths]
        hint = _validation.nearest(name, [*names, *paths])
        raise self._error(
            index,
            "must name hyperparameters of the search, or layers whose rates are "
            f"searched. Received: {name!r}.{hint} The names are: "
            f"{', '.join(map(repr, names)) or 'none'}",
        )

    def _checked(self, index, hyperparameter, value):
        """Return a value of a dict, or raise if the search does not allow it."""
        if _is_numeric(hyperparameter):
            is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if is_number:
                nearest = self._nearest(hyperparameter, value)
                if abs(nearest - value) <= _SAME:
                    return nearest
        else:
            for option in hyperparameter.values:
                if type(value) is type(option) and value == option:
                    return value
        raise self._error(
            index,
            f"must contain allowed values: {self._ranges([hyperparameter])}. Received: "
            f"{hyperparameter.name!r}: {value!r}",
        )

    def _nearest(self, hyperparameter, number):
        """The value of a numeric hyperparameter that is closest to a number."""
        options = _options(hyperparameter, self._on_grid)
        if options is not None:
            return min(options, key=lambda value: abs(value - number))
        low, high = hyperparameter.min_value, hyperparameter.max_value
        nearest = min(max(number, low), high)
        is_integer = isinstance(hyperparameter, kinds_of_hyperparameters.Int)
        return round(nearest) if is_integer else float(nearest)

    def _ranges(self, hyperparameters):
        """The ranges of the first few hyperparameters, in words."""
        return ranges(hyperparameters, self._on_grid)

    def _error(self, index, problem):
        return error_at(self._argument, index, ValueError, problem)


def ranges(hyperparameters, on_grid=False):
    """Return the ranges of the first few hyperparameters, in words."""
    by_name = {hp.name: hp for hp in hyperparameters}
    parts = []
    for name, hyperparameter in list(by_name.items())[:_MOST_NAMES]:
        options = _options(hyperparameter, on_grid)
        if options is None:
            low, high = hyperparameter.min_value, hyperparameter.max_value
            parts.append(f"{name!r} from {low:g} to {high:g}")
        else:
            parts.append(f"{name!r} one of {', '.join(map(_shown, options))}")
    more = len(by_name) - _MOST_NAMES
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def error_at(argument, index, kind, problem):
    """Return the error for one entry of a sequence."""
    error = kind(f"{argument}[{index}] {problem}")
    error.argument, error.key, error.problem = argument, (argument, index), problem
    return error


def _active_values(space, value_of):
    """Dict from name to value of the active hyperparameters."""
    hyperparameters = keras_tuner.HyperParameters()
    for hyperparameter in space:
        hyperparameters.merge([hyperparameter])
        if hyperparameters.is_active(hyperparameter):
            value = value_of(hyperparameter)
            hyperparameters.values[hyperparameter.name] = value
    return dict(hyperparameters.values)


def _to_python(value):
    return value.item() if isinstance(value, np.generic) else value


def _is_numeric(hyperparameter):
    kinds = kinds_of_hyperparameters
    if isinstance(hyperparameter, kinds.Choice):
        return not any(isinstance(v, (str, bool)) for v in hyperparameter.values)
    return isinstance(hyperparameter, (kinds.Float, kinds.Int))


def _options(hyperparameter, on_grid):
    """The allowed values of a hyperparameter, or None if it has a range."""
    if not _is_numeric(hyperparameter):
        return list(hyperparameter.values)
    if on_grid:  # which begins with the default
        values = [hyperparameter.default, *sorted(hyperparameter.values)]
        return [*dict.fromkeys(values)]
    kinds = kinds_of_hyperparameters
    if isinstance(hyperparameter, kinds.Choice):
        return list(hyperparameter.values)
    is_integer = isinstance(hyperparameter, kinds.Int)
    any_value = (None, 1) if is_integer else (None,)
    return None if hyperparameter.step in any_value else list(hyperparameter.values)


def _shown(option):
    return f"{option:g}" if isinstance(option, float) else repr(option)


def _listed(names):
    names = list(dict.fromkeys(names))
    more = len(names) - _MOST_NAMES
    listed = ", ".join(map(repr, names[:_MOST_NAMES]))
    return f"{listed} and {more} more" if more > 0 else listed


def check_initial_trials(trials):
    """Return the argument `initial_trials` as a tuple of floats and dicts, or raise."""
    if trials is None:
        return ()
    if not isinstance(trials, (list, tuple)):
        expected = f"a sequence, each {EXPECTED}"
        raise _validation.type_error("initial_trials", expected, trials)
    reader = SettingReader("initial_trials")
    return tuple(reader.check(index, trial) for index, trial in enumerate(trials))
