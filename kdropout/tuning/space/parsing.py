"""What the argument `space` may be, also as plain data from a file."""

import dataclasses
from collections.abc import Mapping

from kdropout import validation
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules

_RATES = tuple(field.name for field in dataclasses.fields(Rates))
_SCHEDULES = tuple(field.name for field in dataclasses.fields(Schedules))
_EXPECTED = (
    "a number in [0, 1], a pair (low, high), tuning.Rates, tuning.Schedules, or a dict "
    "of the arguments of one of them"
)


def parse(space):
    """A space in its plain form, as `tune_rates` takes it and a file gives it.

    Args:
        space: None, or a number, a pair `(low, high)`, `Rates` or `Schedules` for all
            layers; or a dict from layer paths or globs to such. Instead of `Rates`, a
            dict of its arguments, such as `{"low": 0, "high": 0.5}`; instead of
            `Schedules`, `{"schedule": {...}}` with its arguments.

    Returns:
        A float, `Rates` or `Schedules`, or a dict from patterns to such.

    Raises:
        TypeError: If something is of the wrong type; the message tells the key.
        ValueError: If something is out of range; the message tells the key.

    Example:

    >>> from kdropout import tuning
    >>> tuning.space.parse({"head": 0.5, "encoder/*": {"schedule": {
    ...     "start": 0, "end": 0.5, "steps": [100, 1000]}}})
    {'head': 0.5, 'encoder/*': Schedules(start=0.0, end=0.5, steps=(100, 1000),
        shape='linear', across='free')}
    """
    if space is None:
        return Rates()
    if not isinstance(space, Mapping):
        return _choice("'space'", space)
    if not space:
        raise ValueError(
            "'space' must name at least one layer. Received: an empty dict. Leave it "
            "out, to search the rates of all."
        )
    for pattern in space:
        if not isinstance(pattern, str):
            expected = "a dict from layer paths or globs, which are strings"
            raise TypeError(validation.received("space", expected, space))
    kinds = (Rates, Schedules)
    settings = {*_RATES, "schedule"}
    if space.keys() <= settings and not any(
        isinstance(value, kinds) for value in space.values()
    ):
        raise ValueError(
            "'space' must be a dict from layer paths or globs. Received: the settings "
            f"themselves, {dict(space)!r}. For all layers, write {{'*': {{...}}}}."
        )
    return {
        pattern: _choice(f"space[{pattern!r}]", space[pattern]) for pattern in space
    }


def _choice(where, value):
    if isinstance(value, (Rates, Schedules)):
        return value
    if isinstance(value, Mapping):
        if "schedule" in value:
            return _schedules(where, value)
        return _make(where, Rates, _RATES, value)
    if isinstance(value, (list, tuple)):
        return _pair(where, value)
    try:
        return validation.number(where, value, 0.0, 1.0)
    except (TypeError, ValueError) as error:
        raise type(error)(_received(where, _EXPECTED, value)) from None


def _pair(where, value):
    if len(value) != 2:
        hint = ""
        if len(value) > 2:
            hint = (
                f" To choose from several rates, write {{'values': {list(value)!r}}}."
            )
        raise ValueError(_received(where, _EXPECTED, value) + hint)
    return _make(where, Rates, _RATES, dict(zip(("low", "high"), value, strict=True)))


def _schedules(where, value):
    others = [key for key in value if key != "schedule"]
    if others:
        raise ValueError(
            f"{where} must hold 'schedule' alone, with its settings inside. Received: "
            f"{', '.join(map(repr, others))} beside it."
        )
    where, settings = f"{where}['schedule']", value["schedule"]
    if not isinstance(settings, Mapping):
        expected = "a dict of the arguments of tuning.Schedules"
        raise TypeError(_received(where, expected, settings))
    settings = dict(settings)
    for part in ("start", "end"):
        if isinstance(settings.get(part), Mapping):
            inner = f"{where}[{part!r}]"
            settings[part] = _make(inner, Rates, _RATES, settings[part])
    missing = [name for name in ("start", "end", "steps") if name not in settings]
    _check_keys(where, settings, _SCHEDULES)
    if missing:
        raise ValueError(
            f"{where} must hold 'start', 'end' and 'steps'. Missing: "
            f"{', '.join(map(repr, missing))}"
        )
    return _make(where, Schedules, _SCHEDULES, settings)


def _make(where, kind, names, settings):
    _check_keys(where, settings, names)
    if not settings:
        expected = f"a dict of some of {', '.join(map(repr, names))}"
        raise ValueError(_received(where, expected, settings))
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


def _check_keys(where, settings, names):
    for key in settings:
        if key not in names:
            raise ValueError(
                f"{where} must hold no other keys than {', '.join(map(repr, names))}. "
                f"Received: {key!r}.{validation.nearest(key, names)}"
            )


def _received(where, expected, value):
    return f"{where} must be {expected}. Received: {value!r}"
