"""Which of the confirmed settings to take, and whether anything was shown."""

from kdropout.tuning.report.candidates import BASELINE


def recommended(confirmation):
    """The label of the setting to take, or None if no training ended.

    The best one that the search found, unless one rate everywhere, or no dropout, is
    shown to be better than it.
    """
    found = confirmation.best_of(confirmation.search)
    uniform = confirmation.best_of(confirmation.uniform)
    if found is None:
        others = [label for label in confirmation.candidates if label != BASELINE]
        found = confirmation.best_of(others)
    if found is None:
        return confirmation.best_of([BASELINE])
    if uniform and shown(confirmation, found, uniform) == "worse":
        found = uniform
    return BASELINE if shown(confirmation, found, BASELINE) == "worse" else found


def has_claim(confirmation):
    """Whether the best settings differ from others by an interval that excludes 0."""
    search, uniform = confirmation.search, confirmation.uniform
    best = {confirmation.best_of(search), confirmation.best_of(uniform)}
    return any(
        one.label in best
        and one.reference in {BASELINE, *best}
        and one.verdict != "undecided"
        for one in confirmation.comparisons
    )


def shown(confirmation, label, reference):
    """The verdict of a comparison: "better", "worse" or "undecided"."""
    comparison = confirmation.comparison(label, reference)
    return comparison.verdict if comparison else "undecided"
