"""The keys `training` and `confirm` of a job."""

from typing import Annotated

from pydantic import Field, model_validator

from kdropout.tuning.job.settings import Count, Settings, invalid


class TrainingSettings(Settings):
    """How each setting is trained."""

    epochs: Count = Field(20, description="Length of a training.")
    batch_size: Count = Field(32, description="Samples per training step.")
    early_stopping: Count | None = Field(
        None,
        description="Stop after so many epochs in which the objective did not "
        "improve. Defaults to never.",
    )
    shuffle: bool = Field(
        True, description="Whether the samples are shuffled before each epoch."
    )


class ConfirmSettings(Settings):
    """Trainings on new seeds, which tell whether the best is really better."""

    top: Count = Field(3, description="Best settings of the search to train again.")
    seeds: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        10,
        description="Trainings of each of them, of the best rate that is the same "
        "everywhere, and without dropout. 0 for none.",
    )

    metric: str | None = Field(
        None,
        min_length=1,
        description="What they are compared by: a metric of the model, on the test "
        "set if there is one. Defaults to that of the objective.",
    )

    @model_validator(mode="after")
    def _check(self):
        if self.seeds == 1:
            raise invalid(
                "must be 0, or at least 2, because an interval needs two. Received: 1",
                "seeds",
            )
        return self
