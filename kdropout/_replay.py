"""Training calls that a backend repeats or transforms.

A training call of a layer advances its seed and its schedule. Three cases need care:

- Gradient checkpointing (`keras.remat`, `jax.checkpoint`, `torch.utils.checkpoint`)
  calls a part of the model again when gradients are computed. That call must draw the
  same mask at the same rate and advance nothing. Otherwise the gradient is wrong.
- Code that `jax.checkpoint` traces must not write to variables of the outer trace.
- The transforms of `torch.func` must not see that variables are written.
"""

import collections
import contextlib
import functools
import inspect
import sys

import keras

from kdropout import _compat, noise


def _move(layer):
    """The next rate and seed. This advances the clock and the seed of the layer."""
    rate = layer._rate_rule.next_rate(layer)
    return rate, noise.next_seed(layer.seed_generator)


# TensorFlow


def _draw_on_tensorflow(layer):
    if _is_recomputed_by_tensorflow():
        raise RuntimeError(
            f"Layer '{layer.name}' cannot drop inside keras.remat or a RematScope on "
            "TensorFlow, which calls it a second time with another mask, so the "
            "gradient would be wrong. Call the layer outside of the rematerialized "
            "part, or use JAX or PyTorch, where this works."
        )
    return _move(layer)


def _is_recomputed_by_tensorflow():
    """Return whether `tf.recompute_grad` will repeat this call."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code in _recomputing_code():
            return True
        frame = frame.f_back
    return False


@functools.cache
def _recomputing_code():
    """The code that calls the function which TensorFlow will call again."""
    import tensorflow as tf

    pending, found = [inspect.unwrap(tf.recompute_grad).__code__], set()
    while pending:
        inner = filter(inspect.iscode, pending.pop().co_consts)
        pending.extend(inner_code for inner_code in inner)
        found.update(pending)
    return found


# JAX


def _outside_checkpoints_of_jax():
    trace = outer = _trace_of_jax()
    while _is_checkpoint(outer):
        outer = _compat.parent_of_jax_trace(outer)
    if outer is trace:
        return contextlib.nullcontext()
    return _compat.jax_core().set_current_trace(outer)


def _trace_of_jax():
    with _compat.jax_core().take_current_trace() as trace:
        return trace


def _is_checkpoint(trace):
    """Return whether `trace` is that of a function inside `jax.checkpoint`."""
    debug_info = getattr(getattr(trace, "frame", None), "debug_info", None)
    return getattr(debug_info, "traced_for", "").startswith("checkpoint")


def _draw_on_jax(layer):
    with _outside_checkpoints_of_jax():
        return _move(layer)


# PyTorch


class RecentDraws:
    """The draws of the last training calls of a layer, for calls that repeat them."""

    def __init__(self, size=1024):
        self._size = size
        self._draws = collections.OrderedDict()

    def keep(self, ticket, draw):
        """Remember the draw of the call that has this ticket."""
        self._draws[ticket] = draw
        if len(self._draws) > self._size:
            self._draws.popitem(last=False)

    def recall(self, ticket):
        """The draw of the call that had this ticket, or None."""
        return self._draws.get(ticket)


def _outside_transforms_of_torch():
    from torch._functorch import pyfunctorch

    if _is_transformed_by_torch():
        return pyfunctorch.temporarily_clear_interpreter_stack()
    return contextlib.nullcontext()


def _is_transformed_by_torch():
    from kdropout.noise import on_torch

    return on_torch.in_transform()


def _draw_on_torch(layer):
    import torch

    is_symbolic = layer.seed_generator.state.value.device.type == "meta"
    if is_symbolic or torch.compiler.is_compiling():
        return _move(layer)
    # Checkpointing restores the state of this generator before it repeats a call, so
    # that the repeated call draws the same ticket.
    ticket = torch.randint(2**62, (), device="cpu")
    if _is_transformed_by_torch():
        with _outside_transforms_of_torch():
            rate, seed = _move(layer)
        # If `vmap` draws a ticket for each sample, each sample also has a seed.
        return rate, seed + 0 * ticket.to(seed.device)
    ticket = ticket.item()
    if torch._C._current_graph_task_id() == -1:  # not within a backward pass
        rate, seed = _move(layer)
        layer._recent_draws.keep(ticket, (rate.detach().clone(), seed))
        return rate, seed
    draw = layer._recent_draws.recall(ticket)
    if draw is None:
        raise RuntimeError(
            f"Layer '{layer.name}' cannot repeat the mask of the forward pass, so the "
            "gradient would be wrong. Received: a call while gradients are computed, "
            "as in gradient checkpointing. Use torch.utils.checkpoint with "
            "preserve_rng_state=True, and compute the gradients before the layer has "
            "been called a thousand times more."
        )
    rate, seed = draw
    if layer._rate_rule.temperature is not None:  # the rate has a gradient
        rate = layer._rate_rule.current_rate(layer)
    return rate, seed


_BACKEND = keras.backend.backend()

# A context for seeds, clocks and penalties. Code in it is neither recomputed nor
# transformed, so it may write to variables.
moving_state = {
    "jax": _outside_checkpoints_of_jax,
    "torch": _outside_transforms_of_torch,
}.get(_BACKEND, contextlib.nullcontext)

# Returns whether a layer may write numbers computed from its inputs to variables.
may_write = {
    "jax": lambda: not _is_checkpoint(_trace_of_jax()),
    "torch": lambda: not _is_transformed_by_torch(),
}.get(_BACKEND, lambda: True)

# Returns the rate and the seed of a training call of a dropout layer: a float32 scalar
# tensor and a tensor of two integers. A call that repeats one of the forward pass gets
# the rate and the seed of that call, or raises a RuntimeError with the reason.
next_draw = {
    "tensorflow": _draw_on_tensorflow,
    "jax": _draw_on_jax,
    "torch": _draw_on_torch,
}.get(_BACKEND, _move)  # on any other backend, the noise raises an error
