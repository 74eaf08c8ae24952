"""The key `objective` of a job, and the callback that logs a limited metric."""

import types
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import keras
import keras_tuner
from pydantic import BeforeValidator, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from kdropout import _validation
from kdropout._validation import nearest, shorten
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.tuning.job.earlier_names import earlier_name
from kdropout.tuning.job.fields import Settings, invalid, invalid_parts, make_metric
from kdropout.tuning.objectives import SummedObjective


class FurtherObjective(Settings):
    """An objective that is added to the first one."""

    metric: str = Field(min_length=1, description="Any logged name, such as gap_loss.")
    direction: Literal["min", "max"] | None = Field(
        None,
        description="min if a smaller value is better, max if a larger one is. Needed "
        "only if the name of the metric does not show it.",
    )

    # The direction that the class of a metric of the job shows, not its name.
    _direction_of_class: Literal["min", "max"] | None = PrivateAttr(None)

    def infer_direction(self, metrics: Sequence) -> None:
        """Find the direction from the name, or from the class of a metric of the job.

        Args:
            metrics: Sequence of names of metrics, and of mappings with `class_name`
                and `config`.
        """
        if self.direction is not None:
            return
        made = [make_metric(metric) for metric in metrics if isinstance(metric, dict)]
        self._direction_of_class = _infer_direction(self.metric, made)

    @property
    def resolved_direction(self) -> Literal["min", "max"]:
        """String, "min" or "max"."""
        known = self.direction or self._direction_of_class
        return known or _infer_direction(self.metric)

    @property
    def directions(self) -> dict[str, str]:
        """Dict from metric to direction, for metrics whose direction the job sets."""
        if self.direction is None or is_gap(self.metric):
            return {}
        name = self.metric.removeprefix("val_").removeprefix("clean_")
        return {name: self.direction}

    @property
    def needs_gap(self) -> bool:
        """True if `kdropout.callbacks.OverfittingGap` must log the metric."""
        return self.metric.startswith(("gap_", "naive_gap_", "clean_"))


def _as_further(value: Any):
    """Return a further objective as a mapping. A name stands for one with `metric`."""
    if isinstance(value, str):
        return {"metric": value}
    if not isinstance(value, (dict, FurtherObjective)):
        raise invalid(
            "must be a logged name such as gap_loss, or a mapping such as {metric: "
            f"gap_loss, direction: min}}. Received: {shorten(value)}"
        )
    return value


