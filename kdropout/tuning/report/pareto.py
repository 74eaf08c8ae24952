"""The Pareto front of a search with several objectives."""

from kdropout.tuning.report.records import completed


def pareto_front(trials, objectives):
    """Return the trials that no other trial beats in all objectives.

    A trial beats another one if it is at least as good in all objectives, and better in
    one. With late halving, only the trials of the last rung count, because the others
    were trained for fewer epochs.

    Args:
        trials: Sequence of `TrialRecord`.
        objectives: Sequence of pairs of the name of a metric and "min" or "max".

    Returns:
        List of `TrialRecord`, the best by the first objective first. A trial without a
        finite value of each objective is not in it.
    """
    done = completed(trials)
    last = max((trial.rung for trial in done), default=0)
    losses = {
        trial.trial_id: _losses(trial, objectives)
        for trial in done
        if trial.rung == last
    }
    known = {name: values for name, values in losses.items() if None not in values}
    front = [
        trial
        for trial in done
        if trial.trial_id in known
        and not any(_beats(other, known[trial.trial_id]) for other in known.values())
    ]
    return sorted(front, key=lambda trial: known[trial.trial_id])


def _losses(trial, objectives):
    """The values of all objectives as numbers to minimise, or None for missing ones."""
    values = []
    for name, direction in objectives:
        value = trial.metrics.get(name)
        values.append(-value if value is not None and direction == "max" else value)
    return values


def _beats(losses, others):
    return losses != others and all(a <= b for a, b in zip(losses, others, strict=True))
