"""The arguments that limit a search: time, patience, and the stopping of bad trials."""

import dataclasses
import math
import numbers
import re
import statistics
import time
from collections.abc import Mapping

import keras

from kdropout import _validation

Timeout = float | str

_TIME = "a number of seconds above 0, or a text such as '90s', '2min' or '1h30m'"
_PART_OF_TIME = r"(\d+(?:\.\d+)?)\s*(d|h|min|m|s)"
_SECONDS = {"d": 86_400, "h": 3_600, "min": 60, "m": 60, "s": 1}

_SWITCH = (
    "True, False, or a kdropout.tuning.MedianStopping (in a job: true, false, or a "
    "mapping with warmup_trials and warmup_epochs)"
)

# The arguments that an algorithm does not support, with the reason and the way out.
UNSUPPORTED = {
    "Hyperband": {
        "patience": "Its trials have different lengths, so a short one rarely improves "
        "the best score. Use 'timeout', or lower 'hyperband_iterations'.",
        "median_stopping": "It stops bad trials by rounds. Use RandomSearch or "
        "BayesianOptimization to stop them by the median.",
    },
    "SuccessiveHalving": {
        "patience": "Its last trials are the ones that decide. Use 'timeout', or pass "
        "fewer 'settings'.",
        "median_stopping": "It stops bad settings late, at its rungs. Use RandomSearch "
        "or BayesianOptimization to stop them by the median.",
        "initial_trials": "It trains only the settings that you list. Pass them as "
        "'settings'.",
    },
}


def problem_of_unsupported(algorithm, argument, value):
    """Return the message about an argument that an algorithm does not support."""
    reason = UNSUPPORTED[algorithm][argument]
    return (
        f"is not supported by {algorithm}. Received: {argument}="
        f"{_validation.shorten(value)}. {reason}"
    )


def check_supported(algorithm, **given):
    """Raise for the first argument that is set and that the algorithm cannot follow."""
    for argument, value in given.items():
        is_set = value is not None and value is not False
        if is_set and argument in UNSUPPORTED.get(algorithm, ()):
            raise _validation.argument_error(
                ValueError, argument, problem_of_unsupported(algorithm, argument, value)
            )


def seconds_of(timeout):
    """Return the argument `timeout` in seconds, or raise a TypeError or ValueError.

    >>> seconds_of(90), seconds_of("2min"), seconds_of("1h30m")
    (90.0, 120.0, 5400.0)
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (numbers.Real, str)):
        raise _validation.type_error("timeout", _TIME, timeout)
    if isinstance(timeout, str):
        text = timeout.strip().lower()
        if not re.fullmatch(rf"({_PART_OF_TIME}\s*)+", text):
            raise _validation.value_error("timeout", _TIME, timeout)
        parts = re.findall(_PART_OF_TIME, text)
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        seconds = float(timeout)
    if not 0.0 < seconds < math.inf:
        raise _validation.value_error("timeout", _TIME, timeout)
    return seconds


class OutOfTime(BaseException):
    """Ends a trial whose training was stopped by the timeout.

    It is not an `Exception`, because KerasTuner takes these for failures of the trial.
    """


class Budget:
    """The time and the patience of a search.

    Args:
        timeout: Seconds of a call of `search`, or a text, or None for no limit.
        patience: Integer, the number of ended trials without a better score after
            which the search stops, or None.
    """

    def __init__(self, timeout=None, patience=None):
        self.timeout = None if timeout is None else seconds_of(timeout)
        if patience is not None:
            patience = _validation.integer("patience", patience, low=1)
        self.patience = patience
        self._end = None  # of the running search, on the clock of this process

    def begin(self, seconds=None):
        """Start the clock, with the whole timeout or with the `seconds` left of it."""
        seconds = self.timeout if seconds is None else seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def stop(self):
        """Stop the clock at the end of a search."""
        self._end = None

    @property
    def seconds_left(self):
        """Seconds until the timeout, at least 0, or None if there is no timeout."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def is_over(self):
        """True after the timeout of the running search."""
        return self.seconds_left == 0.0

    def __getstate__(self):
        return {**vars(self), "_end": None}  # another process has another clock


class StopAtTimeout(keras.callbacks.Callback):
    """Stops a training at the end of an epoch, if the time of the search is over.

    `was_needed` is True if the training would have continued otherwise.
    """

    def __init__(self, budget):
        super().__init__()
        self._budget = budget
        self.was_needed = False

    def on_epoch_end(self, epoch, logs=None):
        is_last = epoch + 1 >= (self.params or {}).get("epochs", 0)
        self.was_needed = False  # a custom loop may have ignored `stop_training`
        if self._budget.is_over and not is_last and not self.model.stop_training:
            self.was_needed = self.model.stop_training = True


