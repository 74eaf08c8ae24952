"""Turns numbers of a study into text: means, differences, intervals and tables."""

import numpy as np

from kdropout import _statistics


def pick(rows, **fields):
    """The rows with these values, sorted by seed."""
    found = [row for row in rows if all(row[k] == v for k, v in fields.items())]
    if not found:
        raise KeyError(f"no row with {fields}")
    return sorted(found, key=lambda row: row["seed"])


def column(rows, name, **fields):
    """Array of a number of these rows, sorted by seed."""
    return np.array([row[name] for row in pick(rows, **fields)], dtype="float64")


def mean(values, digits=2):
    """ "9.24 +- 0.20": the mean and half of its 95 % interval."""
    found = _statistics.interval(values)
    return f"{found.mean:.{digits}f} +- {found.half_width:.{digits}f}"


def difference(values, baseline, count=1, digits=2, more_is_better=False):
    """ "-1.24 (-1.41 to -1.08) better"; without a word if the interval includes 0.

    Args:
        values: Array, one number for each seed.
        baseline: Array, with the same seeds.
        count: Integer, number of differences: their intervals are so wide that all hold
            together with 95 %.
        digits: Integer, number of decimal places.
        more_is_better: True if an increase is an improvement.
    """
    found = _statistics.paired(values, baseline, _statistics.for_all_of(count))
    words = {"better": " better", "worse": " worse", "undecided": ""}
    if more_is_better:
        words |= {"better": " worse", "worse": " better"}
    numbers = (f"{x:+.{digits}f}" for x in (found.mean, found.low, found.high))
    return "{} ({} to {})".format(*numbers) + words[found.verdict]


def table(header, lines):
    """A table in Markdown."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def best_by_validation(rows, methods, **fields):
    """For each seed, the row with the least validation error, as a search chooses it.

    Args:
        rows: List of rows.
        methods: Dicts of fields, one for each method to choose from.
        **fields: Fields that all methods have in common.
    """
    arms = [pick(rows, **fields, **one) for one in methods]
    return [
        min(ones, key=lambda r: r["validation_error"])
        for ones in zip(*arms, strict=True)
    ]


def chosen_errors(rows, methods, **fields):
    """Array of test errors, each of the method with the least validation error."""
    arms = [{"method": method} for method in methods]
    chosen = best_by_validation(rows, arms, **fields)
    return np.array([row["test_error"] for row in chosen])
