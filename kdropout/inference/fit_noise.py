"""The noise of the targets of a regression, from validation data."""

from typing import Any

import keras
import numpy as np
from keras import tree

from kdropout import _data, _validation
from kdropout.inference import per_output
from kdropout.inference.mc_predict import batches_of, predict
from kdropout.inference.prediction import Collector

# Variances to compare, as shares of the largest squared error, and the number of steps
# that refine the best of them.
_SHARES = np.geomspace(1e-10, 1.0, 201)
_NUM_STEPS = 40
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)

_FORMS = "an array, or a list or dict of arrays and None"


def fit_noise(
    model: keras.Model,
    x: Any,
    y: Any = None,
    num_samples: int = 50,
    batch_size: int = 32,
    seed: int | None = None,
    verbose: str | int = "auto",
) -> Any:
    r"""Estimate the noise of the targets of a regression.

    The thinned networks of `mc_predict` disagree less than targets differ from their
    mean, because targets have noise. `fit_noise` returns the standard deviation of this
    noise, for the argument `noise_std` of `mc_predict`. Intervals then cover about as
    many targets as they say.

    With the mean $m_i$ and the variance $v_i$ over the $T$ thinned networks, the
    estimate $\sigma$ is the one with the largest likelihood of the targets $y_i$. The
    factor of $v_i$ corrects for the finite number of networks:

    $$
    \sum_i \log N\left(y_i; m_i, \frac{T + 1}{T - 1} v_i + \sigma^2\right)
    $$

    The noise is the same for all inputs, and separate for each entry of the last axis
    of the outputs. Pass data that the model was not trained on, or the estimate is too
    small. For noise that depends on the input, train a model that predicts it, and see
    the argument `log_variance` of `mc_predict`.

    Args:
        model: A built `keras.Model` with dropout layers of kdropout.
        x: Inputs of validation data, as in `mc_predict`; or a dataset of batches
            `(x, y)`.
        y: Targets: an array of the shape of the outputs. For several outputs, a list or
            dict with an array or None for each. None if `x` is a dataset. Defaults to
            None.
        num_samples: Integer of at least 2, the number of thinned networks per input.
            Defaults to 50.
        batch_size: Integer of at least 1, the number of inputs per batch. A dataset has
            its own batches. Defaults to 32.
        seed: Integer in [0, 2**31), or None for a random seed. Defaults to None.
        verbose: 0 to show no progress bar, 1 to show one, or "auto" to show one if
            there are several batches. Defaults to "auto".

    Returns:
        Standard deviation in the unit of the targets, in the structure of the outputs:
        a float if the output has one unit, else an array with one number for each entry
        of the last axis; None for outputs without targets. It is 0 if the disagreement
        of the thinned networks explains the errors without any noise.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, if `y` does not fit the inputs and
            outputs, if there are no targets, or if targets or outputs are not finite.
            Also if `mc_predict` refuses the model.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), kdropout.layers.Dropout(0.1), keras.layers.Dense(1)])
    >>> x, y = np.ones((20, 4)), np.linspace(-1.0, 1.0, 20)
    >>> noise = kdropout.fit_noise(model, x, y, seed=1)
    >>> prediction = kdropout.mc_predict(model, x, seed=2, noise_std=noise)
    >>> bool((prediction.total_std > prediction.std).all())
    True

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation", arXiv:1506.02142,
        whose predictive variance this is, with the noise $\sigma^2 = 1 / \tau$.
    """
    num_samples = _validation.integer("num_samples", num_samples, low=2)
    batches = batches_of(model, x, batch_size)
    y = _targets(y, batches)
    prediction, parts = predict(
        model, batches, Collector(False, keep=False), num_samples, seed, verbose
    )
    if y is None:
        y = _joined(parts)
    means, variances = map(tree.flatten, (prediction.mean, prediction.variance))
    targets = per_output.values("y", y, prediction.mean)
    if all(target is None for target in targets):
        raise _validation.value_error("y", "targets of at least one output", y)
    # The variance over T samples is too small by (T - 1) / T, and the mean of T samples
    # adds 1 / T of it to the squared error.
    factor = (num_samples + 1) / (num_samples - 1)
    checked = [
        None if target is None else _checked(target, mean)
        for target, mean in zip(targets, means, strict=True)
    ]
    stds = [
        None if target is None else _std_of_output(target, mean, factor * variance)
        for target, mean, variance in zip(checked, means, variances, strict=True)
    ]
    return tree.pack_sequence_as(prediction.mean, stds)