@dataclasses.dataclass(frozen=True)
class MedianStopping:
    """Stops a trial that is worse than the median of earlier trials at its epoch.

    At the end of each epoch, the score that the trial would get now is compared with

        median over earlier trials of (mean of their objective up to this epoch)

    If the score is worse, the trial ends with this score. Earlier trials are all that
    had completed when the trial began, also those that were stopped. With
    `executions_per_trial`, each training is compared with the trainings of the same
    number, which had the same initial weights. If one is stopped, the trial ends.

    Dropout slows a training down, so the rule stops high rates more often than their
    final scores deserve. With trainings of 40 epochs and no warm-up, it stopped the
    best trial in 6 of 10 searches. With 10 epochs of warm-up, it stopped none of them.

    Args:
        warmup_trials: Integer of at least 1, the number of earlier trials that must
            have completed before a trial may be stopped. Defaults to 5.
        warmup_epochs: Integer of at least 0, the number of epochs at the beginning of
            each training in which it is not stopped. Defaults to 10.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is too small.

    Example:

    >>> from kdropout import tuning
    >>> tuning.MedianStopping(warmup_epochs=20)
    MedianStopping(warmup_trials=5, warmup_epochs=20)

    Reference:
        [Golovin et al., 2017: Google Vizier](https://doi.org/10.1145/3097983.3098043),
        section 3.2.2.
    """

    warmup_trials: int = 5
    warmup_epochs: int = 10

    def __post_init__(self):
        _validation.integer("warmup_trials", self.warmup_trials, low=1)
        _validation.integer("warmup_epochs", self.warmup_epochs, low=0)

    def stops(
        self, score: float, epoch: int, curves: list[dict[int, float]], is_max: bool
    ) -> bool:
        """Return True if a training is to be stopped.

        Args:
            score: Float, the score that the training would get now.
            epoch: Integer, the epoch that has ended. The first one is 0.
            curves: List of the values of the objective of earlier trainings, each a
                dict from epoch to value.
            is_max: Boolean, whether a larger value is better.
        """
        if epoch < self.warmup_epochs or len(curves) < self.warmup_trials:
            return False
        means = [
            statistics.fmean(values)
            for curve in curves
            if (values := [value for at, value in curve.items() if at <= epoch])
        ]
        if len(means) < self.warmup_trials:
            return False
        median = statistics.median(means)
        return score < median if is_max else score > median


def checked_median_stopping(value):
    """Return the argument `median_stopping` as a `MedianStopping`, or None, or raise.

    Args:
        value: True, False, a `MedianStopping`, or a dict of its arguments.
    """
    if isinstance(value, MedianStopping):
        return value
    if isinstance(value, bool):
        return MedianStopping() if value else None
    if not isinstance(value, Mapping):
        raise _validation.type_error("median_stopping", _SWITCH, value)
    names = [field.name for field in dataclasses.fields(MedianStopping)]
    for name in value:
        if name not in names:
            error = _validation.argument_error(
                ValueError,
                "median_stopping",
                f"must have no other keys than {', '.join(names)}. Received: "
                f"{name!r}.{_validation.nearest(name, names)}",
            )
            raise error
    try:
        return MedianStopping(**value)
    except (TypeError, ValueError) as error:
        key = ("median_stopping",)
        raise _validation.error_within(error, key, "'median_stopping'") from None


class StopAtMedian(keras.callbacks.Callback):
    """Stops a training that is worse than the median of earlier trainings.

    `was_needed` is True if the training would have continued otherwise.
    """

    def __init__(self, rule, objective, curves, keeps_best):
        super().__init__()
        self._rule = rule
        self._objective = objective
        self._curves = curves
        self._keeps_best = keeps_best
        self._score = None
        self.was_needed = False

    def on_epoch_end(self, epoch, logs=None):
        self.was_needed = False  # a custom loop may have ignored `stop_training`
        if not self._objective.has_value(logs or {}):
            return
        value = float(self._objective.get_value(logs))
        if not math.isfinite(value):
            return  # the trial fails, or continues with finite values
        if (
            self._score is None
            or not self._keeps_best
            or self._objective.better_than(value, self._score)
        ):
            self._score = value
        is_last = epoch + 1 >= (self.params or {}).get("epochs", 0)
        if is_last or self.model.stop_training:
            return
        is_max = self._objective.direction == "max"
        if self._rule.stops(self._score, epoch, self._curves, is_max):
            self.was_needed = self.model.stop_training = True
