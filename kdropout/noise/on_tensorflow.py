"""Random numbers and masks on TensorFlow."""

import functools

import tensorflow as tf

from kdropout.noise import order

# Left to itself, XLA takes a generator that is a hundred times slower on a CPU.
_ALGORITHM = "philox"

# Spreads replica ids over the seeds, away from small seeds that users pick.
_REPLICA_STRIDE = 0x3C6EF372

# Negates the first integer of a seed, which never is negative.
_OTHER_STREAM = (-(2**31), 0)

_BYTES_PER_WORD = 4


def uniform(shape, seed):
    return tf.random.stateless_uniform(shape, _seed(seed), alg=_ALGORITHM)


def normal(shape, seed):
    return tf.random.stateless_normal(shape, _seed(seed), alg=_ALGORITHM)


def random_bytes(count, seed):
    seed = _seed(seed)
    num_rows = (count + order.STRETCH - 1) // order.STRETCH
    words = _integers((num_rows * (order.STRETCH // _BYTES_PER_WORD),), seed, tf.uint32)
    numbers = tf.reshape(tf.bitcast(words, tf.uint8), (-1, order.STRETCH))
    # A draw of its own, and no slice of the values: in either case, XLA would draw
    # the words anew for each byte of them.
    begin, inverted = order.split(_integers((), seed ^ _OTHER_STREAM, tf.int32))
    places = tf.range(order.STRETCH) + begin
    return numbers, tf.gather(order.VALUES, places) ^ inverted


def _integers(shape, seed, dtype):
    """Integers of which all bits are random."""
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=dtype, alg=_ALGORITHM
    )


def compare(numbers, thresholds, complement):
    if complement is None:
        return tf.less(numbers, thresholds)
    if not _branch_pays():
        return tf.not_equal(tf.less(numbers, thresholds), complement)
    # A second pass over the mask costs as much as the first. And XLA does not fuse
    # across a branch: else it would draw the words anew for each byte of them.
    return tf.cond(
        complement,
        lambda: tf.greater_equal(numbers, thresholds),
        lambda: tf.less(numbers, thresholds),
    )


def drop_units(inputs, drop, scale):
    if drop.shape == inputs.shape and inputs.dtype != tf.float16:
        # It keeps no more than the mask for the gradient.
        return tf.where(drop, tf.zeros((), inputs.dtype), inputs * scale)
    # Selecting is slow in float16, and where it has to broadcast.
    factor = tf.cast(tf.logical_not(drop), inputs.dtype) * scale
    return tf.math.multiply_no_nan(inputs, factor)


def skip_at_zero(rate, inputs, add_noise):
    if not _branch_pays():
        return add_noise()
    return tf.cond(rate == 0.0, lambda: inputs, add_noise)


@functools.cache
def _branch_pays():
    # A branch on an accelerator waits for it.
    return not tf.config.list_logical_devices("GPU")


def _seed(seed):
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        # Replicas share the seed's variable: without this, their masks are equal.
        stride = replica.replica_id_in_sync_group * _REPLICA_STRIDE
        seed += tf.stack([tf.cast(stride, seed.dtype), tf.zeros((), seed.dtype)])
    return tf.cast(seed & tf.int32.max, tf.int32)
