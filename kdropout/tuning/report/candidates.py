"""Which settings are worth training again."""

import numpy as np

from kdropout import validation
from kdropout.tuning.report.features import SCHEDULE, is_schedule
from kdropout.tuning.report.forest import Forest, why_no_forest
from kdropout.tuning.report.importance import LOWEST_R2
from kdropout.tuning.report.marginal import tables_with
from kdropout.tuning.report.trials import check_direction, check_trials, ranked

BASELINE = "no dropout"
SEARCH = "search "
UNIFORM = "uniform "

# Uniform rates are compared on such a grid: finer ones make no difference.
STEP = 0.05


def choose_candidates(trials, direction, top=3, uniform=None, use_values=False, seed=0):
    """The settings to confirm: no dropout, one rate everywhere, the best of the search.

    The uniform rate is the one at which a forest, trained on the trials, expects the
    best score; where the forest explains too little, the mean rate of the best trial.

    Args:
        trials: Sequence of `TrialRecord`.
        direction: "min" or "max", what a better score is.
        top: Integer, number of settings of the search. Defaults to 3. Equal ones count
            once, and one without dropout is there already.
        uniform: Number in (0, 1], the uniform rate, or None to choose it as above.
            Defaults to None.
        use_values: Bool, whether a setting of the search is given by the values of its
            hyperparameters instead of its rates: for a search over schedules, whose
            rates at the end do not say all. Defaults to False.
        seed: Integer, seed of the forest. Defaults to 0.

    Returns:
        Dict from label to setting, for `confirm`: "no dropout", then "uniform 0.3",
        then "search 1", "search 2", best first. There is no uniform one where a single
        rate for all layers was searched, because then all are uniform.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If no trial is completed, or an argument is out of range.

    Example:

    >>> from kdropout.tuning.report import TrialRecord, choose_candidates
    >>> trials = [TrialRecord(str(r), {"rate/*": r}, {"a": r}, r) for r in (0.2, 0.1)]
    >>> choose_candidates(trials, "min")
    {'no dropout': {'a': 0.0}, 'search 1': {'a': 0.1}, 'search 2': {'a': 0.2}}
    """
    trials = check_trials(trials)
    check_direction(direction)
    top = validation.integer("top", top, low=1)
    best = ranked(trials, direction)
    paths = list(best[0].rates)
    chosen = {BASELINE: dict.fromkeys(paths, 0.0)}
    if uniform is not None:
        uniform = validation.number("uniform", uniform, 0.0, 1.0, open_low=True)
    elif any(len(set(trial.rates.values())) > 1 for trial in best):
        uniform = best_uniform_rate(trials, direction, seed)
    if uniform:
        chosen[f"{UNIFORM}{uniform:g}"] = dict.fromkeys(paths, uniform)
    settings = []
    for trial in best:
        setting = dict(trial.values if use_values else trial.rates)
        if _has_dropout(trial) and setting not in settings:
            settings.append(setting)
    for number, setting in enumerate(settings[:top], 1):
        chosen[f"{SEARCH}{number}"] = setting
    return chosen


def trial_of(setting, trials, direction):
    """The best trial that had a setting, or None if none had it."""
    for trial in ranked(trials, direction):
        is_constant = not is_schedule(trial)
        if setting == trial.values or (is_constant and setting == trial.rates):
            return trial
    return None


def _has_dropout(trial):
    """Also with a schedule, whose rate may end at 0."""
    parts = [v for n, v in trial.values.items() if n.rpartition("/")[2] in SCHEDULE]
    return any(trial.rates.values()) or any(parts)


def best_uniform_rate(trials, direction, seed):
    """The best rate for all layers at once, as far as the trials tell."""
    best = ranked(trials, direction)[0]
    if why_no_forest(trials) is None:
        forest = Forest(trials, seed)
        columns = [i for i, one in enumerate(forest.features) if one.kind == "rate"]
        if columns and forest.r2 >= LOWEST_R2:
            tried = forest.table[:, columns]
            rates = _grid(tried.min(), tried.max())
            scores = forest.by_tree(tables_with(forest.table, columns, rates)).mean(0)
            # A forest is a staircase: of rates on one step, the middle one.
            order = scores if direction == "min" else -scores
            return _rounded(rates[np.flatnonzero(order <= order.min())].mean())
    return _rounded(np.mean(list(best.rates.values())))


def _grid(low, high):
    rates = np.arange(STEP, 1.0, STEP)
    inside = rates[(rates >= low - STEP / 2) & (rates <= high + STEP / 2)]
    return inside if len(inside) else np.array([(low + high) / 2])


def _rounded(rate):
    """On the grid, unless the rate is smaller than its first step."""
    if rate < STEP:
        return float(f"{rate:.2g}")
    return float(min(0.95, round(STEP * round(rate / STEP), 2)))
