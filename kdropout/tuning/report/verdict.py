"""The verdict of a confirmation in words."""

import numpy as np

from kdropout.tuning.report.confirmation import (
    BASELINE,
    CONFIDENCE,
    ROUNDING,
    UNIFORM,
)
from kdropout.tuning.report.score_format import better_sign, format_of


def describe(confirmation, importance):
    """Return the verdict in a few sentences.

    It says "better" or "worse" only if the paired interval excludes 0. Each difference
    comes with the name of its score and with the direction that is better.
    """
    if confirmation is None:
        return (
            "Not confirmed: the best score of a search is partly luck, so it does not "
            "show whether the rates help."
        )
    if not confirmation.scores:
        first = next(iter(confirmation.failures.values()), None)
        if first is None:
            return "Not confirmed: no training with a new seed was run."
        return (
            "Not confirmed: no training with a new seed succeeded. The first error: "
            f"{first}"
        )
    sentences = [*_against_none(confirmation), _against_uniform(confirmation)]
    if confirmation.has_claim:
        sentences += [_widened(confirmation), _most_important(importance)]
    sentences.append(_failures(confirmation))
    return " ".join(sentence for sentence in sentences if sentence)


def name_of(label):
    """Return the name of a setting in a sentence."""
    if label == BASELINE:
        return label
    if label.startswith(UNIFORM):
        return f"{label.removeprefix(UNIFORM)} everywhere"
    return f"'{label}'"


def name_in_sentence(confirmation, label):
    """Return the name of a setting: "the rates found" for one of the search."""
    return "the rates found" if label in confirmation.search else name_of(label)


def _against_none(confirmation):
    recommendation = confirmation.recommendation
    found, uniform = recommendation.found, recommendation.uniform
    label = found or uniform
    if label is None:
        return ["None of the settings to confirm could be trained with a new seed."]
    if not confirmation.scores_of(BASELINE):
        return ["The training without dropout failed with every new seed."]
    sentences = [_sentence(confirmation, label, BASELINE)]
    if found and uniform:
        only_uniform = (
            confirmation.shown(found, BASELINE) != "better"
            and confirmation.shown(uniform, BASELINE) != "undecided"
        )
        if only_uniform or recommendation.label == uniform:
            sentences.append(_sentence(confirmation, uniform, BASELINE))
    return sentences


def _against_uniform(confirmation):
    recommendation = confirmation.recommendation
    found, uniform = recommendation.found, recommendation.uniform
    if not found or not uniform:
        return ""
    comparison = confirmation.comparison(found, uniform)
    if comparison is None:
        return ""
    if comparison.verdict == "undecided":
        return _undecided(confirmation, comparison)
    return _claim(confirmation, comparison, "They")


def _sentence(confirmation, label, reference):
    comparison = confirmation.comparison(label, reference)
    if comparison.verdict == "undecided":
        return _undecided(confirmation, comparison)
    return _claim(confirmation, comparison, _subject(confirmation, label))


def _subject(confirmation, label):
    name = name_in_sentence(confirmation, label)
    return name[:1].upper() + name[1:]


def _claim(confirmation, comparison, subject):
    scores, gain = _format(confirmation), comparison.gain
    sign = 1.0 if comparison.verdict == "better" else -1.0
    low, high = sorted((sign * gain.low, sign * gain.high))
    high = min(high, scores.span) if scores.unit else high
    width = gain.half_width
    verb = "are" if comparison.label in confirmation.search else "is"
    return (
        f"{subject} {verb} {comparison.verdict} than {name_of(comparison.reference)} "
        f"by {scores.amount(sign * gain.mean, width)} of {confirmation.measure}, where "
        f"{better_sign(confirmation.direction)} is better ({100 * CONFIDENCE:g} % "
        f"interval {_bound(scores, low, width)} to {_bound(scores, high, width)})."
    )


def _bound(scores, value, width):
    """Write a bound with enough digits that one other than 0 does not read as 0."""
    text = scores.number(value, width)
    return text if float(text) else scores.number(value, abs(value))


def _undecided(confirmation, comparison):
    scores, gain = _format(confirmation), comparison.gain
    subject = _subject(confirmation, comparison.label)
    both = f"{subject} and {name_of(comparison.reference)}"
    measure, unit = confirmation.measure, confirmation.unit
    sign = f"{better_sign(confirmation.direction)} is better"
    if gain is None:
        return (
            f"{both} cannot be compared by {measure} ({sign}), because fewer than two "
            f"{unit}s have scores of both."
        )
    gains = np.array(comparison.gains)
    if not gains.any():
        return f"{both} have the same {measure} with every {unit}."
    whose = _in_favour(confirmation, comparison)
    if np.ptp(gains) <= ROUNDING * np.abs(gains).max():
        return (
            f"{both} differ by {scores.amount(abs(gain.mean), 0.0)} of {measure} "
            f"({sign}){whose} with each of {len(gains)} {unit}s. The score is too "
            "coarse to show how certain that is."
        )
    if not scores.holds_difference(gain):
        return (
            f"{both} differ by {scores.amount(abs(gain.mean), 0.0)} of {measure} "
            f"({sign}){whose}. {len(gains)} {unit}s are too few to decide: the "
            "interval "
            "is wider than the range of all scores."
        )
    mean = scores.number(abs(gain.mean), gain.half_width)
    width = scores.amount(gain.half_width, gain.half_width)
    spread = _spread(confirmation, comparison.reference)
    sentence = (
        f"{both} differ by {mean} +- {width} of {measure} "
        f"({sign}){whose if float(mean) else ''}."
    )
    if abs(gain.mean) <= spread:
        return (
            f"{sentence} You would not notice this difference: another {unit} "
            f"changes the score by {scores.amount(spread, spread)}."
        )
    return f"{sentence} {len(gains)} {unit}s are too few to decide."


def _in_favour(confirmation, comparison):
    better = comparison.label if comparison.gain.mean > 0.0 else comparison.reference
    return f" in favour of {name_in_sentence(confirmation, better)}"


def _most_important(importance):
    if not importance.reliable or len(importance.features) < 2:
        return ""
    first = importance.features[0]
    return (
        f"In the search, the score depended most on '{first.name}' (importance "
        f"{first.mean:.2f} +- {first.std:.2f})."
    )


def _failures(confirmation):
    lost = len(confirmation.failures)
    if not lost:
        return ""
    total = len(confirmation.candidates) * len(confirmation.seeds)
    return f"{lost} of {total} trainings failed."


def _widened(confirmation):
    count = len(confirmation.comparisons)
    if count == 1:
        return ""
    return f"The intervals are widened, because there are {count} comparisons."


def _spread(confirmation, label):
    """The standard deviation of the score of one setting over seeds or folds."""
    return float(np.std(list(confirmation.scores_of(label).values()), ddof=1))


def _format(confirmation):
    return format_of(confirmation.measure, confirmation.scores.values())
