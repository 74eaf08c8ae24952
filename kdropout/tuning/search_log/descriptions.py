"""What the Dropout tab of TensorBoard is told of a search, as plain data."""

import math

from kdropout.tuning.report import TrialRecord
from kdropout.tuning.report.records import SAME
from kdropout.tuning.storage.failure_text import failure_text
from kdropout_dashboard import tags


def describe_search(objective, direction, dimensions, marginals=(), problem=""):
    """A search: what is optimised, over what, and what came out of it.

    Args:
        objective: String, name of the score.
        direction: "min" or "max".
        dimensions: Sequence of `Dimension`.
        marginals: List of what `marginals_of` returned. Defaults to none.
        problem: String, why they are not to be trusted; "" if they are.
    """
    return {
        "format": tags.FORMAT,
        "objective": objective,
        "direction": direction,
        "dimensions": [dimension.plain() for dimension in dimensions],
        "marginals": list(marginals),
        "problem": problem,
    }


def describe_trial(trial, values):
    """A trial that has ended, by what is decided then.

    Args:
        trial: KerasTuner's `Trial`.
        values: Dict from the user's hyperparameters to their values.
    """
    content = {
        "format": tags.FORMAT,
        "trial_id": trial.trial_id,
        "values": values,
        "score": finite(trial.score),
        "status": trial.status,
    }
    reason = _reason(trial)
    return {**content, "reason": reason} if reason else content


def _reason(trial):
    """Why a trial has no score, as a report says it, or ""."""
    record = TrialRecord(
        trial.trial_id,
        values={},
        rates={},
        score=trial.score,
        status=trial.status,
        message=failure_text(trial.message or ""),
    )
    return record.reason if record.failed else ""


def finite(score):
    """A score as a float that JSON can hold, or None."""
    if score is None or not math.isfinite(score):
        return None
    return float(score)


def marginals_of(report, dimensions):
    """The marginals of a report, under the names of the dimensions that they are of.

    A report speaks of layers, or groups of layers that moved together; a dimension is a
    hyperparameter. They are the same where they had the same values in all trials. What
    is no dimension, such as a layer whose rate comes of sorting several, is left out.

    Args:
        report: `kdropout.tuning.Report`.
        dimensions: Sequence of `Dimension`.

    Returns:
        List of dicts that JSON can hold.
    """
    done = [trial for trial in report.trials if trial.completed]
    found = []
    for dimension in dimensions:
        tried = [dimension.number(trial.values.get(dimension.name)) for trial in done]
        for marginal in report.marginals:
            if bool(marginal.levels) != bool(dimension.levels):
                continue
            if _are_same(tried, _numbers(marginal, marginal.tried, dimension)):
                found.append(_plain(marginal, dimension))
                break
    return found


def _plain(marginal, dimension):
    grid = _numbers(marginal, marginal.grid, dimension)
    points = sorted(zip(grid, marginal.mean, marginal.spread, strict=True))
    grid, mean, spread = map(list, zip(*points, strict=True))
    return {"name": dimension.name, "grid": grid, "mean": mean, "spread": spread}


def _numbers(marginal, values, dimension):
    """Values of a marginal as those of a dimension; a report numbers only what it saw.

    None stands for a level that the dimension has not.
    """
    if not marginal.levels:
        return values
    return [dimension.number(marginal.levels[int(value)]) for value in values]


def _are_same(ours, theirs):
    if len(ours) != len(theirs) or None in ours or None in theirs:
        return False
    pairs = zip(ours, theirs, strict=True)
    return all(abs(one - other) <= SAME for one, other in pairs)
