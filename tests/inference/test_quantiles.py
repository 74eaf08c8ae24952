"""Quantiles and intervals of predictions, against NumPy and their stated error."""

import dataclasses
import math
from statistics import NormalDist

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers
from kdropout.inference import prediction as prediction_module
from kdropout.inference.prediction import Collector
from tests.tools import Case, assert_refused, name_of

SIGMAS = 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 4)).astype("float32")
LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]


def model_of(units=2):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dropout(0.5), keras.layers.Dense(units)]
    )


def two_outputs():
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.5)(inputs)
    outputs = {name: keras.layers.Dense(1)(hidden) for name in ("a", "b")}
    return keras.Model(inputs, outputs)


def predict(model=None, num_samples=50, **kwargs):
    model = model_of() if model is None else model
    kwargs = {"seed": 1, "verbose": 0, "batch_size": 3, **kwargs}
    return kdropout.mc_predict(model, X, num_samples, **kwargs)


def collected(samples, *, group=37, **arguments):
    """Collect samples of one batch that arrive in groups."""
    collector = Collector(False, **arguments)
    for start in range(0, len(samples), group):
        collector.add(samples[start : start + group])
    collector.end_batch()
    return collector.result()


@pytest.mark.parametrize("return_samples", [False, True])
@pytest.mark.parametrize("num_samples", [1, 2, 50, 511])
def test_few_samples_have_the_quantiles_of_numpy(num_samples, return_samples):
    keras.utils.set_random_seed(0)
    model = model_of()
    samples = predict(model, num_samples, return_samples=True).samples
    prediction = predict(model, num_samples, return_samples=return_samples)
    expected = np.quantile(samples, LEVELS, axis=0, method="weibull")
    found = prediction.quantile(LEVELS)
    assert found.shape == (5, 7, 2)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    low, high = prediction.interval(0.8)
    np.testing.assert_array_equal(low, prediction.quantile(0.1))
    np.testing.assert_allclose(high, prediction.quantile(0.9), rtol=1e-6)
    assert low.shape == (7, 2)


def bound(num_samples):
    """Return the largest error of a rank, as a share, that `quantile` states."""
    level = int(math.log2(num_samples / 256))
    return (level + 4) / 1024 + 1 / num_samples


ORDERS = {
    "sorted": np.sort,
    "reversed": lambda values: np.sort(values)[::-1],
    "random": lambda values: values,
    "from outside": lambda values: np.sort(values)[
        np.argsort(-np.abs(np.arange(len(values)) - len(values) / 2), kind="stable")
    ],
    "halves in turn": lambda values: np.sort(values).reshape(2, -1).T.ravel(),
    "many equal": lambda values: np.round(values),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("num_samples", [512, 1000, 3000, 20_000])
def test_many_samples_stay_within_the_stated_error(num_samples, order):
    values = ORDERS[order](RNG.normal(size=num_samples)).astype("float32")
    prediction = collected(values[:, None, None])
    levels = np.linspace(0.002, 0.998, 499)
    found = prediction.quantile(levels)[:, 0, 0]
    # The share below a value is an interval if samples are equal to it.
    below = np.searchsorted(np.sort(values), found, side="left") / num_samples
    not_above = np.searchsorted(np.sort(values), found, side="right") / num_samples
    error = np.maximum(np.maximum(below - levels, levels - not_above), 0.0)
    print(f"error {error.max():.5f}, bound {bound(num_samples):.5f}")
    assert error.max() <= bound(num_samples)
    assert (np.diff(found) >= 0).all()


def test_the_number_of_kept_values_is_bounded():
    values = RNG.normal(size=(20_000, 1, 1)).astype("float32")
    (distribution,) = collected(values)._distributions
    assert len(distribution.values) < 256 * 8
    assert distribution.weights.sum() == 20_000


def test_batches_join_in_the_order_of_the_inputs():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.GaussianDropout(0.5)])
    prediction = predict(model, 700, batch_size=2)
    alone = predict(model, 700, batch_size=7)
    # Other noise, the same normal distribution of each row.
    difference = prediction.quantile(0.5) - alone.quantile(0.5)
    error = prediction.std * np.sqrt(np.pi / 2 / 700) * np.sqrt(2)
    assert (np.abs(difference) < SIGMAS * error + 0.02 * prediction.std).all()


def test_interval_of_networks_covers_its_share_of_further_networks():
    keras.utils.set_random_seed(0)
    model = model_of(units=1)
    shares = []
    for seed in range(30):
        samples = predict(model, 50, seed=seed, return_samples=True).samples[..., 0]
        low, high = predict(model, 50, seed=1000 + seed).interval(0.8)
        shares.append(((low[:, 0] <= samples) & (samples <= high[:, 0])).mean())
    error = np.std(shares) / np.sqrt(len(shares))
    # Four inputs that are dropped leave 16 outputs, some on the ends of the interval.
    assert np.mean(shares) > 0.8 - SIGMAS * error
    assert np.mean(shares) < 0.95


