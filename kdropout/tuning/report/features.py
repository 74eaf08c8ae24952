"""What moved in a search: the columns that a forest learns from."""

import dataclasses

import numpy as np

from kdropout.tuning.report.trials import completed

# Rates that agree to this are moved together.
SAME = 1e-9

# The endings of the hyperparameters of a schedule whose values are no rate at its end.
SCHEDULE = ("start", "steps", "shape")

# A curve over a grid that was searched whole goes through its points, no others.
MOST_POINTS = 8


@dataclasses.dataclass(frozen=True)
class Feature:
    """Something that moved: the rate of a layer, of a group of layers, or another.

    Args:
        name: String, what people read.
        layers: Tuple of the paths of the layers whose rate it is. Empty for a
            hyperparameter that is no rate of a layer.
        kind: String, "rate" or the kind of a hyperparameter, such as "steps".
        column: Array of floats, its value in each completed trial.
        levels: Tuple of the names of the values 0, 1, ... if they are no numbers.
    """

    name: str
    layers: tuple
    kind: str
    column: np.ndarray
    levels: tuple = ()


def is_schedule(trial):
    """Whether parts of schedules moved in a trial, so that its rates are not all."""
    moved = {name.removeprefix("rate/") for name in trial.values} - set(trial.rates)
    return any(name.rpartition("/")[2] in (*SCHEDULE, "end") for name in moved)


def find_features(trials):
    """What moved in the completed trials.

    Layers with equal rates in all trials are one feature. Where fewer hyperparameters
    moved than rates, as with a line over depth, the hyperparameters are the features.

    Args:
        trials: Sequence of `TrialRecord` with rates of the same layers.

    Returns:
        List of `Feature`. What stood still is not in it.
    """
    done = completed(trials)
    hyperparameters = _hyperparameters(done)
    groups = _groups(done, hyperparameters)
    if hyperparameters and len(hyperparameters) < len(groups):
        return hyperparameters
    return groups + [one for one in hyperparameters if one.kind in SCHEDULE]


def fixed_rates(trials):
    """Dict from path to rate of the layers whose rate no trial moved."""
    done = completed(trials)
    return {
        path: rate
        for path, rate in done[0].rates.items()
        if all(abs(trial.rates[path] - rate) <= SAME for trial in done)
    }


def table(features):
    """Array of shape (trials, features)."""
    return np.stack([feature.column for feature in features], axis=1)


def grid(feature, points):
    """Values of the feature from the lowest to the highest that was tried."""
    tried = np.unique(feature.column)
    if len(tried) <= MOST_POINTS or feature.levels:
        return tried
    return np.linspace(tried[0], tried[-1], points)


def _groups(done, hyperparameters):
    members = []
    for path in done[0].rates:
        column = np.array([trial.rates[path] for trial in done])
        if np.ptp(column) <= SAME:
            continue
        same = (m for m in members if np.all(np.abs(m[1] - column) <= SAME))
        member = next(same, None)
        if member:
            member[0].append(path)
        else:
            members.append(([path], column))
    features = []
    for paths, column in members:
        movers = [
            one.name
            for one in hyperparameters
            if one.kind == "rate" and np.all(np.abs(one.column - column) <= SAME)
        ]
        name = _group_name(paths, movers)
        features.append(Feature(name, tuple(paths), "rate", column))
    return features


def _group_name(paths, movers):
    """The pattern that the user gave the group, else its first and its last layer."""
    if len(paths) == 1:
        return paths[0]
    if len(movers) == 1:
        return f"{movers[0]} ({len(paths)} layers)"
    return f"{paths[0]} to {paths[-1]} ({len(paths)} layers)"


def _hyperparameters(done):
    features = []
    names = [n for n in done[0].values if all(n in trial.values for trial in done)]
    for name in names:
        values, levels = [trial.values[name] for trial in done], ()
        if any(isinstance(value, str) for value in values):
            texts = [str(value) for value in values]
            levels = tuple(sorted(set(texts)))
            values = [levels.index(text) for text in texts]
        column = np.array(values, "float64")
        if np.ptp(column) > SAME:
            kind = name.rpartition("/")[2]
            kind = kind if kind in SCHEDULE else "rate"
            short = name.removeprefix("rate/")
            features.append(Feature(short, (), kind, column, levels))
    return features
