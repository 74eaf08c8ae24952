"""The kernels of `on_torch_gpu`, which draw a whole word for each unit.

    word    = Philox 4x32-10, with the seed as key and the place as counter
    number  = the first 24 bits of the word
    drop    where number < rate * 2^24, which is a whole number

Reference:
    Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3",
    SC11.
"""

import triton
import triton.language as tl

_LEVELS = tl.constexpr(2.0**24)


@triton.jit
def dropout(
    inputs,
    outputs,
    seed,
    rate,
    count,
    NUM_BITS: tl.constexpr,
    LARGEST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    word0, word1, word2, word3 = tl.randint4x(_key(seed), _counters(BLOCK))
    rate, unit = tl.load(rate), _first_units(BLOCK)
    _thin(inputs, outputs, word0, unit, count, rate, NUM_BITS, LARGEST)
    _thin(inputs, outputs, word1, unit + BLOCK, count, rate, NUM_BITS, LARGEST)
    _thin(inputs, outputs, word2, unit + 2 * BLOCK, count, rate, NUM_BITS, LARGEST)
    _thin(inputs, outputs, word3, unit + 3 * BLOCK, count, rate, NUM_BITS, LARGEST)


@triton.jit
def bernoulli(
    keep,
    scale,
    seed,
    rate,
    count,
    NUM_BITS: tl.constexpr,
    LARGEST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    word0, word1, word2, word3 = tl.randint4x(_key(seed), _counters(BLOCK))
    rate, unit = tl.load(rate), _first_units(BLOCK)
    _store_mask(keep, scale, word0, unit, count, rate, NUM_BITS, LARGEST)
    _store_mask(keep, scale, word1, unit + BLOCK, count, rate, NUM_BITS, LARGEST)
    _store_mask(keep, scale, word2, unit + 2 * BLOCK, count, rate, NUM_BITS, LARGEST)
    _store_mask(keep, scale, word3, unit + 3 * BLOCK, count, rate, NUM_BITS, LARGEST)


@triton.jit
def continuous(outputs, seed, count, IS_NORMAL: tl.constexpr, BLOCK: tl.constexpr):
    key, counters, unit = _key(seed), _counters(BLOCK), _first_units(BLOCK)
    if IS_NORMAL:
        value0, value1, value2, value3 = tl.randn4x(key, counters)
    else:
        word0, word1, word2, word3 = tl.randint4x(key, counters)
        value0, value1 = _number(word0) / _LEVELS, _number(word1) / _LEVELS
        value2, value3 = _number(word2) / _LEVELS, _number(word3) / _LEVELS
    tl.store(outputs + unit, value0, unit < count)
    tl.store(outputs + unit + BLOCK, value1, unit + BLOCK < count)
    tl.store(outputs + unit + 2 * BLOCK, value2, unit + 2 * BLOCK < count)
    tl.store(outputs + unit + 3 * BLOCK, value3, unit + 3 * BLOCK < count)


@triton.jit
def _thin(
    inputs,
    outputs,
    word,
    unit,
    count,
    rate,
    NUM_BITS: tl.constexpr,
    LARGEST: tl.constexpr,
):
    keep, scale = _decide(word, rate, NUM_BITS, LARGEST)
    x = tl.load(inputs + unit, unit < count)
    product = (x * scale).to(x.dtype)
    tl.store(outputs + unit, tl.where(keep, product, 0.0), unit < count)


@triton.jit
def _store_mask(
    keep,
    scale,
    word,
    unit,
    count,
    rate,
    NUM_BITS: tl.constexpr,
    LARGEST: tl.constexpr,
):
    kept, value = _decide(word, rate, NUM_BITS, LARGEST)
    tl.store(keep + unit, kept, unit < count)
    if NUM_BITS == 0:
        tl.store(scale, value)  # every program stores the same value
    else:
        tl.store(scale + unit, value, unit < count)


@triton.jit
def _decide(word, rate, NUM_BITS: tl.constexpr, LARGEST: tl.constexpr):
    """Decide which units to keep, and their scale: see `noise.masks`."""
    number = _number(word)
    num_kept = (1.0 - rate) * _LEVELS  # whole, because float32 is exact to 2^-24 here
    num_dropped = _LEVELS - num_kept
    scale = tl.where(num_kept == 0.0, 0.0, tl.div_rn(_LEVELS, num_kept))
    # In this form, a NaN rate keeps all units and multiplies them by NaN.
    keep = (number < num_dropped) == 0
    if NUM_BITS > 0:
        # The two neighbours of the scale: see `noise.half_precision`.
        scale = tl.where(scale > LARGEST, LARGEST, scale)
        low_bits = scale.to(tl.int32, bitcast=True) & -(1 << NUM_BITS)
        low = low_bits.to(tl.float32, bitcast=True)
        high = (low_bits + (1 << NUM_BITS)).to(tl.float32, bitcast=True)
        high = tl.where(high > LARGEST, LARGEST, high)
        share = tl.where(high == low, 0.0, tl.div_rn(scale - low, high - low))
        num_high = tl.floor(num_kept * share + 0.5)
        is_high = keep & (number < num_dropped + num_high)
        scale = tl.where(is_high, high, low)
    return keep, scale


@triton.jit
def _number(word):
    """The first 24 bits of a word, exact in float32."""
    return (word.to(tl.uint32, bitcast=True) >> 8).to(tl.float32)


@triton.jit
def _key(seed):
    """The key of Philox, from both integers of the seed."""
    high = tl.load(seed).to(tl.uint32).to(tl.uint64)
    low = tl.load(seed + 1).to(tl.uint32).to(tl.uint64)
    return (high << 32) | low


@triton.jit
def _counters(BLOCK: tl.constexpr):
    return tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)


@triton.jit
def _first_units(BLOCK: tl.constexpr):
    """The unit of the first word of each counter. The others are a block apart."""
    return tl.program_id(0).to(tl.int64) * (4 * BLOCK) + tl.arange(0, BLOCK)
