"""Moments over samples, gathered pass by pass."""

import numpy as np

# How far probabilities may be from a sum of 1: 0.005 was seen in bfloat16.
_TOLERANCE = 2.0**-7


class Moments:
    """Mean, variance and mean entropy of one output, for one batch of inputs.

    Samples arrive in groups; the variance is combined as by Chan, Golub and LeVeque
    1983, without the cancellation of a difference of squares.
    """

    def __init__(self):
        self.count = 0
        self.mean = self.squares = 0.0
        self.class_entropy = self.unit_entropy = 0.0
        # For each row, and each of its steps: is it a distribution in all samples, has
        # one of them NaN or infinity there, and are all zero, as at a padded step?
        self.is_distribution = self.is_zero = True
        self.is_broken = False
        self.are_units = True
        self.has_numbers = False

    def add(self, samples):
        """Take in `samples`, an array of shape `(group, *outputs)`."""
        with np.errstate(invalid="ignore"):  # infinite outputs have no variance
            self._add(np.asarray(samples, "float64"))

    def _add(self, samples):
        size, mean = len(samples), samples.mean(axis=0)
        total = self.count + size
        shift = mean - self.mean
        self.mean = self.mean + shift * (size / total)
        self.squares = (
            self.squares
            + ((samples - mean) ** 2).sum(axis=0)
            + shift**2 * (self.count * size / total)
        )
        self.count = total
        self._add_entropy(samples)

    def variance(self):
        return self.squares / self.count

    @classmethod
    def of_rows(cls, batches):
        """What the batches say about their rows, joined."""
        joined = cls()
        for name in ("is_distribution", "is_zero", "is_broken", "class_entropy"):
            parts = [
                np.broadcast_to(getattr(moments, name), moments.is_distribution.shape)
                for moments in batches
            ]
            setattr(joined, name, np.concatenate(parts))
        return joined

    @property
    def are_classes(self):
        """Whether all rows are distributions, but for those that hold nothing."""
        valid = self.is_distribution
        return bool(np.any(valid) and np.all(valid | self.is_zero | self.is_broken))

    def _add_entropy(self, samples):
        low, high = samples.min(), samples.max()
        if np.isnan(low):
            low, high = (f.reduce(samples, axis=None) for f in (np.fmin, np.fmax))
        self.has_numbers = self.has_numbers or not np.isnan(low)
        self.are_units = self.are_units and not (low < 0.0 or high > 1.0 + _TOLERANCE)
        if self.are_units:
            self.unit_entropy = self.unit_entropy + unit_entropy(samples).sum(0)
        if samples.ndim < 3 or samples.shape[-1] < 2:  # sample, row, class
            self.is_distribution = np.zeros(samples.shape[1:], bool)
            return
        sums = samples.sum(axis=-1)
        near_one = np.abs(sums - 1.0) <= _TOLERANCE
        if self.are_units and near_one.all():  # most often
            self.is_distribution = self.is_distribution & np.ones(sums.shape[1:], bool)
            self.is_zero = False
        else:
            if not self.are_units and near_one.any():
                near_one &= (samples >= 0.0).all(axis=-1)
            self.is_distribution = self.is_distribution & near_one.all(axis=0)
            self.is_broken = self.is_broken | ~np.isfinite(sums).all(axis=0)
            self.is_zero = self.is_zero & ~samples.any(axis=(0, -1))
        if self.is_distribution.any():
            self.class_entropy = self.class_entropy + class_entropy(samples).sum(0)


def entropies(batches):
    """Entropy of the mean and mean entropy of one output, or a pair of None.

    Args:
        batches: List of `Moments` of that output, one for each batch of inputs.
    """
    mean = np.concatenate([moments.mean for moments in batches])
    count = batches[0].count
    all_rows = Moments.of_rows(batches)
    if all_rows.are_classes:
        return tuple(
            np.where(all_rows.is_distribution, entropy, np.nan)
            for entropy in (class_entropy(mean), all_rows.class_entropy / count)
        )
    has_numbers = any(moments.has_numbers for moments in batches)
    if has_numbers and all(moments.are_units for moments in batches):
        sums = [moments.unit_entropy for moments in batches]
        return unit_entropy(mean), np.concatenate(sums) / count
    return None, None


def class_entropy(probabilities):
    """`-sum(p log p)` over the last axis, in nats."""
    return -_p_log_p(probabilities).sum(axis=-1)


def unit_entropy(probability):
    """`-p log p - (1 - p) log(1 - p)`, in nats."""
    probability = np.clip(probability, 0.0, 1.0)
    return -_p_log_p(probability) - _p_log_p(1.0 - probability)


def _p_log_p(p):
    return p * np.log(np.where(p > 0.0, p, 1.0))
