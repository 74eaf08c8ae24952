"""Entropy and mutual information agree with NumPy."""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers
from kdropout.inference.prediction import Collector, Moments

X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def predict(activation, shape=(4,), units=3, dtype=None, num_samples=40):
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Dropout(0.5, dtype=dtype),
            keras.layers.Dense(units, activation=activation, dtype=dtype),
        ]
    )
    x = np.broadcast_to(X.reshape(5, *[1] * (len(shape) - 1), 4), (5, *shape))
    return kdropout.mc_predict(model, x, num_samples, seed=1, return_samples=True)


def entropy(*shares):
    """Compute `-sum(p log p)` in nats."""
    shares = np.asarray(shares, "float64")
    return -np.sum(shares * np.log(np.maximum(shares, 1e-300)), axis=0)


@pytest.mark.parametrize("shape, units", [((4,), 3), ((6, 4), 2)])
def test_softmax_outputs_are_classes_along_the_last_axis(shape, units):
    prediction = predict("softmax", shape, units)
    total = entropy(*np.moveaxis(prediction.mean, -1, 0))
    expected = entropy(*np.moveaxis(prediction.samples, -1, 0)).mean(axis=0)
    assert prediction.entropy.shape == (5, *shape[:-1])
    np.testing.assert_allclose(prediction.entropy, total, rtol=1e-4)
    information = prediction.mutual_information
    np.testing.assert_allclose(information, total - expected, rtol=1e-3, atol=1e-6)
    assert (information > 0).all()


