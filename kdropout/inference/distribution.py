"""Quantiles of an output over the thinned networks, from a bounded number of values."""

import dataclasses

import numpy as np

# The number of samples in a buffer. Fewer than two buffers of samples stay exact.
CAPACITY = 256

# The largest number of values that a computation of quantiles holds at once.
_MAX_NUMBERS = 2**21


class Sketch:
    """Samples of one output for one batch, thinned out to a bounded number.

    Samples arrive one after the other and fill a buffer of `capacity`. Two full buffers
    of the same weight become one of twice the weight: all their values are sorted, and
    every second one stays. The first value of all stays in every other merge of a
    weight, so that the errors of two merges have opposite signs.

    The rank of a number among `T` samples is then off by at most `(L + 2) / 1024 * T`,
    with `L = floor(log2(T / 256))`: a merge of weight `w` moves it by 0 to `w` in one
    direction, there are `T / (512 w)` of them, and the weights are the first `L` powers
    of 2.

    Reference:
        Munro, Paterson 1980, "Selection and sorting with limited storage"; Manku,
        Rajagopalan, Lindsay 1998, "Approximate medians and other quantiles in one pass
        and with limited memory", SIGMOD.
    """

    def __init__(self, capacity=CAPACITY):
        self._capacity = capacity  # None to keep all samples
        self._last, self._num_last = [], 0  # samples that do not fill a buffer yet
        self._full = []  # for each power of 2 that is a weight, a buffer or None
        self._start = []  # for each of them, the first value that stayed: 0 or 1

    def add(self, samples):
        """Add an array of shape `(group, *outputs)`."""
        while self._capacity is not None and (
            self._num_last + len(samples) >= self._capacity
        ):
            room = self._capacity - self._num_last
            self._push(np.concatenate([*self._last, samples[:room]]), 0)
            self._last, self._num_last = [], 0
            samples = samples[room:]
        if len(samples):
            self._last.append(samples)
            self._num_last += len(samples)

    @property
    def size(self):
        """The number of values that are kept."""
        parts = [*self._last, *self._full]
        return sum(part.size for part in parts if part is not None)

    def values(self):
        """An array of shape `(kept, *outputs)`."""
        full = [buffer for buffer in self._full if buffer is not None]
        return np.concatenate([*self._last, *full])

    def weights(self):
        """For each value, the number of samples that it stands for."""
        weights = [np.ones(self._num_last)]
        for level, buffer in enumerate(self._full):
            if buffer is not None:
                weights.append(np.full(len(buffer), 2.0**level))
        return np.concatenate(weights)

    def _push(self, buffer, level):
        if level == len(self._full):
            self._full.append(None)
            self._start.append(1)
        other, self._full[level] = self._full[level], buffer
        if other is None:
            return
        self._full[level] = None
        self._start[level] = 1 - self._start[level]
        merged = np.sort(np.concatenate([other, buffer]), axis=0)
        self._push(merged[self._start[level] :: 2].copy(), level + 1)


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The distribution of one output over the thinned networks.

    Attributes:
        values: Array of shape `(kept, *outputs)`.
        weights: For each value, the number of samples that it stands for.
    """

    values: np.ndarray
    weights: np.ndarray

    def quantiles(self, levels):
        """The quantiles at `levels`, a vector: an array `(len(levels), *outputs)`."""
        kept, *shape = self.values.shape
        columns = self.values.reshape(kept, -1)
        found = np.empty((len(levels), columns.shape[1]), "float32")
        step = max(1, _MAX_NUMBERS // kept)
        for start in range(0, columns.shape[1], step):
            part = slice(start, start + step)
            found[:, part] = _quantiles(columns[:, part], self.weights, levels)
        return found.reshape(len(levels), *shape)


def _quantiles(values, weights, levels):
    """Quantiles of weighted values along the first axis."""
    # The value of rank r among T has the level r / (T + 1), as in NumPy's "weibull". A
    # value of weight w stands for w ranks and has their mean.
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, axis=0).astype("float64")
    total, weights = weights.sum(), weights[order]
    ranks = np.cumsum(weights, axis=0) - 0.5 * (weights - 1.0)
    found = np.empty((len(levels), values.shape[1]))
    for i, level in enumerate(levels):
        rank = level * (total + 1.0)
        above = (ranks <= rank).sum(axis=0)[None]
        first, last = np.maximum(above - 1, 0), np.minimum(above, len(values) - 1)
        (begin, end), (left, right) = (
            [np.take_along_axis(array, place, axis=0)[0] for place in (first, last)]
            for array in (values, ranks)
        )
        inside = (right > left) & (end > begin) & (rank > left)
        with np.errstate(invalid="ignore"):  # infinite outputs
            step = (end - begin) * (rank - left) / np.maximum(right - left, 1.0)
        found[i] = np.where(inside, begin + step, begin)
    # NaN comes last in an order.
    return np.where(np.isnan(values[-1]), np.nan, found)
