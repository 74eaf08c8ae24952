"""The GPU kernels agree with the formulas; without a GPU, Triton interprets them.

TRITON_INTERPRET=1 KERAS_BACKEND=torch pytest tests/noise/test_triton_kernels.py
"""

import os

import numpy as np
import pytest
from keras import ops

from kdropout import layers, noise
from tests.noise.tools import (
    BACKEND,
    DTYPES,
    HALF,
    ON_CPU,
    drop_probability,
    gradient,
    numbers,
    numpy,
    rate_tensor,
    seed_tensor,
)

if BACKEND != "torch" or (ON_CPU and os.environ.get("TRITON_INTERPRET") != "1"):
    pytest.skip("PyTorch, and a GPU or TRITON_INTERPRET=1", allow_module_level=True)
torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from kdropout.noise import on_torch, on_torch_gpu  # noqa: E402

# The interpreter computes in NumPy, which warns of overflow; a GPU does not.
pytestmark = pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")

RATES = (1e-7, 0.001, 0.3, 0.5, 0.9, 1 - 2.0**-24)
SIZE = 5000  # two and a half programs
MASK = np.uint64(2**32 - 1)

each_dtype = pytest.mark.parametrize("dtype", (*DTYPES, "float64"))


@pytest.fixture(autouse=True)
def _drawn_by_kernels(monkeypatch):
    monkeypatch.setattr(on_torch, "_kernels", lambda seed: on_torch_gpu)


def philox(key, counters):
    """Compute four words of each counter by the paper: Philox 4x32 with 10 rounds."""
    x = [np.asarray(counters, "uint64"), *[np.zeros(len(counters), "uint64")] * 3]
    keys = [np.uint64(key[1]), np.uint64(key[0])]  # the call is the lower word
    for _ in range(10):
        product0 = x[0] * np.uint64(0xD2511F53)
        product1 = x[2] * np.uint64(0xCD9E8D57)
        x = [
            (product1 >> np.uint64(32)) ^ x[1] ^ keys[0],
            product1 & MASK,
            (product0 >> np.uint64(32)) ^ x[3] ^ keys[1],
            product0 & MASK,
        ]
        keys[0] = (keys[0] + np.uint64(0x9E3779B9)) & MASK
        keys[1] = (keys[1] + np.uint64(0xBB67AE85)) & MASK
    return x


def expected_words(size, seed, call):
    programs = -(-size // 2048)
    words = philox((seed, call), np.arange(512 * programs))
    # A program stores the first words of all its counters, then the second words.
    return np.stack([w.reshape(programs, 512) for w in words], 1).ravel()[:size]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("seed", "call"), [(1, 0), (1, 1), (2**31 - 2, 3)])
def test_unit_is_dropped_where_the_philox_word_is_below_the_rate(rate, seed, call):
    keep, _ = noise.bernoulli((SIZE,), rate_tensor(rate), seed_tensor(seed, call))
    below = expected_words(SIZE, seed, call) / 2.0**32 < drop_probability(rate)
    assert np.array_equal(numpy(keep), ~below)


@pytest.mark.parametrize("rate", RATES)
def test_scale_is_the_inverse_of_the_keep_probability(rate):
    _, scale = noise.bernoulli((3,), rate_tensor(rate), seed_tensor())
    exact = np.float32(1 / (1 - drop_probability(rate)))
    assert scale.shape == () and numpy(scale) == exact


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("rate", RATES[1:-1])
def test_mean_scale_in_half_precision_is_exact(rate, dtype):
    arguments = (2**17,), rate_tensor(rate), seed_tensor(), dtype
    keep, scale = map(numpy, noise.bernoulli(*arguments))
    kept = scale[keep]
    exact = 1 / (1 - drop_probability(rate))
    spacing = 2.0 ** (np.floor(np.log2(exact)) - {"bfloat16": 7, "float16": 10}[dtype])
    assert (abs(kept - exact) < spacing).all()
    # The bound is five sigma of a mean of two neighbours.
    assert abs(kept.mean() - exact) <= 2.5 * spacing / np.sqrt(len(kept))


