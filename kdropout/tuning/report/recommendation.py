"""Which of the confirmed settings to take, and whether anything was shown."""

import dataclasses

from kdropout.tuning.report.candidates import BASELINE


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """The setting to take, and the two that it was chosen from beside no dropout.

    What is more complex has to be shown to be better: a rate for each layer than one
    rate everywhere, and any dropout than none. Where the new seeds cannot tell two
    settings apart, the simpler one is taken.

    Args:
        label: String, the setting to take, or None if no training ended.
        found: String, the best setting of the search, or None if none was trained.
        uniform: String, the best setting with one rate everywhere, or None.
    """

    label: str | None
    found: str | None
    uniform: str | None


def recommend(confirmation):
    """The `Recommendation` of a `Confirmation`."""
    uniform = _best(confirmation, confirmation.uniform, [BASELINE])
    references = [BASELINE] if uniform is None else [BASELINE, uniform]
    search = confirmation.search or _unnamed(confirmation)
    found = _best(confirmation, search, references)
    return Recommendation(_choose(confirmation, found, uniform), found, uniform)


def recommended(confirmation):
    """The label of the setting to take, or None if no training ended."""
    return recommend(confirmation).label


def has_claim(confirmation):
    """Whether the best settings differ from others by an interval that excludes 0."""
    recommendation = recommend(confirmation)
    best = {recommendation.found, recommendation.uniform}
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


def _choose(confirmation, found, uniform):
    if not confirmation.scores_of(BASELINE):
        if found is None or uniform is None:
            return found or uniform
        better = shown(confirmation, found, uniform) == "better"
        return found if better else uniform
    found_helps = shown(confirmation, found, BASELINE) == "better"
    uniform_helps = shown(confirmation, uniform, BASELINE) == "better"
    if not found_helps:
        return uniform if uniform_helps else BASELINE
    against = shown(confirmation, found, uniform)
    if against == "worse" or (against == "undecided" and uniform_helps):
        return uniform
    return found


def _best(confirmation, labels, references):
    """The best label among those that are shown to be better than most references.

    All intervals hold together, so any of them may be picked after looking.
    """
    for count in range(len(references), -1, -1):
        better = [
            label
            for label in labels
            if all(
                shown(confirmation, label, reference) == "better"
                for reference in references[:count]
            )
        ]
        best = confirmation.best_of(better)
        if best is not None:
            return best
    return None


def _unnamed(confirmation):
    """The labels of a user's own settings, which have no meaning here."""
    known = {BASELINE, *confirmation.uniform}
    return [label for label in confirmation.candidates if label not in known]
