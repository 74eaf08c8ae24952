"""Counts units of masks, and compares the counts with those of independent units.

This module uses only NumPy and SciPy, with 64 units in a word. It does not draw masks.

A deviation is given in standard deviations, `z`. For rare events, `z` does not show how
likely a count is. There, `z` is that of the normal distribution whose tail has the
Poisson probability of as many events or more.
"""

import numpy as np
from scipy import stats

LAGS = range(1, 65)
# Distances of units above each other in matrices of these widths.
WIDTHS = (64, 1000, 1024, 4072, 4096)

_BITS = 64
_FEW = 1000  # expected pairs; from here on, the skewness is below 3 %

_PATTERN = 8
# From one pattern to the next. It is prime to any length of a stretch. Otherwise the
# places of a pattern would meet different thresholds: see `StretchCounts`.
_STEP = 13


class MaskCounts:
    """Counts of masks that share a drop probability.

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
        """Count a mask of NumPy booleans, whose number is a multiple of 64."""
        self.elements += drop.size
        self.dropped += np.count_nonzero(drop)
        # Kept and dropped units are equally correlated. Poisson's fits the rarer best.
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
        """The `z` of the share that is dropped."""
        p, n = self.probability, self.elements
        return (self.dropped - n * p) / np.sqrt(n * p * (1.0 - p))

    def worst_z(self, lags):
        """The `z` farthest from 0 of pairs of units at these distances."""
        return max((self._pairs[lag].z() for lag in lags), key=abs)

    def z_of_calls(self):
        """The `z` of pairs of the same unit in consecutive masks."""
        return self._calls.z()

    def p_of_patterns(self):
        """The p-value of the chi-square test of the patterns of 8 neighbours."""
        p = min(self.probability, 1.0 - self.probability)
        patterns = np.arange(2**_PATTERN, dtype="uint8")
        ones = np.unpackbits(patterns[:, None], axis=1).sum(axis=1)
        shares = p**ones * (1.0 - p) ** (1.0 * _PATTERN - ones)
        expected = self._patterns.sum() * shares
        return stats.chisquare(*_merged(self._patterns, expected)).pvalue


class PairCounts:
    """Counts of pairs of units: the first is dropped, the second, and both."""

    def __init__(self):
        self.pairs = self.first = self.second = self.both = 0

    def add(self, first, second):
        """Count pairs, from two arrays of words of the same length."""
        self.pairs += len(first) * _BITS
        self.first += _num_ones(first)
        self.second += _num_ones(second)
        self.both += _num_ones(first & second)

    def z(self):
        """The `z` of the pairs of which both are dropped."""
        p, q = self.first / self.pairs, self.second / self.pairs
        expected = self.pairs * p * q
        if expected < _FEW:
            more = stats.poisson.sf(self.both - 1, expected)
            fewer = stats.poisson.cdf(self.both, expected)
            sign = 1.0 if more < fewer else -1.0
            return sign * stats.norm.isf(min(more, fewer, 0.5))
        return (self.both - expected) / np.sqrt(expected * (1 - p) * (1 - q))


class StretchCounts:
    """Counts of dropped units at the same place of all stretches of a mask.

    If units that are one or more stretches apart are correlated, these counts vary more
    than the binomial distribution. Over `n` stretches, their variance is larger by a
    factor of `1 + (n - 1) * correlation`.

    Args:
        length: Integer, number of units of a stretch.
    """

    def __init__(self, length):
        self.length = length
        self._stretches = 0  # of one call
        self._squares = []
        self._binomial = []

    def add(self, drop):
        """Count a mask of NumPy booleans, of the same size in each call."""
        self._stretches = drop.size // self.length
        whole = drop[: self._stretches * self.length].reshape(-1, self.length)
        dropped = whole.sum(axis=0, dtype="int32")
        mean = dropped.mean()
        self._squares.append((dropped - mean) ** 2)
        self._binomial.append(mean * (1.0 - mean / self._stretches))

    def correlation(self):
        """The correlation of two units at the same place."""
        expected = (1.0 - 1.0 / self.length) * np.mean(self._binomial)
        return (np.mean(self._squares) / expected - 1.0) / (self._stretches - 1)

    def z(self, largest_covariance=0.0):
        """The `z` of a variance above the allowed one, or below the binomial one.

        Args:
            largest_covariance: Float, the covariance that two units may have. Defaults
                to 0.
        """
        too_much = self._z(largest_covariance)
        return max(too_much, min(self._z(0.0), 0.0))

    def _z(self, covariance):
        variance = np.mean(self._binomial) + self._stretches**2 * covariance
        excess = np.mean(self._squares) - (1.0 - 1.0 / self.length) * variance
        return excess / (np.std(self._squares) / np.sqrt(np.size(self._squares)))


def _shifted(words, lag):
    """Words whose bits are those of `words`, shifted by `lag`."""
    whole, rest = divmod(lag, _BITS)
    if rest == 0:
        return words[whole:]
    low, high = np.uint64(rest), np.uint64(_BITS - rest)
    return (words[whole:-1] >> low) | (words[whole + 1 :] << high)


def _num_ones(words):
    if not hasattr(np, "bitwise_count"):  # NumPy 1, much slower
        return int(np.unpackbits(words.view("uint8")).sum(dtype="int64"))
    return int(np.bitwise_count(words).sum(dtype="int64"))


def _merged(observed, expected, least=5.0):
    """Both counts, with the rarest merged into one that is expected often enough."""
    order = np.argsort(expected)
    observed, expected = observed[order], expected[order]
    rare = np.searchsorted(expected, least)
    if rare > 0:
        rare = max(rare, 1 + np.searchsorted(np.cumsum(expected), least))
    return tuple(
        np.append(counts[rare:], counts[:rare].sum()) if rare else counts
        for counts in (observed, expected)
    )
