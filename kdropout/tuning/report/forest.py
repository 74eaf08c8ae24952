"""A random forest from rates to scores, and what it says of trials it has not seen."""

import numpy as np

from kdropout.tuning.report.features import find_features, table
from kdropout.tuning.report.optional import require
from kdropout.tuning.report.trials import completed

TREES = 200

# A tree that ends in single trials would repeat the noise of each.
SMALLEST_LEAF = 2

# Below, a sample of trials with replacement leaves too few out.
FEWEST_TRIALS = 3

# Scores that differ by less, relative to their size, are equal but for rounding.
ROUNDING = 1e-12


class Forest:
    """A random forest that has learned the scores of the completed trials.

    The trials that the sample of a tree left out ("out of bag") tell how much of the
    scores the rates explain:

        R2 = 1 - sum((score - prediction)^2) / sum((score - mean score)^2)

    with the prediction of each trial by the trees that have not seen it. It is 1 if
    the rates explain all, and about 0 or less if they explain nothing.

    Args:
        trials: Sequence of `TrialRecord`, at least `FEWEST_TRIALS` of them completed,
            with different scores and something that moved.
        seed: Integer, seed of the samples.
        trees: Integer, number of trees. Defaults to 200.

    Reference:
        Breiman (2001), Random forests, Machine Learning 45.
    """

    def __init__(self, trials, seed, trees=TREES):
        ensemble = require("sklearn.ensemble", "The importance of layers")
        self.features = find_features(trials)
        self.table = table(self.features)
        self.scores = comparable_scores(trials)
        self.model = ensemble.RandomForestRegressor(
            n_estimators=trees,
            min_samples_leaf=SMALLEST_LEAF,
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

    def by_tree(self, tables):
        """The mean prediction of each tree over each table.

        Args:
            tables: Array of shape (variants, trials, features).

        Returns:
            Array of shape (trees, variants).
        """
        variants, trials, features = tables.shape
        flat = tables.reshape(-1, features)
        predictions = [tree.predict(flat) for tree in self.model.estimators_]
        return np.stack([p.reshape(variants, trials).mean(1) for p in predictions])


def why_no_forest(trials):
    """Why nothing can be learned from these trials, or None if something can."""
    done = completed(trials)
    if len(done) < FEWEST_TRIALS:
        plural = "" if len(done) == 1 else "s"
        return f"only {len(done)} trial{plural} completed"
    if not find_features(trials):
        return "no rate differs between the trials"
    scores = comparable_scores(trials)
    if np.ptp(scores) <= ROUNDING * np.abs(scores).max():
        return "all trials have the same score"
    return None


def comparable_scores(trials):
    """The scores of the completed trials, as if all had been given the most epochs.

    Hyperband gives some trials more epochs than others. What that does to the score is
    nothing that the rates do. So trials are compared with those of as many epochs: the
    mean of these is taken off, and the mean of those with the most epochs put on.
    """
    done = completed(trials)
    scores = np.array([trial.score for trial in done])
    epochs = np.array([trial.epochs or 0 for trial in done])
    longest = scores[epochs == epochs.max()].mean()
    for number in np.unique(epochs):
        if number != epochs.max():
            scores[epochs == number] += longest - scores[epochs == number].mean()
    return scores
