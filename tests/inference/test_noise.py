"""The noise of targets: fitted on data, or predicted as a log variance."""

import math

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers
from tests.tools import Case, arguments_without_case, assert_refused, name_of, numpy

SIGMAS = 5
RATE = 0.2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4000, 4)).astype("float32")


def linear(units=1, name=None):
    """Build a model whose mean and variance over the networks are known."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(units, use_bias=False)
    stack = [keras.Input((4,)), layers.Dropout(RATE), dense]
    return keras.Sequential(stack, name=name)


def moments(model, x=X):
    kernel = numpy(model.layers[-1].kernel).astype("float64")
    return x @ kernel, RATE / (1 - RATE) * x.astype("float64") ** 2 @ kernel**2


def noisy_targets(model, noise):
    """Draw targets around a random network of the model, with noise."""
    mean, variance = moments(model)
    return mean + np.sqrt(variance + noise**2) * RNG.normal(size=mean.shape)


def fit(model, x=X, y=None, num_samples=50, **kwargs):
    kwargs = {"batch_size": 1000, "seed": 1, "verbose": 0, **kwargs}
    return kdropout.fit_noise(model, x, y, num_samples, **kwargs)


@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_noise_of_known_size_is_found(noise):
    model = linear()
    found = fit(model, y=noisy_targets(model, noise))
    assert isinstance(found, float)
    # The information of the squares (v + noise^2) z^2 about noise^2.
    variance = moments(model)[1] + noise**2
    error = 1 / np.sqrt((0.5 / variance**2).sum()) / (2 * noise)
    # The variances over 50 networks are themselves estimates.
    bias = 0.03 * noise
    print(f"{found:.4f} of {noise}, standard error {error:.4f}")
    assert abs(found - noise) < SIGMAS * error + bias


def test_the_estimate_has_the_largest_likelihood():
    model = linear()
    y = noisy_targets(model, 0.4)
    found = fit(model, y=y)
    prediction = kdropout.mc_predict(model, X, 50, 1000, seed=1, verbose=0)

    def log_likelihood(noise):
        total = prediction.variance.astype("float64") * 51 / 49 + noise**2
        return -np.sum(np.log(total) + (y - prediction.mean) ** 2 / total)

    for factor in (0.9, 0.99, 1.01, 1.1):
        assert log_likelihood(found) > log_likelihood(factor * found)


def test_each_unit_has_its_noise():
    model = linear(units=3)
    found = fit(model, y=noisy_targets(model, np.array([0.5, 1.0, 3.0])))
    assert found.shape == (3,)
    np.testing.assert_allclose(found, [0.5, 1.0, 3.0], rtol=0.1)
    prediction = kdropout.mc_predict(model, X[:5], noise_std=found, verbose=0)
    np.testing.assert_allclose(prediction.noise_variance[0], found**2, rtol=1e-5)


def test_targets_without_noise_have_none():
    model = linear()
    assert fit(model, y=moments(model)[0]) == 0.0
    prediction = kdropout.mc_predict(model, X[:5], noise_std=0.0, seed=1, verbose=0)
    np.testing.assert_array_equal(prediction.total_variance, prediction.variance)


def test_vector_of_targets_is_that_of_one_unit():
    model = linear()
    y = noisy_targets(model, 0.5)
    assert fit(model, y=y[:, 0]) == fit(model, y=y)


def test_dataset_holds_its_targets():
    model = linear()
    y = noisy_targets(model, 0.5)

    class Pairs(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            rows = slice(1000 * index, 1000 * index + 1000)
            return X[rows], y[rows]

    assert fit(model, Pairs()) == fit(model, y=y)


def test_some_outputs_have_targets():
    inputs = keras.Input((4,))
    hidden = layers.Dropout(RATE)(inputs)
    outputs = {
        "size": keras.layers.Dense(1)(hidden),
        "kind": keras.layers.Dense(3, activation="softmax")(hidden),
    }
    y = RNG.normal(size=(4000, 1))
    by_name = keras.Model(inputs, outputs)
    found = fit(by_name, y={"size": y})
    assert found["kind"] is None
    in_order = keras.Model(inputs, [outputs["kind"], outputs["size"]])
    assert fit(in_order, y=[None, y]) == [None, pytest.approx(found["size"], rel=1e-3)]
    # The result is an argument of `mc_predict`.
    prediction = kdropout.mc_predict(by_name, X[:5], noise_std=found, verbose=0)
    assert prediction.noise_variance["kind"] is None
    assert prediction.entropy["kind"].shape == (5,)


def test_intervals_with_fitted_noise_cover_new_targets():
    model = linear()
    y = noisy_targets(model, 0.7)
    noise = fit(model, X[:2000], y[:2000])
    x, y = X[2000:], y[2000:]
    shares = {}
    for std in (None, noise):
        prediction = kdropout.mc_predict(
            model, x, 100, 1000, seed=2, noise_std=std, verbose=0
        )
        low, high = prediction.interval(0.9)
        shares[std] = ((low <= y) & (y <= high)).mean()
    # The noise and each variance are estimates: the coverage is off by 1 %.
    error = np.sqrt(0.9 * 0.1 / len(y))
    assert abs(shares[noise] - 0.9) < SIGMAS * error + 0.01
    assert shares[None] < 0.8


def heads(kind):
    """Build a model with a mean and a log variance."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.5)(inputs)
    mean, log_variance, other = (keras.layers.Dense(2)(hidden) for _ in range(3))
    outputs = {
        "dict": {"mean": mean, "log_variance": log_variance},
        "list": [mean, log_variance],
        "three": {"a_log_variance": log_variance, "other": other, "mean": mean},
    }
    return keras.Model(inputs, outputs[kind])


