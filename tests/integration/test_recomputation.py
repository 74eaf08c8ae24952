"""Gradient checkpointing calls a part of the model again for the gradient.

With ones as inputs, the gradient of the sum of the outputs equals the outputs if both
calls have the same mask.
"""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers

if not hasattr(keras, "remat"):
    pytest.skip("keras.remat is new in Keras 3.9", allow_module_level=True)

BACKEND = keras.backend.backend()
CALLS, UNITS = 3, 64
RAMP = kdropout.schedules.Ramp(0.6, 0.2, 4)
RATES = {
    "fixed": lambda: 0.5,
    "scheduled": lambda: RAMP,
    "learned": lambda: kdropout.LearnedRate(0.3),
}
LAYERS = {
    "dropout": lambda rate: layers.Dropout(rate),
    "seeded": lambda rate: layers.Dropout(rate, seed=3),
    "spatial": lambda rate: layers.SpatialDropout1D(rate),
    "path": lambda rate: layers.DropPath(rate),
}
CASES = {
    f"{kind} {how}": (lambda make=make, rate=rate: make(rate()))
    for kind, make in LAYERS.items()
    for how, rate in RATES.items()
}
CASES["gaussian fixed"] = lambda: layers.GaussianDropout(0.5)
CASES["gaussian scheduled"] = lambda: layers.GaussianDropout(RAMP)

only_where_it_works = pytest.mark.skipif(
    BACKEND == "tensorflow", reason="refused on TensorFlow, which another test shows"
)


class Block(keras.layers.Layer):
    """Drops units in a recomputed function, a given number of times."""

    def __init__(self, drop, wrap=keras.remat, num_calls=1):
        super().__init__()
        self.drop = drop
        self.wrap = wrap
        self.num_calls = num_calls

    def call(self, inputs, training=False):
        def drop(inputs):
            return self.drop(inputs, training=training) + 0.0

        outputs = inputs
        for _ in range(self.num_calls):
            # A new function each time, because JAX reuses the trace of an old one.
            outputs = self.wrap(lambda inputs: drop(inputs))(outputs)
        return outputs


def ones():
    return np.ones((8, 10, UNITS), "float32")


def outputs_and_gradient(block, x):
    """Return the outputs of a training call on `x`, and the gradient of their sum."""
    return _GRADIENTS[BACKEND](block, x)


def _on_torch(block, x):
    import torch

    x = torch.tensor(x, requires_grad=True)
    outputs = block(x, training=True)
    outputs.sum().backward()
    return outputs.detach().numpy(), x.grad.numpy()


def _on_jax(block, x):
    import jax

    @jax.jit
    def run(x, trainable, state):
        def loss(x):
            outputs, new = block.stateless_call(trainable, state, x, training=True)
            return outputs.sum(), (outputs, new)

        return jax.grad(loss, has_aux=True)(x)

    trainable = [v.value for v in block.trainable_variables]
    state = [v.value for v in block.non_trainable_variables]
    gradient, (outputs, new) = run(x, trainable, state)
    for variable, value in zip(block.non_trainable_variables, new, strict=True):
        variable.assign(value)
    return np.asarray(outputs), np.asarray(gradient)


_GRADIENTS = {"torch": _on_torch, "jax": _on_jax}


@only_where_it_works
@pytest.mark.parametrize("case", CASES)
def test_gradient_has_the_mask_of_the_outputs(case):
    block = Block(CASES[case]())
    block.build(ones().shape)
    calls = [outputs_and_gradient(block, ones()) for _ in range(CALLS)]
    for outputs, gradient in calls:
        assert np.array_equal(outputs, gradient)
    masks = [outputs for outputs, _ in calls]
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[1], masks[2])


@only_where_it_works
def test_recomputation_does_not_change_the_masks():
    def masks(wrap):
        block = Block(layers.Dropout(RAMP, seed=1), wrap)
        block.build(ones().shape)
        return [outputs_and_gradient(block, ones())[0] for _ in range(CALLS)]

    recomputed, plain = masks(keras.remat), masks(lambda function: function)
    assert np.array_equal(recomputed, plain)


@only_where_it_works
def test_schedule_ticks_once_per_step_and_keeps_the_rate_of_each_call():
    drop = layers.Dropout(RAMP)
    block = Block(drop, num_calls=2)
    block.build(ones().shape)
    for step in range(CALLS):
        outputs, gradient = outputs_and_gradient(block, ones())
        assert np.array_equal(outputs, gradient)
        assert int(ops.convert_to_numpy(drop.rate_variables["step"])) == 2 * step + 2
    assert drop.rate == pytest.approx(0.2)


