"""On PyTorch, transforming, compiling and differentiating twice keep the results."""

import shutil

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import layers, noise
from tests.noise.tools import DTYPES, HALF, bernoulli, numbers, numpy

if keras.backend.backend() != "torch":
    pytest.skip("what PyTorch alone has", allow_module_level=True)
torch = pytest.importorskip("torch")

SHAPE = (6, 50)

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_mask = pytest.mark.parametrize("mask_shape", [SHAPE, (6, 1)])


def tensor(values, dtype="float64"):
    return ops.convert_to_tensor(values, dtype)  # on the device of Keras


def dropping(mask_shape, dtype="float64", seed=1):
    """Return `drop_units` as a function of the inputs, and the factor it represents."""
    keep, scale = bernoulli(mask_shape, 0.3, seed, dtype)
    factor = tensor(np.where(numpy(keep), numpy(scale), 0.0), dtype)
    return lambda x: noise.drop_units(x, keep, scale), factor


@each_mask
def test_derivatives_agree_with_differences(mask_shape):
    function, _ = dropping(mask_shape)
    x = tensor(numbers(*SHAPE)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: function(x) ** 3, x)
    assert torch.autograd.gradgradcheck(lambda x: function(x) ** 3, x)


@each_mask
@each_dtype
def test_penalty_of_a_gradient_has_a_gradient(mask_shape, dtype):
    function, factor = dropping(mask_shape, dtype)
    x = tensor(numbers(*SHAPE), dtype).requires_grad_()
    weight = torch.ones_like(x).requires_grad_()
    (of_x,) = torch.autograd.grad((function(x) * weight).sum(), x, create_graph=True)
    (of_weight,) = torch.autograd.grad(of_x.sum(), weight)
    assert torch.equal(of_weight, factor.expand(SHAPE))


@each_mask
def test_transformed_gradients_agree(mask_shape):
    function, factor = dropping(mask_shape)
    x = tensor(numbers(*SHAPE))
    of_x = torch.func.grad(lambda x: (function(x) ** 2).sum())(x)
    torch.testing.assert_close(of_x, 2 * factor**2 * x)


@each_dtype
@each_mask
def test_mapping_over_inputs_that_share_a_mask_agrees(mask_shape, dtype):
    function, factor = dropping(mask_shape, dtype)
    x = tensor(numbers(4, *SHAPE), dtype)
    assert torch.equal(torch.func.vmap(function)(x), x * factor)


@each_mask
def test_per_sample_gradients_agree(mask_shape):
    function, factor = dropping(mask_shape)
    x = tensor(numbers(4, *SHAPE))
    of_each = torch.func.vmap(torch.func.grad(lambda x: (function(x) ** 2).sum()))(x)
    torch.testing.assert_close(of_each, 2 * factor**2 * x)


@each_mask
def test_mapping_over_masks_or_both_agrees(mask_shape):
    masks = [bernoulli(mask_shape, 0.3, seed) for seed in range(4)]
    keep, scale = torch.stack([keep for keep, _ in masks]), masks[0][1]
    x = tensor(numbers(4, *SHAPE), "float32")
    both = torch.func.vmap(lambda x, keep: noise.drop_units(x, keep, scale))(x, keep)
    assert torch.equal(both, torch.where(keep, x * scale, 0.0))
    one = torch.func.vmap(lambda keep: noise.drop_units(x[0], keep, scale))(keep)
    assert torch.equal(one, torch.where(keep, x[0] * scale, 0.0))


@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))),
    reason="torch.compile needs a C++ compiler",
)
# torch.compile fails where PyTorch's own warnings are errors.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("noise_shape", "dtype"),
    [
        (None, "float32"),
        ((None, 1), "float32"),
        *((None, dtype) for dtype in HALF),
    ],
)
def test_compiled_layer_equals_the_eager_layer(noise_shape, dtype):
    eager, other = (
        layers.Dropout(0.3, noise_shape=noise_shape, seed=1, dtype=dtype)
        for _ in range(2)
    )
    other.build(SHAPE)
    compiled = torch.compile(lambda x: other(x, training=True))
    for rate in (0.3, 0.8, 0.0, 1.0, 0.5):
        eager.rate = other.rate = rate
        x, y = (tensor(numbers(*SHAPE), dtype).requires_grad_() for _ in range(2))
        wanted, outputs = eager(x, training=True), compiled(y)
        assert torch.equal(outputs, wanted)
        of_outputs = tensor(numbers(*SHAPE, seed=1), dtype)
        wanted.backward(of_outputs)
        outputs.backward(of_outputs)
        assert torch.equal(y.grad, x.grad)