@pytest.mark.parametrize(
    ("kind", "argument", "mean", "log_variance"),
    [
        ("dict", "log_variance", "mean", "log_variance"),
        ("dict", {"mean": "log_variance"}, "mean", "log_variance"),
        ("list", 1, 0, 1),
        ("list", {0: 1}, 0, 1),
        ("three", {"mean": "a_log_variance"}, "mean", "a_log_variance"),
    ],
)
def test_log_variance_is_the_noise_of_its_mean(kind, argument, mean, log_variance):
    prediction = kdropout.mc_predict(
        heads(kind),
        X[:5],
        60,
        batch_size=2,
        seed=1,
        log_variance=argument,
        return_samples=True,
        verbose=0,
    )
    # E[exp(s)] is not exp(E[s]).
    samples = prediction.samples[log_variance].astype("float64")
    noise = np.exp(samples).mean(axis=0)
    np.testing.assert_allclose(prediction.noise_variance[mean], noise, rtol=1e-5)
    assert not np.allclose(noise, np.exp(samples.mean(axis=0)), rtol=0.05)
    total = prediction.samples[mean].astype("float64").var(axis=0) + noise
    np.testing.assert_allclose(prediction.total_variance[mean], total, rtol=1e-4)
    low, high = prediction.interval(0.9)
    width = 2 * 1.644854 * np.sqrt(total)
    np.testing.assert_allclose(high[mean] - low[mean], width, rtol=1e-3)
    assert prediction.noise_variance[log_variance] is None
    expected = np.quantile(samples, 0.95, axis=0, method="weibull")
    np.testing.assert_allclose(high[log_variance], expected, rtol=1e-4)


def test_noise_of_two_heads_is_that_of_a_constant_log_variance():
    inputs = keras.Input((4,))
    mean = keras.layers.Dense(1)(layers.Dropout(0.5)(inputs))
    constant = keras.layers.Dense(
        1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(0.5)
    )
    model = keras.Model(inputs, [mean, constant(inputs)])
    arguments = {"seed": 1, "verbose": 0}
    found = kdropout.mc_predict(model, X[:5], log_variance=1, **arguments)
    std = math.exp(0.25)
    expected = kdropout.mc_predict(model, X[:5], noise_std=[std, None], **arguments)
    np.testing.assert_allclose(found.total_std[0], expected.total_std[0], rtol=1e-5)
    np.testing.assert_allclose(
        found.quantile(0.1)[0], expected.quantile(0.1)[0], rtol=1e-4
    )


