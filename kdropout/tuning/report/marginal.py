"""The score that a forest expects as the rate of one layer moves."""

import dataclasses

import numpy as np

from kdropout.tuning.report.features import grid

POINTS = 21


@dataclasses.dataclass(frozen=True)
class Marginal:
    """Expected score over the values of one feature, the others as in the trials.

    Args:
        name: String, path of the layer or name of the group.
        layers: Tuple of the paths of its layers.
        kind: String, "rate" or what kind of hyperparameter it is.
        levels: Tuple of the names of the values 0, 1, ... if they are no numbers.
        grid: Tuple of floats, values of the feature.
        mean: Tuple of floats, the expected score at each.
        spread: Tuple of floats, standard deviation over the trees at each.
        tried: Tuple of floats, value of the feature in each completed trial.
        scores: Tuple of floats, score of each completed trial, as if all had been given
            the most epochs.
    """

    name: str
    layers: tuple
    kind: str
    levels: tuple
    grid: tuple
    mean: tuple
    spread: tuple
    tried: tuple
    scores: tuple


def measure_marginals(forest, points=POINTS):
    """The partial dependence of the score on each feature.

        mean(v) = mean over trials of prediction(trial with the feature set to v)

    Args:
        forest: `Forest` of the trials, or None.
        points: Integer, number of values per feature. Defaults to 21.

    Returns:
        Tuple of `Marginal`, in the order of the model.

    Reference:
        Friedman (2001), Greedy function approximation, section 8.2, Annals of
        Statistics 29.
    """
    if forest is None:
        return ()
    marginals = []
    for index, feature in enumerate(forest.features):
        values = grid(feature, points)
        by_tree = forest.by_tree(tables_with(forest.table, [index], values))
        marginals.append(
            Marginal(
                *(feature.name, feature.layers, feature.kind, feature.levels),
                grid=tuple(values.tolist()),
                mean=tuple(by_tree.mean(axis=0).tolist()),
                spread=tuple(by_tree.std(axis=0, ddof=1).tolist()),
                tried=tuple(feature.column.tolist()),
                scores=tuple(forest.scores.tolist()),
            )
        )
    return tuple(marginals)


def tables_with(table, columns, values):
    """A copy of `table` for each value, in which the columns have that value."""
    tables = np.repeat(table[None], len(values), axis=0)
    tables[:, :, columns] = np.asarray(values)[:, None, None]
    return tables
