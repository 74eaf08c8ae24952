"""What to do with the results of a search: what every form of a report begins with."""

import collections
import dataclasses

from kdropout.tuning.report.candidates import BASELINE
from kdropout.tuning.report.confirmation import FEWEST_SEEDS, MOST_SEEDS
from kdropout.tuning.report.edges import find_edges
from kdropout.tuning.report.features import is_schedule
from kdropout.tuning.report.recommendation import recommend, shown
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.trials import completed, failed
from kdropout.tuning.report.verdict import (
    better_sign,
    describe,
    name_in_sentence,
    name_of,
)

# As many as a job has if it says nothing else.
SEEDS = 10


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer of a report: the terminal, `report.md` and the page begin with it.

    Args:
        verdict: String, what the new seeds show.
        advice: String, which rates follow from that, and why.
        code: String, the line of Python that sets them.
        next_step: String, what to do next.
    """

    verdict: str
    advice: str
    code: str
    next_step: str


def answer(report):
    """The `Answer` of a `Report`."""
    return Answer(
        describe(report.confirmation, report.importance),
        _advice(report),
        _code(report),
        _next_step(report),
    )


def short(values):
    """A dict of numbers without the digits that make no difference."""
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in values.items()
    }


def _advice(report):
    if report.recommended is None:
        return _unconfirmed(report)
    confirmation = report.confirmation
    recommendation = recommend(confirmation)
    found, uniform = recommendation.found, recommendation.uniform
    if recommendation.label == BASELINE:
        if found is None and uniform is None:
            return "Use no dropout: no other setting could be trained."
        others = [label for label in (found, uniform) if label is not None]
        if any(shown(confirmation, one, BASELINE) == "undecided" for one in others):
            return (
                "Use no dropout: it is simpler, and no other setting is shown to be "
                "better."
            )
        return "Use no dropout: it is shown to be better."
    if recommendation.label == uniform:
        return _for_uniform(confirmation, found, uniform)
    trial = report._trial_to_use
    whose = f" of trial {trial.trial_id}" if trial is not None else ""
    text = f"Use the rates{whose} ('{recommendation.label}' with new seeds)"
    if not confirmation.scores_of(BASELINE):
        return f"{text}."
    if uniform is None:
        return f"{text}: they are shown to be better than no dropout."
    if shown(confirmation, found, uniform) == "better":
        return f"{text}: they are shown to be better than {name_of(uniform)}."
    return (
        f"{text}: {name_of(uniform)} is simpler, but not shown to be better than no "
        "dropout."
    )


def _unconfirmed(report):
    trial = report.best_trial
    if not has_dropout(report):
        return "Use no dropout: no trial with dropout has completed."
    scale = scale_of(report.objective, [trial.score])
    return (
        f"These are the rates of trial {trial.trial_id}, whose {report.objective} of "
        f"{scale.score(trial.score)} is the best of the search "
        f"({better_sign(report.direction)} is better), by merit or by luck."
    )


def _for_uniform(confirmation, found, uniform):
    text = f"Use {name_of(uniform)}"
    if found is None:
        return f"{text}: no setting of the search could be trained."
    if shown(confirmation, found, uniform) == "worse":
        return f"{text}: it is shown to be better than the rates found."
    if not confirmation.scores_of(BASELINE):
        return f"{text}: it is simpler, and the rates found are not shown to be better."
    if shown(confirmation, found, BASELINE) != "better":
        return f"{text}: the rates found are not shown to be better than no dropout."
    return f"{text}: it is simpler, and the rates found are not shown to be better."


def _code(report):
    trial = report._trial_to_use
    if trial is not None and is_schedule(trial):
        values = short(report.best_values)
        return f"kdropout.tuning.plan_of(model).assign(model, {values})"
    return f"kdropout.set_rates(model, {short(report.best_rates)})"


def _next_step(report):
    setting = report.best_values or report.best_rates
    edges = find_edges(report.trials, report.direction, report.limits, setting)
    steps = [_confirmation_step(report), *(str(edge) for edge in edges)]
    if report.confirmation is not None:
        steps = steps[1:] + steps[:1]  # what may gain more comes first
    steps = [_failures_step(report), *steps]
    return " ".join(step for step in steps if step) or "Train the final model with it."


def _failures_step(report):
    """What to do about trials that failed, if they are at least half of all."""
    lost, done = failed(report.trials), completed(report.trials)
    if len(lost) < len(done) or not lost:
        return ""
    reasons = collections.Counter(trial.reason for trial in lost)
    (reason, count), *others = reasons.most_common()
    whose = f"{count} of them say" if others else "They say"
    return (
        f"Look into the {len(lost)} of {len(lost) + len(done)} trials that failed. "
        f"{whose}: {reason}"
    )


def _confirmation_step(report):
    """What to do about a confirmation that is missing, or decided too little."""
    confirmation = report.confirmation
    if confirmation is None:
        if not has_dropout(report):
            return "Search rates above 0, if you want to know whether dropout helps."
        return (
            "Confirm them on new seeds, beside one rate everywhere and no dropout: "
            f"{_command(SEEDS)}, or kdropout.tuning.report.confirm in Python."
        )
    if report.recommended is None:
        return (
            "Mend what made the trainings fail, and train them again: 'kdropout tune "
            "CONFIG --resume'."
        )
    open_ones = _open(confirmation)
    if not open_ones:
        return ""
    now = len(confirmation.seeds)
    if now < FEWEST_SEEDS:
        return (
            f"{now} seeds are too few to tell settings apart, so train more: "
            f"{_command(SEEDS)}."
        )
    numbers = {one: confirmation.seeds_to_decide(one) for one in open_ones}
    numbers = {one: number for one, number in numbers.items() if number}
    if not numbers:
        names = _between(confirmation, open_ones[0])
        return f"Not even {MOST_SEEDS} seeds would decide between {names}."
    nearest = min(numbers, key=numbers.get)
    return (
        f"About {numbers[nearest]} seeds instead of {now} would decide between "
        f"{_between(confirmation, nearest)}, if the difference is as large as "
        f"measured: {_command(numbers[nearest])}."
    )


def _open(confirmation):
    """The undecided comparisons that would change the advice, if they were decided."""
    recommendation = recommend(confirmation)
    found, uniform = recommendation.found, recommendation.uniform
    if recommendation.label == BASELINE:
        pairs = [(found, BASELINE), (uniform, BASELINE)]
    elif recommendation.label == uniform:
        pairs = [(found, uniform)]
    else:
        pairs = [(uniform, BASELINE)]
    comparisons = [confirmation.comparison(*pair) for pair in pairs]
    return [
        one
        for one in comparisons
        if one is not None
        and one.verdict == "undecided"
        and _may_help(one, len(confirmation.seeds))
    ]


def _may_help(comparison, seeds):
    """Whether a setting may be better; of few seeds, a sign means little."""
    if comparison.gain is None or comparison.gain.mean > 0.0:
        return True
    return seeds < FEWEST_SEEDS and any(comparison.gains)


def _between(confirmation, comparison):
    first = name_in_sentence(confirmation, comparison.label)
    return f"{first} and {name_of(comparison.reference)}"


def _command(seeds):
    return f"'kdropout tune CONFIG --resume --set confirm.seeds={seeds}'"


def has_dropout(report):
    """Whether a trial with dropout has completed: else there is nothing to confirm."""
    done = completed(report.trials)
    return any(any(trial.rates.values()) or is_schedule(trial) for trial in done)
