"""What to do with the results of a search: which rates to use, and what to do next."""

import collections
import dataclasses

import numpy as np

from kdropout.tuning.report.confirmation import BASELINE, FEWEST_SEEDS, MOST_SEEDS
from kdropout.tuning.report.records import (
    SAME,
    SCHEDULE,
    completed,
    failed,
    is_schedule,
    ranked,
)
from kdropout.tuning.report.score_format import better_sign, format_of
from kdropout.tuning.report.verdict import describe, name_in_sentence, name_of

# As many as a job has if it says nothing else.
SEEDS = 10

# The trials that count as the best ones.
_BEST = 10

# A value this near to a limit, as a share of the space, is at it.
_NEAR = 0.01

# More layers than these are only counted.
_MOST_NAMES = 4


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


def has_dropout(report):
    """Whether a trial with dropout has completed: else there is nothing to confirm."""
    return any(
        any(trial.rates.values()) or is_schedule(trial)
        for trial in completed(report.trials)
    )


def _advice(report):
    confirmation = report.confirmation
    if report.recommended is None:
        return _unconfirmed(report)
    recommendation = confirmation.recommendation
    found, uniform = recommendation.found, recommendation.uniform
    if recommendation.label == BASELINE:
        return _for_no_dropout(confirmation, found, uniform)
    if recommendation.label == uniform:
        return _for_uniform(confirmation, found, uniform)
    trial = report.trial_to_use
    whose = f" of trial {trial.trial_id}" if trial is not None else ""
    text = f"Use the rates{whose} ('{recommendation.label}' with new seeds)"
    if not confirmation.scores_of(BASELINE):
        return f"{text}."
    if uniform is None:
        return f"{text}: they are shown to be better than no dropout."
    if confirmation.shown(found, uniform) == "better":
        return f"{text}: they are shown to be better than {name_of(uniform)}."
    return (
        f"{text}: {name_of(uniform)} is simpler, but not shown to be better than no "
        "dropout."
    )


def _unconfirmed(report):
    trial = report.best_trial
    if not has_dropout(report):
        return "Use no dropout: no trial with dropout has completed."
    scores = format_of(report.objective, [trial.score])
    if trial.rung:
        return (
            f"These are the rates of trial {trial.trial_id}, which late halving has "
            f"kept the longest ({report.objective} {scores.score(trial.score)}), by "
            "merit or by luck."
        )
    return (
        f"These are the rates of trial {trial.trial_id}, whose {report.objective} of "
        f"{scores.score(trial.score)} is the best of the search "
        f"({better_sign(report.direction)} is better), by merit or by luck."
    )


def _for_no_dropout(confirmation, found, uniform):
    if found is None and uniform is None:
        return "Use no dropout: no other setting could be trained."
    others = [label for label in (found, uniform) if label is not None]
    if any(confirmation.shown(label, BASELINE) == "undecided" for label in others):
        return (
            "Use no dropout: it is simpler, and no other setting is shown to be better."
        )
    return "Use no dropout: it is shown to be better."


def _for_uniform(confirmation, found, uniform):
    text = f"Use {name_of(uniform)}"
    if found is None:
        return f"{text}: no setting of the search could be trained."
    if confirmation.shown(found, uniform) == "worse":
        return f"{text}: it is shown to be better than the rates found."
    if not confirmation.scores_of(BASELINE):
        return f"{text}: it is simpler, and the rates found are not shown to be better."
    if confirmation.shown(found, BASELINE) != "better":
        return f"{text}: the rates found are not shown to be better than no dropout."
    return f"{text}: it is simpler, and the rates found are not shown to be better."


def _code(report):
    trial = report.trial_to_use
    if trial is not None and is_schedule(trial):
        values = _short(report.best_values)
        return f"kdropout.tuning.plan_of(model).assign(model, {values})"
    return f"kdropout.set_rates(model, {_short(report.best_rates)})"


def _short(values):
    """A dict of numbers without the digits that make no difference."""
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in values.items()
    }