def _targets(y, batches):
    """The argument `y` as arrays, or None if a dataset holds the targets."""
    if batches.arrays is None:
        if y is not None:
            expected = "None, because 'x' is a dataset, which holds the targets"
            raise _validation.value_error("y", expected, y)
        return None
    if y is None:
        expected = f"the targets: {_FORMS}. Only a dataset 'x' can hold them itself"
        raise _validation.value_error("y", expected, y)
    arrays = _to_arrays(y)
    num_rows = len(tree.flatten(batches.arrays)[0])
    for array in tree.flatten(arrays):
        if array is not None and len(array) != num_rows:
            raise _validation.argument_error(
                ValueError,
                "y",
                f"must have as many rows as 'x', which has {num_rows}. Received: "
                f"y with {len(array)} rows.",
            )
    return arrays


def _to_arrays(y):
    return tree.map_structure(
        lambda value: None if value is None else _data.to_array(value, "y", _FORMS), y
    )


def _joined(parts):
    """The targets of all batches of a dataset."""
    if parts[0] is None:
        raise _validation.argument_error(
            ValueError,
            "x",
            "must hold the targets if it is a dataset. Received: batches without "
            "targets. Pass a dataset of batches (x, y).",
        )
    return tree.map_structure(
        lambda *arrays: np.concatenate(arrays), *map(_to_arrays, parts)
    )


def _checked(target, mean):
    """The targets of one output as an array of its shape."""
    expected = f"numbers of the shape of the outputs, {mean.shape}"
    if target.shape not in (mean.shape, (*mean.shape, 1)) and (
        (*target.shape, 1) != mean.shape
    ):
        raise _validation.argument_error(
            ValueError,
            "y",
            f"must have the shape of the outputs, {mean.shape}. Received: an array of "
            f"shape {target.shape}. For an output that is not a regression, pass None "
            "in a list or dict of targets.",
        )
    if target.dtype.kind not in "iuf":
        raise _validation.type_error("y", expected, target.dtype)
    target = target.reshape(mean.shape).astype("float64")
    if not (np.isfinite(target).all() and np.isfinite(mean).all()):
        raise _validation.argument_error(
            ValueError,
            "y",
            "and the outputs must be finite. Received: NaN or infinity in "
            f"{'the outputs' if np.isfinite(target).all() else 'y'}. Leave out these "
            "rows.",
        )
    return target


def _std_of_output(target, mean, variance):
    """The standard deviation of the noise of each unit of an output."""
    units = mean.shape[-1] if mean.ndim > 1 else 1
    errors = (target - mean).reshape(-1, units) ** 2
    variances = variance.astype("float64").reshape(-1, units)
    stds = [
        np.sqrt(_best_variance(errors[:, unit], variances[:, unit]))
        for unit in range(units)
    ]
    return float(stds[0]) if units == 1 else np.array(stds)


def _best_variance(errors, variances):
    """The variance of the noise with the largest likelihood.

    Args:
        errors: Vector of squared errors.
        variances: Vector of the variances over the thinned networks.
    """

    def cost(noise):
        total = np.maximum(variances + noise, np.finfo("float64").tiny)
        return np.mean(np.log(total) + errors / total)

    # Above the largest squared error, the likelihood falls.
    candidates = errors.max() * _SHARES
    costs = [cost(noise) for noise in candidates]
    best = int(np.argmin(costs))
    low, high = candidates[max(best - 1, 0)], candidates[min(best + 1, len(costs) - 1)]
    for _ in range(_NUM_STEPS):  # golden section
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if cost(left) < cost(right):
            high = right
        else:
            low = left
    noise = 0.5 * (low + high)
    return 0.0 if cost(0.0) <= cost(noise) else noise
