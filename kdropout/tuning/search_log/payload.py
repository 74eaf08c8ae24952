"""A search as the page of the Dropout tab has it, made of its report."""

from kdropout.tuning.report.records import SAME, SCHEDULE
from kdropout.tuning.search_log.descriptions import marginals_of
from kdropout.tuning.search_log.dimension import Dimension, dimensions_of


def search_payload(report, plan, run):
    """What the page shows of a search, without its event files.

    Args:
        report: `kdropout.tuning.Report`.
        plan: `kdropout.tuning.RatePlan` of the model, or None: then the charts reach as
            far as the trials did.
        run: String, what the search is called.

    Returns:
        Dict that JSON can hold.
    """
    dimensions = _seen(report) if plan is None else dimensions_of(plan)
    return {
        "version": "report",
        "run": run,
        "objective": report.objective,
        "direction": report.direction,
        "dimensions": [dimension.plain() for dimension in dimensions],
        "trials": [
            {
                "id": trial.trial_id,
                "values": [
                    one.number(trial.values.get(one.name)) for one in dimensions
                ],
                "score": trial.score,
                "status": trial.status,
                "epochs": trial.epochs,
                **({"reason": trial.reason} if trial.failed else {}),
            }
            for trial in report.trials
            if trial.completed or trial.failed
        ],
        "marginals": marginals_of(report, dimensions),
        "problem": report.importance.problem,
    }


def _seen(report):
    """The dimensions, as far as the completed trials tell."""
    done = [trial for trial in report.trials if trial.completed]
    names = [name for name in done[0].values if all(name in t.values for t in done)]
    return [_dimension(name, done) for name in names]


def _dimension(name, done):
    values = [trial.values[name] for trial in done]
    kind = name.rpartition("/")[2]
    kind = kind if kind in SCHEDULE else "rate"
    if any(isinstance(value, str) for value in values):
        levels = tuple(sorted(set(values)))
        return Dimension(name, (), kind, 0, len(levels) - 1, levels)
    layers = [
        path
        for path in done[0].rates
        if all(
            abs(trial.rates[path] - value) <= SAME
            for trial, value in zip(done, values, strict=True)
        )
    ]
    return Dimension(name, tuple(layers), kind, min(values), max(values))
