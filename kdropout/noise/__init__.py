"""The masks and noises of dropout, as pure functions of shape, rate and seed.

`rate` is a float32 scalar tensor in [0, 1], the probability of dropping. One trace
serves every value. A NaN rate gives NaN outputs, so that the error is visible.

`seed` is a tensor of two integers, as `keras.random.SeedGenerator.next()` returns it.
Random numbers come from the counter-based generator of the backend. They are compared
as integers or in float32, whatever the compute dtype is. In bfloat16, a uniform number
has 8 bits, which turns a rate of 0.1 % into 0.78 %.
"""

from kdropout.noise.backend import (
    bernoulli,
    drop_units,
    dropout,
    next_seed,
    normal,
    skip_at_zero,
    uniform,
)
from kdropout.noise.continuous import concrete, gaussian, keep_mask

__all__ = [
    "bernoulli",
    "concrete",
    "drop_units",
    "dropout",
    "gaussian",
    "keep_mask",
    "next_seed",
    "normal",
    "skip_at_zero",
    "uniform",
]
