"""Random numbers and masks on TensorFlow."""

import functools
import math

import numpy as np
import tensorflow as tf

from kdropout.noise import dither, masks

# The generator and its key are given here. `tf.random.stateless_uniform` takes 18
# operations to make the key, or chooses a generator that XLA compiles to code that is a
# hundred times slower on a CPU.
_PHILOX = 1
_COUNTER = np.array([0, 0], "uint64")
_OTHER_COUNTER = np.array([0, 1], "uint64")

# Spreads replica ids over the seeds, away from small seeds that users pick.
_REPLICA_STRIDE = 0x3C6EF372

_BYTES_PER_WORD = 4

# From so many units on, a branch costs less than the mask that it saves at rate 0. If
# the batch size is not known yet, the usual one is assumed.
_MANY_UNITS = 2**15
_USUAL_BATCH = 32

# The dither in blocks, by their length: row `n` begins at place `n`. TensorFlow gathers
# single values slowly, which matters for few units. XLA compiles the gathering of
# single values to faster code. It would compile a slice again for each seed.
_BLOCK = 8
_BLOCKS = {
    length: np.lib.stride_tricks.sliding_window_view(dither.VALUES, length)[
        : dither.NUM_PLACES + dither.STRETCH - length
    ].copy()
    for length in (_BLOCK, 1)
}
_MANY_ROWS = 64  # each has one stretch: a quarter of a million units


def next_seed(generator):
    return generator.next()


def uniform(shape, seed):
    return _draw(tf.raw_ops.StatelessRandomUniformV2, shape, _key(seed))


def normal(shape, seed):
    return _draw(tf.raw_ops.StatelessRandomNormalV2, shape, _key(seed))


def bernoulli(shape, rate, seed, dtype="float32"):
    return masks.keep_and_scale(ByteDraw(shape, seed), rate, dtype)


def drop_units(inputs, keep, scale):
    inputs = tf.convert_to_tensor(inputs)  # the weights of a layer are a variable
    if keep.shape == inputs.shape and inputs.dtype != tf.float16:
        # For the gradient, this form keeps only the mask.
        return tf.where(keep, inputs * scale, tf.zeros((), inputs.dtype))
    # `tf.where` is slow in float16, and when it broadcasts.
    return tf.math.multiply_no_nan(inputs, tf.cast(keep, scale.dtype) * scale)


def dropout(inputs, shape, rate, seed):
    inputs = tf.convert_to_tensor(inputs)
    if _on_accelerator():
        return drop_units(inputs, *bernoulli(shape, rate, seed, inputs.dtype))
    if tf.executing_eagerly() and rate == 0.0:
        return inputs
    if _branch_pays(shape):
        return _branched_dropout(inputs, shape, rate, seed)
    return _multiply(inputs, _factor(shape, rate, seed, inputs.dtype))


def skip_at_zero(rate, inputs, add_noise):
    if _on_accelerator():
        return add_noise()
    return tf.cond(rate == 0.0, lambda: inputs, add_noise)


