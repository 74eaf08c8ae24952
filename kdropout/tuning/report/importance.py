"""The importance of each layer: how much the score depends on its rate.

A random forest learns to predict the scores from the values that differ between trials.
The importance of a dimension is the loss of R2 on unseen trials when its values are
shuffled. The marginal is the mean prediction over the values of one dimension.
"""

import dataclasses

import numpy as np

from kdropout._requirements import can_import, check_packages
from kdropout.tuning.report.records import completed, dimensions_seen
from kdropout.tuning.space.dimension import Dimension

TREES = 200

# A leaf with a single trial would reproduce the noise of that trial.
_SMALLEST_LEAF = 2

# With fewer trials, a bootstrap sample leaves out too few of them.
_FEWEST_TO_LEARN = 3

# Smaller differences, relative to the size of the scores, are rounding errors.
_ROUNDING = 1e-12

# The ranking is unreliable below these. If the scores do not depend on the rates, about
# 1 search in 100 reaches this R2 with 10 to 15 trials.
LOWEST_R2 = 0.3
_FEWEST_TO_TRUST = 10

# Shuffles for the importance of each dimension.
REPEATS = 20

# Points of a curve. A curve over a grid of few values has these values as its points.
_POINTS = 21
_MOST_GRID_POINTS = 8

# Step of the grid of uniform rates. A finer grid makes no difference.
UNIFORM_STEP = 0.05


@dataclasses.dataclass(frozen=True)
class FeatureImportance:
    """The importance of one layer, or of layers that share a hyperparameter.

    Args:
        dimension: `Dimension`.
        mean: Float, the loss of out-of-bag R2 when the values are shuffled among the
            trials; mean over the shuffles.
        std: Float, standard deviation over the shuffles.
    """

    dimension: Dimension
    mean: float
    std: float

    @property
    def name(self) -> str:
        """Path of the layer, or name of the group or of the hyperparameter."""
        return self.dimension.label

    @property
    def layers(self) -> tuple[str, ...]:
        """Paths of the layers that it moves."""
        return self.dimension.layers