@pytest.mark.parametrize("units", [1, 3])
def test_each_sigmoid_output_is_a_binary_choice(units):
    prediction = predict("sigmoid", units=units)
    mean, samples = prediction.mean, prediction.samples.astype("float64")
    total, expected = entropy(mean, 1 - mean), entropy(samples, 1 - samples).mean(0)
    np.testing.assert_allclose(prediction.entropy, total, rtol=1e-4)
    information = prediction.mutual_information
    np.testing.assert_allclose(information, total - expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_regression_has_no_entropy(activation):
    prediction = predict(activation)
    assert prediction.entropy is None
    assert prediction.mutual_information is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_bfloat16"])
@pytest.mark.parametrize("units", [10, 50])
def test_rounded_probabilities_are_still_classes(dtype, units):
    # In bfloat16, with steps of 2^-8, the sum of 10 is off by up to 0.005 on JAX.
    prediction = predict("softmax", units=units, dtype=dtype)
    assert prediction.entropy.shape == (5,)
    total = entropy(*prediction.mean.astype("float64").T)
    np.testing.assert_allclose(prediction.entropy, total, rtol=1e-4)


def collected(*batches, **arguments):
    """Collect a prediction from batches of samples that arrive in two groups each."""
    collector = Collector(return_samples=False, **arguments)
    for samples in batches:
        for group in (slice(2), slice(2, None)):
            collector.add(keras.tree.map_structure(lambda a, g=group: a[g], samples))
        collector.end_batch()
    return collector.result()


SAMPLES = np.random.default_rng(0).dirichlet(np.ones(3), (5, 4))


@pytest.mark.parametrize(
    ("row", "which"),
    [
        (np.nan, slice(None)),
        (np.nan, 3),  # in one sample of five
        ([np.nan, 0.5, 0.5], 3),
        (np.inf, slice(None)),
        (0.0, slice(None)),
    ],
)
def test_row_of_nan_does_not_change_the_entropy_of_the_others(row, which):
    samples = SAMPLES.copy()
    samples[which, 1] = row
    expected, prediction = collected(SAMPLES), collected(samples)
    for name in ("entropy", "mutual_information"):
        received, right = getattr(prediction, name), getattr(expected, name).copy()
        right[1] = np.nan
        np.testing.assert_array_equal(received, right)


def test_batch_of_nan_does_not_change_the_entropy_of_the_others():
    for order in (1, -1):
        prediction = collected(*[SAMPLES, SAMPLES * np.nan][::order])
        entropies = np.split(prediction.entropy, 2)[::order]
        np.testing.assert_array_equal(entropies[0], collected(SAMPLES).entropy)
        assert np.isnan(entropies[1]).all()


def test_nan_units_of_a_row_stay_nan_and_the_others_keep_their_values():
    samples = SAMPLES * 0.9
    expected = collected(samples).entropy.copy()
    samples[:, 1] = expected[1] = np.nan
    prediction = collected(samples)
    np.testing.assert_array_equal(prediction.entropy, expected)
    assert np.isnan(prediction.mutual_information).any(axis=-1).tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_padding_steps_of_zeros_have_no_entropy():
    samples = np.repeat(SAMPLES[:, :, None], 3, axis=2)
    samples[:, 2, 1:] = 0.0
    missing = np.isnan(collected(samples).entropy)
    assert missing.sum() == 2
    assert missing[2, 1:].all()


@pytest.mark.parametrize("row", [[0.7, 0.7, 0.0], [-1.0, 1.0, 1.0], [5.0, 1.0, 2.0]])
def test_outputs_without_a_distribution_are_not_classes(row):
    samples = SAMPLES.copy()
    samples[:, 1] = row
    entropy = collected(samples).entropy
    assert entropy.shape == (4, 3) if max(row) < 1 else entropy is None


def test_regression_with_nan_has_no_entropy():
    samples = 3 * SAMPLES
    samples[:, 1] = np.nan
    assert collected(samples).entropy is None
    assert collected(SAMPLES * np.nan).entropy is None


def test_each_output_is_judged_separately():
    samples = SAMPLES.copy()
    samples[:, 1] = np.nan
    prediction = collected({"classes": samples, "sizes": 3 * SAMPLES})
    assert np.isnan(prediction.entropy["classes"]).sum() == 1
    assert prediction.entropy["sizes"] is None


def test_certain_classes_have_entropy_0():
    moments = Moments()
    moments.add(np.eye(3)[[[0, 1, 2], [0, 1, 2]]])
    assert moments.are_classes
    np.testing.assert_array_equal(moments.class_entropy, 0.0)


def test_moments_of_groups_equal_those_of_all_samples():
    # With a mean of 1e6, a difference of squares would cancel the variance.
    samples = np.random.default_rng(0).normal(1e6, 1e-2, (20, 3, 2))
    moments = Moments()
    for group in (samples[:1], samples[1:8], samples[8:]):
        moments.add(group)
    np.testing.assert_allclose(moments.mean, samples.mean(0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance(), samples.var(0), rtol=1e-6)


def test_one_sample_has_variance_0():
    prediction = predict("softmax", num_samples=1)
    np.testing.assert_array_equal(prediction.variance, 0.0)
    np.testing.assert_allclose(prediction.mutual_information, 0.0, atol=1e-6)


def channels_first(samples):
    """Put the classes, on the last axis, after the rows."""
    return np.moveaxis(samples, -1, 2)


MAPS = np.random.default_rng(0).dirichlet(np.ones(3), (5, 4, 2, 6))


@pytest.mark.parametrize("axis", [1, -3, np.int64(1)])
def test_classes_on_another_axis_have_the_entropy_of_the_last(axis):
    expected = collected(MAPS)
    prediction = collected(channels_first(MAPS), class_axis=axis)
    assert prediction.entropy.shape == (4, 2, 6)
    for name in ("entropy", "mutual_information"):
        np.testing.assert_allclose(
            getattr(prediction, name), getattr(expected, name), rtol=1e-5, atol=1e-6
        )
    # Along the last axis, they are numbers in [0, 1].
    assert collected(channels_first(MAPS)).entropy.shape == (4, 3, 2, 6)


def test_classes_on_another_axis_may_be_broken_or_padded():
    samples = channels_first(MAPS).copy()
    samples[3, 1, 0, 1, 2] = np.nan
    samples[:, 2, :, 0, 0] = 0.0
    entropy = collected(samples, class_axis=1).entropy
    assert np.argwhere(np.isnan(entropy)).tolist() == [[1, 1, 2], [2, 0, 0]]


def test_units_keep_their_shape_with_another_class_axis():
    samples = 0.5 * channels_first(MAPS)
    prediction = collected(samples, class_axis=1)
    assert prediction.entropy.shape == (4, 3, 2, 6)
    np.testing.assert_array_equal(prediction.entropy, collected(samples).entropy)


@pytest.mark.parametrize("class_axis", [{"maps": 1}, {"maps": 1, "rows": -1}])
def test_each_output_has_its_class_axis(class_axis):
    samples = {"maps": channels_first(MAPS), "rows": SAMPLES}
    prediction = collected(samples, class_axis=class_axis)
    assert prediction.entropy["maps"].shape == (4, 2, 6)
    assert prediction.entropy["rows"].shape == (4,)
    in_order = collected(list(samples.values()), class_axis=[1, None])
    assert [part.shape for part in in_order.entropy] == [(4, 2, 6), (4,)]


def test_a_convolutional_model_has_classes_on_axis_1():
    inputs = keras.Input((3, 4, 4))
    dropped = layers.Dropout(0.5)(inputs)
    model = keras.Model(inputs, keras.layers.Softmax(axis=1)(dropped))
    x = np.ones((2, 3, 4, 4))
    prediction = kdropout.mc_predict(model, x, 5, seed=1, class_axis=1, verbose=0)
    assert prediction.entropy.shape == (2, 4, 4)
    np.testing.assert_allclose(
        prediction.entropy, entropy(*np.moveaxis(prediction.mean, 1, 0)), rtol=1e-4
    )


def test_repr_is_one_short_line():
    names = "mean, variance, entropy, mutual_information"
    assert repr(collected(SAMPLES)) == (
        f"<Prediction of shape (4, 3), 5 samples: {names}>"
    )
    prediction = collected({"a": 3 * SAMPLES, "b": SAMPLES[..., 0]})
    assert repr(prediction) == (
        f"<Prediction of shape {{'a': (4, 3), 'b': (4,)}}, 5 samples: {names}>"
    )
    made = kdropout.Prediction(np.ones(3), np.ones(3), None, None, np.ones((2, 3)))
    assert repr(made) == "<Prediction of shape (3,): mean, variance, samples>"
    assert collected(SAMPLES).num_samples == 5
