"""Masks on a GPU with PyTorch: one Triton kernel draws and applies a mask.

On a GPU, random numbers cost little, but each operation must be launched. A number that
Python reads waits for all earlier launches. So the kernels read seed and rate on the
device. For the backward pass, only these two are stored, and the mask is drawn again.
"""

import contextlib

import keras
import torch
import triton

from kdropout.noise import on_torch, triton_kernels
from kdropout.noise.half_precision import DTYPES

_BLOCK = 512  # counters per program
_PER_COUNTER = 4  # words that Philox draws per counter
_BITS = {getattr(torch, name): numbers for name, numbers in DTYPES.items()}
_EXACT = (0, 0.0)  # for a dtype that can hold any scale


def bernoulli(shape, rate, seed, dtype="float32"):
    """See `kdropout.noise.backend`."""
    dtype = getattr(torch, keras.backend.standardize_dtype(dtype))
    keep = torch.empty(tuple(shape), dtype=torch.bool, device=seed.device)
    scale_shape = keep.shape if dtype in _BITS else ()
    scale = torch.empty(scale_shape, dtype=dtype, device=seed.device)
    bits = _BITS.get(dtype, _EXACT)
    _launch(triton_kernels.bernoulli, keep, (keep, scale, seed, rate), *bits)
    return keep, scale


def dropout(inputs, shape, rate, seed):
    """See `kdropout.noise.backend`."""
    if tuple(shape) == tuple(inputs.shape):
        return _Dropout.apply(inputs, rate, seed)
    keep, scale = bernoulli(shape, rate, seed, inputs.dtype)
    return on_torch.drop_units(inputs, keep, scale)


def uniform(shape, seed):
    """See `kdropout.noise.backend`."""
    return _continuous(shape, seed, is_normal=False)


def normal(shape, seed):
    """See `kdropout.noise.backend`."""
    return _continuous(shape, seed, is_normal=True)


class _Dropout(torch.autograd.Function):
    """Draws a mask of the shape of the inputs and applies it, in one kernel."""

    @staticmethod
    def forward(inputs, rate, seed):
        return _thinned(inputs, rate, seed)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, rate, seed = inputs
        # A copy, because the rate of a layer may change before the backward pass.
        rate = rate.clone()
        ctx.save_for_backward(rate, seed)
        ctx.save_for_forward(rate, seed)

    @staticmethod
    def vmap(info, in_dims, inputs, rate, seed):
        inputs = inputs.movedim(in_dims[0], 0)  # all samples share a mask
        return dropout(inputs, (1, *inputs.shape[1:]), rate, seed), 0

    @staticmethod
    def backward(ctx, gradient):
        rate, seed = ctx.saved_tensors
        if on_torch.is_batch_of_gradients(gradient):
            keep, scale = bernoulli(gradient.shape, rate, seed, gradient.dtype)
            return torch.where(keep, gradient * scale, 0.0), None, None
        # Each launch costs time, so only a second derivative uses the function.
        thin = _Dropout.apply if torch.is_grad_enabled() else _thinned
        return thin(gradient, rate, seed), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _Dropout.apply(tangent, *ctx.saved_for_forward)


def _thinned(inputs, rate, seed):
    inputs = inputs.contiguous()
    outputs = torch.empty_like(inputs)
    bits = _BITS.get(inputs.dtype, _EXACT)
    _launch(triton_kernels.dropout, outputs, (inputs, outputs, seed, rate), *bits)
    return outputs


def _continuous(shape, seed, is_normal):
    outputs = torch.empty(tuple(shape), dtype=torch.float32, device=seed.device)
    _launch(triton_kernels.continuous, outputs, (outputs, seed), is_normal)
    return outputs


def _launch(kernel, units, tensors, *constants):
    """Run a kernel that has one counter for every four units."""
    count = units.numel()
    # An empty batch also needs a program, which computes the scale.
    grid = (max(triton.cdiv(count, _BLOCK * _PER_COUNTER), 1),)
    with _current(units.device):
        kernel[grid](*tensors, count, *constants, BLOCK=_BLOCK)


def _current(device):
    """A context that launches kernels on a device."""
    if device.type != "cuda" or device.index == torch.cuda.current_device():
        return contextlib.nullcontext()  # a CPU means Triton's interpreter
    return torch.cuda.device(device)
