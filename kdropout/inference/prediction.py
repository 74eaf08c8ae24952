"""The result of `mc_predict`, and its computation from samples."""

import dataclasses
from typing import Any

import numpy as np
from keras import tree

# How far probabilities may be from a sum of 1: 0.005 was seen in bfloat16.
_TOLERANCE = 2.0**-7


@dataclasses.dataclass(frozen=True)
class Prediction:
    r"""Moments and uncertainty of the outputs over the thinned networks.

    Each field has the structure of the model's outputs: an array, or a list or dict
    of arrays. With $f_t$ the outputs of the thinned network $t$ of $T$:

    $$
    \text{mean} = \frac{1}{T} \sum_t f_t, \qquad
    \text{variance} = \frac{1}{T} \sum_t (f_t - \text{mean})^2
    $$

    $$
    \text{entropy} = H(\text{mean}), \qquad
    \text{mutual information} = H(\text{mean}) - \frac{1}{T} \sum_t H(f_t)
    $$

    If all outputs are class probabilities (not negative, with a sum of 1 along the last
    axis), $H(p) = -\sum p \log p$ over the last axis, in nats. If they only lie in
    [0, 1], like those of sigmoid units, each is the probability of one of two classes,
    and $H(p) = -p \log p - (1 - p) \log(1 - p)$. Otherwise, entropy and mutual
    information are None. Rows of NaN, infinity or zeros do not count, and their entropy
    is NaN.

    The entropy is the whole uncertainty of a prediction. The mutual information is the
    part of it that comes from the disagreement of the thinned networks. More data would
    remove this part. For regression, the predictive variance is `variance` plus the
    noise of the targets.

    Attributes:
        mean: Arrays of the shape of the outputs.
        variance: Arrays of the shape of the outputs.
        entropy: For class probabilities, arrays of the shape of the outputs without the
            last axis. For sigmoid units, arrays of the shape of the outputs. Otherwise
            None.
        mutual_information: Arrays of the shape of `entropy`, or None.
        samples: Arrays of shape `(num_samples, *outputs)` with `return_samples=True`,
            otherwise None.

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation",
        arXiv:1506.02142; Gal 2016, "Uncertainty in deep learning", section 3.3.
    """

    mean: Any
    variance: Any
    entropy: Any
    mutual_information: Any
    samples: Any = None

    @property
    def std(self) -> Any:
        """The square root of `variance`."""
        return tree.map_structure(np.sqrt, self.variance)


class Moments:
    """Mean, variance and mean entropy of one output, for one batch of inputs."""

    # Samples arrive in groups. The variance is combined as in Chan, Golub and LeVeque
    # 1983, without the cancellation of a difference of squares.

    def __init__(self):
        self.count = 0
        self.mean = self.squares = 0.0
        self.class_entropy = self.unit_entropy = 0.0
        # For each row and each of its steps: True if it is a distribution in all
        # samples, if all samples are zero (as at a padded step), and if a sample has
        # NaN or infinity there.
        self.is_distribution = self.is_zero = True
        self.is_broken = False
        self.are_units = True
        self.has_numbers = False

    def add(self, samples):
        """Add samples, an array of shape `(group, *outputs)`."""
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
        """The properties of the rows of all batches, joined."""
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
        """True if all rows are distributions, except empty and broken ones."""
        valid = self.is_distribution
        return bool(np.any(valid) and np.all(valid | self.is_zero | self.is_broken))

    def _add_entropy(self, samples):
        low, high = samples.min(), samples.max()
        if np.isnan(low):
            low, high = (f.reduce(samples, axis=None) for f in (np.fmin, np.fmax))
        self.has_numbers = self.has_numbers or not np.isnan(low)
        self.are_units = self.are_units and not (low < 0.0 or high > 1.0 + _TOLERANCE)
        if self.are_units:
            self.unit_entropy = self.unit_entropy + _unit_entropy(samples).sum(0)
        if samples.ndim < 3 or samples.shape[-1] < 2:  # sample, row, class
            self.is_distribution = np.zeros(samples.shape[1:], bool)
            return
        sums = samples.sum(axis=-1)
        near_one = np.abs(sums - 1.0) <= _TOLERANCE
        if self.are_units and near_one.all():  # the usual case
            self.is_distribution = self.is_distribution & np.ones(sums.shape[1:], bool)
            self.is_zero = False
        else:
            if not self.are_units and near_one.any():
                near_one &= (samples >= 0.0).all(axis=-1)
            self.is_distribution = self.is_distribution & near_one.all(axis=0)
            self.is_broken = self.is_broken | ~np.isfinite(sums).all(axis=0)
            self.is_zero = self.is_zero & ~samples.any(axis=(0, -1))
        if self.is_distribution.any():
            self.class_entropy = self.class_entropy + _class_entropy(samples).sum(0)


