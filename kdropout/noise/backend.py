"""Which of the backends draws the random numbers, and what only it can do well."""

import keras


def active():
    """The module of the backend in use.

    Each has the same functions:

    - `next_seed(generator)`: what `generator.next()` returns and does.
    - `uniform(shape, seed)`, `normal(shape, seed)`: float32 tensors.
    - `random_bytes(count, seed)`: see `kdropout.noise.byte_draw`.
    - `words(shape, seed)`: 32 random bits for each unit, as unsigned integers, where
      they cost little, on an accelerator; else None.
    - `compare(numbers, thresholds, below)`: where numbers are below thresholds, or, if
      `below`, a boolean scalar tensor or None, is false, where they are not.
    - `drop_units(inputs, keep, scale)`: see `kdropout.noise.masks`.
    - `dropout(inputs, shape, rate, draw)`: `drop_units(inputs, *draw())`, where what is
      drawn has this shape; at rate 0 as below.
    - `skip_at_zero(rate, inputs, add_noise)`: see below.
    - `kernels(seed)`: a module that has `bernoulli` and `dropout` of its own, as in
      `kdropout.noise.masks`, for the device that the seed is on; or None.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        from kdropout.noise import on_tensorflow as module
    elif name == "jax":
        from kdropout.noise import on_jax as module
    elif name == "torch":
        from kdropout.noise import on_torch as module
    else:
        raise NotImplementedError(
            f"kdropout trains on tensorflow, jax and torch. Received: backend '{name}'."
            " Set the environment variable KERAS_BACKEND to one of these."
        )
    return module


def next_seed(generator):
    """The seed of a call: two integers, as a tensor.

    Args:
        generator: `keras.random.SeedGenerator`, which moves on.
    """
    return active().next_seed(generator)


def skip_at_zero(rate, inputs, add_noise):
    """`add_noise()`, or the inputs if the rate is 0: then nothing is drawn.

    On an accelerator there is no branch, which would have to wait for the rate.

    Args:
        rate: Float32 scalar tensor in [0, 1].
        inputs: Tensor.
        add_noise: Function without arguments that returns a tensor of the shape and
            dtype of `inputs`, equal to them at rate 0. It is traced within a branch:
            it must not assign to variables, and what it computes must not leave it by
            another way.
    """
    return active().skip_at_zero(rate, inputs, add_noise)
