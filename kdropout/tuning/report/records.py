"""The trials of a search as plain data: which count, and which is best."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from kdropout import _validation
from kdropout.tuning.space.dimension import Dimension

DIRECTIONS = ("min", "max")

# The endings of the hyperparameters of a schedule whose values are not its final rate.
SCHEDULE = ("start", "steps", "shape")

# Numbers that differ by less are equal but for rounding.
SAME = 1e-9


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One trial of a search over dropout rates, as plain data.

    Args:
        trial_id: String, unique in the search.
        values: Dict from the name of a hyperparameter to its value. Only those that
            move rates belong here.
        rates: Dict from the path of a layer to its rate in [0, 1]. For a schedule,
            its end.
        score: Float, the objective, or None if there is none. A trial whose score is
            NaN or infinite counts as failed: its score becomes None.
        metrics: Dict from the name of a metric to its value. Defaults to none.
        status: "COMPLETED", "FAILED", "INVALID", "RUNNING", "STOPPED" or "IDLE", as
            in KerasTuner. Defaults to "COMPLETED".
        epochs: Integer, the number of epochs that the trial was given (not the one at
            which it was stopped early), or None. Defaults to None.
        message: String, why the trial failed. Defaults to "".
        rung: Integer, how far late halving has let its setting go: 0 up to the first
            rung, 1 up to the second, and so on. The trials of later rungs are the
            better ones, whatever the scores. Defaults to 0.

    Example:

    >>> from kdropout.tuning.report import TrialRecord
    >>> TrialRecord("07", {"rate/drop": 0.3}, {"drop": 0.3}, score=0.41).completed
    True
    """

    trial_id: str
    values: dict[str, float | int | str | bool]
    rates: dict[str, float]
    score: float | None
    metrics: dict[str, float | None] = dataclasses.field(default_factory=dict)
    status: str = "COMPLETED"
    epochs: int | None = None
    message: str = ""
    rung: int = 0

    def __post_init__(self):
        score, message = _finite(self.score), self.message
        if score is None and self.score is not None:
            shown = "NaN" if math.isnan(self.score) else float(self.score)
            message = message or f"The score was {shown}."
        rates = {path: float(rate) for path, rate in self.rates.items()}
        metrics = {name: _finite(value) for name, value in self.metrics.items()}
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "values", _plain_values(self.values))
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "metrics", metrics)

    @property
    def completed(self) -> bool:
        """Whether the trial ran to its end and has a finite score."""
        return self.status == "COMPLETED" and self.score is not None

    @property
    def failed(self) -> bool:
        """Whether the trial is over without a score."""
        return not self.completed and self.status in ("COMPLETED", "FAILED", "INVALID")

    @property
    def reason(self) -> str:
        """Why the trial failed, in one line: the last one of a traceback."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        return lines[-1] if lines else "It left no message."


class NoCompletedTrial(ValueError):
    """No trial has a score, so there is nothing to report.

    Args:
        trials: Sequence of `TrialRecord`, none completed.

    Attributes:
        trials: Tuple of `TrialRecord`.
        reason: String, why there is no answer.
    """

    def __init__(self, trials: Sequence[TrialRecord]):
        self.trials = tuple(trials)
        why = _why_none_completed(trials)
        self.reason = f"None of {len(trials)} trials has completed. {why}"
        super().__init__(
            "'trials' must hold at least one completed trial, because the answer comes "
            f"from their scores. Received: {len(trials)} trials, none completed. "
            f"{why}"
        )


def completed(trials):
    """The trials with a score."""
    return [trial for trial in trials if trial.completed]


def failed(trials):
    """The trials that are over without a score."""
    return [trial for trial in trials if trial.failed]


def ranked(trials, direction):
    """The completed trials, best first; of equals, the earlier one.

    Those of later rungs come first: a setting that was dropped early is not the best,
    whatever its score was then.
    """
    sign = -1.0 if direction == "max" else 1.0
    return sorted(
        completed(trials), key=lambda trial: (-trial.rung, sign * trial.score)
    )


def best_so_far(trials, direction):
    """The score of the best trial up to each of these, which have completed."""
    best = []
    for trial in trials:
        best.append(ranked([*best[-1:], trial], direction)[0])
    return [trial.score for trial in best]


def is_schedule(trial):
    """Whether parts of schedules moved in a trial, so that its rates are not all."""
    moved = {name.removeprefix("rate/") for name in trial.values} - set(trial.rates)
    return any(name.rpartition("/")[2] in (*SCHEDULE, "end") for name in moved)


def dimensions_seen(trials):
    """What was searched, as far as the completed trials show: a list of `Dimension`.

    For records without the plan of a search. Layers with equal rates in all trials are
    taken to move together. Where fewer hyperparameters moved than rates, as with a line
    over depth, the hyperparameters are the dimensions.
    """
    done = completed(trials)
    names = [
        name for name in done[0].values if all(name in trial.values for trial in done)
    ]
    hyperparameters = [
        _seen_hyperparameter(name, [trial.values[name] for trial in done])
        for name in names
        if len({trial.values[name] for trial in done}) > 1
    ]
    groups = _seen_groups(done, hyperparameters)
    if hyperparameters and len(hyperparameters) < len(groups):
        return hyperparameters
    return groups + [entry for entry in hyperparameters if not entry.sets_rate]


def _seen_hyperparameter(name, values):
    kind = name.rpartition("/")[2]
    kind = kind if kind in SCHEDULE else "rate"
    if any(isinstance(value, str) for value in values):
        levels = tuple(sorted({str(value) for value in values}))
        return Dimension(name, (), kind, 0, len(levels) - 1, levels)
    return Dimension(name, (), kind, min(values), max(values))


def _seen_groups(done, hyperparameters):
    """Layers whose rates moved together, named by the hyperparameter that did it."""
    paths_by_rates = {}
    for path in done[0].rates:
        rates = tuple(trial.rates[path] for trial in done)
        if len(set(rates)) > 1:
            paths_by_rates.setdefault(rates, []).append(path)
    groups = []
    for rates, paths in paths_by_rates.items():
        movers = [
            dimension
            for dimension in hyperparameters
            if dimension.sets_rate
            and not dimension.levels
            and all(
                # The rates of a line over depth are rounded.
                abs(trial.values[dimension.name] - rate) <= SAME
                for trial, rate in zip(done, rates, strict=True)
            )
        ]
        first, last = paths[0], paths[-1]
        name, label, rate_of = f"rate/{first}", f"{first} to {last}", first
        if len(movers) == 1:
            name, label, rate_of = movers[0].name, movers[0].label, ""
        groups.append(
            Dimension(
                name=name,
                layers=tuple(paths),
                kind="rate",
                low=min(rates),
                high=max(rates),
                rate_of=rate_of,
                label=first if len(paths) == 1 else f"{label} ({len(paths)} layers)",
            )
        )
    return groups


def fixed_rates(trials):
    """Dict from path to rate of the layers whose rate no trial moved."""
    first, *others = completed(trials)
    return {
        path: rate
        for path, rate in first.rates.items()
        if all(trial.rates[path] == rate for trial in others)
    }


def check_trials(trials):
    """Raise if no trial is completed, or completed ones have different layers."""
    done = completed(trials)
    if not done:
        raise NoCompletedTrial(trials)
    for trial in done:
        if set(trial.rates) != set(done[0].rates):
            differing = sorted(set(trial.rates) ^ set(done[0].rates))
            raise _validation.argument_error(
                ValueError,
                "trials",
                "must all have rates of the same layers. Received: "
                f"{', '.join(map(repr, differing))} in only one of the trials "
                f"{done[0].trial_id!r} and {trial.trial_id!r}. Run a separate search "
                "for each model.",
            )


def _why_none_completed(trials):
    """The first reason; if all trials failed for the same one, as NaN, that of all."""
    lost = failed(trials)
    if not lost:
        return "Let the search run on."
    if len(lost) > 1 and len({trial.reason for trial in lost}) == 1:
        return f"All {len(lost)} that have ended failed alike: {lost[0].reason}"
    return f"The first that failed, {lost[0].trial_id!r}: {lost[0].reason}"


def _plain_values(values):
    """The values as those of Python: a search may have drawn them with NumPy."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
    }


def _finite(value):
    """A number as a float; None if it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)
