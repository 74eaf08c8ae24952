"""The keys `search` and `objective` of a job."""

import types
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.tuning.job.settings import (
    Count,
    Seed,
    Settings,
    choose_by_value,
    invalid,
    one_of,
)
from kdropout.validation import nearest, shorten


class SearchSettings(Settings):
    """How the settings to try are chosen."""

    seed: Seed = Field(0, description="Decides which settings are tried.")
    executions_per_trial: Count = Field(
        1, description="Trainings of each setting, with new weights; the mean counts."
    )


class RandomSearch(SearchSettings):
    """Settings at random."""

    algorithm: Literal["random"] = "random"
    max_trials: Count = Field(20, description="Settings to try.")


class BayesianSearch(SearchSettings):
    """Settings where a Gaussian process expects the best."""

    algorithm: Literal["bayesian"]
    max_trials: Count = Field(20, description="Settings to try.")
    num_initial_points: Count | None = Field(
        None,
        description="Settings at random before the first guess. Defaults to 3 per "
        "hyperparameter.",
    )
    alpha: Annotated[float, Field(gt=0.0)] = Field(
        1e-4, description="Variance of the noise in the scores."
    )
    beta: Annotated[float, Field(ge=0.0)] = Field(
        2.6, description="Weight of what is not known yet: more explores more."
    )


class HyperbandSearch(SearchSettings):
    """Many short trainings, of which the best go on to `training.epochs`."""

    algorithm: Literal["hyperband"]
    factor: Annotated[int, Field(ge=2, lt=2**31)] = Field(
        3, description="One in so many goes on, for so many times the epochs."
    )
    iterations: Count = Field(1, description="Repetitions of the whole.")


class GridSearch(SearchSettings):
    """All combinations of the values that `space` lists, or of its steps."""

    algorithm: Literal["grid"]
    max_trials: Count | None = Field(
        None, description="Stop after so many. Defaults to all combinations."
    )


ALGORITHMS = {
    "random": RandomSearch,
    "bayesian": BayesianSearch,
    "hyperband": HyperbandSearch,
    "grid": GridSearch,
}
Search = one_of(
    ALGORITHMS,
    choose_by_value(ALGORITHMS, "algorithm", "random"),
    "{algorithm: random}",
)


class ObjectiveSettings(Settings):
    """What the search optimises: a number that is logged after each epoch."""

    metric: str = Field(
        "val_loss",
        min_length=1,
        description="Any logged name: val_loss, val_accuracy, gap_loss (the "
        "overfitting gap, which is least for a network that has learned nothing), ...",
    )
    direction: Literal["min", "max"] | None = Field(
        None,
        description="Which is better. Needed only where the name does not tell.",
    )
    gap_limit: Annotated[float, Field(ge=0.0)] | None = Field(
        None,
        description="Largest gap_loss allowed, in the unit of the loss. Epochs above "
        "it count only where none is below.",
    )

    epoch: Literal["best", "last"] = Field(
        "best",
        description="The epoch of a training that counts: the best one, or the last, "
        "as without early stopping.",
    )

    @model_validator(mode="after")
    def _check(self):
        if self.direction is None:
            _infer_direction(self.metric)
        if self.gap_limit is not None and _is_gap(self.metric):
            raise invalid(
                "must be left out where 'metric' is a gap itself. Received: "
                f"metric={self.metric!r}, gap_limit={self.gap_limit!r}",
                "gap_limit",
            )
        return self

    @property
    def resolved_direction(self):
        """ "min" or "max"."""
        return self.direction or _infer_direction(self.metric)

    @property
    def directions(self):
        """What is known of the model's metrics, for `OverfittingGap`."""
        if self.direction is None or _is_gap(self.metric):
            return {}
        name = self.metric.removeprefix("val_").removeprefix("clean_")
        return {name: self.direction}

    @property
    def name(self):
        """The name in the logs that the search is to optimise."""
        return self.metric if self.gap_limit is None else f"limited_{self.metric}"

    @property
    def needs_gap(self):
        """Whether `kdropout.callbacks.OverfittingGap` must log the gap."""
        prefixes = ("gap_", "naive_gap_", "clean_")
        return self.gap_limit is not None or self.metric.startswith(prefixes)


def _is_gap(name):
    return name.startswith(("gap_", "naive_gap_"))


def _infer_direction(name):
    if _is_gap(name):
        return "min"
    try:
        without_metrics = types.SimpleNamespace(metrics=[])
        return "min" if lower_is_better(name, without_metrics, {}) else "max"
    except ValueError:
        hint = nearest(name, ("val_loss", "val_accuracy", "gap_loss", "loss"))
        raise invalid(
            "must say which is better, 'min' or 'max', because the name "
            f"'{name}' does not tell.{hint}",
            "direction",
        ) from None


def as_mapping(value: Any):
    """The objective as a mapping, for which a name alone is short."""
    if isinstance(value, str):
        return {"metric": value}
    if not isinstance(value, (dict, ObjectiveSettings)):
        raise invalid(
            "must be a logged name such as val_loss, or a mapping such as {metric: "
            f"val_loss, gap_limit: 0.2}}. Received: {shorten(value)}"
        )
    return value


Objective = Annotated[ObjectiveSettings, BeforeValidator(as_mapping)]