def test_with_noise_quantiles_are_normal_with_the_total_variance():
    prediction = predict(noise_std=[0.3, 2.0])
    variance = prediction.variance + np.array([0.09, 4.0])
    np.testing.assert_allclose(prediction.total_variance, variance, rtol=1e-5)
    np.testing.assert_allclose(prediction.total_std, np.sqrt(variance), rtol=1e-5)
    expected = prediction.mean + NormalDist().inv_cdf(0.9) * np.sqrt(variance)
    np.testing.assert_allclose(prediction.quantile(0.9), expected, rtol=1e-4)
    low, high = prediction.interval()
    np.testing.assert_allclose(high - low, 2 * 1.959964 * np.sqrt(variance), rtol=1e-4)
    np.testing.assert_allclose(0.5 * (high + low), prediction.mean, atol=1e-5)


def test_without_noise_the_total_is_the_variance_of_the_networks():
    prediction = predict()
    assert prediction.noise_variance is None
    np.testing.assert_array_equal(prediction.total_variance, prediction.variance)
    np.testing.assert_array_equal(prediction.total_std, prediction.std)


def test_outputs_in_a_dict_have_quantiles_in_a_dict():
    prediction = predict(two_outputs(), noise_std={"a": 0.5})
    low, high = prediction.interval(0.9)
    assert set(low) == set(high) == {"a", "b"}
    assert prediction.noise_variance["b"] is None
    np.testing.assert_allclose(prediction.noise_variance["a"], 0.25)
    np.testing.assert_array_equal(
        prediction.total_variance["b"], prediction.variance["b"]
    )
    assert prediction.quantile([[0.1, 0.2, 0.3]])["b"].shape == (1, 3, 7, 1)


def test_outputs_with_nan_have_quantiles_of_nan_and_others_keep_theirs():
    samples = RNG.normal(size=(2000, 3, 1)).astype("float32")
    expected = collected(samples).quantile(LEVELS)
    samples[3, 1] = np.nan
    found = collected(samples).quantile(LEVELS)
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_array_equal(found[:, [0, 2]], expected[:, [0, 2]])


def test_infinite_samples_are_quantiles():
    samples = np.array([-np.inf, 0.0, 1.0, 2.0], "float32")[:, None, None]
    collector = Collector(True)
    collector.add(samples)
    collector.end_batch()
    prediction = dataclasses.replace(collector.result(), mean=np.zeros((1, 1)))
    assert prediction.quantile(0.2).item() == -np.inf
    assert prediction.quantile(0.4).item() == 0.0


def test_too_many_values_are_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(prediction_module, "_MAX_KEPT", 7 * 2 * 50 - 1)
    for kwargs in ({}, {"noise_std": 1.0}, {"return_samples": True}):
        prediction = predict(**kwargs)
        if kwargs:
            prediction.interval()
        else:
            with pytest.raises(ValueError, match="Predict fewer inputs at a time"):
                prediction.interval()
        assert prediction.mean.shape == (7, 2)
    assert predict(num_samples=49).interval()[0].shape == (7, 2)


def test_a_prediction_made_by_hand_has_the_quantiles_of_its_samples():
    samples = RNG.normal(size=(30, 3, 2))
    made = kdropout.Prediction(samples.mean(0), samples.var(0), None, None, samples)
    expected = np.quantile(samples, 0.3, axis=0, method="weibull")
    np.testing.assert_allclose(made.quantile(0.3), expected, rtol=1e-5)
    without = kdropout.Prediction(samples.mean(0), samples.var(0), None, None)
    with pytest.raises(ValueError, match="return_samples=True"):
        without.quantile(0.3)


PREDICTION = kdropout.Prediction(
    np.zeros((2, 1)), np.ones((2, 1)), None, None, np.zeros((5, 2, 1))
)

CASES = [
    Case(
        f"interval level {value!r}",
        lambda value=value: PREDICTION.interval(value),
        error,
        ["'level' must be a number in (0, 1)", f"level={value!r}"],
    )
    for value, error in [
        (0, ValueError),
        (1.0, ValueError),
        (95, ValueError),
        (-0.5, ValueError),
        (math.nan, ValueError),
        ("95 %", TypeError),
        ([0.9, 0.95], TypeError),
        (None, TypeError),
        (True, TypeError),
    ]
] + [
    Case(
        f"quantile q {value!r}",
        lambda value=value: PREDICTION.quantile(value),
        error,
        ["'q' must be a number between 0 and 1, or an array", f"q={value!r}"],
    )
    for value, error in [
        (0, ValueError),
        (1, ValueError),
        (97.5, ValueError),
        ([0.1, 1.5], ValueError),
        ([0.1, math.nan], ValueError),
        ("a", TypeError),
        (None, TypeError),
        (True, TypeError),
        ([[0.1], [0.2, 0.3]], TypeError),
    ]
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_levels_are_refused(case):
    assert_refused(case)


@pytest.mark.parametrize("levels", [0.5, np.float32(0.5), [0.5], (), [[0.5, 0.6]]])
def test_the_shape_of_q_comes_first(levels):
    shape = (*np.shape(levels), 2, 1)
    assert PREDICTION.quantile(levels).shape == shape
