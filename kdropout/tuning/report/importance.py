"""How much the rate of each layer has to do with the score.

A random forest learns the scores from the values that moved. Its predictions of trials
that a tree has not seen show the importance of each value, and its mean prediction as
one value moves is the marginal.
"""

import dataclasses

import numpy as np

from kdropout.requirements import can_import, check_packages
from kdropout.tuning.report.records import SAME, SCHEDULE, completed

TREES = 200

# A tree that ends in single trials would repeat the noise of each.
_SMALLEST_LEAF = 2

# Below, a sample of trials with replacement leaves too few out.
_FEWEST_TO_LEARN = 3

# Scores that differ by less, relative to their size, are equal but for rounding.
_ROUNDING = 1e-12

REPEATS = 20

# Below these the ranking is not to be trusted. Of searches whose scores have nothing to
# do with the rates, about 1 in 100 reaches this R2 with 10 to 15 trials.
LOWEST_R2 = 0.3
FEWEST_TRIALS = 10

# Points of a curve. Over a grid of few points, it goes through these alone.
_POINTS = 21
_MOST_GRID_POINTS = 8


@dataclasses.dataclass(frozen=True)
class Feature:
    """Something that moved: the rate of a layer, of a group of layers, or another.

    Args:
        name: String, what people read.
        layers: Tuple of the paths of the layers whose rate it is. Empty for a
            hyperparameter that is not the rate of a layer.
        kind: String, "rate" or the kind of a hyperparameter, such as "steps".
        column: Array of floats, its value in each completed trial.
        levels: Tuple of the names of the values 0, 1, ... if they are not numbers.
    """

    name: str
    layers: tuple
    kind: str
    column: np.ndarray
    levels: tuple = ()


def find_features(trials):
    """What moved in the completed trials: a list of `Feature`.

    Layers with equal rates in all trials are one feature. Where fewer hyperparameters
    moved than rates, as with a line over depth, the hyperparameters are the features.
    """
    done = completed(trials)
    hyperparameters = _hyperparameters(done)
    groups = _groups(done, hyperparameters)
    if hyperparameters and len(hyperparameters) < len(groups):
        return hyperparameters
    schedules = [feature for feature in hyperparameters if feature.kind in SCHEDULE]
    return groups + schedules


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
            feature.name
            for feature in hyperparameters
            if feature.kind == "rate"
            and np.all(np.abs(feature.column - column) <= SAME)
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
    names = [
        name for name in done[0].values if all(name in trial.values for trial in done)
    ]
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


class Forest:
    """A random forest that has learned the scores of the completed trials.

    The trials that the sample of a tree left out ("out of bag") show how much of the
    scores the rates explain:

        R2 = 1 - sum((score - prediction)^2) / sum((score - mean score)^2)

    with the prediction of each trial by the trees that have not seen it. It is 1 if
    the rates explain all, and about 0 or less if they explain nothing.

    Args:
        trials: Sequence of `TrialRecord` of which `why_no_forest` says nothing.
        seed: Integer, seed of the samples.
        trees: Integer, number of trees. Defaults to 200.

    Reference:
        Breiman (2001), Random forests, Machine Learning 45.
    """

    def __init__(self, trials, seed, trees=TREES):
        check_packages(
            "The importance of layers",
            {"scikit-learn": "sklearn.ensemble"},
            extra="tuner",
            is_there=can_import,
        )
        from sklearn import ensemble

        self.features = find_features(trials)
        self.table = np.stack([feature.column for feature in self.features], axis=1)
        self.scores = comparable_scores(trials)
        self.model = ensemble.RandomForestRegressor(
            n_estimators=trees,
            min_samples_leaf=_SMALLEST_LEAF,
            oob_score=True,
            random_state=seed,
        ).fit(self.table, self.scores)
        seen = self.model.estimators_samples_
        rows = np.arange(len(self.scores))
        self._unseen = [np.setdiff1d(rows, sample) for sample in seen]

    @property
    def r2(self):
        """The out-of-bag R2."""
        return float(self.model.oob_score_)

    def unseen_r2(self, tables):
        """The out-of-bag R2 if the trials had had other rates.

        Args:
            tables: Array of shape (variants, trials, features).

        Returns:
            Array of shape (variants,).
        """
        variants, trials, features = tables.shape
        total = np.zeros((variants, trials))
        count = np.zeros(trials)
        for tree, rows in zip(self.model.estimators_, self._unseen, strict=True):
            if len(rows):
                flat = tables[:, rows].reshape(-1, features)
                total[:, rows] += tree.predict(flat).reshape(variants, -1)
                count[rows] += 1
        known = count > 0
        scores, predictions = self.scores[known], total[:, known] / count[known]
        residual = np.square(scores - predictions).sum(axis=1)
        return 1.0 - residual / np.square(scores - scores.mean()).sum()

    def by_tree(self, columns, values):
        """The mean prediction of each tree over the trials, with some columns replaced.

        Args:
            columns: List of the indices of the features that get the same value.
            values: Array of shape (variants,).

        Returns:
            Array of shape (trees, variants).
        """
        variants, (trials, features) = len(values), self.table.shape
        tables = np.repeat(self.table[None], variants, axis=0)
        tables[:, :, columns] = np.asarray(values)[:, None, None]
        flat = tables.reshape(-1, features)
        predictions = [tree.predict(flat) for tree in self.model.estimators_]
        return np.stack([p.reshape(variants, trials).mean(1) for p in predictions])