def _next_step(report):
    setting = report.best_values or report.best_rates
    edges = find_edges(report.trials, report.direction, report.limits, setting)
    confirmation_step = _confirmation_step(report)
    edge_steps = [str(edge) for edge in edges]
    steps = [_failures_step(report)]
    if report.confirmation is None:
        steps += [confirmation_step, *edge_steps]
    else:
        steps += [*edge_steps, confirmation_step]  # what may gain more comes first
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
            "Fix what made the trainings fail, and train them again: 'kdropout tune "
            "CONFIG --resume'."
        )
    undecided = _undecided(confirmation)
    if not undecided:
        return ""
    now = len(confirmation.seeds)
    if now < FEWEST_SEEDS:
        return (
            f"{now} seeds are too few to tell settings apart, so train more: "
            f"{_command(SEEDS)}."
        )
    numbers = {
        comparison: confirmation.seeds_to_decide(comparison) for comparison in undecided
    }
    numbers = {comparison: number for comparison, number in numbers.items() if number}
    if not numbers:
        names = _between(confirmation, undecided[0])
        return f"Not even {MOST_SEEDS} seeds would decide between {names}."
    nearest = min(numbers, key=numbers.get)
    return (
        f"About {numbers[nearest]} seeds instead of {now} would decide between "
        f"{_between(confirmation, nearest)}, if the difference is as large as "
        f"measured: {_command(numbers[nearest])}."
    )


