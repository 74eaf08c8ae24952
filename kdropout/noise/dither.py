"""The bits of a mask that are not drawn for each unit: an ordered dither.

`VALUES` is a fixed sequence. Each call starts it at a random place and inverts random
bits of it, so that over many calls each place takes each value equally often. Within a
call the values are spread evenly: the rounded thresholds average to the rate, and the
share of units that a call drops varies no more than that of independent units.
"""

import random

import numpy as np

NUM_PLACES = 4096
# 8 * 509, of whole words and a large prime: no usual width of a layer divides it.
STRETCH = 4072
BITS = 16
_FINE_BITS = 4  # 4096 * 2^4 = 2^16


def split(word):
    """32 random bits as `(begin, inverted)`: 12 and 16 of them.

    Args:
        word: Integer, or integer tensor.
    """
    return (word // 2**20) & (NUM_PLACES - 1), word & (2**BITS - 1)


def _values():
    # Not of a library whose streams may change: a seed is to replay its masks.
    generator = random.Random(0)
    permutation = sorted(range(NUM_PLACES), key=lambda _: generator.random())
    return [
        2**BITS - 1 - (value << _FINE_BITS) - generator.randrange(2**_FINE_BITS)
        for value in permutation
    ]


# Spread evenly: one in each 4096th of their range. Twice, to begin at any place.
VALUES = np.array(2 * _values(), "int32")
