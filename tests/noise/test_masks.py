"""Exact properties of masks: the share of dropped units, and the scales."""

import numpy as np
import pytest
from keras import ops
from scipy import stats

from kdropout import noise
from kdropout.noise import backend
from tests.noise.tools import (
    BACKEND,
    DTYPES,
    HALF,
    bernoulli,
    drop_probability,
    numpy,
    rate_tensor,
    seed_tensor,
)

# Sizes around one and two stretches of each backend.
SIZES = [
    1,
    *(n * width + d for n in (1, 2) for width in (4072, 4096) for d in (-1, 0, 1)),
]
RATES = (1e-7, 1e-4, 0.001, 0.1, 0.25, 1 / 3, 0.5, 0.6, 0.75, 0.9, 0.999, 1 - 2.0**-24)


@pytest.fixture
def every_draw(monkeypatch):
    """Replaces random numbers by each of the 2^24 possible ones, once."""
    dtype = "int32" if BACKEND == "jax" else "uint8"
    bytes_ = ops.reshape(ops.cast(ops.arange(2**8), dtype), (1, -1))
    dither = ops.reshape(ops.arange(2**16, dtype="int32"), (-1, 1))

    class EveryDraw(backend.module.ByteDraw):
        def __init__(self, shape, seed):
            super().__init__(shape, seed)
            self.numbers, self.dither = bytes_, dither

    monkeypatch.setattr(backend.module, "ByteDraw", EveryDraw)


@pytest.mark.parametrize("rate", RATES)
def test_share_dropped_over_all_possible_draws_is_the_rate(rate, every_draw):
    keep, _ = bernoulli((2**24,), rate)
    assert np.count_nonzero(~numpy(keep)) == drop_probability(rate) * 2**24


@pytest.mark.on_one_backend
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("rate", RATES[1:-1])
def test_mean_scale_over_all_possible_draws_is_exact(rate, dtype, every_draw):
    keep, scale = bernoulli((2**24,), rate, dtype=dtype)
    scales, times = np.unique(numpy(scale)[numpy(keep)], return_counts=True)
    mean = np.dot(scales, times) / 2**24
    # The share of the second scale is rounded to a multiple of 2^-24, and it was
    # computed from the exact scale in float32.
    exact = 1 / (1 - drop_probability(rate))
    assert abs(mean - 1) <= 2.0**-25 * np.ptp(scales) + 2.0**-24
    assert scales[0] <= exact <= scales[-1]
    assert len(scales) <= 2


@pytest.mark.parametrize("rate", RATES[:-1])
def test_scale_is_the_inverse_of_the_keep_probability(rate):
    _, scale = bernoulli((3,), rate)
    exact = 1 / (1 - drop_probability(rate))
    assert float(numpy(scale)) == pytest.approx(exact, rel=2.0**-23)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rate", "wanted"), [(0.0, 1.0), (1.0, 0.0)])
def test_rates_zero_and_one_give_all_units_the_same_fate(rate, wanted, dtype):
    for seed in range(20):
        keep, scale = bernoulli((5000,), rate, seed, dtype)
        assert (numpy(keep) == (rate == 0.0)).all()
        assert (numpy(scale) == wanted).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mask_shape", [(30, 200), (30, 1)])
def test_nan_rate_stays_visible(mask_shape, dtype):
    keep, scale = bernoulli(mask_shape, np.nan, dtype=dtype)
    assert np.isnan(numpy(scale)).all()
    outputs = noise.drop_units(ops.ones((30, 200), dtype), keep, scale)
    assert np.isnan(numpy(outputs)).all()
    kept = noise.keep_mask(mask_shape, rate_tensor(np.nan), seed_tensor())
    assert np.isnan(numpy(kept)).all()


@pytest.mark.parametrize("rate", [0.1, 0.8])
def test_mask_depends_only_on_seed_and_call(rate):
    def mask(*seed):
        return numpy(noise.bernoulli((5000,), rate_tensor(rate), seed_tensor(*seed))[0])

    seeds = [(seed, calls) for seed in (0, 1, 2, 2**31 - 2) for calls in (0, 1, 2)]
    masks = {mask(*seed).tobytes() for seed in seeds}
    assert len(masks) == len(seeds)
    assert masks == {mask(*seed).tobytes() for seed in seeds}


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_does_not_change_the_mask(dtype):
    for rate in (0.3, 0.7):
        wanted = numpy(bernoulli((9000,), rate)[0])
        assert np.array_equal(numpy(bernoulli((9000,), rate, dtype=dtype)[0]), wanted)


