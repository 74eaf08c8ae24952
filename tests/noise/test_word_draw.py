"""Masks on accelerators, where random bits are cheap, take a word for each unit."""

import numpy as np
import pytest
from keras import ops

from tests.noise.test_masks import RATES
from tests.noise.tools import (
    BACKEND,
    HALF,
    bernoulli,
    drop_probability,
    numpy,
    seed_tensor,
)

if BACKEND != "jax":
    pytest.skip("JAX draws words, on an accelerator", allow_module_level=True)

from kdropout.noise import on_jax  # noqa: E402


@pytest.fixture(autouse=True)
def _on_an_accelerator(monkeypatch):
    monkeypatch.setattr(on_jax, "_on_cpu", lambda: False)


@pytest.fixture
def every_word(monkeypatch):
    """Replaces random words by each of the 2^24 different ones, once."""
    words = ops.convert_to_tensor(np.arange(2**24, dtype="uint32") << 8)
    monkeypatch.setattr(on_jax.jax.random, "bits", lambda *_: words)


@pytest.mark.usefixtures("every_word")
@pytest.mark.parametrize("rate", (0.0, *RATES, 1.0))
def test_share_dropped_over_all_words_is_the_rate(rate):
    keep, _ = bernoulli((2**24,), rate)
    assert np.count_nonzero(~numpy(keep)) == drop_probability(rate) * 2**24


@pytest.mark.usefixtures("every_word")
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("rate", (0.001, 1 / 3, 0.9))
def test_mean_scale_over_all_words_is_exact(rate, dtype):
    keep, scale = bernoulli((2**24,), rate, dtype=dtype)
    scales, times = np.unique(numpy(scale)[numpy(keep)], return_counts=True)
    # The share of the second scale is rounded to a multiple of 2^-24.
    error = abs(np.dot(scales, times) / 2**24 - 1)
    assert error <= 2.0**-25 * np.ptp(scales) + 2.0**-24
    assert len(scales) <= 2


def test_each_unit_has_a_word_of_the_jax_generator():
    seed = seed_tensor()
    words = numpy(on_jax.jax.random.bits(seed.astype("uint32"), (10**5,), "uint32"))
    assert abs(words.mean() / 2**32 - 0.5) < 5 / np.sqrt(12 * 10**5)
    dropped = ~numpy(bernoulli((10**5,), 0.3)[0])
    assert np.array_equal(dropped, words / 2**32 < drop_probability(0.3))
