"""Invalid entries of a space, which Python and job files refuse alike."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class BadEntry:
    """An invalid setting of a space for one pattern.

    Attributes:
        name: The id of the tests.
        entry: The plain data, in the form of a file.
        key: Path of the wrong value within the entry, a tuple.
        error: The type of the error in Python.
        says: Parts of the message.
    """

    name: str
    entry: Any
    key: tuple
    error: type
    says: list


RATES = [
    BadEntry(
        "low above high",
        {"low": 0.5, "high": 0.2},
        ("low",),
        ValueError,
        ["must be below 'high'", "low=0.5, high=0.2"],
    ),
    BadEntry(
        "low is high",
        {"low": 0.5, "high": 0.5},
        ("low",),
        ValueError,
        ["To fix a rate, give the number itself"],
    ),
    BadEntry(
        "low below 0",
        {"low": -0.1},
        ("low",),
        ValueError,
        ["must be a number in [0, 1]", "-0.1"],
    ),
    BadEntry(
        "high above 1",
        {"low": 0, "high": 1.5},
        ("high",),
        ValueError,
        ["must be a number in [0, 1]", "1.5"],
    ),
    BadEntry(
        "low as text",
        {"low": "0.1"},
        ("low",),
        TypeError,
        ["must be a number in [0, 1]", "'0.1'"],
    ),
    BadEntry(
        "low as flag",
        {"low": True},
        ("low",),
        TypeError,
        ["must be a number in [0, 1]", "True"],
    ),
    BadEntry(
        "high nan", {"low": 0.0, "high": float("nan")}, ("high",), ValueError, ["nan"]
    ),
    BadEntry(
        "unknown sampling",
        {"low": 0.1, "high": 0.5, "sampling": "uniform"},
        ("sampling",),
        ValueError,
        ["must be one of 'linear', 'log', 'reverse_log'", "uniform"],
    ),
    BadEntry(
        "misspelt sampling",
        {"sampling": "lin"},
        ("sampling",),
        ValueError,
        ["Did you mean 'linear'?"],
    ),
    BadEntry(
        "logarithm of 0",
        {"high": 0.5, "sampling": "log"},
        ("low",),
        ValueError,
        ["must be above 0", "Received: low=0", "0.001"],
    ),
    BadEntry(
        "unknown tie",
        {"tie": "depth"},
        ("tie",),
        ValueError,
        ["must be one of", "'rising'", "'depth'"],
    ),
    BadEntry(
        "misspelt tie",
        {"tie": "share"},
        ("tie",),
        ValueError,
        ["Did you mean 'shared'?"],
    ),
    BadEntry(
        "step does not fit",
        {"high": 0.5, "step": 0.2},
        ("step",),
        ValueError,
        ["must lead from 'low' to 'high' in a whole number of steps", "high=0.4"],
    ),
    BadEntry(
        "step too large",
        {"low": 0.1, "high": 0.5, "step": 0.6},
        ("step",),
        ValueError,
        ["must lead from 'low' to 'high'", "high=0.7"],
    ),
    BadEntry(
        "step 0", {"high": 0.5, "step": 0}, ("step",), ValueError, ["must be", "step=0"]
    ),
    BadEntry(
        "step too fine",
        {"high": 0.5, "step": 1e-9},
        ("step",),
        ValueError,
        ["at most 10000 points", "Leave it out"],
    ),
    BadEntry(
        "step of a line for a logarithm",
        {"low": 0.01, "high": 0.5, "step": 0.1, "sampling": "log"},
        ("step",),
        ValueError,
        ["must be a number in (1, inf)", "0.1"],
    ),
    BadEntry(
        "step of a logarithm does not fit",
        {"low": 0.01, "high": 0.5, "step": 2, "sampling": "log"},
        ("step",),
        ValueError,
        ["a whole power of the step", "high=0.32"],
    ),
    BadEntry(
        "default outside",
        {"high": 0.5, "default": 0.6},
        ("default",),
        ValueError,
        ["must be", "[0, 0.5]", "0.6"],
    ),
    BadEntry(
        "default off the grid",
        {"high": 0.5, "step": 0.1, "default": 0.16},
        ("default",),
        ValueError,
        ["must be", "nearest is 0.2"],
    ),
    BadEntry(
        "values as number", {"values": 0.1}, ("values",), TypeError, ["must be", "0.1"]
    ),
    BadEntry("one value", {"values": [0.1]}, ("values",), ValueError, ["at least two"]),
    BadEntry(
        "equal values", {"values": [0.1, 0.1]}, ("values",), ValueError, ["different"]
    ),
    BadEntry(
        "value above 1",
        {"values": [0.1, 1.1]},
        ("values", 1),
        ValueError,
        ["must be", "[0, 1]", "1.1"],
    ),
    BadEntry(
        "values beside bounds",
        {"low": 0.1, "high": 0.4, "values": [0.1, 0.2]},
        ("values",),
        ValueError,
        ["must be given without 'low', 'high', 'step' and 'sampling'"],
    ),
]

SCHEDULES = [
    BadEntry(
        "start as text",
        {"schedule": {"start": "0", "end": 0.5, "steps": 10}},
        ("schedule", "start"),
        TypeError,
        ["must be a number in [0, 1], a pair (low, high)", "'0'"],
    ),
    BadEntry(
        "end above 1",
        {"schedule": {"start": 0, "end": 1.5, "steps": 10}},
        ("schedule", "end"),
        ValueError,
        ["must be a number in [0, 1]", "1.5"],
    ),
    BadEntry(
        "end of three",
        {"schedule": {"start": 0, "end": [0.1, 0.2, 0.3], "steps": 10}},
        ("schedule", "end"),
        ValueError,
        ["must be", "pair", "0.3"],
    ),
    BadEntry(
        "end the wrong way",
        {"schedule": {"start": 0, "end": [0.5, 0.1], "steps": 10}},
        ("schedule", "end", 0),
        ValueError,
        ["must be below 'high'"],
    ),
    BadEntry(
        "steps 0",
        {"schedule": {"start": 0, "end": 0.5, "steps": 0}},
        ("schedule", "steps"),
        ValueError,
        ["must be an integer", "at least 1"],
    ),
    BadEntry(
        "half steps",
        {"schedule": {"start": 0, "end": 0.5, "steps": 1.5}},
        ("schedule", "steps"),
        TypeError,
        ["must be an integer"],
    ),
    BadEntry(
        "steps the wrong way",
        {"schedule": {"start": 0, "end": 0.5, "steps": [20, 10]}},
        ("schedule", "steps"),
        ValueError,
        ["low below high"],
    ),
    BadEntry(
        "steps of three",
        {"schedule": {"start": 0, "end": 0.5, "steps": [1, 2, 3]}},
        ("schedule", "steps"),
        ValueError,
        ["must be", "pair"],
    ),
    BadEntry(
        "too many steps",
        {"schedule": {"start": 0, "end": 0.5, "steps": [1, 2**31]}},
        ("schedule", "steps"),
        ValueError,
        ["at most 2147483647"],
    ),
    BadEntry(
        "steps beyond all floats",
        {"schedule": {"start": 0, "end": 1, "steps": 10**400}},
        ("schedule", "steps"),
        ValueError,
        ["must be"],
    ),
    BadEntry(
        "pair of steps beyond all floats",
        {"schedule": {"start": 0, "end": 1, "steps": [10**390, 10**399]}},
        ("schedule", "steps"),
        ValueError,
        ["must be"],
    ),
    BadEntry(
        "unknown curve",
        {"schedule": {"start": 0, "end": 1, "steps": 9, "curve": "sinus"}},
        ("schedule", "curve"),
        ValueError,
        ["must be one of", "'linear'", "'sinus'"],
    ),
    BadEntry(
        "unknown curve of two",
        {
            "schedule": {
                "start": 0,
                "end": 0.5,
                "steps": 10,
                "curve": ["linear", "sigmoid"],
            }
        },
        ("schedule", "curve"),
        ValueError,
        ["'exponential'", "'sigmoid'"],
    ),
    BadEntry(
        "no curve",
        {"schedule": {"start": 0, "end": 0.5, "steps": 10, "curve": []}},
        ("schedule", "curve"),
        ValueError,
        ["must be"],
    ),
    BadEntry(
        "curve as number",
        {"schedule": {"start": 0, "end": 0.5, "steps": 10, "curve": 3}},
        ("schedule", "curve"),
        TypeError,
        ["must be", "3"],
    ),
    BadEntry(
        "exponential curve from 0",
        {"schedule": {"start": 0, "end": 1, "steps": 9, "curve": "exponential"}},
        ("schedule", "start"),
        ValueError,
        ["must be above 0", "0.001"],
    ),
    BadEntry(
        "exponential curve among others from 0",
        {
            "schedule": {
                "start": [0.0, 0.5],
                "end": 0.5,
                "steps": 10,
                "curve": ["linear", "exponential"],
            }
        },
        ("schedule", "start"),
        ValueError,
        ["must be above 0", "0.001"],
    ),
    BadEntry(
        "schedules on a line",
        {"schedule": {"start": 0, "end": 0.5, "steps": 10, "tie": "linear"}},
        ("schedule", "tie"),
        ValueError,
        ["must be one of", "'free', 'shared'"],
    ),
]

# Entries that do not have the form of arguments of `Rates` or `Schedules`.
OTHERS = [
    BadEntry(
        "a text", "half", (), TypeError, ["must be a rate in [0, 1], a pair", "'half'"]
    ),
    BadEntry("a number as text", "0.1", (), TypeError, ["must be a rate", "'0.1'"]),
    BadEntry("a flag", True, (), TypeError, ["must be a rate", "True"]),
    BadEntry("nothing", None, (), TypeError, ["must be a rate", "None"]),
    BadEntry(
        "three bounds",
        [0.1, 0.2, 0.3],
        (),
        ValueError,
        ["must be a rate", "a pair", "{'values': [0.1, 0.2, 0.3]}"],
    ),
    BadEntry(
        "four bounds",
        [0.005, 0.01, 0.05, 0.1],
        (),
        ValueError,
        ["must be a rate", "{'values': [0.005, 0.01, 0.05, 0.1]}"],
    ),
    BadEntry(
        "pair the wrong way", [0.5, 0.1], (0,), ValueError, ["must be below 'high'"]
    ),
    BadEntry(
        "bound of a pair above 1",
        [0.0, 1.5],
        (1,),
        ValueError,
        ["must be a number in [0, 1]", "1.5"],
    ),
    BadEntry("unknown key", {"lo": 0.1}, ("lo",), ValueError, ["Did you mean 'low'?"]),
    BadEntry(
        "misspelt key", {"hihg": 0.3}, ("hihg",), ValueError, ["Did you mean 'high'?"]
    ),
    BadEntry(
        "schedule as text",
        {"schedule": "linear"},
        ("schedule",),
        TypeError,
        ["must be a mapping of the arguments of tuning.Schedules", "'linear'"],
    ),
    BadEntry(
        "unknown key of a schedule",
        {"schedule": {"start": 0.1, "end": 0.5, "steps": 10, "crve": "linear"}},
        ("schedule", "crve"),
        ValueError,
        ["Did you mean 'curve'?"],
    ),
    BadEntry(
        "schedule without steps",
        {"schedule": {"start": 0.1, "end": 0.2}},
        ("schedule", "steps"),
        ValueError,
        ["is required"],
    ),
    BadEntry(
        "schedule without end",
        {"schedule": {"start": 0, "steps": 9}},
        ("schedule", "end"),
        ValueError,
        ["is required"],
    ),
    BadEntry(
        "unknown key of the end of a schedule",
        {"schedule": {"start": 0.1, "end": {"hi": 0.2}, "steps": 10}},
        ("schedule", "end", "hi"),
        ValueError,
        ["Did you mean 'high'?"],
    ),
    BadEntry(
        "tie of the end of a schedule",
        {"schedule": {"start": 0, "end": {"tie": "shared"}, "steps": 10}},
        ("schedule", "end"),
        ValueError,
        ["an argument of Schedules"],
    ),
    BadEntry(
        "schedule beside bounds",
        {"schedule": {"start": 0.1, "end": 0.5, "steps": 10}, "low": 0.1},
        ("low",),
        ValueError,
        ["is not allowed next to 'schedule'", "must be the only key"],
    ),
]
ENTRIES = RATES + SCHEDULES + OTHERS
