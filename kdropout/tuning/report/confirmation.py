"""What the best settings score with new seeds."""

import dataclasses
import functools

import numpy as np

from kdropout import statistics
from kdropout.tuning.report.candidates import BASELINE, SEARCH, UNIFORM
from kdropout.tuning.report.comparison import ROUNDING, compare

# With 95 %, of ten searches in which rates cannot matter up to four might claim that
# they do.
CONFIDENCE = 0.99

# How likely a number of seeds that is proposed should be to decide a comparison.
POWER = 0.8
# The spread of fewer gains is too uncertain to compute a number of seeds from.
FEWEST_SEEDS = 5
MOST_SEEDS = 1_000


@dataclasses.dataclass(frozen=True)
class Confirmation:
    """Scores of settings that were trained again, all with the same new seeds.

    A search picks what scored best in it, and some of that was luck. The seeds here are
    new: the luck of the search is not in these scores, so their intervals are unbiased.
    Differences are paired by seed. There are several: each setting against no dropout,
    and each setting of the search against each uniform rate. Their intervals are
    Student's t, widened by Bonferroni's rule so that all hold together with 99 %:

        mean +- t(1 - 0.01 / (2 m); n - 1) * s / sqrt(n)

    with `m` comparisons, `n` seeds and `s` the standard deviation of the differences.
    So the best setting may be picked after looking, and still a difference is claimed
    by chance in at most 1 % of the searches.

    Args:
        candidates: Dict from label to setting, as for `confirm`.
        seeds: Tuple of integers.
        direction: "min" or "max", what a better score is.
        measure: String, name of the score.
        scores: Dict from (label, seed) to score.
        failures: Dict from (label, seed) to what went wrong.

    Reference:
        Dunn (1961), Multiple comparisons among means, JASA 56.
    """

    candidates: dict
    seeds: tuple
    direction: str
    measure: str
    scores: dict
    failures: dict = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def comparisons(self):
        """Tuple of `Comparison`: against no dropout, then against uniform rates."""
        return tuple(
            compare(
                *(label, reference, self.scores_of(label), self.scores_of(reference)),
                *(self.direction, self.confidence),
            )
            for label, reference in self._pairs()
        )

    @property
    def confidence(self):
        """Float in (0, 1), of the interval of each comparison."""
        return statistics.for_all_of(max(1, len(self._pairs())), CONFIDENCE)

    @property
    def search(self):
        """Labels of the settings that the search found, best first."""
        return tuple(one for one in self.candidates if one.startswith(SEARCH))

    @property
    def uniform(self):
        """Labels of the settings with one rate everywhere."""
        return tuple(one for one in self.candidates if one.startswith(UNIFORM))

    def scores_of(self, label):
        """Dict from seed to score, of the trainings that did not fail."""
        return {
            seed: self.scores[label, seed]
            for seed in self.seeds
            if (label, seed) in self.scores
        }

    def best_of(self, labels):
        """The label with the best mean score, or None if none has a score.

        One with a failed training is behind those without, and means are over the seeds
        that all have finished.
        """
        finished = {label: self.scores_of(label) for label in labels}
        most = max(map(len, finished.values()), default=0)
        if not most:
            return None
        compared = {label: s for label, s in finished.items() if len(s) == most}
        shared = set.intersection(*(set(scores) for scores in compared.values()))
        sign = 1.0 if self.direction == "min" else -1.0

        def loss(label):
            scores = compared[label]
            return sign * np.mean([scores[seed] for seed in sorted(shared or scores)])

        return min(compared, key=loss)

    def seeds_to_decide(self, comparison):
        """How many seeds would decide a comparison, if its gains stay as they are.

        With so many, the interval excludes 0 in four of five confirmations, if the
        gains have the mean and the standard deviation that they have here.

        Args:
            comparison: `Comparison` of this confirmation.

        Returns:
            Integer above the number of seeds, or None if that is not known or more
            than `MOST_SEEDS`.
        """
        gains = np.array(comparison.gains)
        if len(gains) < FEWEST_SEEDS:
            return None
        if np.ptp(gains) <= ROUNDING * np.abs(gains).max():
            return None
        from scipy import stats

        counts = np.arange(len(gains) + 1, MOST_SEEDS + 1)
        quantiles = stats.t.ppf(0.5 + self.confidence / 2.0, df=counts - 1)
        quantiles += stats.t.ppf(POWER, df=counts - 1)
        widths = quantiles * gains.std(ddof=1) / np.sqrt(counts)
        enough = counts[widths <= abs(gains.mean())]
        return int(enough[0]) if len(enough) else None

    def comparison(self, label, reference):
        """The `Comparison` of these two, or None if there is none."""
        for one in self.comparisons:
            if (one.label, one.reference) == (label, reference):
                return one
        return None

    def _pairs(self):
        others = [label for label in self.candidates if label != BASELINE]
        pairs = [(label, BASELINE) for label in others]
        return pairs + [(s, u) for s in self.search for u in self.uniform]
