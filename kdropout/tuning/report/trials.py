"""Which trials count, and which is best. Pure functions."""

from kdropout import validation
from kdropout.tuning.report.trial_record import TrialRecord

DIRECTIONS = ("min", "max")


class NoCompletedTrial(ValueError):
    """There is no score to make a report of.

    Args:
        trials: Sequence of `TrialRecord`, none completed.

    Attributes:
        trials: Tuple of `TrialRecord`.
        reason: String, why there is no answer.
    """

    def __init__(self, trials):
        self.trials = tuple(trials)
        why = _why_none_completed(trials)
        self.reason = f"None of {len(trials)} trials has completed. {why}"
        super().__init__(
            "'trials' must hold at least one completed trial, because the answer comes "
            f"from their scores. Received: {len(trials)} trials, none completed. "
            f"{why}"
        )


def check_trials(trials):
    """The trials as a tuple, of which at least one is completed.

    Raises:
        TypeError: If `trials` is no sequence of `TrialRecord`.
        ValueError: If no trial is completed, an id comes twice, or completed trials
            have different layers.
    """
    expected = "a sequence of TrialRecord"
    if not isinstance(trials, (list, tuple)):
        raise TypeError(validation.received("trials", expected, trials))
    for trial in trials:
        if not isinstance(trial, TrialRecord):
            raise TypeError(validation.received("trials", expected, trial))
    ids = [trial.trial_id for trial in trials]
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise ValueError(
            "'trials' must hold each trial once. Received: two of the id "
            f"trial_id={twice!r}"
        )
    done = completed(trials)
    if not done:
        raise NoCompletedTrial(trials)
    for trial in done:
        if set(trial.rates) != set(done[0].rates):
            differing = sorted(set(trial.rates) ^ set(done[0].rates))
            raise ValueError(
                "'trials' must all have rates of the same layers. Received: "
                f"{', '.join(map(repr, differing))} in only one of the trials "
                f"{done[0].trial_id!r} and {trial.trial_id!r}. Search the rates of "
                "models with different layers apart."
            )
    return tuple(trials)


def check_direction(direction):
    """Return "min" or "max", or raise a ValueError."""
    return validation.choice("direction", direction, DIRECTIONS)


def check_limits(limits):
    """A copy of a dict from hyperparameter to (lowest, highest) value, or None.

    Raises:
        TypeError: If it is something else.
        ValueError: If a number is not finite.
    """
    if limits is None:
        return None
    expected = "a dict from hyperparameters to pairs of numbers, or None"
    if not isinstance(limits, dict):
        raise TypeError(validation.received("limits", expected, limits))
    checked = {}
    for name, pair in limits.items():
        if not isinstance(name, str) or not isinstance(pair, (list, tuple)):
            raise TypeError(validation.received("limits", expected, {name: pair}))
        if len(pair) != 2:
            raise TypeError(validation.received("limits", expected, {name: pair}))
        checked[name] = tuple(validation.number("limits", value) for value in pair)
    return checked


def completed(trials):
    """The trials with a score."""
    return [trial for trial in trials if trial.completed]


def failed(trials):
    """The trials that are over without a score."""
    return [trial for trial in trials if trial.failed]


def ranked(trials, direction):
    """The completed trials, best first; of equals, the earlier one."""
    sign = -1.0 if direction == "max" else 1.0
    return sorted(completed(trials), key=lambda trial: sign * trial.score)


def best_so_far(scores, direction):
    """The best of the scores up to each of them.

    >>> best_so_far([3.0, 4.0, 2.0], "min")
    [3.0, 3.0, 2.0]
    """
    choose, best = (min if direction == "min" else max), []
    for score in scores:
        best.append(score if not best else choose(best[-1], score))
    return best


def _why_none_completed(trials):
    """What is known; a reason that all have in common, as NaN, is said of all."""
    lost = failed(trials)
    if not lost:
        return "Let the search run on."
    if len(lost) > 1 and len({trial.reason for trial in lost}) == 1:
        return f"All {len(lost)} that have ended failed alike: {lost[0].reason}"
    return f"The first that failed, {lost[0].trial_id!r}: {lost[0].reason}"
