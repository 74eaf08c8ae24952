"""The answer in words: do the rates really help?"""

import numpy as np

from kdropout.tuning.report.confirmation import (
    BASELINE,
    CONFIDENCE,
    ROUNDING,
    UNIFORM,
)
from kdropout.tuning.report.score_format import better_sign, format_of


def describe(confirmation, importance):
    """The verdict in a few sentences.

    It says "better" or "worse" only of a paired interval that excludes 0. Each
    difference comes with the name of its score, and with the sign that is better.
    """
    if confirmation is None:
        return (
            "Not confirmed: the best scores of a search are its luckiest, so they do "
            "not show whether its rates help."
        )
    if not confirmation.scores:
        first = next(iter(confirmation.failures.values()), None)
        if first is None:
            return "Not confirmed: no training with a new seed was run."
        return (
            "Not confirmed: no training with a new seed ended. The first error: "
            f"{first}"
        )
    sentences = [*_against_none(confirmation), _against_uniform(confirmation)]
    if confirmation.has_claim:
        sentences += [_widened(confirmation), _most_important(importance)]
    sentences.append(_failures(confirmation))
    return " ".join(sentence for sentence in sentences if sentence)


def name_of(label):
    """What a sentence calls a setting."""
    if label == BASELINE:
        return label
    if label.startswith(UNIFORM):
        return f"{label.removeprefix(UNIFORM)} everywhere"
    return f"'{label}'"


def name_in_sentence(confirmation, label):
    """What a sentence calls a setting: those of the search are the rates found."""
    return "the rates found" if label in confirmation.search else name_of(label)


def _against_none(confirmation):
    recommendation = confirmation.recommendation
    found, uniform = recommendation.found, recommendation.uniform
    label = found or uniform
    if label is None:
        return ["Of the settings to confirm, none could be trained with a new seed."]
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
        return _undecided(confirmation, comparison, f"Against {name_of(uniform)}")
    return _claim(confirmation, comparison, "They")


def _sentence(confirmation, label, reference):
    comparison = confirmation.comparison(label, reference)
    name = name_in_sentence(confirmation, label)
    if comparison.verdict == "undecided":
        beginning = f"Between {name} and {name_of(reference)}"
        return _undecided(confirmation, comparison, beginning)
    return _claim(confirmation, comparison, name[:1].upper() + name[1:])


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
    """A bound that is not 0, though it may be near, does not read as 0."""
    text = scores.number(value, width)
    return text if float(text) else scores.number(value, abs(value))


def _undecided(confirmation, comparison, beginning):
    scores, gain = _format(confirmation), comparison.gain
    measure = confirmation.measure
    sign = f"{better_sign(confirmation.direction)} is better"
    if gain is None:
        return (
            f"{beginning}, nothing can be said of {measure} ({sign}): fewer than two "
            "seeds were finished by both."
        )
    gains = np.array(comparison.gains)
    if not gains.any():
        return f"{beginning}, there is no difference at all in {measure}."
    whose = _in_favour(confirmation, comparison)
    if np.ptp(gains) <= ROUNDING * np.abs(gains).max():
        return (
            f"{beginning}, the difference is {scores.amount(abs(gain.mean), 0.0)} of "
            f"{measure} ({sign}){whose} with each of {len(gains)} seeds, too coarse a "
            "score to show how certain that is."
        )
    if not scores.holds_difference(gain):
        return (
            f"{beginning}, the difference is {scores.amount(abs(gain.mean), 0.0)} of "
            f"{measure} ({sign}){whose}, and {len(gains)} seeds are too few to tell: "
            "its interval is wider than all scores."
        )
    mean = scores.number(abs(gain.mean), gain.half_width)
    width = scores.amount(gain.half_width, gain.half_width)
    spread = _seed_spread(confirmation, comparison.reference)
    sentence = (
        f"{beginning}, the difference is {mean} +- {width} of {measure} "
        f"({sign}){whose if float(mean) else ''}: "
    )
    if abs(gain.mean) <= spread:
        return (
            f"{sentence}nothing you could notice, as another seed alone moves the "
            f"score by {scores.amount(spread, spread)}."
        )
    return f"{sentence}{len(gains)} seeds are too few to tell."


def _in_favour(confirmation, comparison):
    better = comparison.label if comparison.gain.mean > 0.0 else comparison.reference
    return f" in favour of {name_in_sentence(confirmation, better)}"


def _most_important(importance):
    if not importance.reliable or len(importance.features) < 2:
        return ""
    first = importance.features[0]
    return (
        f"In the search, the score had most to do with '{first.name}' (importance "
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
    return f"The intervals are widened, because {count} differences were looked at."


def _seed_spread(confirmation, label):
    """Standard deviation of the score of one setting over the seeds."""
    return float(np.std(list(confirmation.scores_of(label).values()), ddof=1))


def _format(confirmation):
    return format_of(confirmation.measure, confirmation.scores.values())
