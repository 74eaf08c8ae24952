"""Layers within `torch.func`, vectorized Jacobians and forward-mode differentiation."""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers

if keras.backend.backend() != "torch":
    pytest.skip("transforms of PyTorch", allow_module_level=True)

import torch
from torch.autograd import forward_ad

pytestmark = pytest.mark.filterwarnings(
    # PyTorch 2.13 warns about code in its own forward-mode differentiation.
    r"ignore:`torch\.jit\.script` is deprecated:DeprecationWarning"
)

LAYERS = {
    "dropout": lambda: layers.Dropout(0.5),
    "seeded": lambda: layers.Dropout(0.5, seed=1),
    "scheduled": lambda: layers.Dropout(kdropout.schedules.Ramp(0.4, 0.6, 10)),
    "learned": lambda: layers.Dropout(kdropout.LearnedRate(0.5)),
    "gaussian": lambda: layers.GaussianDropout(0.5),
    "alpha": lambda: layers.AlphaDropout(0.5),
    "path": lambda: layers.DropPath(0.5),
    "half": lambda: layers.Dropout(0.5, dtype="float16"),
}
# Their outputs are their inputs times a factor, which is the derivative for ones.
MULTIPLIES = sorted(LAYERS.keys() - {"alpha"})


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]()


@pytest.fixture(params=MULTIPLIES)
def multiplier(request):
    return LAYERS[request.param]()


def ones(layer, *shape):
    return torch.ones(*(shape or (6, 8)), dtype=getattr(torch, layer.compute_dtype))


def call_of(layer):
    """Return the layer in training, and a list of the masks that it draws."""
    drawn = []

    def call(x):
        outputs = layer(x, training=True)
        drawn.append(outputs.detach())
        return outputs

    return call, drawn


def num_distinct(samples):
    return len({sample.detach().numpy().tobytes() for sample in samples})


def test_func_grad_is_the_factor_of_each_unit(multiplier):
    def loss(x):
        outputs = multiplier(x, training=True)
        return outputs.sum(), outputs

    gradient, outputs = torch.func.grad(loss, has_aux=True)(ones(multiplier))
    assert torch.equal(gradient, outputs)
    assert len(outputs.unique()) > 1


@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd])
def test_jacobians_are_diagonal(multiplier, transform):
    def call(x):
        outputs = multiplier(x, training=True)
        return outputs, outputs

    # `jacfwd` maps over the forward pass with one mask, like PyTorch's own dropout.
    how = {"randomness": "same"} if transform is torch.func.jacfwd else {}
    x = ones(multiplier, 5)
    jacobian, outputs = transform(call, has_aux=True, **how)(x)
    assert torch.equal(torch.diag(jacobian), outputs)
    assert torch.equal(jacobian, torch.diag(torch.diag(jacobian)))


def test_vectorized_jacobian_of_autograd(multiplier):
    call, drawn = call_of(multiplier)
    x = ones(multiplier, 5)
    jacobian = torch.autograd.functional.jacobian(call, x, vectorize=True)
    assert torch.equal(torch.diag(jacobian), drawn[0])
    assert torch.equal(jacobian, torch.diag(torch.diag(jacobian)))


def test_forward_mode_gives_the_factor_of_each_unit(multiplier):
    x = ones(multiplier)
    with forward_ad.dual_level():
        outputs = multiplier(forward_ad.make_dual(x, torch.ones_like(x)), training=True)
        value, tangent = forward_ad.unpack_dual(outputs)
    assert torch.equal(value, tangent)


def test_vmap_draws_a_mask_for_each_sample_if_requested(layer):
    def call(x):
        return layer(x, training=True)

    samples = ones(layer, 20, 100, 100)
    different = torch.func.vmap(call, randomness="different")(samples)
    assert num_distinct(different) == 20
    same = torch.func.vmap(call, randomness="same")(samples)
    assert num_distinct(same) == 1
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(call)(samples)


def test_vmap_drops_at_the_rate():
    layer = layers.Dropout(0.3)
    samples = torch.ones(20, 100, 100)
    outputs = torch.func.vmap(
        lambda x: layer(x, training=True), randomness="different"
    )(samples)
    share = float((outputs == 0).float().mean())
    assert abs(share - 0.3) <= 5 * np.sqrt(0.3 * 0.7 / outputs.numel())
    # Two samples share no more of their masks than expected by chance.
    dropped = (outputs.reshape(20, -1) == 0).double()
    correlations = torch.corrcoef(dropped) - torch.eye(20)
    assert float(correlations.abs().max()) <= 5.5 / np.sqrt(100 * 100)


def test_per_sample_gradients_have_independent_masks():
    layer = layers.Dropout(0.5)

    def loss(x):
        outputs = layer(x, training=True)
        return outputs.sum(), outputs

    gradient = torch.func.grad(loss, has_aux=True)
    gradients, outputs = torch.func.vmap(gradient, randomness="different")(
        torch.ones(10, 100)
    )
    assert torch.equal(gradients, outputs)
    assert num_distinct(gradients) == 10


def test_seeds_and_clocks_advance_within_transforms():
    layer = layers.Dropout(kdropout.schedules.Ramp(0.2, 0.6, 4), seed=1)
    other = layers.Dropout(kdropout.schedules.Ramp(0.2, 0.6, 4), seed=1)
    x = torch.ones(100, 100)
    for step in range(3):

        def loss(x):
            outputs = layer(x, training=True)
            return outputs.sum(), outputs

        _, outputs = torch.func.grad(loss, has_aux=True)(x)
        assert torch.equal(outputs, other(x, training=True)), step
    assert layer.rate == other.rate == pytest.approx(0.4)
    for mine, its in zip(layer.variables, other.variables, strict=True):
        assert torch.equal(mine.value, its.value)


def test_learned_rate_logs_its_entropy_within_a_transform():
    layer = layers.Dropout(kdropout.LearnedRate(0.3, regularizer=0.1))
    torch.func.grad(lambda x: layer(x, training=True).sum())(torch.ones(6, 8))
    expected = 0.1 * 8 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    assert layer.log_values()["entropy_term"] == pytest.approx(expected, rel=1e-5)


def test_standout_refuses_to_record_within_a_transform():
    layer = layers.Standout(keras.layers.Dense(4))
    layer.build((None, 8))
    with pytest.raises(RuntimeError, match="cannot record the mean of its rates"):
        torch.func.grad(lambda x: layer(x, training=True).sum())(torch.ones(6, 8))


def test_dropped_inputs_do_not_change_second_derivatives():
    layer = layers.Dropout(0.5, seed=1)
    x = torch.full((4, 6), 2.0)
    hessian = torch.func.jacrev(
        torch.func.grad(lambda x: (layer(x, training=True) ** 2).sum())
    )(x)
    second = hessian.reshape(24, 24).diag()
    assert sorted(second.unique().tolist()) == [0.0, 8.0]
