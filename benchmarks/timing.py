"""Times several ways of doing a thing within one run."""

import time


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
