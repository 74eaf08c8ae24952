"""The advice of a report: which rates to use, and what to do next."""

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

# The default of `confirm.seeds` in a job.
SEEDS = 10

# This many trials count as the best ones.
_BEST = 10

# A value counts as at a limit within this share of the space.
_NEAR = 0.01

# With no more values than this, a hyperparameter is a choice between a few.
_FEW = 4

# Layers beyond this number are counted, but not named.
_MOST_NAMES = 4


@dataclasses.dataclass(frozen=True)
class Answer:
    """The four texts with which the terminal, `report.md` and the page begin.

    Args:
        verdict: String, what the new seeds show.
        advice: String, which rates to use, and why.
        code: String, the line of Python that sets them.
        next_step: String, what to do next.
    """

    verdict: str
    advice: str
    code: str
    next_step: str


def answer(report):
    """Return the `Answer` of a `Report`."""
    return Answer(
        describe(report.confirmation, report.importance),
        _advice(report),
        _code(report),
        _next_step(report),
    )


def has_dropout(report):
    """Return True if a trial with dropout has completed, so it can be confirmed."""
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
    text = f"Use the rates{whose} ('{recommendation.label}' in the confirmation)"
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
            f"These are the rates of trial {trial.trial_id}, which late halving kept "
            f"the longest ({report.objective} {scores.score(trial.score)}). Part of "
            "that may be luck."
        )
    return (
        f"These are the rates of trial {trial.trial_id}, whose {report.objective} of "
        f"{scores.score(trial.score)} is the best of the search "
        f"({better_sign(report.direction)} is better). Part of that may be luck."
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
        line = f"kdropout.tuning.plan_of(model).assign(model, {values})"
    else:
        line = f"kdropout.set_rates(model, {_short(report.best_rates)})"
    others = _short(report.best_other_values)
    if not others:
        return line
    named = ", ".join(f"{name}={value!r}" for name, value in others.items())
    return f"{line}  # with {named}"


def _short(values):
    """Round the numbers of a dict to four significant digits."""
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in values.items()
    }


def _next_step(report):
    setting = {**(report.best_values or report.best_rates), **report.best_other_values}
    logs = [entry.name for entry in report.dimensions or () if entry.is_log]
    edges = find_edges(report.trials, report.direction, report.limits, setting, logs)
    confirmation_step = _confirmation_step(report)
    edge_steps = [str(edge) for edge in edges]
    steps = [_failures_step(report)]
    if report.confirmation is None:
        steps += [confirmation_step, *edge_steps]
    else:
        steps += [*edge_steps, confirmation_step]  # what may gain more comes first
    text = " ".join(step for step in steps if step)
    return text or "Train the final model with this setting."


def _failures_step(report):
    """Advice on failed trials, if at least half of all have failed."""
    lost, done = failed(report.trials), completed(report.trials)
    if len(lost) < len(done) or not lost:
        return ""
    reasons = collections.Counter(trial.reason for trial in lost)
    (reason, count), *others = reasons.most_common()
    whose = f"{count} of them report" if others else "They report"
    return (
        f"Find out why {len(lost)} of {len(lost) + len(done)} trials failed. "
        f"{whose}: {reason}"
    )


def _confirmation_step(report):
    """Advice on a confirmation that is missing or undecided."""
    confirmation = report.confirmation
    if confirmation is None:
        if not has_dropout(report):
            return "Search rates above 0 to find out whether dropout helps."
        return (
            "Compare these rates with one rate everywhere and with no dropout, on new "
            f"seeds: {_command(SEEDS)}, or kdropout.tuning.report.confirm in Python."
        )
    if report.recommended is None:
        return (
            "Fix what made the trainings fail, and run them again: 'kdropout tune "
            "CONFIG --resume'."
        )
    undecided = _undecided(confirmation)
    if not undecided:
        return ""
    now, what = len(confirmation.seeds), confirmation.repetitions_text
    if now < FEWEST_SEEDS:
        return (
            f"{now} {confirmation.unit}s are too few to compare the settings, so train "
            f"with more: {_command(SEEDS)}."
        )
    numbers = _seeds_to_decide(confirmation, undecided)
    if not numbers:
        names = _between(confirmation, undecided[0])
        if confirmation.cross_validation is None:
            return f"Not even {MOST_SEEDS} seeds would decide between {names}."
        return (
            f"More {what} would not decide between {names}, because all of them have "
            "the same rows. Only more rows of data would."
        )
    nearest = min(numbers, key=numbers.get)
    return (
        f"About {numbers[nearest]} {what} instead of {confirmation.repetitions} would "
        "decide between "
        f"{_between(confirmation, nearest)}, if the difference is as large as "
        f"measured: {_command(numbers[nearest])}."
    )


def proposed_seeds(report):
    """Return the number of seeds that the next step proposes, or None."""
    confirmation = report.confirmation
    if confirmation is None:
        return SEEDS if has_dropout(report) else None
    if report.recommended is None:
        return None
    undecided = _undecided(confirmation)
    if undecided and len(confirmation.seeds) < FEWEST_SEEDS:
        return SEEDS
    return min(_seeds_to_decide(confirmation, undecided).values(), default=None)


def _seeds_to_decide(confirmation, comparisons):
    """Dict from comparison to number of seeds, of those that seeds can decide."""
    numbers = {
        comparison: confirmation.seeds_to_decide(comparison)
        for comparison in comparisons
    }
    return {comparison: number for comparison, number in numbers.items() if number}


def _undecided(confirmation):
    """List the undecided comparisons whose outcome could change the advice."""
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
    """True if a setting may turn out to be better with more seeds."""
    if comparison.gain is None or comparison.gain.mean > 0.0:
        return True
    # With few seeds, the sign of the mean says little.
    return seeds < FEWEST_SEEDS and any(comparison.gains)


