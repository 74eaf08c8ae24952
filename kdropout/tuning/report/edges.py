"""Where the best trials lie at a limit of what was searched."""

import dataclasses

import numpy as np

from kdropout.tuning.report.features import SAME, SCHEDULE
from kdropout.tuning.report.trials import completed, ranked

# The trials that count as the best ones.
BEST = 10

# A value this near to a limit, as a share of the space, is at it.
NEAR = 0.01

# More layers than these are only counted.
MOST_NAMES = 4


@dataclasses.dataclass(frozen=True)
class Edge:
    """A limit of the space that the best trials lie at.

    Args:
        limit: Float, the limit.
        is_upper: Bool, whether it is an upper one.
        is_known: Bool, whether the space is known; else it is the farthest value that
            was tried.
        is_rate: Bool, whether the limit is one of rates, and not of steps.
        is_exact: Bool, whether the values are equal to the limit, and not only near.
        trials: Integer, the number of best trials that have a value at the limit.
        of: Integer, the number of best trials.
        names: Dict from a layer, or another name of what moved, to the number of best
            trials in which it is at the limit.
    """

    limit: float
    is_upper: bool
    is_known: bool
    is_rate: bool
    is_exact: bool
    trials: int
    of: int
    names: dict

    def __str__(self):
        """Which layers are at which limit, and where to widen the space."""
        what = "a rate" if self.is_rate else "a number of steps"
        near = "of exactly" if self.is_exact else "next to"
        if self.is_known:
            which = f"the {'upper' if self.is_upper else 'lower'} limit of the space"
        else:
            which = f"the {'highest' if self.is_upper else 'lowest'} that was tried"
        names = [f"'{name}' in {count}" for name, count in self.names.items()]
        more = len(names) - MOST_NAMES
        listed = ", ".join(names[:MOST_NAMES])
        listed += f" and {more} more" if more > 0 else ""
        verb = "has" if self.trials == 1 else "have"
        trials = f"{self.trials} of the {self.of} best trials {verb}"
        if self.of == 1:
            trials = "The only completed trial has"
        way = "above" if self.is_upper else "below"
        return (
            f"{trials} {what} {near} {self.limit:g}, {which} ({listed}): widen the "
            f"space {way} {self.limit:g}, for example to {self._farther():g}, and "
            "search again."
        )

    def _farther(self):
        """A limit that lies farther out."""
        if not self.is_rate:
            return 2 * self.limit if self.is_upper else self.limit // 2
        return round((self.limit + 1.0) / 2.0, 3) if self.is_upper else 0.0


def find_edges(trials, direction, limits=None, setting=()):
    """The limits at which the best trials lie, the most frequent first.

    A limit counts if the best trial, or the setting to take, has a value at it, or if
    at least half of the best trials have one. No dropout is the natural limit of a
    rate, as is a rate of 1: there is nothing beyond.

    Args:
        trials: Sequence of `TrialRecord`.
        direction: "min" or "max".
        limits: Dict from hyperparameter to its lowest and highest value, or None if
            the space is not known: then the farthest value that was tried is a limit,
            if several trials have exactly this value.
        setting: Dict from hyperparameter, or layer, to the value to take. Defaults to
            none.

    Returns:
        List of `Edge`.
    """
    done, setting = completed(trials), dict(setting)
    best = ranked(trials, direction)[:BEST]
    found = {}
    for name in _names(done):
        column = np.array([_values(trial)[name] for trial in done], "float64")
        if np.ptp(column) <= SAME:
            continue
        for is_upper in (False, True):
            limit, near = _limit(name, column, limits, is_upper)
            if limit is None or _is_natural(name, limit, is_upper):
                continue
            at = [abs(_values(one)[name] - limit) <= near for one in best]
            value = setting.get(name, setting.get(_short(name)))
            chosen = value is not None and abs(value - limit) <= near
            key = (_is_rate(name), is_upper, limit)
            found.setdefault(key, []).append((name, at, chosen))
    edges = []
    for (is_rate, is_upper, limit), members in found.items():
        at = np.any([member[1] for member in members], axis=0)
        chosen = any(member[2] for member in members)
        if not at.any() or not (at[0] or chosen or 2 * at.sum() >= len(best)):
            continue
        values = [
            _values(trial)[name]
            for name, places, _ in members
            for trial, is_at in zip(best, places, strict=True)
            if is_at
        ]
        edges.append(
            Edge(
                limit=limit,
                is_upper=is_upper,
                is_known=limits is not None,
                is_rate=is_rate,
                is_exact=max(abs(value - limit) for value in values) <= SAME,
                trials=int(at.sum()),
                of=len(best),
                names={
                    _short(n): sum(places) for n, places, _ in members if any(places)
                },
            )
        )
    return sorted(edges, key=lambda edge: -edge.trials)


def _values(trial):
    """The hyperparameters of a trial; its rates where it has none."""
    return trial.values or trial.rates


def _names(done):
    """The hyperparameters that are numbers in all trials."""
    return [
        name
        for name in _values(done[0])
        if all(
            isinstance(_values(trial).get(name), (int, float))
            and not isinstance(_values(trial)[name], bool)
            for trial in done
        )
    ]


def _limit(name, column, limits, is_upper):
    """A limit of a hyperparameter, or None, and how near to it is at it."""
    if limits is not None:
        if name not in limits:
            return None, 0.0
        low, high = limits[name]
        return float(high if is_upper else low), NEAR * (high - low)
    limit = float(column.max() if is_upper else column.min())
    if np.count_nonzero(np.abs(column - limit) <= SAME) < 2:
        return None, 0.0
    return limit, SAME


def _is_rate(name):
    part = name.rpartition("/")[2]
    return part not in SCHEDULE or part == "start"


def _is_natural(name, limit, is_upper):
    """Whether there is nothing beyond a limit."""
    if not _is_rate(name):
        return not is_upper and limit <= 1.0
    return limit >= 1.0 if is_upper else limit <= 0.0


def _short(name):
    return name.removeprefix("rate/")
