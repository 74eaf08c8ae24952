"""The mask of DropBlock agrees with loops over blocks and units in NumPy."""

import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import layers, noise
from kdropout._block_mask import block_mask, start_probability
from tests.tools import numpy

# Shapes of a map and a block: odd, even, rectangular, and blocks as large as the map or
# larger.
MAPS = [
    ((16,), (7,)),
    ((9,), (4,)),
    ((5,), (5,)),
    ((4,), (6,)),
    ((10, 10), (3, 3)),
    ((13, 6), (4, 4)),
    ((5, 12), (2, 5)),
    ((4, 9), (7, 3)),
    ((3, 4), (7, 7)),
    ((30, 30), (15, 14)),
    ((6, 6, 6), (3, 3, 3)),
    ((7, 4, 5), (2, 3, 4)),
]
RATES = [1e-6, 1e-3, 0.05, 0.1, 0.3, 0.5, 0.9, 0.99, 0.999, 1 - 1e-5]


def places(sizes, block):
    """Return where a block may start, and its length along each axis."""
    block = [min(size, length) for size, length in zip(sizes, block, strict=True)]
    axes = [range(size - b + 1) for size, b in zip(sizes, block, strict=True)]
    return list(itertools.product(*axes)), block


def box(start, block):
    return tuple(slice(s, s + b) for s, b in zip(start, block, strict=True))


@functools.cache
def num_covers(sizes, block):
    """Return how many blocks can cover each unit of the map."""
    count = np.zeros(sizes)
    starts, block = places(sizes, block)
    for start in starts:
        count[box(start, block)] += 1
    return count


def share_dropped(start_rate, sizes, block):
    """A unit is kept if none of the blocks that can cover it starts."""
    return -np.mean(np.expm1(np.log1p(-start_rate) * num_covers(sizes, block)))


def bisected_start_rate(rate, sizes, block):
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        if share_dropped(middle, sizes, block) < rate:
            low = middle
        else:
            high = middle
    return high


def gamma(rate, sizes, block):
    """Ghiasi et al. 2018, equation 1, for a map and a block of any shape."""
    block = np.minimum(sizes, block)
    return rate * np.prod(sizes) / (np.prod(block) * np.prod(sizes - block + 1))


def covered(begins, sizes, block):
    """Grow each 1 in `begins`, of shape (batch, *places, channels), to a block by a
    loop.
    """
    starts, block = places(sizes, block)
    mask = np.zeros((len(begins), *sizes, begins.shape[-1]))
    for start in starts:
        here = (slice(None), *start, slice(None))
        for sample, channel in zip(*np.nonzero(begins[here]), strict=True):
            mask[(sample, *box(start, block), channel)] = 1
    return mask


def float32(value):
    return ops.convert_to_tensor(value, "float32")


@pytest.mark.parametrize("sizes, block", MAPS)
def test_start_probability_is_the_root_found_by_bisection(sizes, block):
    for rate in map(float, np.float32(RATES)):
        ours = float(numpy(start_probability(float32(rate), sizes, block)))
        # The bound is four float32 roundings of a share up to the rate.
        error = rate * 2.0**-22
        lowest = bisected_start_rate(rate - error, sizes, block)
        assert lowest <= ours <= bisected_start_rate(rate + error, sizes, block), rate


@pytest.mark.parametrize("sizes, block", MAPS)
def test_start_probability_is_that_of_the_paper_to_first_order(sizes, block):
    ours = float(numpy(start_probability(float32(1e-3), sizes, block)))
    assert ours == pytest.approx(gamma(1e-3, sizes, block), rel=1e-2)
    # The paper neglects overlaps, which are of the order of the rate.
    ours = float(numpy(start_probability(float32(1e-6), sizes, block)))
    assert ours == pytest.approx(gamma(1e-6, sizes, block), rel=1e-5)


