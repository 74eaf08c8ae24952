"""Random numbers and masks on JAX."""

import jax
import jax.numpy as jnp
from keras import ops

from kdropout.noise import dither, masks

_BYTES_PER_WORD = 4


def next_seed(generator):
    return generator.next()


def uniform(shape, seed):
    return jax.random.uniform(_key(seed), shape, "float32")


def normal(shape, seed):
    return jax.random.normal(_key(seed), shape, "float32")


def bernoulli(shape, rate, seed, dtype="float32"):
    draw = ByteDraw(shape, seed) if _on_cpu() else WordDraw(shape, seed)
    return masks.keep_and_scale(draw, rate, dtype)


def drop_units(inputs, keep, scale):
    inputs = ops.convert_to_tensor(inputs)  # the weights of a layer are a variable
    return jnp.where(keep, inputs * scale, jnp.zeros((), inputs.dtype))


def dropout(inputs, shape, rate, seed):
    def add_noise():
        return drop_units(inputs, *bernoulli(shape, rate, seed, inputs.dtype))

    return skip_at_zero(rate, inputs, add_noise)


def skip_at_zero(rate, inputs, add_noise):
    if not _on_cpu():  # on an accelerator, a branch waits for the rate
        return add_noise()
    is_zero = rate == 0.0
    if not isinstance(is_zero, jax.core.Tracer):  # `cond` would compile at each call
        return inputs if is_zero else add_noise()
    return jax.lax.cond(is_zero, lambda: inputs, add_noise)


class ByteDraw:
    """A random byte for each unit: see `kdropout.noise.masks`."""

    def __init__(self, shape, seed):
        self._shape, self._count = shape, 1
        for size in shape:
            self._count *= size
        num_rows = max(-(-self._count // dither.NUM_PLACES), 1)
        key = _key(seed)
        words_per_row = dither.NUM_PLACES // _BYTES_PER_WORD
        words = jax.random.bits(key, (num_rows, 1, words_per_row))
        shifts = jnp.arange(0, 32, 8, "uint32").reshape(1, _BYTES_PER_WORD, 1)
        # XLA fuses these operations on each unit with those that follow.
        self.numbers = ((words >> shifts) & 255).astype("int32")
        extra = jax.random.bits(jax.random.fold_in(key, 1), (num_rows,))
        begin, inverted = dither.split(extra.astype("int32"))
        places = jnp.arange(dither.NUM_PLACES) + begin[0]
        values = jnp.asarray(dither.VALUES)[places] ^ inverted[:, None]
        self.dither = values.reshape(num_rows, _BYTES_PER_WORD, -1)

    def compare(self, level, below=None):
        """See `kdropout.noise.masks.keep_and_scale`."""
        thresholds = (level.astype("int32") + self.dither) >> dither.BITS
        units = _compare(self.numbers, thresholds, below)
        return units.reshape(-1)[: self._count].reshape(self._shape)


class WordDraw:
    """A random word for each unit, of which 24 bits are compared."""

    def __init__(self, shape, seed):
        words = jax.random.bits(_key(seed), shape, "uint32")
        # 24 bits are exact in float32, like the levels.
        self.numbers = (words >> 8).astype("float32")

    def compare(self, level, below=None):
        """See `kdropout.noise.masks.keep_and_scale`."""
        return _compare(self.numbers, level, below)


def _compare(numbers, thresholds, below):
    units = numbers < thresholds
    return units if below is None else jnp.equal(units, below)


def _on_cpu():
    return jax.default_backend() == "cpu"


def _key(seed):
    return seed.astype("uint32")
