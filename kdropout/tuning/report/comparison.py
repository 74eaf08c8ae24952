"""Two settings compared, seed by seed."""

import dataclasses

import numpy as np

from kdropout import statistics
from kdropout.statistics import Interval

# Differences between seeds smaller than this, relative to the scores, are rounding.
ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How much better the scores of one setting are than those of another.

    Args:
        label: String, the setting.
        reference: String, what it is compared with.
        gains: Tuple of floats, one per seed that both have finished: the difference of
            the scores, positive where the setting is better.
        gain: `kdropout.statistics.Interval` for the mean of the gains, as wide as to
            hold together with those of all other comparisons; None with fewer than two
            seeds.
        verdict: "better", "worse" or "undecided".
    """

    label: str
    reference: str
    gains: tuple
    gain: Interval | None
    verdict: str


def compare(label, reference, scores, references, direction, confidence):
    """Compare two settings by their scores.

    Args:
        label: String, the setting.
        reference: String, what it is compared with.
        scores: Dict from seed to the score of the setting.
        references: Dict from seed to the score of the reference.
        direction: "min" or "max", what a better score is.
        confidence: Float in (0, 1), of the interval.

    Returns:
        `Comparison`.
    """
    seeds = [seed for seed in scores if seed in references]
    values = np.array([scores[seed] for seed in seeds])
    others = np.array([references[seed] for seed in seeds])
    sign = -1.0 if direction == "min" else 1.0
    # Not -1 * 0: a gain of -0 reads as a loss.
    gains = sign * (values - others) + 0.0
    if len(seeds) < 2:
        return Comparison(label, reference, tuple(gains.tolist()), None, "undecided")
    gain = statistics.interval(gains, confidence)
    verdict = "undecided"
    # Scores such as the share of 100 images are coarse. If all seeds differ by the
    # same, the spread between seeds is not 0, it is unknown, and so is the interval.
    if np.ptp(gains) > ROUNDING * max(np.abs(values).max(), np.abs(others).max()):
        loss = Interval(-gain.mean, gain.half_width)
        verdict = loss.verdict
    return Comparison(label, reference, tuple(gains.tolist()), gain, verdict)
