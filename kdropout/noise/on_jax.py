"""Random numbers and masks on JAX."""

import jax
import jax.numpy as jnp

from kdropout.noise import order

_BYTES_PER_WORD = 4


def kernels(seed):
    return None


def next_seed(generator):
    return generator.next()


def uniform(shape, seed):
    return jax.random.uniform(_key(seed), shape, "float32")


def normal(shape, seed):
    return jax.random.normal(_key(seed), shape, "float32")


def random_bytes(count, seed):
    num_rows = max(-(-count // order.NUM_PLACES), 1)
    key = _key(seed)
    words = jax.random.bits(key, (num_rows, 1, order.NUM_PLACES // _BYTES_PER_WORD))
    shifts = jnp.arange(0, 32, 8, "uint32").reshape(1, _BYTES_PER_WORD, 1)
    # Whatever is computed here for each unit, XLA fuses with what follows.
    numbers = ((words >> shifts) & 255).astype("int32")
    extra = jax.random.bits(jax.random.fold_in(key, 1), (num_rows,)).astype("int32")
    begin, inverted = order.split(extra)
    places = jnp.arange(order.NUM_PLACES) + begin[0]
    values = jnp.asarray(order.VALUES)[places]
    return numbers, (values ^ inverted[:, None]).reshape(num_rows, _BYTES_PER_WORD, -1)


def words(shape, seed):
    return None if _on_cpu() else jax.random.bits(_key(seed), shape, "uint32")


def compare(numbers, thresholds, below):
    units = numbers < thresholds
    return units if below is None else jnp.equal(units, below)


def drop_units(inputs, keep, scale):
    return jnp.where(keep, inputs * scale, jnp.zeros((), inputs.dtype))


def dropout(inputs, shape, rate, draw):
    return skip_at_zero(rate, inputs, lambda: drop_units(inputs, *draw()))


def skip_at_zero(rate, inputs, add_noise):
    if not _on_cpu():  # a branch on an accelerator waits for it
        return add_noise()
    is_zero = rate == 0.0
    if not isinstance(is_zero, jax.core.Tracer):  # else `cond` compiles at each call
        return inputs if is_zero else add_noise()
    return jax.lax.cond(is_zero, lambda: inputs, add_noise)


def _on_cpu():
    return jax.default_backend() == "cpu"


def _key(seed):
    return seed.astype("uint32")