def test_huge_log_variance_is_infinite_noise():
    inputs = keras.Input((4,))
    mean = layers.Dropout(0.5)(inputs)
    model = keras.Model(inputs, [mean, 1e6 + 0.0 * mean])
    prediction = kdropout.mc_predict(model, X[:2], log_variance=1, verbose=0)
    assert np.isinf(prediction.total_std[0]).all()
    assert np.isfinite(prediction.std[0]).all()


def predict(model=None, **kwargs):
    model = linear(2) if model is None else model
    return kdropout.mc_predict(model, X[:3], 5, seed=1, verbose=0, **kwargs)


Y = np.ones((6, 1))
NOISE_STDS = [
    Case(
        f"noise_std {value!r}",
        lambda value=value: predict(noise_std=value),
        error,
        ["'noise_std' must be", expected, "Received: noise_std="],
    )
    for value, error, expected in [
        (-1.0, ValueError, "a number of at least 0, or an array of these"),
        (math.nan, ValueError, "a number of at least 0"),
        (math.inf, ValueError, "a number of at least 0"),
        ("0.1", TypeError, "a number of at least 0"),
        (True, TypeError, "a number of at least 0"),
        ([0.1, -0.1], ValueError, "a number of at least 0"),
        ([0.1, 0.2, 0.3], ValueError, "one row of the output, of shape (2,)"),
        (np.ones((3, 2)), ValueError, "one row of the output, of shape (2,)"),
        ({"a": 0.1}, ValueError, "one value, because the model has one output"),
    ]
] + [
    Case(
        f"noise_std {value!r} of {kind}",
        lambda kind=kind, value=value: predict(heads(kind), noise_std=value),
        ValueError,
        ["'noise_std' must be", expected, f"noise_std={value!r}"],
    )
    for kind, value, expected in [
        ("dict", 0.1, "a dict with the names of outputs, which are 'log_variance', "),
        ("dict", {"wrong": 0.1}, "a dict with the names of outputs"),
        ("list", 0.1, "a list with a value or None for each of the 2 outputs"),
        ("list", [0.1], "a list with a value or None for each of the 2 outputs"),
        ("list", {"a": 0.1}, "a list with a value or None for each of the 2 outputs"),
    ]
]
LOG_VARIANCES = [
    Case(
        f"log_variance {value!r} of {kind}",
        lambda kind=kind, value=value: predict(heads(kind), log_variance=value),
        ValueError,
        ["'log_variance' must be", expected, "Received: log_variance="],
    )
    for kind, value, expected in [
        ("dict", "variance", "the name or index of an output, or a dict"),
        ("dict", 1, "the name or index of an output"),
        ("dict", ["log_variance"], "the name or index of an output"),
        ("dict", {"mean": "mean"}, "a dict from means to other outputs"),
        ("dict", {"mean": "none"}, "the name or index of an output"),
        ("dict", {"none": "mean"}, "the name or index of an output"),
        (
            "dict",
            {"mean": "log_variance", "log_variance": "mean"},
            "a dict from means to other outputs",
        ),
        ("list", 2, "the name or index of an output, or a dict of these: 0, 1"),
        ("list", True, "the name or index of an output"),
        ("three", "a_log_variance", "because the model has 3 outputs"),
    ]
] + [
    Case(
        "log_variance of one output",
        lambda: predict(log_variance=1),
        ValueError,
        ["'log_variance' must be None for a model with one output", "keras.Model("],
    ),
    Case(
        "log_variance of another shape",
        lambda: predict(unequal_heads(), log_variance=1),
        ValueError,
        ["'log_variance' must have the shape of its mean", "(1,)", "(2,)"],
    ),
    Case(
        "log_variance and noise_std",
        lambda: predict(heads("list"), log_variance=1, noise_std=[0.1, None]),
        ValueError,
        ["'noise_std' must be None for an output that has a log variance"],
    ),
]
FITS = [
    Case(
        f"fit_noise {name}",
        lambda arguments=arguments: fit(linear(name="net"), **arguments),
        error,
        says,
    )
    for name, arguments, error, says in [
        ("without y", {"x": X[:6]}, ValueError, ["'y' must be the targets", "y=None"]),
        (
            "with other rows",
            {"x": X[:6], "y": Y[:5]},
            ValueError,
            ["'y' must have as many rows as 'x', which has 6", "y with 5 rows"],
        ),
        (
            "with other units",
            {"x": X[:6], "y": np.ones((6, 2))},
            ValueError,
            ["'y' must have the shape of the outputs, (6, 1)", "(6, 2)", "pass None"],
        ),
        (
            "with texts",
            {"x": X[:6], "y": np.array(["a"] * 6)},
            TypeError,
            ["'y' must be numbers of the shape of the outputs"],
        ),
        ("with a number", {"x": X[:6], "y": 1.0}, TypeError, ["'y' must be an array"]),
        (
            "with a dict",
            {"x": X[:6], "y": {"size": Y}},
            ValueError,
            ["'y' must be one value, because the model has one output"],
        ),
        (
            "with NaN",
            {"x": X[:6], "y": np.nan * Y},
            ValueError,
            ["'y' and the outputs must be finite", "infinity in y", "Leave out"],
        ),
        (
            "with inputs of NaN",
            {"x": np.nan * X[:6], "y": Y},
            ValueError,
            ["'y' and the outputs must be finite", "infinity in the outputs"],
        ),
        (
            "with one sample",
            {"x": X[:6], "y": Y, "num_samples": 1},
            ValueError,
            ["'num_samples' must be an integer of at least 2", "num_samples=1"],
        ),
        (
            "with a batch size of 0",
            {"x": X[:6], "y": Y, "batch_size": 0},
            ValueError,
            ["'batch_size' must be an integer of at least 1"],
        ),
        (
            "with a seed below 0",
            {"x": X[:6], "y": Y, "seed": -1},
            ValueError,
            ["'seed' must be an integer of at least 0"],
        ),
        (
            "with verbose 3",
            {"x": X[:6], "y": Y, "verbose": 3},
            ValueError,
            ["'verbose' must be", "verbose=3"],
        ),
        ("without inputs", {"x": None, "y": Y}, TypeError, ["'x' must be an array"]),
    ]
] + [
    Case(
        "fit_noise without dropout",
        lambda: fit(keras.Sequential([keras.Input((4,))]), X[:6], Y),
        ValueError,
        ["'model' must"],
    ),
    Case(
        "fit_noise with no targets of two outputs",
        lambda: fit(heads("list"), X[:6], [None, None]),
        ValueError,
        ["'y' must be targets of at least one output", "[None, None]"],
    ),
    Case(
        "fit_noise with targets of one output of two",
        lambda: fit(heads("list"), X[:6], Y),
        ValueError,
        ["'y' must be None or a list"],
    ),
    Case(
        "fit_noise with a dataset of inputs",
        lambda: fit(linear(), Inputs()),
        ValueError,
        ["'x' must hold the targets if it is a dataset", "batches (x, y)"],
    ),
    Case(
        "fit_noise with a dataset and targets",
        lambda: fit(linear(), Inputs(), Y),
        ValueError,
        ["'y' must be None, because 'x' is a dataset"],
    ),
]
CASES = NOISE_STDS + LOG_VARIANCES + FITS


class Inputs(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X[:6]


def unequal_heads():
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.5)(inputs)
    outputs = [keras.layers.Dense(units)(hidden) for units in (2, 1)]
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_noise_is_refused(case):
    assert_refused(case)


def test_every_argument_has_a_case():
    assert not arguments_without_case([kdropout.fit_noise], CASES)