@pytest.mark.parametrize("size", SIZES)
def test_mask_has_as_many_units_as_its_shape(size):
    keep, _ = bernoulli((size,), 0.5)
    mask = numpy(keep)
    assert mask.shape == (size,) and mask.dtype == bool
    for stretch in np.array_split(mask, 4) if size > 1 else []:
        # The bound is five sigma of the binomial.
        assert abs(stretch.mean() - 0.5) < 5 * 0.5 / np.sqrt(stretch.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(), (1,), (3, 5, 7), (2, 4072), (4073, 2), (0, 5), (5, 0), (0,)]
)
def test_units_are_in_row_major_order_for_every_shape(shape, dtype):
    size = int(np.prod(shape))
    keep, scale = bernoulli(shape, 0.3, dtype=dtype)
    flat_keep, flat_scale = bernoulli((size,), 0.3, dtype=dtype)
    assert np.array_equal(numpy(keep), numpy(flat_keep).reshape(shape))
    if dtype == "float32":
        assert numpy(scale).shape == ()
    else:
        assert np.array_equal(numpy(scale), numpy(flat_scale).reshape(shape))
    outputs = noise.drop_units(ops.ones(shape, dtype), keep, scale)
    assert tuple(outputs.shape) == shape


def test_units_below_a_level_are_below_a_higher_level():
    draw = backend.module.ByteDraw((100, 300), seed_tensor())
    levels = [0, 1, 255, 2**16 - 1, 2**16, 2**16 + 1, 10**6, 2**22, 2**23, 3 * 2**22]
    shares = []
    before = np.zeros((100, 300), bool)
    for level in levels:
        level = ops.convert_to_tensor(level, "float32")
        below = numpy(draw.compare(level))
        assert not (before & ~below).any()
        for wanted in (False, True):
            told = draw.compare(level, below=ops.convert_to_tensor(wanted))
            assert np.array_equal(numpy(told), below == wanted)
        shares.append(below.mean())
        before = below
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.75, abs=5 * np.sqrt(0.75 * 0.25 / 30_000))


def test_random_bytes_are_uniform_and_shared_parts_of_stretches_evenly_spread():
    draw = backend.module.ByteDraw((2**20,), seed_tensor())
    values, dither = numpy(draw.numbers).astype(int).ravel(), numpy(draw.dither)
    assert (
        stats.chisquare(np.bincount(values, minlength=256)).pvalue > 5.7e-7
    )  # 5 sigma
    assert len(values) >= 2**20
    length = 4096 if BACKEND == "jax" else dither.size
    rows = dither.astype(int).reshape(-1, length)
    for row in rows:
        # No two values are in the same 4096th of the 2^16 values.
        assert 0 <= row.min() and row.max() < 2**16
        assert len(np.unique(row // 16)) == len(row) > 4000


@pytest.mark.parametrize(
    ("dtype", "largest"), [("float16", 65504.0), ("bfloat16", 2.0**24)]
)
def test_largest_scale_is_finite(dtype, largest):
    # The exact scale is 2^24, which float16 cannot represent.
    _, scale = bernoulli((100,), 1 - 2.0**-24, dtype=dtype)
    assert (numpy(scale) == largest).all()


def test_shared_part_of_stretches_differs_between_calls():
    pairs = []
    for seed in range(100):
        for calls_before in (0, 1, 2):
            seed_ = seed_tensor(seed, calls_before)
            dither = backend.module.ByteDraw((100,), seed_).dither
            pairs.append(numpy(dither).astype(int).ravel()[:2])
    first, second = np.transpose(pairs)
    # Each bit of a value is set with probability 1/2; five sigma of the binomial.
    bits = first[:, None] >> np.arange(16) & 1
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(len(first))
    # The bits in which neighbours differ show where the sequence began, for any
    # inverted bits. In 300 draws from 4096 values, 289 +- 3 differ.
    assert 274 < len(np.unique(first ^ second)) <= 300
    assert 290 < len(np.unique(first)) <= 300
