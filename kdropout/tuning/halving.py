"""The settings of late halving, and the epochs after which it drops the worse half."""

import itertools

from kdropout import _validation
from kdropout.tuning.given_settings import (
    EXPECTED,
    SettingReader,
    error_at,
    ranges,
)

SETTINGS = (0.0, 0.2, 0.4, 0.6)
RUNGS = (0.5, 0.75)

_READER = SettingReader("settings")


def check_settings(settings):
    """Return the argument `settings` as a tuple of floats and dicts, or raise."""
    expected = f"a sequence of at least 2, each {EXPECTED}"
    if not isinstance(settings, (list, tuple)):
        raise _validation.type_error("settings", expected, settings)
    if len(settings) < 2:
        raise _validation.value_error("settings", expected, settings)
    return tuple(_READER.check(i, setting) for i, setting in enumerate(settings))


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
            raise error_at("rungs", index, type(error), problem) from None
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


def distinct_values(settings, space, targets):
    """Return the values of all active hyperparameters in each setting.

    Settings that become equal count once.

    Args:
        settings: The result of `check_settings`.
        space: List of KerasTuner's hyperparameters.
        targets: `Targets` of the search.

    Returns:
        List of dicts from name to value.

    Raises:
        TypeError: If a value of a setting is of the wrong type.
        ValueError: If a setting does not fit the space, or all become equal.
    """
    distinct = []
    for index, setting in enumerate(settings):
        values = _READER.values(index, setting, space, targets)
        if values not in distinct:
            distinct.append(values)
    if len(distinct) < 2:
        parts = targets.parts
        moved = [hp for hp in space if hp.name in parts or not parts]
        raise _validation.argument_error(
            ValueError,
            "settings",
            "must be at least 2 settings that differ within the ranges of the "
            f"hyperparameters. Received: settings={settings!r}, which all become "
            f"{distinct[0]!r}. The ranges: {ranges(moved)}.",
        )
    return distinct


def _is_increasing(values):
    return all(one < next_one for one, next_one in itertools.pairwise(values))
