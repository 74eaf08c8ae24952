"""The errors of a job, with the places where they occur."""

import dataclasses
import os
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem of a job.

    Args:
        place: String, where the value was read, such as "line 7" or
            "--set training.epochs=0". Empty for a job that was made in Python.
        key: String, dotted key such as "training.epochs". Empty for the whole file.
        message: String, the expected value, the received value and what to do.
    """

    place: str
    key: str
    message: str

    def __str__(self):
        where = ", ".join(part for part in (self.place, self.key) if part)
        return f"{where}: {self.message}" if where else self.message


class JobError(ValueError):
    """Raised for a job that cannot be used. It lists all problems of the job.

    Args:
        path: Path of the job's file, or None for a job that was made in Python.
        problems: Sequence of `Problem`.

    Attributes:
        path: The argument `path`.
        problems: Tuple of `Problem`.
    """

    def __init__(self, path: str | os.PathLike | None, problems: Sequence[Problem]):
        self.path, self.problems = path, tuple(problems)
        name = "The job" if path is None else str(path)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{name} cannot be used:{lines}")

    def __reduce__(self):
        return type(self), (self.path, self.problems)


class InvalidSetting(ValueError):
    """Raised for the value of one key. `Job` turns it into a `JobError` with its line.

    Args:
        key: String, dotted key such as "data.npz".
        message: String, the expected value, the received value and what to do.
    """

    def __init__(self, key: str, message: str):
        self.key, self.message = key, message
        super().__init__(f"{key}: {message}")

    def __reduce__(self):
        return type(self), (self.key, self.message)


def dotted(key):
    """Return a key, which is a tuple, as a user writes it."""
    return ".".join(map(str, key))


def place_of(key, places):
    """Return the place of the value at a dotted key, like `place_of_path`.

    A name within the key may contain dots as well.
    """
    around = [path for path in places if f"{key}.".startswith(f"{dotted(path)}.")]
    return places[max(around, key=len)] if around else places.get((), "")


def place_of_path(key, places):
    """Return where the value at a key (a tuple) or the mapping around it was read."""
    for length in range(len(key), -1, -1):
        if key[:length] in places:
            return places[key[:length]]
    return ""
