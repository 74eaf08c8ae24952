"""Random numbers and masks on PyTorch."""

import functools
import importlib.util
import math
import threading

import keras
import numpy as np
import torch
from keras import ops

from kdropout.noise import dither, masks

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}

# Spreads the ranks of a distributed training over the seeds.
_RANK_STRIDE = 0x3C6EF372

_BYTES_PER_WORD = 8

# Dtypes that can hold any scale.
_EXACT_DTYPES = {"float32": torch.float32, "float64": torch.float64}

# On Windows, PyTorch comes without Triton.
_HAS_TRITON = importlib.util.find_spec("triton") is not None


def next_seed(generator):
    state = generator.state
    seed = state.value.clone()
    # Made on the device. Keras would copy the [0, 1] that it adds at each call.
    steps = torch.arange(2, dtype=seed.dtype, device=seed.device)
    state.assign(seed + steps)
    rank = _rank()
    # All ranks have the state of the first one, so their masks would be equal.
    return seed if rank == 0 else seed + rank * _RANK_STRIDE * (1 - steps)


def uniform(shape, seed):
    kernels = _kernels(seed)
    return kernels.uniform(shape, seed) if kernels else _draw(torch.rand, shape, seed)


def normal(shape, seed):
    kernels = _kernels(seed)
    return kernels.normal(shape, seed) if kernels else _draw(torch.randn, shape, seed)


def bernoulli(shape, rate, seed, dtype="float32"):
    kernels = _kernels(seed)
    if kernels:
        return kernels.bernoulli(shape, rate, seed, dtype)
    draw, dtype = ByteDraw(shape, seed), keras.backend.standardize_dtype(dtype)
    if _may_branch(rate) and dtype in _EXACT_DTYPES:
        number = rate.item()
        if not math.isnan(number):
            return _keep_and_scale(draw, number, dtype)
    return masks.keep_and_scale(draw, rate, dtype)


def drop_units(inputs, keep, scale):
    inputs = ops.convert_to_tensor(inputs)  # the weights of a layer are a variable
    if inputs.device.type != "cpu":
        return torch.where(keep, inputs, 0.0) * scale
    return _DropUnits.apply(inputs, keep, scale)


def dropout(inputs, shape, rate, seed):
    kernels = _kernels(seed)
    if kernels:
        return kernels.dropout(inputs, shape, rate, seed)
    if _is_known_to_be_zero(rate):
        return inputs
    return drop_units(inputs, *bernoulli(shape, rate, seed, inputs.dtype))


def skip_at_zero(rate, inputs, add_noise):
    return inputs if _is_known_to_be_zero(rate) else add_noise()


def in_transform():
    """Return whether this call is inside a function that `torch.func` transforms."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._functorch.peek_interpreter_stack() is not None


def is_batch_of_gradients(gradient):
    """Return whether `torch.autograd.grad` computes several gradients at once."""
    # Custom functions cannot read the tensors of this kind.
    return torch._C._functorch.is_legacy_batchedtensor(gradient)


class ByteDraw:
    """A random byte for each unit: see `kdropout.noise.masks`."""

    def __init__(self, shape, seed):
        self._shape, self._count = tuple(shape), 1
        for size in self._shape:
            self._count = self._count * size
        words_per_row = dither.STRETCH // _BYTES_PER_WORD
        num_rows = -(-self._count // dither.STRETCH)
        if _may_branch(seed) and num_rows == 1 and not in_transform():
            # On a CPU, a short draw has the same words as the start of a longer one.
            words_per_row = -(-self._count // _BYTES_PER_WORD)
        shape = num_rows, words_per_row
        if seed.device.type == "meta":
            length = words_per_row * _BYTES_PER_WORD
            self.numbers = torch.empty(
                num_rows, length, dtype=torch.uint8, device="meta"
            )
            self.dither = torch.empty(length, dtype=torch.int32, device="meta")
        else:
            self.numbers, self.dither = _seeded(_bytes, shape, seed)

    def compare(self, level, below=None):
        """See `kdropout.noise.masks.keep_and_scale`. Python numbers work as well."""
        if isinstance(level, torch.Tensor):
            level = level.to(torch.int32)
        thresholds = (level + self.dither) >> dither.BITS
        thresholds = thresholds.to(torch.uint8)
        if below is None:
            units = torch.lt(self.numbers, thresholds)
        elif isinstance(below, bool) or _may_branch(below):
            compare = torch.lt if below else torch.ge
            units = compare(self.numbers, thresholds)
        else:
            units = torch.ne(torch.lt(self.numbers, thresholds), ~below)
        return units.reshape(-1)[: self._count].reshape(self._shape)


class _DropUnits(torch.autograd.Function):
    """`where(keep, inputs * scale, 0)`, which keeps only the mask for the gradient."""

    # Clearing the bits of dropped units makes them 0, even if they are infinite or NaN.
    # `torch.where` and arithmetic with booleans are several times slower on a CPU.

    @staticmethod
    def forward(inputs, keep, scale):
        integer = _INTEGERS[inputs.element_size()]
        kept_bits = (-keep.view(torch.int8)).to(integer)  # all bits or no bit
        if keep.shape != inputs.shape:
            return (inputs.view(integer) & kept_bits).view(inputs.dtype).mul_(scale)
        # In place, because new memory costs more than the arithmetic on a CPU.
        return (
            kept_bits.bitwise_and_(inputs.view(integer)).view(inputs.dtype).mul_(scale)
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, keep, scale = inputs
        ctx.save_for_backward(keep, scale)
        ctx.save_for_forward(keep, scale)

    @staticmethod
    def vmap(info, in_dims, inputs, keep, scale):
        def batched(tensor, axis):
            if axis is None:
                return tensor.expand(info.batch_size, *tensor.shape)
            return tensor.movedim(axis, 0)

        # All have the batch axis first, because the mask is overwritten.
        inputs, keep, scale = map(batched, (inputs, keep, scale), in_dims)
        missing = inputs.dim() - scale.dim()
        scale = scale.reshape(-1, *[1] * missing, *scale.shape[1:])
        return _DropUnits.apply(inputs, keep, scale), 0

    @staticmethod
    def backward(ctx, gradient):
        keep, scale = ctx.saved_tensors
        if is_batch_of_gradients(gradient):
            return torch.where(keep, gradient * scale, 0.0), None, None
        return _DropUnits.apply(gradient, keep, scale), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return _DropUnits.apply(tangent, *ctx.saved_for_forward)


def _kernels(seed):
    """The module of the kernels for a GPU, or None."""
    # A kernel cannot see the samples that a transform maps over.
    if seed.device.type != "cuda" or not _HAS_TRITON or in_transform():
        return None
    from kdropout.noise import on_torch_gpu

    return on_torch_gpu


def _rank():
    """The number of this process in a distributed training, 0 for the first."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank()
    return 0