@dataclasses.dataclass(frozen=True)
class Marginal:
    """The expected score for each value of one dimension, averaged over the trials.

    Args:
        dimension: `Dimension`. Its levels are those that were tried.
        grid: Tuple of floats, values of the dimension.
        mean: Tuple of floats, the expected score for each value of the grid.
        spread: Tuple of floats, standard deviation over the trees for each value.
        tried: Tuple of floats, value of the dimension in each completed trial.
        scores: Tuple of floats, score of each completed trial, corrected for different
            numbers of epochs.
    """

    dimension: Dimension
    grid: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    tried: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def name(self) -> str:
        """Path of the layer, or name of the group or of the hyperparameter."""
        return self.dimension.label

    @property
    def layers(self) -> tuple[str, ...]:
        """Paths of the layers that it moves."""
        return self.dimension.layers

    @property
    def kind(self) -> str:
        """String, "rate", a part of a schedule ("start", "steps", "shape"), "other"."""
        return "rate" if self.dimension.sets_rate else self.dimension.kind

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the values 0, 1, ... of a dimension that is not numeric."""
        return self.dimension.levels


@dataclasses.dataclass(frozen=True)
class Importance:
    """The importance and marginals of all dimensions, and whether they are reliable.

    Args:
        features: Tuple of `FeatureImportance`, the most important first.
        r2: Float, out-of-bag R2 of the forest, or None if there is none.
        num_trials: Integer, number of completed trials.
        problem: String, why the ranking is unreliable, or "" if it is reliable.
        marginals: Tuple of `Marginal`, in the order of the model. Defaults to ().
        uniform: Dict from rate to the expected score if all layers have this rate. It
            is empty if the forest explains too little, or if the report was read from
            a file. Defaults to {}.
        with_others: Dict from rate, including 0, to the expected score of each
            completed trial if all layers had this rate, and the other hyperparameters
            kept their values. It is empty like `uniform`, or if only rates were
            searched. Defaults to {}.
    """

    features: tuple[FeatureImportance, ...]
    r2: float | None
    num_trials: int
    problem: str
    marginals: tuple[Marginal, ...] = ()
    uniform: dict[float, float] = dataclasses.field(default_factory=dict, compare=False)
    with_others: dict[float, tuple[float, ...]] = dataclasses.field(
        default_factory=dict, compare=False
    )

    @property
    def reliable(self) -> bool:
        """True if the ranking is reliable."""
        return not self.problem


def measure_importance(trials, dimensions=None, seed=0, trees=TREES, repeats=REPEATS):
    """Train a forest on the trials: importance, marginals and uniform rates.

    This takes seconds, so the log of a search, its candidates and its report share one
    result. Without `dimensions`, they are inferred from the values that differ between
    trials.
    """
    forest, problem = learn(trials, dimensions, seed, trees)
    num_trials = len(completed(trials))
    if forest is None:
        return Importance((), None, num_trials, problem)
    return Importance(
        features=_features(forest, seed, repeats),
        r2=forest.r2,
        num_trials=num_trials,
        problem=_problem(num_trials, forest.r2),
        marginals=_marginals(forest),
        uniform=uniform_scores(forest),
        with_others=scores_with_others(forest),
    )


def learn(trials, dimensions=None, seed=0, trees=TREES):
    """Return the `Forest` of the trials and "", or None and the reason."""
    done = completed(trials)
    if len(done) < _FEWEST_TO_LEARN:
        plural = "" if len(done) == 1 else "s"
        return None, f"only {len(done)} trial{plural} completed"
    columns = moved_columns(done, dimensions)
    if not columns:
        return None, "no rate differs between the trials"
    scores = comparable_scores(done)
    if np.ptp(scores) <= _ROUNDING * np.abs(scores).max():
        return None, "all trials have the same score"
    return Forest(columns, scores, seed, trees), ""


def moved_columns(done, dimensions=None):
    """Return a dict from each `Dimension` that moved to its values, as an array.

    Rates come first, in the order of the model, then other parts of schedules by name.
    Values that are names are numbered in alphabetical order of those that were tried.
    """
    if dimensions is None:
        dimensions = dimensions_seen(done)
    else:
        rates = [dimension for dimension in dimensions if dimension.sets_rate]
        others = [dimension for dimension in dimensions if not dimension.sets_rate]
        others.sort(key=lambda dimension: dimension.name)
        dimensions = rates + others
    columns = {}
    for dimension in dimensions:
        if dimension.rate_of:
            values = [trial.rates[dimension.rate_of] for trial in done]
        else:
            values = [_value(trial, dimension) for trial in done]
        if any(value is None for value in values):
            continue
        if dimension.levels:
            texts = [str(value) for value in values]
            levels = tuple(sorted(set(texts)))
            dimension = dataclasses.replace(dimension, levels=levels)
            values = [levels.index(text) for text in texts]
        column = np.array(values, "float64")
        if np.ptp(column) > 0.0:
            columns[dimension] = column
    return columns


def _value(trial, dimension):
    """The value of a trial on a dimension, or None if it has none."""
    values = trial.other_values if dimension.kind == "other" else trial.values
    return values.get(dimension.name)


def _features(forest, seed, repeats):
    """Permutation importance on the trials that each tree has not seen.

        importance = R2 - R2 with the values of the dimension shuffled among the trials

    Both are out of bag, so memorised trials do not count. Breiman (2001), Random
    forests, section 10, Machine Learning 45.
    """
    generator = np.random.default_rng(seed)
    features = []
    for index, dimension in enumerate(forest.dimensions):
        tables = np.repeat(forest.table[None], repeats, axis=0)
        for table in tables:
            table[:, index] = generator.permutation(table[:, index])
        lost = forest.r2 - forest.unseen_r2(tables)
        mean, std = float(lost.mean()), float(lost.std(ddof=1))
        features.append(FeatureImportance(dimension, mean, std))
    return tuple(sorted(features, key=lambda feature: -feature.mean))


def _problem(num_trials, r2):
    if num_trials < _FEWEST_TO_TRUST:
        return f"only {num_trials} trials completed, fewer than {_FEWEST_TO_TRUST}"
    if not r2 >= LOWEST_R2:
        return (
            f"out-of-bag R2 is {r2:.2f}, so the rates explain too little of the scores"
        )
    return ""


def _marginals(forest):
    """The partial dependence of the score on each dimension.

        mean(v) = mean over trials of prediction(trial with the dimension set to v)

    Friedman (2001), Greedy function approximation, section 8.2, Annals of
    Statistics 29.
    """
    marginals = []
    for index, dimension in enumerate(forest.dimensions):
        column = forest.table[:, index]
        grid = np.unique(column)
        if len(grid) > _MOST_GRID_POINTS and not dimension.levels:
            spread = np.geomspace if dimension.is_log else np.linspace
            grid = spread(grid[0], grid[-1], _POINTS)
        by_tree = forest.by_tree([index], grid)
        marginals.append(
            Marginal(
                dimension,
                grid=tuple(grid.tolist()),
                mean=tuple(by_tree.mean(axis=0).tolist()),
                spread=tuple(by_tree.std(axis=0, ddof=1).tolist()),
                tried=tuple(column.tolist()),
                scores=tuple(forest.scores.tolist()),
            )
        )
    return tuple(marginals)


def uniform_scores(forest):
    """Return a dict from rate to the expected score if all layers have this rate.

    It is empty if the forest explains too little.
    """
    columns = [
        index
        for index, dimension in enumerate(forest.dimensions)
        if dimension.sets_rate
    ]
    if not columns or not forest.r2 >= LOWEST_R2:
        return {}
    tried = forest.table[:, columns]
    low, high = tried.min() - UNIFORM_STEP / 2, tried.max() + UNIFORM_STEP / 2
    rates = np.arange(UNIFORM_STEP, 1.0, UNIFORM_STEP)
    rates = rates[(rates >= low) & (rates <= high)]
    if not len(rates):
        rates = np.array([(tried.min() + tried.max()) / 2])
    scores = forest.by_tree(columns, rates).mean(axis=0)
    return dict(zip(rates.tolist(), scores.tolist(), strict=True))


def scores_with_others(forest):
    """Return the dict `Importance.with_others`."""
    are_rates = np.array([dimension.sets_rate for dimension in forest.dimensions])
    kinds = {dimension.kind for dimension in forest.dimensions}
    uniform = uniform_scores(forest)
    if not uniform or "other" not in kinds:
        return {}
    scores = {}
    for rate in (0.0, *uniform):
        table = np.where(are_rates, rate, forest.table)
        scores[rate] = tuple(forest.model.predict(table).tolist())
    return scores


def comparable_scores(done):
    """Return the scores of completed trials, corrected for their numbers of epochs.

    Hyperband gives some trials more epochs than others, which moves their scores
    whatever their rates. Trials are therefore compared with trials of equal length:
    their mean is subtracted, and the mean of the longest trials is added.
    """
    scores = np.array([trial.score for trial in done])
    epochs = np.array([trial.epochs or 0 for trial in done])
    longest = scores[epochs == epochs.max()].mean()
    for number in np.unique(epochs):
        if number != epochs.max():
            scores[epochs == number] += longest - scores[epochs == number].mean()
    return scores


class Forest:
    """A random forest that predicts the scores of the completed trials.

    The trials that the sample of a tree left out ("out of bag") show how much of the
    scores the rates explain:

        R2 = 1 - sum((score - prediction)^2) / sum((score - mean score)^2)

    Each trial is predicted by the trees that have not seen it. R2 is 1 if the rates
    explain all differences, and about 0 or less if they explain none.

    Reference:
        Breiman (2001), Random forests, Machine Learning 45.
    """

    def __init__(self, columns, scores, seed, trees):
        check_packages(
            "The importance of layers",
            {"scikit-learn": "sklearn.ensemble"},
            extra="tuner",
            is_there=can_import,
        )
        from sklearn import ensemble

        self.dimensions = tuple(columns)
        self.table = np.stack(list(columns.values()), axis=1)
        self.scores = scores
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
        """The out-of-bag R2 for changed tables, (variants, trials, features)."""
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
        """Mean predictions, (trees, variants), with the columns set to each value."""
        variants, (trials, features) = len(values), self.table.shape
        tables = np.repeat(self.table[None], variants, axis=0)
        tables[:, :, columns] = np.asarray(values)[:, None, None]
        flat = tables.reshape(-1, features)
        predictions = [tree.predict(flat) for tree in self.model.estimators_]
        return np.stack([p.reshape(variants, trials).mean(1) for p in predictions])
