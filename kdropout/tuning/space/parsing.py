"""Parsing of the argument `space`, which may be plain data from a file."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from kdropout import _validation
from kdropout._renamed import both_given, warn_about_name
from kdropout.tuning.space import rates, schedules
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules, pair_of_rates

_CHECKS = {Rates: rates.CHECKS, Schedules: schedules.CHECKS}
_OLD_NAMES = {Rates: rates.OLD_NAMES, Schedules: schedules.OLD_NAMES}
_EXPECTED = (
    "a rate in [0, 1], a pair [low, high], or a mapping of the arguments of "
    "tuning.Rates, such as {'low': 0, 'high': 0.5}, or of tuning.Schedules: "
    "{'schedule': {...}}"
)


def parse(
    space: Any,
) -> float | Rates | Schedules | dict[str, float | Rates | Schedules]:
    """Parse a space in the forms that `tune_rates` and a file allow.

    Args:
        space: None, a number, a pair `(low, high)`, `Rates` or `Schedules` for all
            layers, or a dict from layer paths or globs to one of these. A dict of
            arguments, such as `{"low": 0, "high": 0.5}`, can replace `Rates`. The dict
            `{"schedule": {...}}` with arguments can replace `Schedules`.

    Returns:
        Float, `Rates` or `Schedules`, or a dict from patterns to these.

    Raises:
        TypeError: If a value is of the wrong type. The message names its key.
        ValueError: If a value is out of range. The message names its key.

    Example:

    >>> from kdropout import tuning
    >>> tuning.space.parse({"head": 0.5, "encoder/*": {"schedule": {
    ...     "start": 0, "end": 0.5, "steps": [100, 1000]}}})
    {'head': 0.5, 'encoder/*': Schedules(start=0.0, end=0.5, steps=(100, 1000),
        curve='linear', tie='free')}
    """
    choices, errors, old_names = parse_all(space)
    if errors:
        raise errors[0]
    for key, name in old_names.items():
        warn_about_name(_shown(key), name, stacklevel=3)
    return choices


def parse_all(space):
    """Return the parsed space, all its errors, and the deprecated names in it.

    The deprecated names are a dict from the key (a tuple) of each setting that uses a
    name of version 0.1 to the current name.
    """
    reader = _Reader()
    return reader.space(space), reader.errors, reader.old_names


def to_plain(choice):
    """Convert a choice to plain values for a file, which `parse` reads."""
    if isinstance(choice, Schedules):
        parts = {
            field.name: _part_to_plain(getattr(choice, field.name))
            for field in dataclasses.fields(Schedules)
        }
        return {"schedule": parts}
    return _part_to_plain(choice)


def _part_to_plain(value):
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, Rates):
        return value
    chosen = {
        field.name: _part_to_plain(getattr(value, field.name))
        for field in dataclasses.fields(Rates)
        if getattr(value, field.name) != field.default
    }
    if value.values is not None:  # which give the bounds
        chosen.pop("low", None)
        chosen.pop("high", None)
    elif chosen.keys() <= {"low", "high"}:
        return [value.low, value.high]
    return chosen


class _Reader:
    """Reads a space, and collects the errors of all its values, and old names."""

    def __init__(self):
        self.errors, self.old_names = [], {}

    def space(self, space):
        if space is None:
            return Rates()
        if not isinstance(space, Mapping):
            return self._choice(("space",), space)
        if not space:
            return self._fail(
                ValueError,
                ("space",),
                "must name at least one layer. Received: an empty dict. Leave it out "
                "to search the rates of all layers.",
            )
        for pattern in space:
            if not isinstance(pattern, str):
                expected = "a dict from layer paths or globs, which are strings"
                self.errors.append(_validation.type_error("space", expected, space))
                return None
        names = {*rates.CHECKS, *rates.OLD_NAMES, "schedule"}
        if space.keys() <= names and not any(
            isinstance(value, (Rates, Schedules)) for value in space.values()
        ):
            return self._fail(
                ValueError,
                ("space",),
                "must be a dict from layer paths or globs. Received: settings without "
                f"a layer, {dict(space)!r}. For all layers, write {{'*': {{...}}}}.",
            )
        return {
            pattern: self._choice(("space", pattern), value)
            for pattern, value in space.items()
        }

    def _choice(self, key, value):
        if isinstance(value, (Rates, Schedules)):
            return value
        if isinstance(value, Mapping):
            if "schedule" in value:
                return self._schedules(key, value)
            return self._arguments(key, Rates, value)
        if isinstance(value, (list, tuple)):
            return self._pair(key, value)
        try:
            return _validation.number("space", value, 0.0, 1.0)
        except (TypeError, ValueError) as error:
            problem = f"must be {_EXPECTED}. Received: {_validation.shorten(value)}"
            return self._fail(type(error), key, problem)

    def _pair(self, key, value):
        if len(value) != 2:
            problem = f"must be {_EXPECTED}. Received: {_validation.shorten(value)}"
            if len(value) > 2:
                problem = (
                    f"{problem}. To choose from several rates, write {{'values': "
                    f"{list(value)!r}}}."
                )
            return self._fail(ValueError, key, problem)
        try:
            return pair_of_rates(key, _shown(key), value)
        except (TypeError, ValueError) as error:
            self.errors.append(error)
            return None

    def _schedules(self, key, value):
        for name in value:
            if name != "schedule":
                self._fail(
                    ValueError,
                    (*key, name),
                    "is not allowed next to 'schedule', which must be the only key. "
                    "Write the settings of the schedule inside 'schedule'.",
                )
        key, settings = (*key, "schedule"), value["schedule"]
        if not isinstance(settings, Mapping):
            expected = "a mapping of the arguments of tuning.Schedules"
            problem = f"must be {expected}. Received: {_validation.shorten(settings)}"
            return self._fail(TypeError, key, problem)
        settings = dict(settings)
        for part in ("start", "end"):
            if isinstance(settings.get(part), Mapping):
                rates_of_part = self._arguments((*key, part), Rates, settings[part])
                settings[part] = rates_of_part or Rates()  # its errors are recorded
        return self._arguments(key, Schedules, settings)

    def _arguments(self, key, kind, settings):
        """Make a `kind` from a mapping of its arguments, or None after an error."""
        checks, before, arguments = _CHECKS[kind], len(self.errors), {}
        for field in dataclasses.fields(kind):
            if field.default is dataclasses.MISSING and field.name not in settings:
                self._fail(ValueError, (*key, field.name), "is required.")
        for written, value in settings.items():
            name = self._new_name(key, kind, written, settings)
            if name not in checks:
                self._fail(
                    ValueError,
                    (*key, written),
                    f"is not a known key.{_validation.nearest(written, checks)} The "
                    f"keys are: {', '.join(checks)}",
                )
                continue
            self._try(key, checks[name], written, value)
            arguments[name] = value
        if len(self.errors) > before:
            return None
        if not settings:
            expected = f"a mapping of some of {', '.join(map(repr, checks))}"
            return self._fail(ValueError, key, f"must be {expected}. Received: {{}}")
        return self._try(key, kind, **arguments)

    def _new_name(self, key, kind, name, settings):
        """Return the current name of a setting, and record a deprecated one."""
        new = _OLD_NAMES[kind].get(name)
        if new is None:
            return name
        if new in settings:
            self._fail(ValueError, (*key, name), both_given(name, new))
        self.old_names[(*key, name)] = new
        return new

    def _try(self, key, function, *arguments, **named):
        try:
            return function(*arguments, **named)
        except (TypeError, ValueError) as error:
            self.errors.append(_validation.error_within(error, key, _shown(key)))
            return None

    def _fail(self, kind, key, problem):
        """Record an error of the value at `key`, whose choice becomes None."""
        error = kind(f"{_shown(key)} {problem}")
        error.argument, error.key, error.problem = key[0], key, problem
        self.errors.append(error)


def _shown(key):
    """A path in a space, in the notation of Python."""
    argument, *inner = key
    if not inner:
        return f"'{argument}'"
    return argument + "".join(f"[{name!r}]" for name in inner)
