"""How much the rate of each layer has to do with the score."""

import dataclasses

import numpy as np

from kdropout.tuning.report.forest import why_no_forest
from kdropout.tuning.report.trials import completed

REPEATS = 20

# Below these the ranking is not to be trusted. Of searches whose scores have nothing to
# do with the rates, about 1 in 100 reaches this R2 with 10 to 15 trials.
LOWEST_R2 = 0.3
FEWEST_TRIALS = 10


@dataclasses.dataclass(frozen=True)
class FeatureImportance:
    """The importance of one layer, or of layers that one hyperparameter moves.

    Args:
        name: String, path of the layer or name of the group.
        layers: Tuple of the paths of the layers. Empty for a hyperparameter that is no
            rate of a layer.
        mean: Float, what the out-of-bag R2 loses if the values are shuffled among the
            trials, mean over the shuffles.
        std: Float, standard deviation over the shuffles.
    """

    name: str
    layers: tuple
    mean: float
    std: float


@dataclasses.dataclass(frozen=True)
class Importance:
    """The importance of all that moved, and whether it may be believed.

    Args:
        features: Tuple of `FeatureImportance`, the most important first.
        r2: Float, out-of-bag R2 of the forest, or None if there is none.
        num_trials: Integer, number of completed trials.
        problem: String, why it is unreliable; "" if it is not.
    """

    features: tuple
    r2: float | None
    num_trials: int
    problem: str

    @property
    def reliable(self):
        return not self.problem


def measure_importance(trials, forest, seed, repeats=REPEATS):
    """Permutation importance on the trials that each tree has not seen.

        importance = R2 - R2 with the values of the layer shuffled among the trials

    both out of bag, so that what a forest has learned by heart does not count.

    Args:
        trials: Sequence of `TrialRecord`.
        forest: `Forest` of these trials, or None if `why_no_forest` says why.
        seed: Integer, seed of the shuffles.
        repeats: Integer, number of shuffles per layer. Defaults to 20.

    Returns:
        `Importance`.

    Reference:
        Breiman (2001), Random forests, section 10, Machine Learning 45.
    """
    num_trials = len(completed(trials))
    if forest is None:
        return Importance((), None, num_trials, why_no_forest(trials))
    generator = np.random.default_rng(seed)
    measured = []
    for index, feature in enumerate(forest.features):
        tables = np.repeat(forest.table[None], repeats, axis=0)
        for one in tables:
            one[:, index] = generator.permutation(one[:, index])
        lost = forest.r2 - forest.unseen_r2(tables)
        mean, std = float(lost.mean()), float(lost.std(ddof=1))
        measured.append(FeatureImportance(feature.name, feature.layers, mean, std))
    measured.sort(key=lambda one: -one.mean)
    problem = _problem(num_trials, forest.r2)
    return Importance(tuple(measured), forest.r2, num_trials, problem)


def _problem(num_trials, r2):
    if num_trials < FEWEST_TRIALS:
        return f"only {num_trials} trials completed, fewer than {FEWEST_TRIALS}"
    if not r2 >= LOWEST_R2:
        return f"R2 = {r2:.2f} out of bag, the rates explain too little of the scores"
    return ""