def _between(confirmation, comparison):
    first = name_in_sentence(confirmation, comparison.label)
    return f"{first} and {name_of(comparison.reference)}"


def _command(seeds):
    return f"'kdropout tune CONFIG --resume --set confirm.seeds={seeds}'"


# Limits of the space that the best trials reach.


@dataclasses.dataclass(frozen=True)
class Edge:
    """A limit of the space that some of the best trials reach.

    Args:
        limit: Float, the limit.
        is_upper: Bool, True for an upper limit, False for a lower one.
        is_known: Bool, True if the space is known. If False, the limit is the farthest
            value that was tried.
        kind: String, "rate", "steps", or "other" for a limit of a hyperparameter that
            is neither.
        is_log: Bool, True if the values are spread over their logarithm.
        is_exact: Bool, True if the values are equal to the limit, False if they are
            close to it.
        trials: Integer, the number of best trials that have a value at the limit.
        of: Integer, the number of best trials.
        names: Dict from a layer or hyperparameter to the number of best trials in which
            it is at the limit.
    """

    limit: float
    is_upper: bool
    is_known: bool
    kind: str
    is_log: bool
    is_exact: bool
    trials: int
    of: int
    names: dict

    def __str__(self):
        """A sentence: the layers at this limit, and where to widen the space."""
        kinds = {"rate": "a rate", "steps": "a number of steps", "other": "a value"}
        what = kinds[self.kind]
        near = "of exactly" if self.is_exact else "close to"
        if self.is_known:
            which = f"the {'upper' if self.is_upper else 'lower'} limit of the space"
        else:
            which = f"the {'highest' if self.is_upper else 'lowest'} value tried"
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
        """The wider limit that the sentence proposes."""
        if self.kind == "steps":
            return 2 * self.limit if self.is_upper else self.limit // 2
        if self.kind == "other":
            factor = 10.0 if self.is_log else 2.0
            return self.limit * factor if self.is_upper else self.limit / factor
        return round((self.limit + 1.0) / 2.0, 3) if self.is_upper else 0.0


@dataclasses.dataclass(frozen=True)
class _AtLimit:
    """A hyperparameter, and the best trials in which it is at a limit."""

    name: str
    trials: list
    is_chosen: bool


def find_edges(trials, direction, limits=None, setting=(), logs=()):
    """Return the limits that the best trials reach, the most frequent first.

    A limit counts if the best trial or the recommended setting has a value at it, or if
    at least half of the best trials have one. Rates of 0 and 1 do not count, because no
    rate lies beyond them. Without `limits`, the farthest value that was tried counts as
    a limit if several trials have exactly this value. `logs` are the names of the
    hyperparameters whose values are spread over their logarithm.
    """
    done, setting = completed(trials), dict(setting)
    best = ranked(trials, direction)[:_BEST]
    by_limit = collections.defaultdict(list)
    for name in _numeric_names(done):
        column = np.array([_values(trial)[name] for trial in done], "float64")
        if np.ptp(column) <= SAME:
            continue
        for is_upper in (False, True):
            is_log, kind = name in logs, _kind(name, done[0])
            limit, near = _limit(name, column, limits, is_upper, is_log)
            if limit is None or _is_natural(kind, limit, is_upper):
                continue
            at_limit = [
                _distance(_values(trial)[name], limit, is_log) <= near for trial in best
            ]
            value = setting.get(name, setting.get(_without_prefix(name)))
            is_chosen = value is not None and _distance(value, limit, is_log) <= near
            is_coarse = len(np.unique(column)) <= _FEW
            by_limit[kind, is_log, is_coarse, is_upper, limit].append(
                _AtLimit(name, at_limit, is_chosen)
            )
    edges = []
    for (kind, is_log, is_coarse, is_upper, limit), members in by_limit.items():
        at_limit = np.any([member.trials for member in members], axis=0)
        is_chosen = any(member.is_chosen for member in members)
        if kind == "other" and is_coarse:
            # One of a few values to choose from is often a limit.
            counts = 2 * at_limit.sum() > len(best)
        else:
            is_frequent = 2 * at_limit.sum() >= len(best)
            counts = at_limit[0] or is_chosen or is_frequent
        if not at_limit.any() or not counts:
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
                kind=kind,
                is_log=is_log,
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
    """The hyperparameters of a trial, or its rates if it has none."""
    return {**(trial.values or trial.rates), **trial.other_values}


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


def _limit(name, column, limits, is_upper, is_log):
    """The limit of a hyperparameter, or None, and the distance that counts as at it."""
    if limits is not None:
        if name not in limits:
            return None, 0.0
        low, high = limits[name]
        size = np.log(high / low) if is_log else high - low
        return float(high if is_upper else low), _NEAR * size
    limit = float(column.max() if is_upper else column.min())
    if np.count_nonzero(np.abs(column - limit) <= SAME) < 2:
        return None, 0.0
    return limit, SAME


def _distance(value, limit, is_log):
    return abs(np.log(value / limit) if is_log else value - limit)


def _kind(name, trial):
    """The kind of `Edge` of a hyperparameter."""
    if name in trial.other_values:
        return "other"
    part = name.rpartition("/")[2]
    return "rate" if part not in SCHEDULE or part == "start" else "steps"


def _is_natural(kind, limit, is_upper):
    """True if no value can lie beyond a limit."""
    if kind == "steps":
        return not is_upper and limit <= 1.0
    if kind == "other":
        return not is_upper and limit <= 0.0
    return limit >= 1.0 if is_upper else limit <= 0.0


def _without_prefix(name):
    return name.removeprefix("rate/")
