"""What is wrong with a job, and where."""

import dataclasses
import os
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Args:
        place: Where the value was read, such as "line 7" or "--set training.epochs=0";
            empty for a job that was made in Python.
        key: Dotted key, such as "training.epochs"; empty for the whole file.
        message: What is expected, what was received, and the way out.
    """

    place: str
    key: str
    message: str

    def __str__(self):
        where = ", ".join(part for part in (self.place, self.key) if part)
        return f"{where}: {self.message}" if where else self.message


class JobError(ValueError):
    """A job that cannot be used. Lists everything that is wrong with it.

    Args:
        path: Path of the job's file, or None for a job that was made in Python.
        problems: Sequence of `Problem`.
    """

    def __init__(self, path: str | os.PathLike | None, problems: Sequence[Problem]):
        self.path, self.problems = path, tuple(problems)
        name = "The job" if path is None else str(path)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{name} cannot be used:{lines}")

    def __reduce__(self):
        return type(self), (self.path, self.problems)


class InvalidSetting(ValueError):
    """The value of one key cannot be used. `Job` makes a `JobError` with its line.

    Args:
        key: Dotted key, such as "data.npz".
        message: What is expected, what was received, and the way out.
    """

    def __init__(self, key: str, message: str):
        self.key, self.message = key, message
        super().__init__(f"{key}: {message}")

    def __reduce__(self):
        return type(self), (self.key, self.message)


def dotted(key):
    """A key, a tuple, as a user writes it."""
    return ".".join(map(str, key))


def place_of(key, places):
    """`place_of_path`, for a dotted key."""
    parts = tuple(int(p) if p.isdecimal() else p for p in key.split("."))
    return place_of_path(parts, places)


def place_of_path(key, places):
    """Where the value at a key, a tuple, was read, or else the value around it."""
    for length in range(len(key), -1, -1):
        if key[:length] in places:
            return places[key[:length]]
    return ""
