"""Times several ways of doing a thing within one run."""

import time

import numpy as np

RESAMPLES = 10_000  # of the bootstrap: its own error is below the digits printed


def in_turn(ways, rounds):
    """Run all ways in each round, every other one in the opposite order.

    Args:
        ways: Dict from name to a function without arguments.
        rounds: Integer, how often each runs.

    Returns:
        Dict from name to the seconds of each round.
    """
    times = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            times[name].append(seconds(ways[name]))
    return times


def seconds(way):
    """How long a function takes."""
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def ratio_of_medians(values, references, digits=2, in_turn=True):
    """The ratio, and "low to high", its 95 % interval by bootstrap.

    Args:
        values: Times.
        references: Times.
        digits: Integer.
        in_turn: Whether both are of the same rounds, which are then resampled.
    """
    values, references = np.asarray(values), np.asarray(references)
    generator = np.random.default_rng(0)

    def rounds(times):
        return generator.integers(len(times), size=(RESAMPLES, len(times)))

    first = rounds(values)
    second = first if in_turn else rounds(references)
    medians = (
        np.median(values[first], axis=1),
        np.median(references[second], axis=1),
    )
    low, high = np.quantile(medians[0] / medians[1], (0.025, 0.975))
    ratio = float(np.median(values) / np.median(references))
    return ratio, f"{low:.{digits}f} to {high:.{digits}f}"