def _undecided(confirmation):
    """The undecided comparisons that would change the advice, if they were decided."""
    recommendation = confirmation.recommendation
    found, uniform = recommendation.found, recommendation.uniform
    if recommendation.label == BASELINE:
        pairs = [(found, BASELINE), (uniform, BASELINE)]
    elif recommendation.label == uniform:
        pairs = [(found, uniform)]
    else:
        pairs = [(uniform, BASELINE)]
    comparisons = [confirmation.comparison(*pair) for pair in pairs]
    return [
        comparison
        for comparison in comparisons
        if comparison is not None
        and comparison.verdict == "undecided"
        and _may_help(comparison, len(confirmation.seeds))
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


# Limits of the space at which the best trials lie.


@dataclasses.dataclass(frozen=True)
class Edge:
    """A limit of the space that the best trials lie at.

    Args:
        limit: Float, the limit.
        is_upper: Bool, whether it is an upper one.
        is_known: Bool, whether the space is known; else it is the farthest value that
            was tried.
        is_rate: Bool, whether the limit is one of rates, and not of steps.
        is_exact: Bool, whether the values are equal to the limit, and not only near.
        trials: Integer, the number of best trials that have a value at the limit.
        of: Integer, the number of best trials.
        names: Dict from a layer, or another name of what moved, to the number of best
            trials in which it is at the limit.
    """

    limit: float
    is_upper: bool
    is_known: bool
    is_rate: bool
    is_exact: bool
    trials: int
    of: int
    names: dict

    def __str__(self):
        """Which layers are at which limit, and where to widen the space."""
        what = "a rate" if self.is_rate else "a number of steps"
        near = "of exactly" if self.is_exact else "next to"
        if self.is_known:
            which = f"the {'upper' if self.is_upper else 'lower'} limit of the space"
        else:
            which = f"the {'highest' if self.is_upper else 'lowest'} that was tried"
        names = [f"'{name}' in {count}" for name, count in self.names.items()]
        more = len(names) - _MOST_NAMES
        listed = ", ".join(names[:_MOST_NAMES])
        listed += f" and {more} more" if more > 0 else ""
        verb = "has" if self.trials == 1 else "have"
        trials = f"{self.trials} of the {self.of} best trials {verb}"
        if self.of == 1:
            trials = "The only completed trial has"
        way = "above" if self.is_upper else "below"
        return (
            f"{trials} {what} {near} {self.limit:g}, {which} ({listed}): widen the "
            f"space {way} {self.limit:g}, for example to {self._farther():g}, and "
            "search again."
        )

    def _farther(self):
        """A limit that lies farther out."""
        if not self.is_rate:
            return 2 * self.limit if self.is_upper else self.limit // 2
        return round((self.limit + 1.0) / 2.0, 3) if self.is_upper else 0.0


@dataclasses.dataclass(frozen=True)
class _AtLimit:
    """One hyperparameter beside a limit: in which of the best trials it is there."""

    name: str
    trials: list
    is_chosen: bool


def find_edges(trials, direction, limits=None, setting=()):
    """The limits at which the best trials lie, the most frequent first.

    A limit counts if the best trial, or the setting to take, has a value at it, or if
    at least half of the best trials have one. No dropout is the natural limit of a
    rate, as is a rate of 1: there is nothing beyond. Without `limits`, the farthest
    value that was tried is a limit, if several trials have exactly this value.
    """
    done, setting = completed(trials), dict(setting)
    best = ranked(trials, direction)[:_BEST]
    by_limit = collections.defaultdict(list)
    for name in _numeric_names(done):
        column = np.array([_values(trial)[name] for trial in done], "float64")
        if np.ptp(column) <= SAME:
            continue
        for is_upper in (False, True):
            limit, near = _limit(name, column, limits, is_upper)
            if limit is None or _is_natural(name, limit, is_upper):
                continue
            at_limit = [abs(_values(trial)[name] - limit) <= near for trial in best]
            value = setting.get(name, setting.get(_without_prefix(name)))
            is_chosen = value is not None and abs(value - limit) <= near
            by_limit[_is_rate(name), is_upper, limit].append(
                _AtLimit(name, at_limit, is_chosen)
            )
    edges = []
    for (is_rate, is_upper, limit), members in by_limit.items():
        at_limit = np.any([member.trials for member in members], axis=0)
        is_chosen = any(member.is_chosen for member in members)
        is_frequent = 2 * at_limit.sum() >= len(best)
        if not at_limit.any() or not (at_limit[0] or is_chosen or is_frequent):
            continue
        distances = [
            abs(_values(trial)[member.name] - limit)
            for member in members
            for trial, is_at in zip(best, member.trials, strict=True)
            if is_at
        ]
        edges.append(
            Edge(
                limit=limit,
                is_upper=is_upper,
                is_known=limits is not None,
                is_rate=is_rate,
                is_exact=max(distances) <= SAME,
                trials=int(at_limit.sum()),
                of=len(best),
                names={
                    _without_prefix(member.name): sum(member.trials)
                    for member in members
                    if any(member.trials)
                },
            )
        )
    return sorted(edges, key=lambda edge: -edge.trials)


def _values(trial):
    """The hyperparameters of a trial; its rates where it has none."""
    return trial.values or trial.rates


def _numeric_names(done):
    """The hyperparameters that are numbers in all trials."""
    return [
        name
        for name in _values(done[0])
        if all(
            isinstance(_values(trial).get(name), (int, float))
            and not isinstance(_values(trial)[name], bool)
            for trial in done
        )
    ]


def _limit(name, column, limits, is_upper):
    """A limit of a hyperparameter, or None, and how near to it counts as at it."""
    if limits is not None:
        if name not in limits:
            return None, 0.0
        low, high = limits[name]
        return float(high if is_upper else low), _NEAR * (high - low)
    limit = float(column.max() if is_upper else column.min())
    if np.count_nonzero(np.abs(column - limit) <= SAME) < 2:
        return None, 0.0
    return limit, SAME


def _is_rate(name):
    part = name.rpartition("/")[2]
    return part not in SCHEDULE or part == "start"


def _is_natural(name, limit, is_upper):
    """Whether there is nothing beyond a limit."""
    if not _is_rate(name):
        return not is_upper and limit <= 1.0
    return limit >= 1.0 if is_upper else limit <= 0.0


def _without_prefix(name):
    return name.removeprefix("rate/")
