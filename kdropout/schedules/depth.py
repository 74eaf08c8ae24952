"""How rates are distributed over the depth of a network."""

from kdropout import validation
from kdropout.schedules.base import rate_argument


def depth_rates(depth, last, first=0.0):
    """One rate for each of `depth` blocks, rising linearly from `first` to `last`.

    The rule of stochastic depth: early blocks, which all others build on, are
    dropped least. The original paper starts at `last / depth` for the first block;
    pass that as `first` to follow it.

        rate_l = first + (last - first) * l / (depth - 1),  l = 0 .. depth - 1

    Args:
        depth: Integer of at least 1, number of blocks.
        last: Float in [0, 1], rate of the last block.
        first: Float in [0, 1], rate of the first block. Defaults to 0.

    Returns:
        List of `depth` floats. A single block gets `last`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> kdropout.schedules.depth_rates(5, last=0.2)
    [0.0, 0.05, 0.1, 0.15, 0.2]

    Reference:
        Huang et al. 2016, "Deep networks with stochastic depth", arXiv:1603.09382.
    """
    depth = validation.integer("depth", depth, low=1)
    last = rate_argument("last", last)
    first = rate_argument("first", first)
    if depth == 1:
        return [last]
    # 15 digits: without the tail that binary fractions leave, and within [0, 1].
    return [
        round(first + (last - first) * index / (depth - 1), 15)
        for index in range(depth)
    ]