def _keep_and_scale(draw, rate, dtype):
    """`masks.keep_and_scale` with a Python rate: tensor scalars are slow on a CPU."""
    num_kept, num_dropped, mostly = masks.split_levels(np.float32(rate))
    keep = draw.compare(int(min(num_kept, num_dropped)), below=bool(mostly))
    scale = np.float32(masks.LEVELS) / num_kept if num_kept > 0 else 0.0
    return keep, torch.tensor(scale, dtype=_EXACT_DTYPES[dtype])


def _is_known_to_be_zero(rate):
    return _may_branch(rate) and rate.item() == 0.0


def _may_branch(scalar):
    # On an accelerator, a branch waits for the scalar. It also splits compiled graphs.
    return scalar.device.type == "cpu" and not torch.compiler.is_compiling()


def _draw(draw, shape, seed):
    if seed.device.type == "meta":  # shape inference draws no numbers
        return draw(shape, dtype=torch.float32, device="meta")

    def floats(shape, seed):
        generator, _ = _generator(seed)
        kind = {"dtype": torch.float32, "device": seed.device}
        return (draw(shape, generator=generator, **kind),)

    return _seeded(floats, tuple(shape), seed)[0]


def _bytes(shape, seed):
    generator, word = _generator(seed)
    words = torch.empty(shape, dtype=torch.int64, device=seed.device)
    words.random_(-(2**63), None, generator=generator)
    begin, inverted = dither.split(word)
    end = begin + shape[-1] * _BYTES_PER_WORD
    values = dither.VALUES[begin:end] ^ inverted
    return words.view(torch.uint8), torch.as_tensor(values, device=seed.device)


# `torch.compile` cannot trace a generator.
@torch.compiler.disable
def _seeded(draw, shape, seed):
    """`draw(shape, seed)`, a tuple whose first tensor begins with `shape`."""
    if in_transform():
        return _Draw.apply(seed, draw, shape)
    return draw(shape, seed)


class _Draw(torch.autograd.Function):
    """A draw that `torch.func.vmap` can map over."""

    @staticmethod
    def forward(seed, draw, shape):
        return draw(shape, seed)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def vmap(info, in_dims, seed, draw, shape):
        # One draw for all samples, so that each sample has other numbers.
        seed = seed.movedim(in_dims[0], 0)[0]
        drawn = draw((info.batch_size, *shape), seed)
        return drawn, (0, *[None] * (len(drawn) - 1))

    @staticmethod
    def backward(ctx, *gradients):
        return None, None, None

    @staticmethod
    def jvp(ctx, *tangents):
        return None


def _generator(seed):
    """A seeded generator, and 32 more random bits."""
    mixed = _mix(*seed.tolist())
    generator = _generator_on(seed.device, threading.get_ident())
    # On a CPU, PyTorch's generator reads only 32 bits of a seed.
    generator.manual_seed(mixed >> 32)
    return generator, mixed & 0xFFFFFFFF


@functools.lru_cache(maxsize=64)
def _generator_on(device, thread):
    return torch.Generator(device=device)


def _mix(seed, counter):
    """One 64-bit number from two integers: the finaliser of SplitMix64."""
    # Steele, Lea, Flood 2014. With a sum of the integers, a layer with seed 0 would
    # draw the masks of a layer with seed 1, one step later.
    mask = (1 << 64) - 1
    word = ((seed << 32) + counter + 0x9E3779B97F4A7C15) & mask
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return word ^ (word >> 31)
