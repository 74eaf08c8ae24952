"""A search, from the model to the folder of its results, as one value."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import yaml
from pydantic import Field, PrivateAttr

from kdropout.tuning.job.callbacks import make_callbacks
from kdropout.tuning.job.checks import Checked, check_job
from kdropout.tuning.job.contents import keep_contents
from kdropout.tuning.job.data import Data, prepare
from kdropout.tuning.job.errors import InvalidSetting, JobError, Problem, place_of
from kdropout.tuning.job.models import ModelBuilder
from kdropout.tuning.job.output import claim, locked
from kdropout.tuning.job.references import blame_exits
from kdropout.tuning.job.schema import (
    AnyData,
    AnyModel,
    AnySearch,
    ConfirmSettings,
    Count,
    MlpModel,
    Objective,
    ObjectiveSettings,
    PathText,
    RandomSearch,
    Settings,
    SklearnData,
    Space,
    TrainingSettings,
)
from kdropout.tuning.space import Rates, Schedules

# What may change while a search is interrupted: none of it changes a trial.
NOT_DECISIVE = ("confirm", "workers", "ray", "threads_per_worker", "output")


class Job(Settings):
    """A search for the best dropout rates. `kdropout.tuning.load_job` reads one.

    Nothing is read or trained before a method is called.

    The keys of the file are attributes, with all defaults: `model`, `data`, `search`,
    `space`, `objective`, `training`, `confirm`, `workers`, `ray`, `threads_per_worker`
    and `output`. `path` is the path of the file, or None.

    Raises:
        pydantic.ValidationError: If it is made in Python, of settings that are wrong.

    Example:

    >>> from kdropout.tuning.job import Job
    >>> job = Job(data={"sklearn": "iris"}, training={"epochs": 5})
    >>> job.search.algorithm, job.training.epochs, job.make_data().num_classes
    ('random', 5, 3)
    """

    model: AnyModel = Field(
        default=MlpModel(architecture="mlp"),
        description="The model whose rates are searched.",
    )
    data: AnyData = Field(
        default=SklearnData(sklearn="digits"),
        description="What it is trained and validated on.",
    )
    search: AnySearch = Field(
        default=RandomSearch(), description="How the settings to try are chosen."
    )
    space: Space | None = Field(
        default=None,
        description="What may become of each rate, by layer path or glob. Defaults to "
        "[0.0, 0.8] for each layer whose rate is a number.",
    )
    objective: Objective = Field(
        default=ObjectiveSettings(), description="What is optimised."
    )
    training: TrainingSettings = Field(
        default=TrainingSettings(), description="How each setting is trained."
    )
    confirm: ConfirmSettings = Field(
        default=ConfirmSettings(), description="Whether the best is really better."
    )
    workers: Count = Field(
        1, description="Trials at a time, each in its own process if above 1."
    )
    ray: str | None = Field(
        None,
        description="Address of a Ray cluster, such as ray://host:10001 or auto. "
        "Defaults to this machine.",
    )
    threads_per_worker: Count | None = Field(
        None, description="Threads of each worker. Defaults to what the backend takes."
    )
    output: PathText = Field(
        "kdropout-search",
        description="Folder for the results, from the current folder.",
    )

    _path: str | None = PrivateAttr(None)
    _folders: tuple = PrivateAttr(default_factory=lambda: (os.getcwd(),))
    _places: dict = PrivateAttr(default_factory=dict)

    @property
    def path(self) -> str | None:
        """Path of the file that it was read from, or None."""
        return self._path

    @property
    def folders(self) -> tuple[str, ...]:
        """Where modules are looked for: the file's folder, and the current one.

        As they were when the job was read. They are sent along to other processes.
        """
        return self._folders

    @property
    def choices(self) -> Rates | dict[str, float | Rates | Schedules]:
        """What may become of the rates, as `kdropout.tuning.space.parse` returns it."""
        return Rates() if self.space is None else self.space

    def read_from(self, path: str | os.PathLike, places: dict) -> None:
        """Note the file that the job was read from, and the place of each key in it."""
        folder = os.path.dirname(os.path.abspath(path))
        self._path, self._places = os.fspath(path), places
        self._folders = tuple(dict.fromkeys((folder, os.getcwd())))

    def error(self, key: str, message: str) -> JobError:
        """A `JobError` about the value of one key, with its line."""
        problem = Problem(place_of(key, self._places), key, message)
        return JobError(self._path, [problem])

    def make_data(self) -> Data:
        """Load, check, split and scale the data.

        Returns:
            `kdropout.tuning.job.Data`.

        Raises:
            JobError: If they cannot be loaded, or nothing could be trained on them.
        """
        return self._located(prepare, self.data, self.folders)

    def make_hypermodel(self, data: Data) -> ModelBuilder:
        """A function for KerasTuner, which can be pickled: `build(hp) -> model`.

        Args:
            data: What `make_data` returned.

        Returns:
            `kdropout.tuning.job.ModelBuilder`.
        """
        return ModelBuilder(self, data.description)

    def make_callbacks(self, data: Data) -> list[keras.callbacks.Callback]:
        """New callbacks that the objective needs, and early stopping if wanted.

        Args:
            data: What `make_data` returned.

        Returns:
            List of `keras.callbacks.Callback`, in the order in which they must stand.
        """
        return make_callbacks(self.objective, self.training, data)

    def check(self) -> Checked:
        """Make the data and a model, and evaluate it once, so that nothing is trained.

        Returns:
            `kdropout.tuning.job.Checked`: the data, the builder, the model and its
            hyperparameters.

        Raises:
            JobError: If a trial could not be trained.
        """
        return self._located(check_job, self)

    @contextlib.contextmanager
    def locked_output(self) -> Iterator[None]:
        """A context in which no other process runs the job in the same folder.

        Raises:
            JobError: If another process does, or the folder cannot be written to.
        """
        with contextlib.ExitStack() as stack:
            self._located(stack.enter_context, locked(self))
            yield

    @contextlib.contextmanager
    def no_exits(self) -> Iterator[None]:
        """A context in which the job's code may fail, but not end the process.

        Raises:
            JobError: If it calls `sys.exit`, or the like.
        """
        try:
            with blame_exits(f"model.{self.model.source}"):
                yield
        except InvalidSetting as error:
            raise self.error(error.key, error.message) from error

    def keep_contents(
        self, checked: Checked, folder: pathlib.Path, has_results: bool
    ) -> None:
        """Note what data, model and code the trials are of, or compare it.

        Args:
            checked: What `check` returned.
            folder: What `claim_output` returned.
            has_results: Whether the folder holds trials of the job.

        Raises:
            JobError: If the trials are of other data, another model or other code.
        """
        self._located(keep_contents, self, checked, folder, has_results)

    def claim_output(self) -> pathlib.Path:
        """Make the folder of the results, and say in it which job they are of.

        Returns:
            `pathlib.Path` of the folder.

        Raises:
            JobError: If it holds results of another job, or cannot be written to.
        """
        return self._located(claim, self)

    def decisive(self) -> dict[str, Any]:
        """The settings that decide what a trial is, as plain values.

        Of the budget, only how long a training is: a search may be given more trials
        when it goes on. The location of the data is excluded as well.
        """
        settings = self.model_dump(mode="json", exclude=set(NOT_DECISIVE))
        settings["search"].pop("max_trials", None)
        settings["data"].pop("data_dir", None)
        return settings

    def to_yaml(self) -> str:
        """All settings, with the defaults, as a file that `load_job` reads."""
        settings = self.model_dump(mode="json")
        return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None)

    def _located(self, function, *arguments):
        """Call a function, and add the line to its errors about a key."""
        try:
            return function(*arguments)
        except InvalidSetting as error:
            raise self.error(error.key, error.message) from error
