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
        self.are_classes = self.are_units = True

    def add(self, samples):
        """Take in `samples`, an array of shape `(group, *outputs)`."""
        samples = np.asarray(samples, "float64")
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

    def _add_entropy(self, samples):
        inside = samples.min() >= 0.0 and samples.max() <= 1.0 + _TOLERANCE
        self.are_units = bool(self.are_units and inside)
        self.are_classes = self.are_units and self.are_classes and _sum_to_one(samples)
        if self.are_classes:
            self.class_entropy = self.class_entropy + class_entropy(samples).sum(0)
        if self.are_units:
            self.unit_entropy = self.unit_entropy + unit_entropy(samples).sum(0)


def class_entropy(probabilities):
    """`-sum(p log p)` over the last axis, in nats."""
    return -_p_log_p(probabilities).sum(axis=-1)


def unit_entropy(probability):
    """`-p log p - (1 - p) log(1 - p)`, in nats."""
    probability = np.clip(probability, 0.0, 1.0)
    return -_p_log_p(probability) - _p_log_p(1.0 - probability)


def _p_log_p(p):
    return p * np.log(np.where(p > 0.0, p, 1.0))


def _sum_to_one(samples):
    if samples.ndim < 3 or samples.shape[-1] < 2:  # sample, row, class
        return False
    return bool(np.abs(samples.sum(axis=-1) - 1.0).max() <= _TOLERANCE)
