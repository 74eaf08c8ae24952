"""The data of a search for the Dropout tab of TensorBoard."""

import math

import numpy as np

from kdropout.tuning.objectives import name_of, parts_of
from kdropout.tuning.report import TrialRecord
from kdropout.tuning.report.confirmation import CONFIDENCE
from kdropout.tuning.report.records import dimensions_seen
from kdropout.tuning.report.score_format import format_of
from kdropout.tuning.report.verdict import name_of as name_of_setting
from kdropout.tuning.space.dimension import dimensions_of
from kdropout.tuning.trial_records import failure_of
from kdropout_dashboard import tags

# The fields of a `Dimension` that the tab shows.
_SHOWN = ("name", "layers", "kind", "low", "high", "levels")


def describe_search(objective, dimensions, results=None):
    """Return the objective, the dimensions and the results of a search as a dict."""
    content = {
        "format": tags.FORMAT,
        "objective": name_of(objective),
        "direction": objective.direction,
        "objectives": _plain_objectives(parts_of(objective)),
        "dimensions": [_plain_dimension(dimension) for dimension in dimensions],
        "marginals": [],
        "problem": "",
    }
    return content | (results or {})


def describe_results(importance, dimensions, trials):
    """Return what a search has found as a dict, or None without curves and noise."""
    marginals, noise = marginals_of(importance, dimensions), noise_of(trials)
    if not marginals and noise is None:
        return None
    return {
        "marginals": marginals,
        "problem": importance.problem,
        "importance": importance_of(importance, dimensions),
        "noise": noise,
    }


def describe_trial(trial, values, objective):
    """Return a KerasTuner `Trial` that has ended as a dict."""
    # The record turns a score that is not finite into a reason for failure.
    record = TrialRecord(
        trial.trial_id,
        values={},
        rates={},
        score=trial.score,
        status=trial.status,
        message=failure_of(trial),
    )
    content = {
        "format": tags.FORMAT,
        "trial_id": trial.trial_id,
        "values": values,
        "score": _finite(trial.score),
        "status": trial.status,
    }
    if record.failed and record.reason:
        content["reason"] = record.reason
    parts = parts_of(objective)
    if parts:
        tracked = trial.metrics.metrics
        content["objectives"] = {
            name: _finite(trial.metrics.get_last_value(name))
            for name, _ in parts
            if name in tracked
        }
    return content


def _plain_objectives(parts):
    return [{"name": name, "direction": direction} for name, direction in parts]


def _plain_dimension(dimension):
    return {name: getattr(dimension, name) for name in _SHOWN}


def _finite(score):
    """A score as a float that JSON can store, or None."""
    if score is None or not math.isfinite(score):
        return None
    return float(score)


def search_payload(report, plan, run):
    """Return the data of a search for the page, from its report.

    Without a plan, the axes of the charts cover the values of the trials.
    """
    dimensions = report.dimensions
    if dimensions is None and plan is not None:
        dimensions = dimensions_of(plan)
    elif dimensions is None:
        dimensions = dimensions_seen(report.trials)
    return {
        "version": "report",
        "run": run,
        "objective": report.objective,
        "direction": report.direction,
        "objectives": _plain_objectives(report.objectives),
        "dimensions": [_plain_dimension(dimension) for dimension in dimensions],
        "trials": [
            _trial_payload(trial, dimensions, report.objectives)
            for trial in report.trials
            if trial.completed or trial.failed
        ],
        "marginals": marginals_of(report.importance, dimensions),
        "importance": importance_of(report.importance, dimensions),
        "problem": report.importance.problem,
        "noise": noise_of(report.trials),
    }


def noise_of(trials):
    """Return the noise of the scores, or None if it was not measured.

    It is the standard error of a score, from trials with several trainings. Trainings
    of the same number share their initial weights and their fold. What they share does
    not make trials differ, so it does not count:

        noise = sqrt(sum of squared residuals / ((T - 1) (n - 1) n))

    for `T` trials of `n` trainings, with residuals from the means of the trials and of
    the numbers.
    """
    longest = max((len(trial.scores) for trial in trials), default=0)
    rows = [t.scores for t in trials if len(t.scores) == longest and t.std is not None]
    if len(rows) < 2:
        return None
    scores = np.array(rows, "float64")
    residuals = scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()
    freedom = (len(rows) - 1) * (longest - 1)
    return float(np.sqrt(np.square(residuals).sum() / freedom / longest))


def gains_payload(confirmation):
    """Return the gains of a `Confirmation` for the page, or None if there is none."""
    if confirmation is None or not confirmation.scores:
        return None
    scores = format_of(confirmation.measure, confirmation.scores.values())
    unit, count = confirmation.unit, len(confirmation.comparisons)
    widened = f", widened for {count} comparisons" if count > 1 else ""
    return {
        "title": f"A gain is a difference in {scores.difference_axis}, paired by "
        f"{unit}, and positive where the setting is better. There are "
        f"{confirmation.repetitions} new {confirmation.repetitions_text}. A line is "
        f"the {100 * CONFIDENCE:g} % interval{widened}. A dot is one {unit}.",
        "rows": [
            _gain_payload(comparison, scores) for comparison in confirmation.comparisons
        ],
    }


def _gain_payload(comparison, scores):
    gain, factor = comparison.gain, scores.factor
    holds = gain is not None and (
        comparison.verdict != "undecided" or scores.holds_difference(gain)
    )
    return {
        "setting": name_of_setting(comparison.label).strip("'"),
        "reference": name_of_setting(comparison.reference).strip("'"),
        "gains": [factor * value for value in comparison.gains],
        "mean": None if gain is None else factor * gain.mean,
        "low": factor * gain.low if holds else None,
        "high": factor * gain.high if holds else None,
        "unit": scores.difference_unit,
        "verdict": comparison.verdict,
    }


def _trial_payload(trial, dimensions, objectives):
    payload = {
        "id": trial.trial_id,
        "values": [
            dimension.number(trial.values.get(dimension.name))
            for dimension in dimensions
        ],
        "score": trial.score,
        "status": trial.status,
        "epochs": trial.epochs,
    }
    if trial.rung:
        payload["rung"] = trial.rung
    if trial.failed:
        payload["reason"] = trial.reason
    if objectives:
        payload["objectives"] = [trial.metrics.get(name) for name, _ in objectives]
    return payload


def marginals_of(importance, dimensions):
    """Return the marginals of an `Importance` for these dimensions.

    A layer whose rate comes from sorting several values has none, because it is not a
    dimension.
    """
    marginals = {
        marginal.dimension.name: marginal
        for marginal in importance.marginals
        if not marginal.dimension.rate_of
    }
    return [
        _plain_marginal(marginals[dimension.name], dimension)
        for dimension in dimensions
        if dimension.name in marginals
    ]


def importance_of(importance, dimensions):
    """Return the importance of these dimensions, the most important first."""
    names = {dimension.name for dimension in dimensions}
    return [
        {"name": feature.dimension.name, "mean": feature.mean, "std": feature.std}
        for feature in importance.features
        if feature.dimension.name in names and not feature.dimension.rate_of
    ]


def _plain_marginal(marginal, dimension):
    grid = marginal.grid
    if marginal.levels:  # a report only numbers the names that were tried
        grid = [dimension.number(marginal.levels[int(value)]) for value in grid]
    points = sorted(zip(grid, marginal.mean, marginal.spread, strict=True))
    grid, mean, spread = map(list, zip(*points, strict=True))
    return {"name": dimension.name, "grid": grid, "mean": mean, "spread": spread}