def _entropies(batches):
    """Entropy of the mean and mean entropy of one output, or a pair of None."""
    mean = np.concatenate([moments.mean for moments in batches])
    count = batches[0].count
    all_rows = Moments.of_rows(batches)
    if all_rows.are_classes:
        return tuple(
            np.where(all_rows.is_distribution, entropy, np.nan)
            for entropy in (_class_entropy(mean), all_rows.class_entropy / count)
        )
    has_numbers = any(moments.has_numbers for moments in batches)
    if has_numbers and all(moments.are_units for moments in batches):
        sums = [moments.unit_entropy for moments in batches]
        return _unit_entropy(mean), np.concatenate(sums) / count
    return None, None


def _class_entropy(probabilities):
    """`-sum(p log p)` over the last axis, in nats."""
    return -_p_log_p(probabilities).sum(axis=-1)


def _unit_entropy(probability):
    """`-p log p - (1 - p) log(1 - p)`, in nats."""
    probability = np.clip(probability, 0.0, 1.0)
    return -_p_log_p(probability) - _p_log_p(1.0 - probability)


def _p_log_p(p):
    return p * np.log(np.where(p > 0.0, p, 1.0))


class Collector:
    """Takes samples group by group and batch by batch, and keeps their moments."""

    def __init__(self, return_samples):
        self._return_samples = return_samples
        self._structure = None
        self._batches = []  # for each batch, the moments of each output
        self._samples = []  # for each batch, the groups of samples
        self._begin = True

    def add(self, outputs):
        """Add a structure of arrays of shape `(group, rows, ...)`."""
        self._structure = outputs
        flat = tree.flatten(outputs)
        if self._begin:
            self._batches.append([Moments() for _ in flat])
            self._samples.append([])
            self._begin = False
        for moments, samples in zip(self._batches[-1], flat, strict=True):
            moments.add(samples)
        if self._return_samples:
            self._samples[-1].append(flat)

    def end_batch(self):
        """Begin a new batch of inputs with the next samples."""
        self._begin = True

    def result(self):
        """The `Prediction` for all inputs."""
        outputs = [
            _join(moments) for moments in zip(*self._batches, strict=True)
        ]  # for each output, its fields
        fields = zip(*outputs, strict=True)
        mean, variance, entropy, information = map(self._pack, fields)
        samples = self._pack(self._join_samples()) if self._return_samples else None
        return Prediction(mean, variance, entropy, information, samples)

    def _pack(self, flat):
        if all(part is None for part in flat):
            return None
        return tree.pack_sequence_as(self._structure, list(flat))

    def _join_samples(self):
        batches = [
            [np.concatenate(groups) for groups in zip(*batch, strict=True)]
            for batch in self._samples
        ]
        return [np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True)]


def _join(batches):
    """Mean, variance, entropy and mutual information of one output."""
    mean = np.concatenate([moments.mean for moments in batches])
    variance = np.concatenate([moments.variance() for moments in batches])
    entropy, expected = _entropies(batches)
    information = None
    if entropy is not None:
        # Only rounding can make it negative.
        information = np.maximum(entropy - expected, 0.0)
    fields = (mean, variance, entropy, information)
    return [None if field is None else field.astype("float32") for field in fields]
