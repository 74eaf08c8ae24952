"""Series of numbers on common steps, with a limited number of steps."""

import math

from kdropout_dashboard.plain import rounded

# A chart has no more pixels in width than this.
MOST_STEPS = 1_000
# For all series together. TensorBoard returns this many in less than half a second.
MOST_POINTS = 250_000


def most_to_read(num_series, shared_by=1):
    """Return the number of steps of each series to request.

    `shared_by` is the number of runs that share the points.
    """
    return max(MOST_POINTS // shared_by // max(num_series, 1), 2)


class Aligned:
    """Several series on one sorted list of steps.

    Args:
        series: List of pairs of steps and values, in the order in which they were
            read. Both are empty for a missing series.
        kept_steps: Integer, the number of steps of a series that TensorBoard keeps, or
            0 for all.

    Attributes:
        steps: List of integers.
        values: List of lists of numbers, one per series, with None at steps without a
            value.
        is_sampled: Bool, True if steps were left out, here or by TensorBoard.
    """

    def __init__(self, series, kept_steps=0):
        columns = [_latest(*column) for column in series]
        everything = _union([steps for steps, _ in columns if steps])
        most = min(MOST_STEPS, most_to_read(len(series)))
        chosen = evenly(len(everything), most)
        self.steps = [everything[index] for index in chosen]
        self.values = [self._on_steps(*column) for column in columns]
        self.is_sampled = len(chosen) < len(everything) or any(
            0 < kept_steps <= len(read) and not are_even(steps)
            for (read, _), (steps, _) in zip(series, columns, strict=True)
        )

    def as_payload(self):
        """Return the dict for the page."""
        return {"steps": self.steps, "values": self.values}

    def _on_steps(self, steps, values):
        if steps != self.steps:
            at = dict(zip(steps, values, strict=True))
            values = [at.get(step, math.nan) for step in self.steps]
        return rounded(values)


def _latest(steps, values):
    """Return steps and values without points that a later training has replaced.

    If a training was resumed, or started again in the same folder, its steps start
    again. Then all later steps of the first training are dropped, like in TensorBoard's
    default loader.
    """
    if all(map(int.__lt__, steps, steps[1:])):
        return steps, values
    kept = []
    for step, value in zip(steps, values, strict=True):
        while kept and kept[-1][0] >= step:
            kept.pop()
        kept.append((step, value))
    return [step for step, _ in kept], [value for _, value in kept]


def _union(columns):
    """All steps of several lists, sorted."""
    if not columns:
        return []
    if all(steps == columns[0] for steps in columns):
        return columns[0]
    return sorted(set().union(*columns))


def evenly(count, most):
    """Return at most `most` evenly spaced indices below `count`, including the last."""
    if count <= most:
        return range(count)
    if most < 2:
        return range(count - most, count)
    return [index * (count - 1) // (most - 1) for index in range(most)]


def are_even(steps):
    """Return True if all steps have the same distance."""
    return len(steps) < 3 or list(steps) == list(
        range(steps[0], steps[-1] + 1, steps[1] - steps[0])
    )
