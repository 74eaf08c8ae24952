"""The bits of a mask that are not drawn for each unit: an ordered dither.

`VALUES` is a fixed sequence. Each call starts it at a random place and inverts random
bits of it, so that over many calls each place takes each value equally often. Within a
call, the values are spread evenly. So the rounded thresholds average to the rate, and
the share of units that a call drops varies at most as much as with independent units.
"""

import random

import numpy as np

NUM_PLACES = 4096
# 8 * 509: whole words, and a large prime, so that no usual width of a layer divides it.
STRETCH = 4072
BITS = 16
_FINE_BITS = 4  # 4096 * 2^4 = 2^16


def split(word):
    """The place to start at (12 bits) and the bits to invert (16), from 32 bits."""
    return (word // 2**20) & (NUM_PLACES - 1), word & (2**BITS - 1)


def _values():
    # NumPy's streams may change, but a seed must always draw the same masks.
    generator = random.Random(0)
    permutation = sorted(range(NUM_PLACES), key=lambda _: generator.random())
    return [
        2**BITS - 1 - (value << _FINE_BITS) - generator.randrange(2**_FINE_BITS)
        for value in permutation
    ]


# The values are spread evenly: one in each 4096th of their range. The sequence is
# repeated, so that a call can start at any place.
VALUES = np.array(2 * _values(), "int32")
