"""Rates for the layers of a model: one for all, or a dict by path."""

import fnmatch

from kdropout.validation import nearest


def choose_rates(paths, rate, argument="rate"):
    """The rate of each path.

    Args:
        paths: Paths of layers.
        rate: A rate for all, or a dict from paths or globs to rates; where several
            match, the last one counts.
        argument: What the user calls `rate`, for the messages.

    Returns:
        Dict from path to rate, without the paths that a dict does not name.

    Raises:
        TypeError: If a key is not a string.
        ValueError: If a key matches no path, or there is no key.
    """
    if not isinstance(rate, dict):
        return dict.fromkeys(paths, rate)
    if not rate:
        raise ValueError(
            f"'{argument}' must name at least one layer. Received: an empty collection."
        )
    chosen = {}
    for pattern, value in rate.items():
        if not isinstance(pattern, str):
            raise TypeError(
                "'rate' must be a rate, or a dict from layer paths or globs to rates. "
                f"Received: rate={rate!r}"
            )
        matches = [pattern] if pattern in paths else fnmatch.filter(paths, pattern)
        if not matches:
            raise ValueError(
                f"'{argument}' must name layers that dropout can be at. Received: "
                f"'{pattern}'.{nearest(pattern, paths)} There are: "
                f"{', '.join(map(repr, paths)) or 'none'}"
            )
        chosen.update(dict.fromkeys(matches, value))
    return chosen
