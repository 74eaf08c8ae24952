"""The names of keys and algorithms in kdropout 0.1, which work for one release."""

import dataclasses

from kdropout._renamed import Alias
from kdropout.tuning.job.errors import dotted

# From the keys of version 0.1 to the current keys.
_EARLIER_KEYS = {
    ("ray",): ("ray_address",),
    ("objective", "epoch"): ("objective", "scored_epoch"),
    ("search", "iterations"): ("search", "hyperband_iterations"),
}
_EARLIER_ALGORITHMS = {
    "random": "RandomSearch",
    "bayesian": "BayesianOptimization",
    "hyperband": "Hyperband",
    "grid": "GridSearch",
}


@dataclasses.dataclass(frozen=True)
class Renamed:
    """An earlier name in the settings of a job, with its current key and a message."""

    key: tuple
    current_key: tuple
    message: str


def with_current_names(settings):
    """Return the settings of a job with current names, and a list of `Renamed`."""
    if not isinstance(settings, dict):
        return settings, []
    current, renamed = dict(settings), []
    for section in ("objective", "search"):
        if isinstance(current.get(section), dict):
            current[section] = dict(current[section])
    for key, current_key in _EARLIER_KEYS.items():
        *section, earlier = key
        mapping = current.get(section[0]) if section else current
        # If both are given, the earlier name stays and is reported as unknown.
        if (
            isinstance(mapping, dict)
            and earlier in mapping
            and current_key[-1] not in mapping
        ):
            mapping[current_key[-1]] = mapping.pop(earlier)
            message = f"is now called '{dotted(current_key)}'."
            renamed.append(Renamed(key, current_key, message))
    search = current.get("search")
    algorithm = search.get("algorithm") if isinstance(search, dict) else None
    if isinstance(algorithm, str) and algorithm in _EARLIER_ALGORITHMS:
        search["algorithm"] = _EARLIER_ALGORITHMS[algorithm]
        message = f"'{algorithm}' is now called '{search['algorithm']}'."
        renamed.append(
            Renamed(("search", "algorithm"), ("search", "algorithm"), message)
        )
    return current, renamed


def other_name(key):
    """Return the other name of a key that was renamed, or None."""
    current_keys = {current: earlier for earlier, current in _EARLIER_KEYS.items()}
    return _EARLIER_KEYS.get(key) or current_keys.get(key)


def text_about_names(where, problems):
    """Return the text of a warning with one line for each earlier name."""
    lines = "".join(f"\n  {problem}" for problem in problems)
    return (
        f"{where} uses names of kdropout 0.1, which the next version will not accept:"
        f"{lines}"
    )


def earlier_name(earlier, current):
    """Return a class attribute that redirects an earlier name to the current one."""
    return Alias(current, f"'{earlier}' is now called '{current}'.")
