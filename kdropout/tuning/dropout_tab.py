"""What the Dropout tab of TensorBoard shows of a search, as plain data."""

import math

from kdropout.tuning.report import TrialRecord
from kdropout.tuning.report.records import SAME, SCHEDULE
from kdropout.tuning.space.dimension import Dimension, dimensions_of
from kdropout.tuning.trial_records import failure_text
from kdropout_dashboard import tags

# What the tab shows of a `Dimension`.
_SHOWN = ("name", "layers", "kind", "low", "high", "levels")


def describe_search(objective, direction, dimensions, marginals=(), problem=""):
    """What a search optimises, over which dimensions, and what came out of it.

    Args:
        objective: String, name of the score.
        direction: "min" or "max".
        dimensions: Sequence of `Dimension`.
        marginals: List that `marginals_of` returned. Defaults to none.
        problem: String, why the marginals cannot be trusted; "" if they can.
    """
    return {
        "format": tags.FORMAT,
        "objective": objective,
        "direction": direction,
        "dimensions": [_plain_dimension(dimension) for dimension in dimensions],
        "marginals": list(marginals),
        "problem": problem,
    }


def describe_trial(trial, values):
    """A KerasTuner `Trial` that has ended, with the `values` of the user."""
    # The record turns a score that is not finite into the reason of a failure.
    record = TrialRecord(
        trial.trial_id,
        values={},
        rates={},
        score=trial.score,
        status=trial.status,
        message=failure_text(trial.message or ""),
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
    return content


def _plain_dimension(dimension):
    return {name: getattr(dimension, name) for name in _SHOWN}


def _finite(score):
    """A score as a float that JSON can hold, or None."""
    if score is None or not math.isfinite(score):
        return None
    return float(score)


def search_payload(report, plan, run):
    """What the page shows of a search that has a report, without its event files.

    Args:
        report: `kdropout.tuning.Report`.
        plan: `kdropout.tuning.RatePlan` of the model, or None: then the charts reach as
            far as the trials did.
        run: String, the name of the search.

    Returns:
        Dict that JSON can hold.
    """
    dimensions = _tried_dimensions(report) if plan is None else dimensions_of(plan)
    return {
        "version": "report",
        "run": run,
        "objective": report.objective,
        "direction": report.direction,
        "dimensions": [_plain_dimension(dimension) for dimension in dimensions],
        "trials": [
            _trial_payload(trial, dimensions)
            for trial in report.trials
            if trial.completed or trial.failed
        ],
        "marginals": marginals_of(report, dimensions),
        "problem": report.importance.problem,
    }


def _trial_payload(trial, dimensions):
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
    if trial.failed:
        payload["reason"] = trial.reason
    return payload


def _tried_dimensions(report):
    """The dimensions, as far as the completed trials show them."""
    trials = [trial for trial in report.trials if trial.completed]
    return [
        _tried_dimension(name, trials)
        for name in trials[0].values
        if all(name in trial.values for trial in trials)
    ]


def _tried_dimension(name, trials):
    values = [trial.values[name] for trial in trials]
    kind = name.rpartition("/")[2]
    kind = kind if kind in SCHEDULE else "rate"
    if any(isinstance(value, str) for value in values):
        levels = tuple(sorted(set(values)))
        return Dimension(name, (), kind, 0, len(levels) - 1, levels)
    layers = tuple(
        path
        for path in trials[0].rates
        if _are_same([trial.rates[path] for trial in trials], values)
    )
    return Dimension(name, layers, kind, min(values), max(values))


def marginals_of(report, dimensions):
    """The marginals of a report, under the names of the dimensions that they are of.

    A report speaks of layers, or of groups of layers that moved together; a dimension
    is a hyperparameter. A marginal belongs to the dimension that had the same values in
    all trials. Marginals without one are left out, for example those of a layer whose
    rate comes from sorting several hyperparameters.

    Args:
        report: `kdropout.tuning.Report`.
        dimensions: Sequence of `Dimension`.

    Returns:
        List of dicts that JSON can hold.
    """
    trials = [trial for trial in report.trials if trial.completed]
    marginals = []
    for dimension in dimensions:
        tried = [dimension.number(trial.values.get(dimension.name)) for trial in trials]
        for marginal in report.marginals:
            if bool(marginal.levels) != bool(dimension.levels):
                continue
            if _are_same(tried, _numbers(marginal, marginal.tried, dimension)):
                marginals.append(_plain_marginal(marginal, dimension))
                break
    return marginals


def _plain_marginal(marginal, dimension):
    grid = _numbers(marginal, marginal.grid, dimension)
    points = sorted(zip(grid, marginal.mean, marginal.spread, strict=True))
    grid, mean, spread = map(list, zip(*points, strict=True))
    return {"name": dimension.name, "grid": grid, "mean": mean, "spread": spread}


def _numbers(marginal, values, dimension):
    """Values of a marginal as numbers of a dimension.

    A report numbers only the levels that it saw. None stands for a level that the
    dimension does not have.
    """
    if not marginal.levels:
        return values
    return [dimension.number(marginal.levels[int(value)]) for value in values]


def _are_same(ours, theirs):
    if len(ours) != len(theirs) or None in ours or None in theirs:
        return False
    pairs = zip(ours, theirs, strict=True)
    return all(abs(our - their) <= SAME for our, their in pairs)