@each_dtype
@pytest.mark.parametrize(("rate", "wanted"), [(0.0, 1.0), (1.0, 0.0), (np.nan, np.nan)])
def test_rates_zero_and_one_give_all_units_the_same_fate(rate, wanted, dtype):
    keep, scale = noise.bernoulli((SIZE,), rate_tensor(rate), seed_tensor(), dtype)
    assert (numpy(keep) == (rate != 1.0)).all()
    assert np.array_equal(numpy(scale), np.full(scale.shape, wanted), equal_nan=True)
    x = ops.ones((SIZE,), dtype)
    outputs = noise.dropout(x, (SIZE,), rate_tensor(rate), seed_tensor())
    assert np.array_equal(numpy(outputs), np.full(SIZE, wanted), equal_nan=True)


@each_dtype
@pytest.mark.parametrize("mask_shape", [(70, 40), (70, 1), (1, 40)])
def test_outputs_and_gradient_follow_the_mask(mask_shape, dtype):
    # A power of two times a scale is exact, so the interpreter need not round.
    x = ops.convert_to_tensor(np.sign(numbers(70, 40)), dtype)
    x[0, :4] = torch.tensor([np.inf, -np.inf, np.nan, -0.0])
    of_outputs = ops.convert_to_tensor(2 * np.sign(numbers(70, 40, seed=1)), dtype)
    arguments = mask_shape, rate_tensor(0.3), seed_tensor()
    y, of_x = gradient(lambda x: noise.dropout(x, *arguments), x, of_outputs)
    keep, scale = map(numpy, noise.bernoulli(*arguments, dtype))
    with np.errstate(invalid="ignore"):
        wanted = np.where(keep, numpy(x) * scale, 0.0)
    assert y.dtype == of_x.dtype == x.dtype
    assert np.array_equal(numpy(y), wanted, equal_nan=True)
    assert np.array_equal(numpy(of_x), np.where(keep, numpy(of_outputs) * scale, 0.0))


def test_inputs_may_have_any_memory_order():
    x = ops.convert_to_tensor(numbers(40, 70), "float32")
    arguments = (70, 40), rate_tensor(0.3), seed_tensor()
    outputs = noise.dropout(x.T, *arguments)
    assert torch.equal(outputs, noise.dropout(x.T.contiguous(), *arguments))


def test_gradient_has_a_gradient_and_samples_share_a_mask():
    arguments = (40,), rate_tensor(0.3), seed_tensor()
    x = ops.convert_to_tensor(numbers(40), "float64").requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: noise.dropout(x, *arguments) ** 3, x)
    batch = ops.convert_to_tensor(numbers(3, 40), "float64")
    mapped = torch.func.vmap(lambda x: noise.dropout(x, *arguments))(batch)
    keep, scale = noise.bernoulli(*arguments, "float64")
    assert torch.equal(mapped, torch.where(keep, batch * scale, 0.0))


def test_later_change_of_the_rate_does_not_change_the_gradient():
    rate = rate_tensor(0.3)
    x = torch.ones(SIZE, device=rate.device, requires_grad=True)
    outputs = noise.dropout(x, (SIZE,), rate, seed_tensor())
    rate.fill_(0.9)
    (of_x,) = torch.autograd.grad(outputs.sum(), x)
    assert torch.equal(of_x, outputs)


@pytest.mark.parametrize("shape", [(), (0, 5), (3, 5, 7)])
def test_mask_has_the_given_shape(shape):
    keep, scale = noise.bernoulli(shape, rate_tensor(0.3), seed_tensor(), "float16")
    assert keep.shape == scale.shape == shape
    outputs = noise.dropout(ops.ones(shape), shape, rate_tensor(0.3), seed_tensor())
    assert outputs.shape == shape


def test_uniform_and_normal_numbers_have_their_moments():
    u, n = (
        numpy(draw((10**5,), seed_tensor())) for draw in (noise.uniform, noise.normal)
    )
    assert np.array_equal(u, (expected_words(10**5, 1, 0) >> np.uint64(8)) / 2.0**24)
    assert 0.0 <= u.min() and u.max() < 1.0
    # Five standard errors of mean and variance.
    assert abs(n.mean()) < 5 / np.sqrt(10**5)
    assert abs(n.var() - 1.0) < 5 * np.sqrt(2 / 10**5)


def test_layer_draws_with_the_kernels():
    layer = layers.Dropout(0.3, seed=1)
    outputs = numpy(layer(np.ones((50, 100), "float32"), training=True))
    below = expected_words(5000, 1, 0) / 2.0**32 < drop_probability(0.3)
    assert np.array_equal(outputs == 0.0, below.reshape(50, 100))