def why_no_forest(trials):
    """Why nothing can be learned from these trials, or None if something can."""
    done = completed(trials)
    if len(done) < _FEWEST_TO_LEARN:
        plural = "" if len(done) == 1 else "s"
        return f"only {len(done)} trial{plural} completed"
    if not find_features(trials):
        return "no rate differs between the trials"
    scores = comparable_scores(trials)
    if np.ptp(scores) <= _ROUNDING * np.abs(scores).max():
        return "all trials have the same score"
    return None


def comparable_scores(trials):
    """The scores of the completed trials, as if all had been given the most epochs.

    Hyperband gives some trials more epochs than others, and the rates are not the cause
    of what that does to the score. So trials are compared with those of as many epochs:
    the mean of these is taken off, and the mean of those with the most epochs put on.
    """
    done = completed(trials)
    scores = np.array([trial.score for trial in done])
    epochs = np.array([trial.epochs or 0 for trial in done])
    longest = scores[epochs == epochs.max()].mean()
    for number in np.unique(epochs):
        if number != epochs.max():
            scores[epochs == number] += longest - scores[epochs == number].mean()
    return scores


@dataclasses.dataclass(frozen=True)
class FeatureImportance:
    """The importance of one layer, or of layers that one hyperparameter moves.

    Args:
        name: String, path of the layer or name of the group.
        layers: Tuple of the paths of the layers. Empty for a hyperparameter that is
            not the rate of a layer.
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
    def reliable(self) -> bool:
        """Whether the ranking may be believed."""
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
        for table in tables:
            table[:, index] = generator.permutation(table[:, index])
        lost = forest.r2 - forest.unseen_r2(tables)
        mean, std = float(lost.mean()), float(lost.std(ddof=1))
        measured.append(FeatureImportance(feature.name, feature.layers, mean, std))
    measured.sort(key=lambda feature: -feature.mean)
    problem = _problem(num_trials, forest.r2)
    return Importance(tuple(measured), forest.r2, num_trials, problem)


def _problem(num_trials, r2):
    if num_trials < FEWEST_TRIALS:
        return f"only {num_trials} trials completed, fewer than {FEWEST_TRIALS}"
    if not r2 >= LOWEST_R2:
        return f"R2 = {r2:.2f} out of bag, the rates explain too little of the scores"
    return ""


@dataclasses.dataclass(frozen=True)
class Marginal:
    """Expected score over the values of one feature, the others as in the trials.

    Args:
        name: String, path of the layer or name of the group.
        layers: Tuple of the paths of its layers.
        kind: String, "rate" or what kind of hyperparameter it is.
        levels: Tuple of the names of the values 0, 1, ... if they are not numbers.
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


def measure_marginals(forest, points=_POINTS):
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
        grid = _grid(feature, points)
        by_tree = forest.by_tree([index], grid)
        marginals.append(
            Marginal(
                name=feature.name,
                layers=feature.layers,
                kind=feature.kind,
                levels=feature.levels,
                grid=tuple(grid.tolist()),
                mean=tuple(by_tree.mean(axis=0).tolist()),
                spread=tuple(by_tree.std(axis=0, ddof=1).tolist()),
                tried=tuple(feature.column.tolist()),
                scores=tuple(forest.scores.tolist()),
            )
        )
    return tuple(marginals)


def _grid(feature, points):
    """Values of the feature from the lowest to the highest that was tried."""
    tried = np.unique(feature.column)
    if len(tried) <= _MOST_GRID_POINTS or feature.levels:
        return tried
    return np.linspace(tried[0], tried[-1], points)
