"""Which trials count, and which is best. Pure functions."""

from kdropout import validation
from kdropout.tuning.report.trial_record import TrialRecord

DIRECTIONS = ("min", "max")


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
        raise ValueError(_none_completed(trials))
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


def _none_completed(trials):
    expected = (
        "'trials' must hold at least one completed trial, because the answer comes "
        f"from their scores. Received: {len(trials)} trials, none completed."
    )
    lost = failed(trials)
    if not lost:
        return expected + " Let the search run on."
    first = lost[0]
    return f"{expected} The first that failed, {first.trial_id!r}: {first.reason}"
