"""The callbacks that a job asks for."""

import keras

from kdropout.callbacks import OverfittingGap
from kdropout.tuning.job.limited_metric import LimitedMetric


def make_callbacks(objective, training, data):
    """New callbacks, producers first.

    Args:
        objective: The key `objective` of a job.
        training: Its key `training`.
        data: `kdropout.tuning.job.Data`.

    Returns:
        List of `keras.callbacks.Callback`.
    """
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
