"""Random numbers and masks on TensorFlow."""

import functools

import numpy as np
import tensorflow as tf

from kdropout.noise import order

# The generator is named and given its key. `tf.random.stateless_uniform` makes the key
# in 18 operations; or, if it may choose, takes one that XLA compiles to code that is a
# hundred times slower on a CPU.
_PHILOX = 1
_COUNTER = np.array([0, 0], "uint64")
_OTHER_COUNTER = np.array([0, 1], "uint64")

# Spreads replica ids over the seeds, away from small seeds that users pick.
_REPLICA_STRIDE = 0x3C6EF372

_BYTES_PER_WORD = 4


def kernels(seed):
    return None


def next_seed(generator):
    return generator.next()


def uniform(shape, seed):
    return _draw(tf.raw_ops.StatelessRandomUniformV2, shape, _key(seed))


def normal(shape, seed):
    return _draw(tf.raw_ops.StatelessRandomNormalV2, shape, _key(seed))


def random_bytes(count, seed):
    key = _key(seed)
    num_rows = (count + order.STRETCH - 1) // order.STRETCH
    draw = tf.raw_ops.StatelessRandomUniformFullIntV2
    words = _draw(
        draw, (num_rows * (order.STRETCH // _BYTES_PER_WORD),), key, tf.uint32
    )
    numbers = tf.reshape(tf.bitcast(words, tf.uint8), (-1, order.STRETCH))
    # A draw of its own, and no slice of the values: in either case, XLA would draw
    # the words anew for each byte of them.
    begin, inverted = order.split(_draw(draw, (), key, tf.int32, _OTHER_COUNTER))
    places = tf.range(order.STRETCH) + begin
    return numbers, tf.gather(order.VALUES, places) ^ inverted


def _draw(draw, shape, key, dtype=tf.float32, counter=_COUNTER):
    shape = tf.convert_to_tensor(shape, tf.int32)
    return draw(shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=dtype)


def words(shape, seed):
    return None


def compare(numbers, thresholds, below):
    if below is None:
        return tf.less(numbers, thresholds)
    if not _branch_pays():
        return tf.equal(tf.less(numbers, thresholds), below)
    # A second pass over the mask costs as much as the first. And XLA does not fuse
    # across a branch: else it would draw the words anew for each byte of them.
    return tf.cond(
        below,
        lambda: tf.less(numbers, thresholds),
        lambda: tf.greater_equal(numbers, thresholds),
    )


def drop_units(inputs, keep, scale):
    if keep.shape == inputs.shape and inputs.dtype != tf.float16:
        # It keeps no more than the mask for the gradient.
        return tf.where(keep, inputs * scale, tf.zeros((), inputs.dtype))
    # Selecting is slow in float16, and where it has to broadcast.
    return tf.math.multiply_no_nan(inputs, _factor(keep, scale))


def dropout(inputs, shape, rate, draw):
    if not _branch_pays():
        return drop_units(inputs, *draw())
    inputs = tf.convert_to_tensor(inputs)  # the weights of a layer are a variable
    is_zero = rate == 0.0

    # By itself, TensorFlow would keep all that a branch computes, in a slow way. To
    # keep the factors takes more memory than the mask, and less time.
    @tf.custom_gradient
    def drop(inputs):
        def add_noise():
            factor = _factor(*draw())
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


def skip_at_zero(rate, inputs, add_noise):
    if not _branch_pays():
        return add_noise()
    return tf.cond(rate == 0.0, lambda: inputs, add_noise)


@functools.cache
def _branch_pays():
    # A branch on an accelerator waits for it.
    return not tf.config.list_logical_devices("GPU")


def _key(seed):
    """The key of the generator: the 31 last bits of both integers of a seed."""
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        # Replicas share the seed's variable: without this, their masks are equal.
        stride = replica.replica_id_in_sync_group * _REPLICA_STRIDE
        seed += tf.stack([tf.cast(stride, seed.dtype), tf.zeros((), seed.dtype)])
    return tf.bitcast(tf.cast(seed & tf.int32.max, tf.int32)[None], tf.uint64)


def _broadcasts(shape, inputs_shape):
    """Whether a mask is known to be smaller, or larger than empty inputs."""
    return any(
        isinstance(size, int) and size != input_size
        for size, input_size in zip(shape, inputs_shape, strict=True)
    )


def _factor(keep, scale):
    return tf.cast(keep, scale.dtype) * scale