class ByteDraw:
    """A random byte for each unit: see `kdropout.noise.masks`."""

    def __init__(self, shape, seed):
        self._shape, self._count = shape, _product(shape)
        is_known = isinstance(self._count, int)
        block = _BLOCK
        if is_known and self._count <= dither.STRETCH:
            num_rows, blocks_per_row = 1, -(-self._count // block)
        else:
            num_rows = (self._count + (dither.STRETCH - 1)) // dither.STRETCH
            if is_known and num_rows >= _MANY_ROWS:
                block = 1
            blocks_per_row = dither.STRETCH // block
        bytes_per_row = blocks_per_row * block
        self._has_more_bytes = not is_known or num_rows * bytes_per_row > self._count
        key = _key(seed)
        draw = tf.raw_ops.StatelessRandomUniformFullIntV2
        num_words = num_rows * (bytes_per_row // _BYTES_PER_WORD)
        numbers = tf.bitcast(_draw(draw, (num_words,), key, tf.uint32), tf.uint8)
        self.numbers = tf.reshape(numbers, (-1, blocks_per_row, block))
        # A separate draw: from a part of the other draw, XLA would compute all words
        # again for each byte.
        word = _draw(draw, (), key, tf.int32, _OTHER_COUNTER)
        begin, inverted = dither.split(word)
        places = block * np.arange(blocks_per_row, dtype="int32") + begin
        self.dither = tf.gather(_BLOCKS[block], places) ^ inverted

    def compare(self, level, below=None):
        """See `kdropout.noise.masks.keep_and_scale`."""
        sums = tf.cast(level, tf.int32) + self.dither
        thresholds = tf.cast(tf.bitwise.right_shift(sums, dither.BITS), tf.uint8)
        if below is not None and _branch_pays(self._shape):
            # With a branch, the mask is read once. XLA does not fuse across a branch.
            units = tf.cond(
                below,
                lambda: tf.less(self.numbers, thresholds),
                lambda: tf.greater_equal(self.numbers, thresholds),
            )
        else:
            units = tf.less(self.numbers, thresholds)
            if below is not None:
                units = tf.equal(units, below)
        if self._has_more_bytes:
            units = tf.slice(tf.reshape(units, (-1,)), (0,), (self._count,))
        return tf.reshape(units, self._shape)


def _factor(shape, rate, seed, dtype):
    """Return the factor of each unit: the scale, or 0."""
    draw = ByteDraw(shape, seed)
    if dtype.size == 2 or _branch_pays(shape):
        keep, scale = masks.keep_and_scale(draw, rate, dtype)
        return tf.cast(keep, dtype) * scale
    # The same in fewer operations. With many units, the addition would take longer.
    num_kept, num_dropped, mostly = masks.split_levels(rate)
    below = draw.compare(tf.minimum(num_kept, num_dropped))
    scale = tf.cast(tf.math.divide_no_nan(masks.LEVELS, num_kept), dtype)
    of_others = tf.where(mostly, tf.zeros((), dtype), scale)
    return tf.cast(below, dtype) * (scale - 2 * of_others) + of_others


@tf.custom_gradient
def _multiply(inputs, factor):
    def gradient(of_outputs):
        return tf.math.multiply_no_nan(of_outputs, factor), None

    return tf.math.multiply_no_nan(inputs, factor), gradient


def _branched_dropout(inputs, shape, rate, seed):
    """`dropout` that draws nothing at rate 0."""
    is_zero = rate == 0.0

    # Without a custom gradient, TensorFlow slowly keeps all that a branch computes.
    # Keeping the factors takes more memory than the mask, but less time.
    @tf.custom_gradient
    def drop(inputs):
        def add_noise():
            factor = _factor(shape, rate, seed, inputs.dtype)
            return tf.math.multiply_no_nan(inputs, factor), factor

        def skip():
            # `tf.cond` needs a second output of this shape; its values are not used.
            if _broadcasts(shape, inputs.shape):
                return inputs, tf.zeros(shape, inputs.dtype)
            return inputs, tf.slice(inputs, [0] * inputs.shape.rank, shape)

        outputs, factor = tf.cond(is_zero, skip, add_noise)

        def gradient(of_outputs):
            return tf.cond(
                is_zero,
                lambda: of_outputs,
                lambda: tf.math.multiply_no_nan(of_outputs, factor),
            )

        return outputs, gradient

    return drop(inputs)


@functools.cache
def _on_accelerator():
    # On an accelerator, a branch waits for the rate.
    return bool(tf.config.list_logical_devices("GPU"))


def _branch_pays(shape):
    sizes = (size if isinstance(size, int) else _USUAL_BATCH for size in shape)
    return math.prod(sizes) >= _MANY_UNITS


def _product(shape):
    """The number of units, with one operation for each size that is not known."""
    count = math.prod(size for size in shape if isinstance(size, int))
    for size in shape:
        if not isinstance(size, int):
            count = size * count
    return count


def _broadcasts(shape, inputs_shape):
    """Return whether a mask is known to be smaller, or larger than empty inputs."""
    return any(
        isinstance(size, int) and size != input_size
        for size, input_size in zip(shape, inputs_shape, strict=True)
    )


def _draw(draw, shape, key, dtype=tf.float32, counter=_COUNTER):
    shape = tf.convert_to_tensor(shape, tf.int32)
    return draw(shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=dtype)


def _key(seed):
    """The key of the generator: the last 31 bits of each integer of a seed."""
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        # Replicas share the variable of the seed, so their masks would be equal.
        stride = replica.replica_id_in_sync_group * _REPLICA_STRIDE
        seed += tf.stack([tf.cast(stride, seed.dtype), tf.zeros((), seed.dtype)])
        seed &= tf.int32.max
    return tf.bitcast(tf.cast(seed, tf.int32)[None], tf.uint64)
