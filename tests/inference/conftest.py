"""Fixtures for the tests of `mc_predict`."""

import numpy as np
import pytest

SIGMAS = 5


def deviations(samples, mean, variance):
    """Return by how many standard errors the moments over the first axis are off, at
    most.

    The mean of `T` samples has the variance `variance / T`. Their variance has the
    variance of `(x - mean) ** 2`, which is `fourth moment - variance ** 2`, over `T`.
    """
    spread = (samples - mean) ** 2
    mean_off = (samples.mean(axis=0) - mean) / np.sqrt(variance / len(samples))
    error = spread.std(axis=0) / np.sqrt(len(samples))
    return np.abs(mean_off).max(), np.abs(
        (spread.mean(axis=0) - variance) / error
    ).max()


@pytest.fixture
def assert_moments():
    """Return a check that a prediction with samples has a mean and a variance."""

    def check(prediction, mean, variance):
        samples = np.asarray(prediction.samples, "float64")
        mean_off, variance_off = deviations(samples, mean, variance)
        print(f"mean off {mean_off:.2f}, variance off {variance_off:.2f} sigma")
        assert mean_off < SIGMAS
        assert variance_off < SIGMAS
        # The moments of a prediction are those of its samples.
        np.testing.assert_allclose(prediction.mean, samples.mean(0), rtol=1e-4)
        np.testing.assert_allclose(prediction.variance, samples.var(0), rtol=1e-3)
        np.testing.assert_allclose(prediction.std, samples.std(0), rtol=1e-3)

    return check
