"""Mean, variance and independence of the samples, against closed forms.

With dropout on the inputs of a linear map, `y = sum(w x m / (1 - p))` has the mean
`sum(w x)` and the variance `p / (1 - p) sum((w x) ** 2)`. All bounds are five standard
errors.
"""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers
from kdropout.inference import sampler
from tests.tools import numpy

SIGMAS = 5
RATES = [0.5, *(pytest.param(rate, marks=pytest.mark.slow) for rate in (0.1, 0.9))]
SAMPLES = 2000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 8)).astype("float32")


def predict(model, x=X, num_samples=SAMPLES, seed=1, **kwargs):
    kwargs = {"return_samples": True, "verbose": 0, **kwargs}
    return kdropout.mc_predict(model, x, num_samples, seed=seed, **kwargs)


def linear(dropout, units=3):
    dense = keras.layers.Dense(units, bias_initializer="ones")
    return keras.Sequential([keras.Input((8,)), dropout, dense])


def moments(model, rate, x=X):
    """Return mean and variance of `linear` in closed form."""
    kernel = numpy(model.layers[-1].kernel).astype("float64")
    return x @ kernel + 1, rate / (1 - rate) * x.astype("float64") ** 2 @ kernel**2


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    "kind",
    [
        layers.Dropout,
        layers.GaussianDropout,
        # DropConnect has one mask for the whole batch, so the samples are drawn one by
        # one.
        pytest.param(
            lambda rate: layers.Dropout(rate, noise_shape=(1, None)),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_linear_model_has_the_moments_of_the_closed_form(kind, rate, assert_moments):
    model = linear(kind(rate))
    assert_moments(predict(model), *moments(model, rate))


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_drop_connect_has_the_moments_of_the_closed_form(rate, assert_moments):
    dense = keras.layers.Dense(3, bias_initializer="ones")
    model = keras.Sequential([keras.Input((8,)), layers.DropConnect(dense, rate)])
    kernel = numpy(dense.kernel)
    variance = rate / (1 - rate) * X.astype("float64") ** 2 @ kernel**2
    assert_moments(predict(model), X @ kernel + 1, variance)


@pytest.mark.parametrize("batch_size", [1, 3, 5, 64])
def test_batch_size_does_not_change_the_distribution(batch_size, assert_moments):
    model = linear(layers.Dropout(0.4))
    assert_moments(predict(model, batch_size=batch_size), *moments(model, 0.4))


def test_many_small_passes_give_the_same_distribution(assert_moments, monkeypatch):
    monkeypatch.setattr(sampler, "_MAX_NUMBERS", 8 * 5 * 16)  # 16 samples per pass
    model = linear(layers.Dropout(0.4), units=2)
    prediction = predict(model, num_samples=1001)  # the last pass draws too many
    assert prediction.samples.shape == (1001, 5, 2)
    assert_moments(prediction, *moments(model, 0.4))
    assert len(np.unique(prediction.samples[:, 0, 0])) > 2**8 * 0.9


def test_batch_normalization_is_in_inference_mode(assert_moments):
    normalization = keras.layers.BatchNormalization(epsilon=0.5)
    inputs = keras.Input((8,))
    dense = keras.layers.Dense(3, use_bias=False)
    outputs = normalization(dense(layers.Dropout(0.5)(inputs)))
    model = keras.Model(inputs, outputs)
    mean, variance = np.array([[1.0, -2.0, 3.0], [0.5, 1.5, 3.5]])
    gamma, beta = np.array([[2.0, 1.0, -1.0], [0.0, 3.0, 1.0]])
    normalization.set_weights([gamma, beta, mean, variance])
    kernel, scale = numpy(dense.kernel), gamma / np.sqrt(variance + 0.5)
    expected = (X @ kernel - mean) * scale + beta
    assert_moments(predict(model), expected, X**2 @ kernel**2 * scale**2)


def test_residual_network_has_the_moments_of_the_closed_form(assert_moments):
    rates = 0.3, 0.6
    inputs = outputs = keras.Input((8,))
    blocks = [keras.layers.Dense(8, use_bias=False) for _ in rates]
    for rate, block in zip(rates, blocks, strict=True):
        outputs = outputs + block(layers.Dropout(rate)(outputs))
    model = keras.Model(inputs, outputs)
    first, second = (numpy(block.kernel).astype("float64") for block in blocks)
    odds = [rate / (1 - rate) for rate in rates]
    hidden = X + X @ first
    covariance = odds[0] * np.einsum("bi,ij,ik->bjk", X**2, first, first)
    mix = np.eye(8) + second
    # By the law of total variance, the second block adds to the variance of the first.
    seen = np.einsum("bjk,jl,kl->bl", covariance, mix, mix)
    square = hidden**2 + np.einsum("bjj->bj", covariance)
    assert_moments(predict(model), hidden @ mix, seen + odds[1] * square @ second**2)


def correlations(samples):
    """Correlate the columns; return values off the diagonal in standard errors."""
    matrix = np.corrcoef(samples, rowvar=False)
    return matrix[np.triu_indices(len(matrix), 1)] * np.sqrt(len(samples))


def test_rows_of_a_batch_are_independent():
    samples = predict(linear(layers.Dropout(0.5), units=1)).samples[..., 0]
    assert np.abs(correlations(samples)).max() < SIGMAS


@pytest.mark.parametrize(
    "samples_per_pass", [pytest.param(1, marks=pytest.mark.slow), 7, SAMPLES]
)
def test_samples_of_a_row_are_independent(samples_per_pass, monkeypatch):
    monkeypatch.setattr(sampler, "_MAX_NUMBERS", 8 * 2 * samples_per_pass)
    samples = predict(linear(layers.Dropout(0.5), units=1), X[:2]).samples[..., 0]
    for lag in (1, 2, 6, 7, 8):
        for column in samples.T:
            pair = np.corrcoef(column[lag:], column[:-lag])[0, 1]
            assert abs(pair) * np.sqrt(SAMPLES - lag) < SIGMAS, lag


def test_equal_rows_of_other_batches_are_independent():
    rows = np.repeat(X[:1], 6, axis=0)
    model = linear(layers.Dropout(0.5), units=1)
    samples = predict(model, rows, batch_size=2).samples[..., 0]
    assert np.abs(correlations(samples)).max() < SIGMAS


@pytest.mark.parametrize("shared", [False, True])
def test_calls_of_layers_are_independent(shared):
    one, other = layers.Dropout(0.5, seed=3), layers.Dropout(0.5, seed=3)
    inputs = keras.Input((8,))
    dense = keras.layers.Dense(1)
    parts = [dense(one(inputs)), dense((one if shared else other)(inputs))]
    model = keras.Model(inputs, keras.layers.Concatenate()(parts))
    samples = predict(model, X[:1]).samples[:, 0]
    assert np.abs(correlations(samples)).max() < SIGMAS


def test_two_seeds_draw_independent_samples():
    model = linear(layers.Dropout(0.5), units=1)
    pairs = [predict(model, X[:1], seed=seed).samples[:, 0, 0] for seed in (1, 2, 3)]
    assert np.abs(correlations(np.stack(pairs, axis=1))).max() < SIGMAS


def largest_distance(first, second):
    """Return Kolmogorov and Smirnov's distance times `sqrt(n m / (n + m))`."""
    values = np.sort(np.concatenate([first, second]))
    shares = [
        np.searchsorted(np.sort(samples), values, side="right") / len(samples)
        for samples in (first, second)
    ]
    size = len(first) * len(second) / (len(first) + len(second))
    return np.abs(shares[0] - shares[1]).max() * np.sqrt(size)


@pytest.mark.slow
def test_convolutional_net_has_the_distribution_of_the_usual_loop():
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for _ in range(2):
        model.add(keras.layers.Conv2D(4, 3, activation="relu"))
        model.add(layers.Dropout(0.4))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3))
    x = RNG.normal(size=(3, 8, 8, 1)).astype("float32")
    usual = np.stack([numpy(model(x, training=True)) for _ in range(200)])
    ours = predict(model, x, num_samples=1500).samples
    errors = np.sqrt(usual.var(0) / len(usual) + ours.var(0) / len(ours))
    assert np.abs((usual.mean(0) - ours.mean(0)) / errors).max() < SIGMAS
    squares = [(s - s.mean(0)) ** 2 for s in (usual, ours)]
    errors = np.sqrt(sum(s.var(0) / len(s) for s in squares))
    assert np.abs((squares[0].mean(0) - squares[1].mean(0)) / errors).max() < SIGMAS
    # Q(d) = 2 exp(-2 d^2) is as likely as five standard deviations: 5.7e-7.
    pairs = zip(usual.reshape(200, 9).T, ours.reshape(1500, 9).T, strict=True)
    for first, second in pairs:
        assert largest_distance(first, second) < 2.75