@pytest.mark.parametrize("rate, dropped", [(0.1, 0.094), (0.5, 0.37)])
def test_formula_of_the_paper_drops_less_than_the_rate(rate, dropped):
    sizes, block = (28, 28), (7, 7)
    papers = gamma(rate, sizes, block)
    assert share_dropped(papers, sizes, block) == pytest.approx(dropped, abs=5e-3)
    ours = float(numpy(start_probability(float32(rate), sizes, block)))
    assert share_dropped(ours, sizes, block) == pytest.approx(rate, rel=1e-6)
    assert ours > papers


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_start_probability_is_exact_at_the_ends(rate):
    for sizes, block in MAPS[::3]:
        assert float(numpy(start_probability(float32(rate), sizes, block))) == rate


def numpy_mask(sizes, block, rate, seed):
    """Build the mask of 20 samples and 3 channels from the starts of `block_mask`."""
    _, clamped = places(sizes, block)
    axes = [size - b + 1 for size, b in zip(sizes, clamped, strict=True)]
    start_rate = float32(bisected_start_rate(rate, sizes, block))
    no_begins, _ = noise.bernoulli((20, *axes, 3), start_rate, seed)
    return covered(~numpy(no_begins), sizes, block)


@pytest.mark.parametrize("sizes, block", MAPS)
def test_mask_is_the_area_that_the_blocks_cover(sizes, block):
    for rate in (0.1, 0.6):
        seed = keras.random.SeedGenerator(7).next()
        mask = numpy(block_mask((20, *sizes, 3), block, float32(rate), seed))
        np.testing.assert_array_equal(mask, numpy_mask(sizes, block, rate, seed))
        assert 0 < mask.mean() < 1


@pytest.mark.parametrize(
    "layer, sizes, block",
    [
        (layers.DropBlock1D, (9,), (4,)),
        (layers.DropBlock2D, (5, 12), (2, 5)),
        (layers.DropBlock3D, (7, 4, 5), (2, 3, 4)),
    ],
)
def test_layer_drops_the_area_that_the_blocks_cover(layer, sizes, block):
    ones = np.ones((20, *sizes, 3), "float32")
    outputs = numpy(layer(0.3, block, seed=7)(ones, training=True))
    seed = keras.random.SeedGenerator(7).next()
    wanted = numpy_mask(sizes, block, 0.3, seed)
    np.testing.assert_array_equal(outputs == 0, wanted)


def test_unit_is_dropped_as_often_as_blocks_can_cover_it():
    sizes, block, rate, maps = (9, 6), (4, 3), 0.3, 20_000
    seed = keras.random.SeedGenerator(1).next()
    mask = numpy(block_mask((maps, *sizes, 1), block, float32(rate), seed))
    start_rate = bisected_start_rate(rate, sizes, block)
    wanted = 1 - (1 - start_rate) ** num_covers(sizes, block)
    # Maps are independent, so the drops of a unit follow the binomial.
    deviation = np.sqrt(wanted * (1 - wanted) / maps)
    off = (mask.mean((0, -1)) - wanted) / deviation
    assert np.abs(off).max() < 5


@pytest.mark.parametrize("sizes, block", MAPS[1::4])
def test_relaxed_mask_approaches_blocks_as_the_temperature_falls(sizes, block):
    seed = keras.random.SeedGenerator(3).next()
    soft, hard = (
        numpy(block_mask((50, *sizes, 2), block, float32(0.4), seed, temperature))
        for temperature in (1.0, 1e-4)
    )
    assert ((soft >= 0) & (soft <= 1)).all()
    assert 0.01 < np.mean((soft > 0.05) & (soft < 0.95))
    # The units in between are those whose start drew a number within 1e-3 of the rate.
    assert np.mean((hard > 1e-3) & (hard < 1 - 1e-3)) < 0.05
    np.testing.assert_array_equal(hard > 0.5, soft > 0.5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="JAX and PyTorch know all sizes when they run",
)
def test_sizes_may_be_unknown_while_tracing():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((4,), "int32")])
    def traced(shape):
        shape = tuple(tf.unstack(shape))
        return block_mask(shape, (4, 3), float32(0.3), seed)

    for sizes in [(13, 6), (4, 3), (3, 9), (2, 2)]:
        seed = keras.random.SeedGenerator(5).next()
        shape = (30, *sizes, 2)
        known = block_mask(shape, (4, 3), float32(0.3), seed)
        np.testing.assert_array_equal(numpy(traced(shape)), numpy(known))