class ObjectiveSettings(FurtherObjective):
    """The number that the search optimises. It must be logged after each epoch."""

    metric: str = Field(
        "val_loss",
        min_length=1,
        description="Any logged name, such as val_loss, val_accuracy or gap_loss. "
        "(gap_loss is the overfitting gap. It is smallest for a network that has "
        "learned nothing.)",
    )
    also: tuple[Annotated[FurtherObjective, BeforeValidator(_as_further)], ...] = Field(
        (),
        strict=False,
        description="Further objectives: names, or mappings with metric and direction. "
        "The score is the sum, in which objectives of the other direction are "
        "subtracted, and the report shows the Pareto front. As objective, the list "
        "[val_loss, gap_loss] means the same as {metric: val_loss, also: [gap_loss]}.",
    )
    gap_limit: Annotated[float, Field(ge=0.0)] | None = Field(
        None,
        description="Largest gap_loss to allow, in the unit of the loss. Epochs above "
        "it count only if no epoch is below.",
    )
    scored_epoch: Literal["best", "last"] = Field(
        "best",
        description="Epoch that decides the score of a training: the best one, or the "
        "last one, as without early stopping.",
    )

    @model_validator(mode="after")
    def _check(self):
        if self.gap_limit is not None and is_gap(self.metric):
            raise invalid(
                "must not be given if 'metric' is a gap. Received: "
                f"metric={self.metric!r}, gap_limit={self.gap_limit!r}",
                "gap_limit",
            )
        metrics = [self.metric]
        for index, further in enumerate(self.also):
            if further.metric in metrics:
                raise invalid(
                    f"must be another metric than the ones before. Received: "
                    f"{further.metric!r} twice",
                    "also",
                    index,
                    "metric",
                )
            metrics.append(further.metric)
        return self

    epoch: ClassVar = earlier_name("epoch", "scored_epoch")

    def infer_directions(self, metrics: Sequence) -> None:
        """Find the direction of each objective, see `infer_direction`."""
        self.infer_direction(metrics)
        problems = []
        for index, further in enumerate(self.also):
            try:
                further.infer_direction(metrics)
            except PydanticCustomError as error:
                parts = (error.context or {})["parts"]
                problems += [(("also", index, *key), text) for key, text in parts]
        if problems:
            raise invalid_parts(problems)

    @property
    def directions(self) -> dict[str, str]:
        """Dict from metric to direction, for metrics whose direction the job sets."""
        directions = super().directions
        for further in self.also:
            directions |= further.directions
        return directions

    @property
    def first_name(self) -> str:
        """The name in the logs of the first objective."""
        return self.metric if self.gap_limit is None else f"limited_{self.metric}"

    @property
    def for_tuner(self) -> keras_tuner.Objective:
        """The objective for a tuner."""
        first = (self.first_name, self.resolved_direction)
        if not self.also:
            return keras_tuner.Objective(*first)
        others = [(other.metric, other.resolved_direction) for other in self.also]
        return SummedObjective([first, *others])

    @property
    def name(self) -> str:
        """The name in the logs that the search optimises."""
        return self.for_tuner.name if self.also else self.first_name

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names in the logs that the objectives need."""
        return (self.metric, *(further.metric for further in self.also))

    @property
    def needs_gap(self) -> bool:
        """True if `kdropout.callbacks.OverfittingGap` must log the gap."""
        needs = self.gap_limit is not None or super().needs_gap
        return needs or any(further.needs_gap for further in self.also)


def is_gap(name: str) -> bool:
    """Return True if a metric is an overfitting gap."""
    return name.startswith(("gap_", "naive_gap_"))


def _infer_direction(name, metrics=()):
    if is_gap(name):
        return "min"
    try:
        model = types.SimpleNamespace(metrics=metrics)
        return "min" if lower_is_better(name, model, {}) else "max"
    except ValueError:
        hint = nearest(name, ("val_loss", "val_accuracy", "gap_loss", "loss"))
        raise invalid(
            "must be 'min' or 'max', because the name of the metric "
            f"'{name}' does not show which is better.{hint}",
            "direction",
        ) from None


def _as_mapping(value: Any):
    """Return the objective as a mapping.

    A name stands for a mapping with `metric`, and a list for one with `also`.
    """
    if isinstance(value, str):
        return {"metric": value}
    if isinstance(value, (list, tuple)) and value:
        first, *others = value
        first = _as_mapping(first)
        if isinstance(first, dict) and "also" not in first:
            return {**first, "also": others} if others else first
    if not isinstance(value, (dict, ObjectiveSettings)):
        raise invalid(
            "must be a logged name such as val_loss, a mapping such as {metric: "
            "val_loss, gap_limit: 0.2}, or a list of several. Received: "
            f"{shorten(value)}"
        )
    return value


Objective = Annotated[ObjectiveSettings, BeforeValidator(_as_mapping)]


# The weight is larger than the gain of the metric from one unit of gap. It is small
# enough that the surrogate of a Bayesian search still sees other differences.
WEIGHT = 100.0


class LimitedMetric(keras.callbacks.Callback):
    """Logs a metric with a penalty for each unit of gap above a limit.

        limited_<metric> = metric + 100 * max(0, gap_loss - limit)

    with a minus if a larger metric is better. This is an exact penalty: if some setting
    meets the limit, the best value belongs to the best setting that meets it, as long
    as 1 nat more of gap improves the metric by less than 100. If a search begins above
    the limit, the penalty also shows it the direction to the limit.

    Put it after `kdropout.callbacks.OverfittingGap`.

    Args:
        metric: String, name in the logs, such as "val_loss".
        limit: Float of at least 0, the largest gap without a penalty, in the unit of
            the loss.
        direction: "min" if a smaller metric is better, or "max" if a larger one is.

    Raises:
        TypeError: If `limit` is not a number.
        ValueError: If an argument is out of range, or, at the end of an epoch, if
            `metric` or the gap is not in the logs.

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

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = {} if logs is None else logs
        missing = [name for name in (self.metric, "gap_loss") if name not in logs]
        if missing:
            raise ValueError(
                f"LimitedMetric needs '{missing[0]}' in the logs. Received: "
                f"{sorted(logs)}. Put OverfittingGap before it."
            )
        penalty = WEIGHT * max(0.0, logs["gap_loss"] - self.limit)
        sign = 1.0 if self.direction == "min" else -1.0
        logs[f"limited_{self.metric}"] = logs[self.metric] + sign * penalty
