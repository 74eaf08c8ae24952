"""Several objectives of a search, whose sum is its score."""

from collections.abc import Sequence

import keras
import keras_tuner

# A name of a metric in the logs, and "min" or "max": the direction that is better.
NamedDirection = tuple[str, str]


class SummedObjective(keras_tuner.Objective):
    """The sum of several objectives, which `SummedMetrics` logs.

    `keras_tuner.Objective` for a list of objectives has no name that says what it is,
    and no callback can monitor it.

    Args:
        objectives: Sequence of at least two pairs of a name in the logs and "min" or
            "max". The sum has the direction of the first one. Objectives of the other
            direction are subtracted.

    Attributes:
        objectives: List of `keras_tuner.Objective`.

    Example:

    >>> from kdropout.tuning.objectives import SummedObjective
    >>> objective = SummedObjective([("val_accuracy", "max"), ("gap_loss", "min")])
    >>> objective.name, objective.direction
    ('val_accuracy - gap_loss', 'max')
    """

    def __init__(self, objectives: Sequence[NamedDirection]):
        direction = objectives[0][1]
        super().__init__(sum_text(objectives, direction), direction)
        self.objectives = [keras_tuner.Objective(*pair) for pair in objectives]


class SummedMetrics(keras.callbacks.Callback):
    """Logs the sum of several metrics at the end of each epoch.

    Args:
        objective: `SummedObjective`, whose name the sum gets.

    Raises:
        ValueError: At the end of an epoch, if one of the metrics is not in the logs.
    """

    def __init__(self, objective: SummedObjective):
        super().__init__()
        self.objective = objective

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = {} if logs is None else logs
        total = 0.0
        for part in self.objective.objectives:
            if part.name not in logs:
                raise ValueError(
                    f"The objective '{self.objective.name}' needs '{part.name}' in the "
                    f"logs of each epoch. Received: {sorted(logs)}."
                )
            sign = 1.0 if part.direction == self.objective.direction else -1.0
            total += sign * logs[part.name]
        logs[self.objective.name] = total


def parts_of(objective: keras_tuner.Objective) -> tuple[NamedDirection, ...]:
    """Return the names and directions of several objectives, or () for a single one.

    Args:
        objective: `SummedObjective`, or the objective of KerasTuner for a list.
    """
    parts = getattr(objective, "objectives", ())
    return tuple((part.name, part.direction) for part in parts)


def name_of(objective: keras_tuner.Objective) -> str:
    """Return the name of an objective, which for several ones shows their sum."""
    parts = parts_of(objective)
    return sum_text(parts, objective.direction) if parts else objective.name


def sum_text(objectives: Sequence[NamedDirection], direction: str) -> str:
    """Write a sum as text.

    >>> from kdropout.tuning.objectives import sum_text
    >>> sum_text([("loss", "min"), ("accuracy", "max")], "min")
    'loss - accuracy'
    """
    terms = [f"{'+' if better == direction else '-'} {n}" for n, better in objectives]
    return " ".join(terms).removeprefix("+ ")
