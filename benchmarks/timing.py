"""Measures the time of several functions within one run."""

import time

import numpy as np

RESAMPLES = 10_000  # of the bootstrap; its error is below the printed digits


def in_turn(ways, rounds):
    """Run all functions in each round, in the opposite order in every second round.

    Args:
        ways: Dict from name to a function without arguments.
        rounds: Integer, number of times that each runs.

    Returns:
        Dict from name to the seconds of each round.
    """
    times = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            times[name].append(seconds(ways[name]))
    return times


def seconds(way):
    """The seconds that a function takes."""
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def ratio_of_medians(values, references, digits=2, in_turn=True):
    """The ratio, and its 95 % interval by bootstrap as the text "low to high".

    Args:
        values: Times, in the numerator.
        references: Times, in the denominator.
        digits: Integer, digits of the interval.
        in_turn: True if both have the same rounds, which are then resampled together.
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
