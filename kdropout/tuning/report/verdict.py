"""The answer in words: is it really better?"""

import numpy as np

from kdropout.tuning.report.candidates import BASELINE, UNIFORM
from kdropout.tuning.report.confirmation import CONFIDENCE
from kdropout.tuning.report.recommendation import has_claim, shown
from kdropout.tuning.report.scale import scale_of


def describe(confirmation, importance):
    """The verdict in a few sentences.

    It says "better" or "worse" only of a paired interval that excludes 0.

    Args:
        confirmation: `Confirmation`, or None.
        importance: `Importance`.

    Returns:
        String.
    """
    if confirmation is None:
        return (
            "Not confirmed: the best scores of a search are its luckiest, so they do "
            "not tell whether its rates help. Train the best of them, one rate "
            "everywhere and no dropout with new seeds: kdropout.tuning.report.confirm."
        )
    if not confirmation.scores:
        first = next(iter(confirmation.failures.values()), "no training was run")
        return f"Not confirmed: no training with a new seed ended. The first: {first}"
    sentences = [_against_none(confirmation), _against_uniform(confirmation)]
    if has_claim(confirmation):
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


def _against_none(confirmation):
    found = confirmation.best_of(confirmation.search)
    uniform = confirmation.best_of(confirmation.uniform)
    others = [label for label in confirmation.candidates if label != BASELINE]
    label = found or uniform or confirmation.best_of(others)
    if label is None:
        return "Of the settings to confirm, none could be trained with a new seed."
    if label == found:
        subject, verb = "The rates found", "are"
    else:
        subject, verb = _capital(name_of(label)), "is"
    sentence = _sentence(confirmation, label, BASELINE, subject, verb)
    if label == found and uniform:
        only_uniform = shown(confirmation, found, BASELINE) == "undecided"
        only_uniform &= shown(confirmation, uniform, BASELINE) != "undecided"
        if only_uniform:
            subject = _capital(name_of(uniform))
            sentence += " " + _sentence(confirmation, uniform, BASELINE, subject, "is")
    return sentence


def _against_uniform(confirmation):
    found = confirmation.best_of(confirmation.search)
    uniform = confirmation.best_of(confirmation.uniform)
    if not found or not uniform:
        return ""
    comparison = confirmation.comparison(found, uniform)
    if comparison.verdict == "undecided":
        return _undecided(confirmation, comparison, f"Against {name_of(uniform)}")
    return _claim(confirmation, comparison, "They", "are")


def _sentence(confirmation, label, reference, subject, verb):
    comparison = confirmation.comparison(label, reference)
    if comparison.verdict == "undecided":
        whose = "the rates found" if verb == "are" else name_of(label)
        return _undecided(confirmation, comparison, f"Between {whose} and {reference}")
    return _claim(confirmation, comparison, subject, verb)


def _claim(confirmation, comparison, subject, verb):
    scale, gain = _scale(confirmation), comparison.gain
    sign = 1.0 if comparison.verdict == "better" else -1.0
    low, high = sorted((sign * gain.low, sign * gain.high))
    width = gain.half_width
    return (
        f"{subject} {verb} {comparison.verdict} than {name_of(comparison.reference)} "
        f"by {scale.amount(sign * gain.mean, width)} of {confirmation.measure} "
        f"({100 * CONFIDENCE:g} % interval {_bound(scale, low, width)} to "
        f"{_bound(scale, high, width)})."
    )


def _bound(scale, value, width):
    """A bound that is not 0, though it may be near, does not read as 0."""
    text = scale.number(value, width)
    return text if float(text) else scale.number(value, abs(value))


def _undecided(confirmation, comparison, beginning):
    scale, gain = _scale(confirmation), comparison.gain
    if gain is None:
        return (
            f"{beginning}, nothing can be said: fewer than two seeds were finished by "
            "both."
        )
    mean = scale.number(gain.mean, gain.half_width)
    width = scale.amount(gain.half_width, gain.half_width)
    gains = np.array(comparison.gains)
    if not gains.any():
        return f"{beginning}, there is no difference at all."
    if np.ptp(gains) <= 1e-9 * np.abs(gains).max():
        return (
            f"{beginning}, the difference is {scale.amount(gain.mean, 0.0)} with each "
            f"of {len(gains)} seeds, too coarse a score to tell how certain that is."
        )
    spread = _seed_spread(confirmation, comparison.reference)
    sentence = f"{beginning}, the difference is {mean} +- {width}: "
    if abs(gain.mean) <= spread:
        return (
            f"{sentence}nothing you could notice, as another seed alone moves the "
            f"score by {scale.amount(spread, spread)}."
        )
    return f"{sentence}{len(gains)} seeds are too few to tell."


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


def _scale(confirmation):
    return scale_of(confirmation.measure, confirmation.scores.values())


def _capital(text):
    return text[:1].upper() + text[1:]
