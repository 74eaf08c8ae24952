"""The trials of a search as plain data, and their ranking."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from kdropout import _validation
from kdropout.tuning.space.dimension import Dimension

DIRECTIONS = ("min", "max")

# Last parts of the names of a schedule's hyperparameters other than its final rate.
SCHEDULE = ("start", "steps", "shape")

# Smaller differences between numbers are rounding errors.
SAME = 1e-9


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One trial of a search over dropout rates, as plain data.

    Args:
        trial_id: String, unique in the search.
        values: Dict from the name of a hyperparameter to its value. It holds only
            hyperparameters that set rates.
        rates: Dict from the path of a layer to its rate in [0, 1]. For a schedule, it
            is the final rate.
        score: Float, the objective, or None if there is none. A trial whose score is
            NaN or infinite counts as failed, and its score becomes None.
        metrics: Dict from the name of a metric to its value. Defaults to {}.
        status: "COMPLETED", "FAILED", "INVALID", "RUNNING", "STOPPED" or "IDLE", as
            in KerasTuner. Defaults to "COMPLETED".
        epochs: Integer, the number of epochs that the trial was given, even if it
            stopped early, or None. Defaults to None.
        message: String, why the trial failed. Defaults to "".
        rung: Integer, the last rung of late halving that the trial reached: 0 up to the
            first rung, 1 up to the second, and so on. Trials of later rungs rank
            first, whatever their scores. Defaults to 0.
        other_values: Dict from the name of a hyperparameter that sets no rate, such as
            the learning rate, to its value. Defaults to {}.
        stopped_after: Integer, the number of epochs after which the median of earlier
            trials stopped the trial, or None. Its score is that of these epochs.
            Defaults to None.

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
    other_values: dict[str, float | int | str | bool] = dataclasses.field(
        default_factory=dict
    )
    stopped_after: int | None = None
    scores: tuple[float | None, ...] = ()

    def __post_init__(self):
        score, message = _finite(self.score), self.message
        if score is None and self.score is not None:
            shown = "NaN" if math.isnan(self.score) else float(self.score)
            message = message or f"The score was {shown}."
        rates = {path: float(rate) for path, rate in self.rates.items()}
        metrics = {name: _finite(value) for name, value in self.metrics.items()}
        scores = tuple(_finite(value) for value in self.scores)
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "values", _plain_values(self.values))
        object.__setattr__(self, "other_values", _plain_values(self.other_values))
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "metrics", metrics)

    @property
    def completed(self) -> bool:
        """True if the trial ran to its end and has a finite score."""
        return self.status == "COMPLETED" and self.score is not None

    @property
    def std(self) -> float | None:
        """The standard deviation of the scores of the trainings, or None.

        It is None if there are fewer than two, or if one was not finite.
        """
        scores = [score for score in self.scores if score is not None]
        if len(scores) < 2 or len(scores) < len(self.scores):
            return None
        return float(np.std(scores, ddof=1))

    @property
    def failed(self) -> bool:
        """True if the trial ended without a score."""
        return not self.completed and self.status in ("COMPLETED", "FAILED", "INVALID")

    @property
    def reason(self) -> str:
        """The reason why the trial failed: the last line of its message."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        return lines[-1] if lines else "There is no error message."


class NoCompletedTrial(ValueError):
    """Raised when there is nothing to report, because no trial has a score.

    Args:
        trials: Sequence of `TrialRecord`, none of them completed.

    Attributes:
        trials: Tuple of `TrialRecord`.
        reason: String, why there is no answer.
    """

    def __init__(self, trials: Sequence[TrialRecord]):
        self.trials = tuple(trials)
        why = _why_none_completed(trials)
        self.reason = f"None of {len(trials)} trials has completed. {why}"
        super().__init__(
            "'trials' must contain at least one completed trial, because a report "
            f"needs scores. Received: {len(trials)} trials, none completed. {why}"
        )


def completed(trials):
    """Return the trials that have a score."""
    return [trial for trial in trials if trial.completed]


def failed(trials):
    """Return the trials that ended without a score."""
    return [trial for trial in trials if trial.failed]


def ranked(trials, direction):
    """Return the completed trials, best first, with equal trials in their order.

    Trials of later rungs come first: a setting that was dropped early does not rank as
    the best, whatever its score was then.
    """
    sign = -1.0 if direction == "max" else 1.0
    return sorted(
        completed(trials), key=lambda trial: (-trial.rung, sign * trial.score)
    )


def best_so_far(trials, direction):
    """Return the best score up to each of these completed trials."""
    best = []
    for trial in trials:
        best.append(ranked([*best[-1:], trial], direction)[0])
    return [trial.score for trial in best]


def is_schedule(trial):
    """Return True if a trial set parts of schedules, and not only rates."""
    moved = {name.removeprefix("rate/") for name in trial.values} - set(trial.rates)
    return any(name.rpartition("/")[2] in (*SCHEDULE, "end") for name in moved)


def dimensions_seen(trials):
    """Infer from the completed trials what was searched, as a list of `Dimension`.

    This is for records without the plan of a search. Layers with equal rates in all
    trials form one group. If fewer hyperparameters than rates moved, such as with a
    line over depth, the dimensions are the hyperparameters.
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
    """Groups of layers with equal rates, named after their hyperparameter."""
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
    """Return a dict from path to rate of the layers with one rate in all trials."""
    first, *others = completed(trials)
    return {
        path: rate
        for path, rate in first.rates.items()
        if all(trial.rates[path] == rate for trial in others)
    }


def check_trials(trials):
    """Raise if no trial has completed, or if completed trials have different layers."""
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
                f"{done[0].trial_id!r} and {trial.trial_id!r}. Run one search for each "
                "model.",
            )


def _why_none_completed(trials):
    """The reason of the first failed trial, or the one that all failed trials share."""
    lost = failed(trials)
    if not lost:
        return "Wait until a trial has completed, or continue the search."
    if len(lost) > 1 and len({trial.reason for trial in lost}) == 1:
        return f"All {len(lost)} that ended failed with one error: {lost[0].reason}"
    return f"The first that failed was {lost[0].trial_id!r}: {lost[0].reason}"


def _plain_values(values):
    """Convert values of NumPy, which a search may have drawn, to those of Python."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
    }


def _finite(value):
    """A number as a float, or None if it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)