@pytest.mark.parametrize("mode", ["full", "list_of_layers", "larger_than"])
def test_layers_and_models_in_a_remat_scope_train(mode):
    how = {"list_of_layers": {"layer_names": ["drop"]}}.get(mode, {})
    if mode == "larger_than":
        how = {"output_size_threshold": 1}
    with keras.RematScope(mode=mode, **how):
        drop = layers.Dropout(kdropout.schedules.Ramp(0.0, 0.5, 100), name="drop")
    inputs = keras.Input((6,))
    hidden = drop(keras.layers.Dense(8)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    x = np.ones((40, 6), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0)
    assert int(ops.convert_to_numpy(drop.rate_variables["step"])) == 10
    assert drop.rate == pytest.approx(0.045)


@pytest.mark.skipif(
    BACKEND != "torch", reason="Keras passes 'training' in a way that fails elsewhere"
)
def test_composite_layer_in_a_remat_scope_trains_its_rate():
    with keras.RematScope(mode="full"):
        block = Block(layers.Dropout(kdropout.LearnedRate(0.3, regularizer=1e-2)))
    block.wrap = lambda function: function
    model = keras.Sequential([keras.Input((6,)), block, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = np.ones((40, 6), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0)
    assert np.isfinite(block.drop.rate)
    assert abs(block.drop.rate - 0.3) > 1e-3


@pytest.mark.skipif(BACKEND != "tensorflow", reason="right elsewhere")
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_tensorflow_refuses_instead_of_drawing_another_mask(case, compiled):
    import tensorflow as tf

    block = Block(CASES[case]())
    block.build(ones().shape)

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = block(x, training=True)
        return tape.gradient(outputs, x)

    step = tf.function(step) if compiled else step
    with pytest.raises(RuntimeError, match="cannot drop inside keras.remat"):
        step(tf.constant(ones()))
    # Inference draws no random numbers.
    assert np.array_equal(block(ones()), ones())


@pytest.mark.skipif(BACKEND != "jax", reason="how JAX traces")
def test_jax_refuses_a_seed_within_a_loop():
    # A seed drawn outside of the loop would be the same at each turn.
    import jax

    drop = layers.Dropout(0.5)

    def loop(state, x):
        with keras.StatelessScope(
            state_mapping=list(zip(drop.variables, state, strict=True))
        ) as scope:
            turn = jax.checkpoint(lambda carry: drop(carry, training=True))
            carry, _ = jax.lax.scan(lambda carry, _: (turn(carry), None), x, None, 2)
            return carry, [scope.get_current_value(v) for v in drop.variables]

    with pytest.raises(jax.errors.UnexpectedTracerError):
        jax.jit(loop)([v.value for v in drop.variables], ones())


@pytest.mark.skipif(BACKEND != "jax", reason="how JAX traces")
def test_standout_refuses_to_record_in_a_checkpoint():
    block = Block(layers.Standout(keras.layers.Dense(UNITS)))
    block.drop.build(ones().shape)
    block.build(ones().shape)
    with pytest.raises(RuntimeError, match="cannot record the mean of its rates"):
        outputs_and_gradient(block, ones())


torch_alone = pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's checkpoints")


@torch_alone
@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_both_kinds_of_torch_checkpoints_keep_the_mask(case, use_reentrant):
    from torch.utils.checkpoint import checkpoint

    def wrap(function):
        return lambda x: checkpoint(function, x, use_reentrant=use_reentrant)

    block = Block(CASES[case](), wrap, num_calls=2)
    for _ in range(CALLS):
        outputs, gradient = outputs_and_gradient(block, ones())
        assert np.array_equal(outputs, gradient)


@torch_alone
def test_gradients_of_several_calls_may_be_computed_late():
    import torch
    from torch.utils.checkpoint import checkpoint

    drop = layers.Dropout(RAMP, seed=1)

    def call(x):
        return drop(x, training=True)

    pairs = []
    for _ in range(4):
        x = torch.ones(100, UNITS, requires_grad=True)
        pairs.append((x, checkpoint(call, x, use_reentrant=False)))
    for x, outputs in pairs:
        outputs.sum().backward()
        assert torch.equal(x.grad, outputs)


@torch_alone
def test_call_that_cannot_be_repeated_is_refused():
    import torch
    from torch.utils.checkpoint import checkpoint

    drop = layers.Dropout(0.5)
    x = torch.ones(100, UNITS, requires_grad=True)

    def call(x):
        return drop(x, training=True)

    outputs = checkpoint(call, x, use_reentrant=False, preserve_rng_state=False)
    with pytest.raises(RuntimeError, match="preserve_rng_state=True"):
        outputs.sum().backward()
