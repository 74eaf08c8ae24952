"""Counts of masks, and how far they deviate from those of independent units.

NumPy and SciPy alone, 64 units in a word. Nothing here draws a mask.

A deviation is given in standard deviations, `z`. For rare events, where `z` does not
show how likely the count is, the Poisson probability of as many or more is converted to
the `z` of the normal distribution with the same tail.
"""

import numpy as np
from scipy import stats

LAGS = range(1, 65)
# The units above each other in matrices so wide.
WIDTHS = (64, 1000, 1024, 4072, 4096)

_BITS = 64
_FEW = 1000  # expected; of so many or more, the skewness is below 3 %

_PATTERN = 8
# From one pattern to the next. Prime to any length of a stretch: else the places of a
# pattern would meet other thresholds than each other, see `StretchCounts`.
_STEP = 13


class MaskCounts:
    """What is counted of masks that share a drop probability.

    Args:
        probability: Float in (0, 1).
        lags: Integers, the distances at which pairs of units are counted.
    """

    def __init__(self, probability, lags):
        self.probability = probability
        self.elements = self.dropped = 0
        self._pairs = {lag: PairCounts() for lag in lags}
        self._calls = PairCounts()
        self._patterns = np.zeros(2**_PATTERN, "int64")
        self._last = None

    def add(self, drop):
        """Count a mask: NumPy booleans, a multiple of 64 of them."""
        self.elements += drop.size
        self.dropped += np.count_nonzero(drop)
        # What is kept varies with what is dropped. The rarer is nearer to Poisson's.
        rarer = ~drop if self.probability > 0.5 else drop
        groups = rarer[: rarer.size // _STEP * _STEP].reshape(-1, _STEP)[:, :_PATTERN]
        patterns = np.packbits(groups, axis=1).ravel()
        self._patterns += np.bincount(patterns, minlength=2**_PATTERN)
        words = np.packbits(rarer, bitorder="little").view("uint64")
        for lag, pairs in self._pairs.items():
            partners = _shifted(words, lag)
            pairs.add(words[: len(partners)], partners)
        if self._last is not None:
            self._calls.add(self._last, words)
        self._last = words

    def z_of_share(self):
        """Of the share that is dropped."""
        p, n = self.probability, self.elements
        return (self.dropped - n * p) / np.sqrt(n * p * (1.0 - p))

    def worst_z(self, lags):
        """Of pairs of units at some distances: the `z` that is farthest from 0."""
        return max((self._pairs[lag].z() for lag in lags), key=abs)

    def z_of_calls(self):
        """Of the same unit in the masks that were added one after the other."""
        return self._calls.z()

    def p_of_patterns(self):
        """The chi-square test of the patterns of 8 neighbours: its p-value."""
        p = min(self.probability, 1.0 - self.probability)
        ones = np.bitwise_count(np.arange(2**_PATTERN, dtype="uint8"))
        shares = p**ones * (1.0 - p) ** (1.0 * _PATTERN - ones)
        expected = self._patterns.sum() * shares
        return stats.chisquare(*_merged(self._patterns, expected)).pvalue


class PairCounts:
    """Of pairs of units: in how many the first is dropped, the second, and both."""

    def __init__(self):
        self.pairs = self.first = self.second = self.both = 0

    def add(self, first, second):
        """Count pairs: words of as many bits each."""
        self.pairs += len(first) * _BITS
        self.first += _num_ones(first)
        self.second += _num_ones(second)
        self.both += _num_ones(first & second)

    def z(self):
        """How far both are dropped too often, or too rarely."""
        p, q = self.first / self.pairs, self.second / self.pairs
        expected = self.pairs * p * q
        if expected < _FEW:
            more = stats.poisson.sf(self.both - 1, expected)
            fewer = stats.poisson.cdf(self.both, expected)
            sign = 1.0 if more < fewer else -1.0
            return sign * stats.norm.isf(min(more, fewer, 0.5))
        return (self.both - expected) / np.sqrt(expected * (1 - p) * (1 - q))


class StretchCounts:
    """How often units at the same place of all stretches of a mask are dropped.

    If units that are one or more stretches apart have something in common, these counts
    scatter more than the binomial. Of `n` stretches, they do so by a factor of
    `1 + (n - 1) * correlation`.

    Args:
        length: Integer, units of a stretch.
    """

    def __init__(self, length):
        self.length = length
        self._stretches = 0  # of one call
        self._squares = []
        self._binomial = []

    def add(self, drop):
        """Count a mask: NumPy booleans, as many in each call."""
        self._stretches = drop.size // self.length
        whole = drop[: self._stretches * self.length].reshape(-1, self.length)
        dropped = whole.sum(axis=0, dtype="int32")
        mean = dropped.mean()
        self._squares.append((dropped - mean) ** 2)
        self._binomial.append(mean * (1.0 - mean / self._stretches))

    def correlation(self):
        """Of two units at the same place."""
        expected = (1.0 - 1.0 / self.length) * np.mean(self._binomial)
        return (np.mean(self._squares) / expected - 1.0) / (self._stretches - 1)

    def z(self, largest_covariance=0.0):
        """How far the counts scatter too much, or less than the binomial.

        Args:
            largest_covariance: Float, how much two units may have in common. Defaults
                to 0.
        """
        too_much = self._z(largest_covariance)
        return max(too_much, min(self._z(0.0), 0.0))

    def _z(self, covariance):
        variance = np.mean(self._binomial) + self._stretches**2 * covariance
        excess = np.mean(self._squares) - (1.0 - 1.0 / self.length) * variance
        return excess / (np.std(self._squares) / np.sqrt(np.size(self._squares)))


def _shifted(words, lag):
    """Words whose bits are those that stand `lag` further in `words`."""
    whole, rest = divmod(lag, _BITS)
    if rest == 0:
        return words[whole:]
    low, high = np.uint64(rest), np.uint64(_BITS - rest)
    return (words[whole:-1] >> low) | (words[whole + 1 :] << high)


def _num_ones(words):
    return int(np.bitwise_count(words).sum(dtype="int64"))


def _merged(observed, expected, least=5.0):
    """The two, with the rarest merged into one that is expected often enough."""
    order = np.argsort(expected)
    observed, expected = observed[order], expected[order]
    rare = np.searchsorted(expected, least)
    if rare > 0:
        rare = max(rare, 1 + np.searchsorted(np.cumsum(expected), least))
    return tuple(
        np.append(counts[rare:], counts[:rare].sum()) if rare else counts
        for counts in (observed, expected)
    )
