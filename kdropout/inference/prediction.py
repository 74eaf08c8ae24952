"""The result of `mc_predict`, and its computation from samples."""

import dataclasses
from statistics import NormalDist
from typing import Any

import numpy as np
from keras import tree

from kdropout import _validation
from kdropout.inference import per_output
from kdropout.inference.distribution import Distribution, Sketch

# How far probabilities may be from a sum of 1: 0.005 was seen in bfloat16.
_TOLERANCE = 2.0**-7

# The largest number of values that are kept for quantiles: 256 MiB.
_MAX_KEPT = 2**26

_MOST_ROWS = 5  # of the table in a notebook


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

    The argument `class_axis` of `mc_predict` sets another axis than the last. The
    entropy is the whole uncertainty of a prediction. The mutual information is the part
    of it that comes from the disagreement of the thinned networks. More data would
    remove this part.

    For regression, `variance` is only the disagreement of the thinned networks. The
    targets also have noise. If `mc_predict` knows it, by `noise_std` or
    `log_variance`, `total_variance`, `total_std`, `quantile` and `interval` include it.
    With $s_t^2$ the exponential of the log variance, or the square of `noise_std`:

    $$
    \text{noise variance} = \frac{1}{T} \sum_t s_t^2, \qquad
    \text{total variance} = \text{variance} + \text{noise variance}
    $$

    Attributes:
        mean: Arrays of the shape of the outputs.
        variance: Arrays of the shape of the outputs: the variance over the thinned
            networks, without noise.
        entropy: For class probabilities, arrays of the shape of the outputs without the
            last axis. For sigmoid units, arrays of the shape of the outputs. Otherwise
            None.
        mutual_information: Arrays of the shape of `entropy`, or None.
        samples: Arrays of shape `(num_samples, *outputs)` with `return_samples=True`,
            otherwise None.
        noise_variance: Arrays of the shape of the outputs, the variance of the noise of
            the targets in the square of their unit. None for outputs whose noise is
            not known, and None if no noise is known.
        num_samples: Integer, the number of thinned networks.

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation",
        arXiv:1506.02142; Gal 2016, "Uncertainty in deep learning", section 3.3;
        Kendall, Gal 2017, "What uncertainties do we need in Bayesian deep learning for
        computer vision?", arXiv:1703.04977, eq. 9.
    """

    mean: Any
    variance: Any
    entropy: Any
    mutual_information: Any
    samples: Any = None
    noise_variance: Any = None
    num_samples: int | None = None
    # For each output, its `Distribution`, or None if its noise is known. None instead
    # of the list if it would have been too large.
    _distributions: Any = dataclasses.field(default=None, compare=False)

    @property
    def std(self) -> Any:
        """The square root of `variance`."""
        return tree.map_structure(np.sqrt, self.variance)

    @property
    def total_variance(self) -> Any:
        """`variance` plus `noise_variance`. Without known noise, it is `variance`."""
        if self.noise_variance is None:
            return self.variance
        return tree.map_structure(
            lambda variance, noise: variance if noise is None else variance + noise,
            self.variance,
            self.noise_variance,
        )

    @property
    def total_std(self) -> Any:
        """The square root of `total_variance`."""
        return tree.map_structure(np.sqrt, self.total_variance)

    def quantile(self, q: Any) -> Any:
        r"""Return quantiles of the prediction.

        Without known noise, these are quantiles of the outputs of the thinned networks.
        If the noise of the targets is known, by the arguments `noise_std` or
        `log_variance` of `mc_predict`, they are quantiles of the targets. These are
        taken as normal, with the mean `mean` and the standard deviation `total_std`.

        Without noise, the value of rank $r$ among $T$ samples is the quantile at
        $r / (T + 1)$, as in `numpy.quantile` with the method "weibull", so that a
        further network is below it with this probability. This is exact for fewer than
        512 samples, and with `return_samples=True`. With more samples, the share of the
        samples below the result differs from `q` by at most $(L + 4) / 1024 + 1 / T$,
        with $L$ the integer part of $\log_2(T / 256)$: 0.6 % for 1,000 samples, and
        0.9 % for 10,000.

        Args:
            q: Number between 0 and 1, or an array or list of these.

        Returns:
            Float32 arrays in the structure of the outputs. Their shape is that of the
            outputs, after the shape of `q`. Outputs with NaN have quantiles of NaN.

        Raises:
            TypeError: If `q` does not consist of numbers.
            ValueError: If `q` is not between 0 and 1. Also if, without known noise,
                more than 2^26 values (256 MiB) would have to be kept: one for each
                sample and number of the outputs, up to 512 samples.

        Example:

        >>> model = keras.Sequential([
        ...     keras.Input((4,)), kdropout.layers.Dropout(0.5), keras.layers.Dense(1)])
        >>> prediction = kdropout.mc_predict(model, np.ones((2, 4)), seed=1)
        >>> prediction.quantile([0.1, 0.5, 0.9]).shape
        (3, 2, 1)

        Reference:
            Munro, Paterson 1980, "Selection and sorting with limited storage",
            Theoretical Computer Science 12. Gal, Ghahramani 2016, arXiv:1506.02142,
            for the variance with noise.
        """
        levels = _levels(q)
        flat = map(tree.flatten, (self.mean, self.total_std))
        noise = self._noise_variances()
        found = []
        for i, (mean, std) in enumerate(zip(*flat, strict=True)):
            if noise[i] is not None:
                scores = [NormalDist().inv_cdf(level) for level in levels.ravel()]
                quantiles = mean + np.multiply.outer(scores, std)
            else:
                distribution = self._distribution(i)
                # A sample of NaN may have been left out.
                quantiles = np.where(
                    np.isnan(mean), np.nan, distribution.quantiles(levels.ravel())
                )
            shape = (*levels.shape, *mean.shape)
            found.append(quantiles.reshape(shape).astype("float32"))
        return tree.pack_sequence_as(self.mean, found)

    def interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """Return the central interval that has the probability `level`.

        The same share, `(1 - level) / 2`, lies on each side of it. It is an interval
        for the targets if their noise is known, by the arguments `noise_std` or
        `log_variance` of `mc_predict`. Otherwise, it is an interval for the outputs of
        the thinned networks only, which is too narrow for targets. `quantile` describes
        the computation and its error.

        Args:
            level: Float between 0 and 1, the probability of the interval. Defaults to
                0.95.

        Returns:
            Tuple of the lower and the upper ends, each in the structure and shape of
            the outputs.

        Raises:
            TypeError: If `level` is not a number.
            ValueError: If `level` is not between 0 and 1, or if too many values would
                have had to be kept. See `quantile`.

        Example:

        >>> model = keras.Sequential([
        ...     keras.Input((4,)), kdropout.layers.Dropout(0.5), keras.layers.Dense(1)])
        >>> prediction = kdropout.mc_predict(
        ...     model, np.ones((2, 4)), seed=1, noise_std=0.3)
        >>> low, high = prediction.interval(0.9)
        >>> bool((low < prediction.mean).all() and (prediction.mean < high).all())
        True
        """
        level = _validation.number("level", level, 0.0, 1.0, True, True)
        tail = 0.5 * (1.0 - level)
        return self.quantile(tail), self.quantile(1.0 - tail)

    def _noise_variances(self):
        """For each output, the variance of its noise, or None."""
        if self.noise_variance is None:
            return [None] * len(tree.flatten(self.mean))
        return tree.flatten(self.noise_variance)

    def _distribution(self, number):
        """The distribution of an output over the thinned networks."""
        if self._distributions is not None:
            return self._distributions[number]
        if self.samples is not None:  # `mc_predict` did not make this prediction
            samples = tree.flatten(self.samples)[number]
            return Distribution(samples, np.ones(len(samples)))
        raise ValueError(
            f"Quantiles of this prediction are not known, because they need more than "
            f"{_MAX_KEPT} values. Received: {self!r}. Predict fewer inputs at a time, "
            "or pass return_samples=True to mc_predict, which keeps all samples."
        )

    def __repr__(self) -> str:
        shapes = tree.map_structure(lambda mean: str(mean.shape), self.mean)
        shapes = str(shapes).replace("'(", "(").replace(")'", ")")
        count = "" if self.num_samples is None else f", {self.num_samples} samples"
        names = ["mean", "variance", "entropy", "mutual_information"]
        names += ["noise_variance", "samples"]
        known = [name for name in names if getattr(self, name) is not None]
        return f"<Prediction of shape {shapes}{count}: {', '.join(known)}>"

    def _repr_markdown_(self) -> str:
        """Return what a notebook shows: a table of the first inputs, if it fits."""
        columns = self._columns()
        if not columns:
            return f"`{self!r}`"
        count = len(self.mean)
        rows = [["input", *columns], ["--:"] * (1 + len(columns))]
        for row in range(min(count, _MOST_ROWS)):
            values = (column[row] for column in columns.values())
            rows.append([str(row), *(f"{value:.4g}" for value in values)])
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        rest = count - _MOST_ROWS
        more = f"\n\n{rest} more input{'s' if rest > 1 else ''}." if rest > 0 else ""
        samples = "" if self.num_samples is None else f", {self.num_samples} samples"
        return f"Prediction of shape {self.mean.shape}{samples}:\n\n{table}{more}"

    def _columns(self):
        """The columns of the table, a dict from title to a value for each input."""
        mean = self.mean
        if not isinstance(mean, np.ndarray) or mean.ndim not in (1, 2) or not mean.size:
            return {}
        if mean.ndim == 2 and self.entropy is not None and self.entropy.ndim == 1:
            # NaN in a row makes its best class unknown, but does not hide the others.
            columns = {"class": mean.argmax(axis=1), "probability": mean.max(axis=1)}
        elif mean.ndim == 1 or mean.shape[1] == 1:
            columns = {"mean": mean, "std": self.std}
            if self.noise_variance is not None:
                columns["std with noise"] = self.total_std
        else:
            return {}
        if self.entropy is not None:
            columns["entropy"] = self.entropy
            columns["mutual information"] = self.mutual_information
        return {title: np.ravel(column) for title, column in columns.items()}


def _levels(q):
    """The argument `q` of `quantile`, as an array."""
    expected = "a number between 0 and 1, or an array of these"
    try:
        levels = np.asarray(q)
    except ValueError:  # rows of different lengths
        raise _validation.type_error("q", expected, q) from None
    if levels.dtype.kind not in "iuf":
        raise _validation.type_error("q", expected, q)
    if not ((levels > 0.0) & (levels < 1.0)).all():
        raise _validation.value_error("q", expected, q)
    return levels.astype("float64")


class Moments:
    """Mean, variance and mean entropy of one output, for one batch of inputs."""

    # Samples arrive in groups. The variance is combined as in Chan, Golub and LeVeque
    # 1983, without the cancellation of a difference of squares.

    def __init__(self, class_axis=-1):
        self.count = 0
        self.mean = self.squares = 0.0
        self.noise_variance = None  # the mean over the samples
        self.class_entropy = self.unit_entropy = 0.0
        # For each row and each of its steps: True if it is a distribution in all
        # samples, if all samples are zero (as at a padded step), and if a sample has
        # NaN or infinity there.
        self.is_distribution = self.is_zero = True
        self.is_broken = False
        self.are_units = True
        self.has_numbers = False
        self.class_axis = class_axis

    def add(self, samples, log_variance=None):
        """Add samples, an array of shape `(group, *outputs)`, and their log variances.

        The log variances are None, or an array of the same shape.
        """
        with np.errstate(invalid="ignore"):  # infinite outputs have no variance
            self._add(np.asarray(samples, "float64"), log_variance)

    def _add(self, samples, log_variance):
        size, mean = len(samples), samples.mean(axis=0)
        total = self.count + size
        shift = mean - self.mean
        self.mean = self.mean + shift * (size / total)
        self.squares = (
            self.squares
            + ((samples - mean) ** 2).sum(axis=0)
            + shift**2 * (self.count * size / total)
        )
        if log_variance is not None:
            noise = _exponential(log_variance).mean(axis=0)
            before = 0.0 if self.noise_variance is None else self.noise_variance
            self.noise_variance = before + (noise - before) * (size / total)
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
        samples = self._classes_last(samples, 1)
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

    def class_entropy_of_mean(self):
        """The entropy of the mean, as classes."""
        return _class_entropy(self._classes_last(self.mean, 0))

    def _classes_last(self, array, row_axis):
        """The array with the classes on its last axis."""
        axis = self.class_axis
        return np.moveaxis(array, axis + row_axis if axis > 0 else axis, -1)


def _exponential(log_variance):
    with np.errstate(over="ignore"):  # the variance is then infinite
        return np.exp(np.asarray(log_variance, "float64"))


def _entropies(batches):
    """Entropy of the mean and mean entropy of one output, or a pair of None."""
    mean = np.concatenate([moments.mean for moments in batches])
    count = batches[0].count
    all_rows = Moments.of_rows(batches)
    if all_rows.are_classes:
        of_mean = np.concatenate([part.class_entropy_of_mean() for part in batches])
        return tuple(
            np.where(all_rows.is_distribution, entropy, np.nan)
            for entropy in (of_mean, all_rows.class_entropy / count)
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
    """Takes samples group by group and batch by batch, and keeps what is asked for.

    Args:
        return_samples: True to keep all samples.
        noise_std: The argument of `mc_predict`.
        log_variance: The argument of `mc_predict`.
        class_axis: The argument of `mc_predict`.
        keep: False to keep no values for quantiles.
    """

    def __init__(
        self,
        return_samples,
        noise_std=None,
        log_variance=None,
        class_axis=-1,
        keep=True,
    ):
        self._return_samples = return_samples
        self._arguments = noise_std, log_variance, class_axis
        self._structure = None
        self._batches = []  # for each batch, the moments of each output
        # For each batch, the sketch of each output, or None.
        self._kept = [] if keep else None
        self._num_kept = 0  # values of earlier batches
        self._begin = True

    def add(self, samples):
        """Add a structure of arrays of shape `(group, rows, ...)`."""
        if self._structure is None:
            self._structure = samples
            self._check(*self._arguments)
        flat = tree.flatten(samples)
        if self._begin:
            self._begin_batch()
        for i, (moments, part) in enumerate(zip(self._batches[-1], flat, strict=True)):
            pair = self._log_variances.get(i)
            moments.add(part, None if pair is None else flat[pair])
        if self._kept is None:
            return
        for sketch, part in zip(self._kept[-1], flat, strict=True):
            if sketch is not None:
                # The copy does not hold on to rows that fill up the last batch.
                part = part if self._return_samples else np.array(part, "float32")
                sketch.add(part)
        if not self._return_samples and self._size_of_last() > _MAX_KEPT:
            self._kept = None

    def end_batch(self):
        """Begin a new batch of inputs with the next samples."""
        self._begin = True
        if self._kept is not None:
            self._num_kept = self._size_of_last()

    def result(self):
        """The `Prediction` for all inputs."""
        fields = [
            _join(moments) for moments in zip(*self._batches, strict=True)
        ]  # for each output, its fields
        mean, variance, entropy, information = map(
            self._pack, zip(*fields, strict=True)
        )
        noise = self._noise_variances([field[0].shape for field in fields])
        distributions = self._distributions()
        samples = None
        if self._return_samples:
            samples = self._pack([part.values for part in distributions])
        return Prediction(
            mean,
            variance,
            entropy,
            information,
            samples,
            self._pack(noise),
            self._batches[0][0].count,
            distributions,
        )

    def _check(self, noise_std, log_variance, class_axis):
        """Check the arguments against the first outputs."""
        structure = self._structure
        rows = [samples.shape[1:] for samples in tree.flatten(structure)]
        self._num_outputs = len(rows)
        self._log_variances = per_output.log_variance_pairs(log_variance, structure)
        self._class_axes = per_output.class_axes(class_axis, structure, rows)
        self._noise_std = per_output.noise_stds(
            noise_std, structure, rows, self._log_variances
        )

    def _begin_batch(self):
        self._batches.append([Moments(axis) for axis in self._class_axes])
        if self._kept is not None:
            self._kept.append([self._new_sketch(i) for i in range(self._num_outputs)])
        self._begin = False

    def _new_sketch(self, number):
        """A sketch of an output, or None if nothing of it has to be kept."""
        if self._return_samples:
            return Sketch(None)
        has_noise = number in self._log_variances or self._noise_std[number] is not None
        return None if has_noise else Sketch()

    def _size_of_last(self):
        sizes = [sketch.size for sketch in self._kept[-1] if sketch is not None]
        return self._num_kept + sum(sizes)

    def _noise_variances(self, shapes):
        """For each output, the variance of its noise, or None."""
        variances = []
        for i, (std, shape) in enumerate(zip(self._noise_std, shapes, strict=True)):
            if i in self._log_variances:
                parts = [batch[i].noise_variance for batch in self._batches]
                variance = np.concatenate(parts)
            else:
                variance = None if std is None else np.broadcast_to(std**2, shape)
            variances.append(None if variance is None else _float32(variance))
        return variances

    def _distributions(self):
        """For each output, its distribution or None. None instead of the list if the
        values were too many.
        """
        if self._kept is None:
            return None
        batches, self._kept = self._kept, None
        return [
            None
            if sketches[0] is None
            else Distribution(
                np.concatenate([sketch.values() for sketch in sketches], axis=1),
                sketches[0].weights(),
            )
            for sketches in zip(*batches, strict=True)
        ]

    def _pack(self, flat):
        if all(part is None for part in flat):
            return None
        return tree.pack_sequence_as(self._structure, list(flat))


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
    return [None if field is None else _float32(field) for field in fields]


def _float32(array):
    with np.errstate(over="ignore"):  # a larger number is infinite
        return array.astype("float32")
