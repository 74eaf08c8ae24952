"""The callbacks that a job asks for."""

import keras

from kdropout import _validation
from kdropout.callbacks import OverfittingGap


def make_callbacks(objective, training, data):
    """New callbacks, producers first."""
    callbacks, direction = [], objective.resolved_direction
    if objective.needs_gap:
        gap = OverfittingGap(data.training, directions=objective.directions)
        callbacks.append(gap)
    if objective.gap_limit is not None:
        limit = objective.gap_limit
        callbacks.append(LimitedMetric(objective.metric, limit, direction))
    if training.early_stopping is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                objective.name, patience=training.early_stopping, mode=direction
            )
        )
    return callbacks


# Above what a unit of gap can be worth in the metric; not so large that the surrogate
# of a Bayesian search would see nothing else.
WEIGHT = 100.0


class LimitedMetric(keras.callbacks.Callback):
    """Logs a metric that pays for each unit of gap beyond a limit.

        limited_<metric> = metric + 100 * max(0, gap_loss - limit)

    and with a minus where larger is better. This is an exact penalty: where some
    setting keeps the limit, the best of this number keeps it, and is the best that
    does, as long as 1 nat more of gap gains less than 100 units of the metric. Unlike
    a refusal, it shows a search that begins beyond the limit which way to go.

    Put it after `kdropout.callbacks.OverfittingGap`.

    Args:
        metric: Name in the logs, such as "val_loss".
        limit: Float of at least 0, largest gap that costs nothing, in the unit of the
            loss.
        direction: "min" or "max", whichever is better.

    Raises:
        TypeError: If `limit` is not a number.
        ValueError: If an argument is out of range; when an epoch ends, if `metric` or
            the gap is not in the logs.

    Example:

    >>> from kdropout.tuning.job import LimitedMetric
    >>> logs = {"val_loss": 0.5, "gap_loss": 0.25}
    >>> LimitedMetric("val_loss", 0.2, "min").on_epoch_end(0, logs)
    >>> round(logs["limited_val_loss"], 6)
    5.5

    Reference:
        Nocedal, Wright 2006, "Numerical optimization", section 17.2.
    """

    def __init__(self, metric: str, limit: float, direction: str):
        super().__init__()
        self.metric = metric
        self.limit = _validation.number("limit", limit, low=0.0)
        self.direction = _validation.choice("direction", direction, ("min", "max"))

    def on_epoch_end(self, epoch, logs=None):
        missing = [n for n in (self.metric, "gap_loss") if n not in (logs or {})]
        if missing:
            raise ValueError(
                f"LimitedMetric needs '{missing[0]}' in the logs. Received: "
                f"{sorted(logs or {})}. Put OverfittingGap before it."
            )
        penalty = WEIGHT * max(0.0, logs["gap_loss"] - self.limit)
        sign = 1.0 if self.direction == "min" else -1.0
        logs[f"limited_{self.metric}"] = logs[self.metric] + sign * penalty
