"""The class `Job`: a search, from the model to the folder of its results."""

import contextlib
import dataclasses
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import keras
import keras_tuner
import numpy as np
import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from kdropout._data import iterate_batches
from kdropout._validation import nearest, shorten
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.inspection import dropout_layers, keras_rates
from kdropout.tuning.given_settings import SettingReader, Targets
from kdropout.tuning.halving import distinct_values, epochs_of_rungs
from kdropout.tuning.job.callbacks import (
    check_callbacks,
    make_callbacks,
    problems_with_weights,
    references_of,
)
from kdropout.tuning.job.data import Data, prepare, task_text
from kdropout.tuning.job.digests import ModelDigests, digests_of_model
from kdropout.tuning.job.earlier_names import (
    earlier_name,
    text_about_names,
    with_current_names,
)
from kdropout.tuning.job.errors import (
    InvalidSetting,
    JobError,
    Problem,
    dotted,
    place_of,
)
from kdropout.tuning.job.fields import (
    Count,
    Gpus,
    PathText,
    RayAddress,
    Settings,
    invalid,
    invalid_parts,
    problems_of,
)
from kdropout.tuning.job.hyperparameters import BATCH_SIZE, with_values
from kdropout.tuning.job.models import ModelBuilder
from kdropout.tuning.job.objective import Objective, ObjectiveSettings
from kdropout.tuning.job.output import claim, keep_contents, locked
from kdropout.tuning.job.references import blame_exits, reference_text
from kdropout.tuning.job.schema import (
    AnyData,
    AnyModel,
    AnySearch,
    ConfirmSettings,
    GridSearch,
    Hyperparameters,
    MlpModel,
    RandomSearch,
    SklearnData,
    Space,
    SuccessiveHalvingSearch,
    TrainingSettings,
)
from kdropout.tuning.model_pool import begin_anew
from kdropout.tuning.space import Rates, Schedules, plan_of

# A prime number, so that labels and outputs of different sizes do not broadcast by
# accident.
NUM_SAMPLES = 7


@dataclasses.dataclass(frozen=True)
class Checked:
    """The result of `Job.check`: everything that a search needs.

    Args:
        data: `kdropout.tuning.job.Data`.
        build: `kdropout.tuning.job.ModelBuilder`, the function for KerasTuner.
        model: `keras.Model` with the rates of the first trial.
        hyperparameters: `keras_tuner.HyperParameters` that are searched.
        metrics: Tuple of the names that the model logs in addition to its loss.
        baseline: Dict from layer path to the rate before the search.
        digests: `ModelDigests` of the model as it was built.
        callbacks: List of `keras.callbacks.Callback`. Each training gets a copy.
    """

    data: Data
    build: ModelBuilder
    model: keras.Model
    hyperparameters: keras_tuner.HyperParameters
    metrics: tuple[str, ...]
    baseline: dict[str, float]
    digests: ModelDigests
    callbacks: list[keras.callbacks.Callback]

    @property
    def task(self) -> str:
        """The task, the classes, the loss and the metrics in words."""
        return task_text(self.data, self.model.loss, self.metrics)


# These keys may change before a search is resumed, because they do not affect a trial.
NOT_DECISIVE = (
    "confirm",
    "workers",
    "ray_address",
    "threads_per_worker",
    "gpus_per_worker",
    "output",
)

# Keys of `search` that may change as well: they decide which trials run, and not how.
LIMITS = ("max_trials", "timeout", "patience", "initial_trials", "retry_failed")


class Job(Settings):
    """Describes a search for the best dropout rates.

    `kdropout.tuning.load_job` reads a job from a file. A job does not read data or
    train before you call a method.

    The keys of the file are attributes, with all defaults: `model`, `data`, `search`,
    `space`, `objective`, `training`, `confirm`, `workers`, `ray_address`,
    `threads_per_worker`, `gpus_per_worker` and `output`. `path` is the path of the
    file, or None.

    In Python, `model.build` and `data.function` may be functions.

    Raises:
        pydantic.ValidationError: If you make it in Python and a setting is not valid.

    Example:

    >>> from kdropout.tuning.job import Job
    >>> job = Job(data={"sklearn": "iris"}, training={"epochs": 5})
    >>> job.search.algorithm, job.training.epochs, job.make_data().num_classes
    ('RandomSearch', 5, 3)
    """

    model: AnyModel = Field(
        default=MlpModel(architecture="mlp"),
        description="The model whose rates are searched.",
    )
    data: AnyData = Field(
        default=SklearnData(sklearn="digits"),
        description="Data for training, validation and test.",
    )
    search: AnySearch = Field(
        default=RandomSearch(), description="The algorithm that chooses the settings."
    )
    space: Space | None = Field(
        default=None,
        description="The rates to choose from, by layer path or glob. Defaults to "
        "[0.0, 0.8] for each layer whose rate is a number.",
    )
    hyperparameters: Hyperparameters = Field(
        default={},
        description="Other numbers to search together with the rates, by their dotted "
        "key, such as model.optimizer.learning_rate.",
    )
    objective: Objective = Field(
        default=ObjectiveSettings(), description="The number to optimise."
    )
    training: TrainingSettings = Field(
        default=TrainingSettings(), description="The training of each setting."
    )
    confirm: ConfirmSettings = Field(
        default=ConfirmSettings(),
        description="Trainings with new seeds, which show whether the best rates help.",
    )
    workers: Count = Field(
        1,
        description="Number of trials at a time. If above 1, each runs in its own "
        "process.",
    )
    ray_address: RayAddress | None = Field(
        None,
        description="Address of a Ray cluster, such as ray://host:10001 or auto. "
        "Defaults to this machine.",
    )
    threads_per_worker: Count | None = Field(
        None,
        description="Number of threads of each worker. Defaults to a fair share of the "
        "cores of this machine.",
    )
    gpus_per_worker: Gpus | None = Field(
        None,
        description="Number of GPUs of each worker, such as 1, or 0.5 for two workers "
        "on a GPU. With 0, workers train on the CPU. Defaults to a fair share of the "
        "GPUs of the cluster, at most one.",
    )
    output: PathText = Field(
        "kdropout-search",
        description="Folder for the results, relative to the current folder.",
    )

    _path: str | None = PrivateAttr(None)
    _folders: tuple = PrivateAttr(default_factory=lambda: (os.getcwd(),))
    _places: dict = PrivateAttr(default_factory=dict)

    ray: ClassVar = earlier_name("ray", "ray_address")

    @model_validator(mode="before")
    @classmethod
    def _take_earlier_names(cls, settings):
        settings, renamed = with_current_names(settings)
        if renamed:
            problems = [Problem("", dotted(r.key), r.message) for r in renamed]
            text = text_about_names("The job", problems)
            warnings.warn(text, DeprecationWarning, stacklevel=3)
        return settings

    @model_validator(mode="after")
    def _check_hyperparameters(self):
        problems = []
        for name, choice in self.hyperparameters.items():
            for value in choice.examples:
                problems += _problems_with(self, name, value)
        if problems:
            raise invalid_parts(problems)
        return self

    @model_validator(mode="after")
    def _check_search(self):
        if isinstance(self.search, SuccessiveHalvingSearch):
            try:
                epochs_of_rungs(self.training.epochs, self.search.rungs)
            except ValueError as error:
                raise invalid(error.problem, "training", "epochs") from None
        listed = len(getattr(self.search, "initial_trials", ()))
        most = getattr(self.search, "max_trials", None)
        if most is not None and listed > most:
            raise invalid(
                f"must not be more than the {most} trials of search.max_trials. "
                f"Received: {listed} settings. Raise search.max_trials, or remove "
                "settings.",
                "search",
                "initial_trials",
            )
        return self

    @model_validator(mode="after")
    def _check_folds(self):
        size = getattr(self.data, "validation_size", None)
        if self.training.folds is not None and size is not None:
            raise invalid(
                "must not be set with training.folds, because each fold is validation "
                f"data once. Received: {size}",
                "data",
                "validation_size",
            )
        return self

    @model_validator(mode="after")
    def _infer_direction(self):
        try:
            self.objective.infer_directions(self.model.metrics or ())
        except PydanticCustomError as error:
            parts = error.context["parts"]
            raise invalid_parts(
                [(("objective", *key), m) for key, m in parts]
            ) from None
        return self

    @model_validator(mode="after")
    def _check_callbacks(self):
        problems = problems_with_weights(self)
        if problems:
            raise invalid_parts(problems)
        return self

    def __repr__(self) -> str:
        search = self.search
        trials = getattr(search, "max_trials", None)
        limit = "" if trials is None else f" of {trials} trials"
        return (
            f"<Job: {_short('model', self.model)}, {_short('data', self.data)}, "
            f"{search.algorithm}{limit}, output={self.output!r}>"
        )

    __str__ = __repr__

    def _repr_markdown_(self) -> str:
        """Return what a notebook shows: the settings that were given, as YAML."""
        return f"```yaml\n{self._as_yaml(exclude_unset=True)}```"

    @property
    def path(self) -> str | None:
        """Path of the file of the job, or None."""
        return self._path

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders in which modules are looked for.

        They are the folder of the file and the folder that was current when the job was
        read. They are the same in other processes.
        """
        return self._folders

    @property
    def choices(self) -> Rates | dict[str, float | Rates | Schedules]:
        """The space in the form that `kdropout.tuning.space.parse` returns."""
        return Rates() if self.space is None else self.space

    def read_from(self, path: str | os.PathLike, places: dict) -> None:
        """Set the path of the file of the job, and the place of each key in it.

        Args:
            path: Path of the file.
            places: Dict from key (a tuple) to its place, such as "line 7".
        """
        folder = os.path.dirname(os.path.abspath(path))
        self._path, self._places = os.fspath(path), places
        self._folders = tuple(dict.fromkeys((folder, os.getcwd())))

    def error(self, key: str, message: str) -> JobError:
        """Return a `JobError` about the value of one key, with its line.

        Args:
            key: String, dotted key such as "data.npz".
            message: String, the expected value, the received value and what to do.

        Returns:
            `JobError`.
        """
        problem = Problem(place_of(key, self._places), key, message)
        return JobError(self._path, [problem])

    def make_data(self) -> Data:
        """Load, check, split and scale the data.

        Returns:
            `kdropout.tuning.job.Data`.

        Raises:
            JobError: If the data cannot be loaded or used for training.
        """
        training = self.training
        return self._located(
            prepare, self.data, self.folders, training.class_weight, training.folds
        )

    def make_hypermodel(self, data: Data) -> ModelBuilder:
        """Make the function `build(hp) -> model` for KerasTuner, which can be pickled.

        Args:
            data: The result of `make_data`.

        Returns:
            `kdropout.tuning.job.ModelBuilder`.
        """
        return ModelBuilder(self, data.description)

    def make_callbacks(self, data: Data) -> list[keras.callbacks.Callback]:
        """Make the callbacks of the job, and those that its objective needs.

        Args:
            data: The result of `make_data`.

        Returns:
            List of `keras.callbacks.Callback`, in the required order.

        Raises:
            JobError: If a function of the job does not return a callback.
        """
        return self._located(make_callbacks, self, data)

    def check(self) -> Checked:
        """Check the job: make the data and a model, and evaluate the model.

        Nothing is trained.

        Returns:
            `kdropout.tuning.job.Checked`: the data, the builder, the model and its
            hyperparameters.

        Raises:
            JobError: If a trial could not be trained.
        """
        return self._located(check_job, self)

    @contextlib.contextmanager
    def locked_output(self) -> Iterator[None]:
        """Return a context in which no other process runs a job in the same folder.

        Raises:
            JobError: If another process runs a job in the folder, or the folder cannot
                be written to.
        """
        with contextlib.ExitStack() as stack:
            self._located(stack.enter_context, locked(self))
            yield

    @contextlib.contextmanager
    def no_exits(self) -> Iterator[None]:
        """Return a context in which the code of the job may not end the process.

        Raises:
            JobError: If the code calls `sys.exit` or a similar function.
        """
        try:
            with blame_exits(f"model.{self.model.source}"):
                yield
        except InvalidSetting as error:
            raise self.error(error.key, error.message) from error

    def keep_contents(
        self, checked: Checked, folder: pathlib.Path, has_results: bool
    ) -> None:
        """Record data, model and code of the trials, or compare them with the record.

        Args:
            checked: The result of `check`.
            folder: The result of `claim_output`.
            has_results: Boolean, whether the folder contains trials of the job.

        Raises:
            JobError: If data, model or code have changed since the trials were run.
        """
        self._located(keep_contents, self, checked, folder, has_results)

    def claim_output(self) -> pathlib.Path:
        """Create the folder of the results, and record in it the job it belongs to.

        Returns:
            `pathlib.Path` of the folder.

        Raises:
            JobError: If the folder contains results of another job, or cannot be
                written to.
        """
        return self._located(claim, self)

    def decisive(self) -> dict[str, Any]:
        """Return the settings that determine a trial, as plain values.

        The number of trials and the other limits of the search do not count, because a
        search may continue with more trials. The location of the data does not count
        either.
        """
        settings = self.model_dump(mode="json", exclude=set(NOT_DECISIVE))
        for limit in LIMITS:
            settings["search"].pop(limit, None)
        if not settings["search"].get("median_stopping"):  # earlier versions lack it
            settings["search"].pop("median_stopping", None)
        settings["data"].pop("data_dir", None)
        # An earlier version had no such keys, which count as None.
        settings["hyperparameters"] = settings["hyperparameters"] or None
        settings["training"]["callbacks"] = settings["training"]["callbacks"] or None
        settings["objective"]["also"] = settings["objective"]["also"] or None
        return settings

    def to_yaml(self) -> str:
        """Return all settings with their defaults as YAML, which `load_job` reads.

        If the job has a function that cannot be imported, such as one of a notebook,
        the text has its name only, and `load_job` raises a `JobError`.
        """
        return self._as_yaml()

    def _as_yaml(self, **what):
        settings = self.model_dump(mode="json", **what)
        return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None)

    def _located(self, function, *arguments):
        """Call a function, and add the line to an error about a key."""
        try:
            return function(*arguments)
        except InvalidSetting as error:
            raise self.error(error.key, error.message) from error


def _short(key, settings):
    """The kind and the source of a model or of data, such as "model.file='a.keras'"."""
    value = getattr(settings, settings.source)
    value = reference_text(value) if callable(value) else value
    return f"{key}.{settings.source}={shorten(value)}"


def _problems_with(job, name, value):
    """The problems with one value of a hyperparameter, as keys and messages."""
    outer, *inner = name.split(".")
    settings = job.training if name == BATCH_SIZE else job.model
    try:
        if name == BATCH_SIZE:
            type(settings).model_validate({"batch_size": value})
        else:
            with_values(settings, {name: value})
    except ValidationError as error:
        return [
            (("hyperparameters", name), _about_key(key, inner, outer, message))
            for key, message in problems_of(error, type(settings), outer)
        ]
    except (TypeError, ValueError, AttributeError) as error:
        return [(("hyperparameters", name), f"does not fit the job: {error}")]
    return []


def _about_key(key, inner, outer, message):
    """The message of an error about the value of a hyperparameter."""
    same = [str(part) for part in key] == inner
    return (
        message if same else f"does not fit '{dotted((outer, *key))}', which {message}"
    )


def check_job(job):
    """Make the data and a model of a job, and evaluate the model on a few samples."""
    data = job.make_data()
    build = job.make_hypermodel(data)
    hp = keras_tuner.HyperParameters()
    begin_anew()  # so that layers without a name have the same paths as in the trials
    model = build.build()
    _check_models(job, build, data, model)
    baseline, digests = _rates_before(model), digests_of_model(model)
    build.declare(hp)
    try:
        model = build.give_rates(hp, model)
    except (TypeError, ValueError) as error:
        raise _about_space(error) from error
    _check_settings(job.search, hp, Targets(plan_of(model)))
    logged = _evaluate(model, data, build.chosen_loss)
    _check_objective(job, logged, model)
    _check_confirmation(job, logged)
    callbacks = check_callbacks(job, data, model, logged)
    metrics = tuple(name for name in logged if name != "loss")
    return Checked(data, build, model, hp, metrics, baseline, digests, callbacks)


def _check_models(job, build, data, model):
    """Raise if a value of a hyperparameter gives a model with other dropout layers."""
    if BATCH_SIZE in job.hyperparameters and data.is_dataset:
        raise InvalidSetting(
            f"hyperparameters.{BATCH_SIZE}",
            "only applies to arrays, because a dataset has batches. Received: "
            f"{type(data.x_train).__name__}.",
        )
    paths = [*_rates_before(model)]
    for name, choice in job.hyperparameters.items():
        for value in choice.examples:
            begin_anew()
            try:
                others = [*_rates_before(build.build({name: value}))]
            except InvalidSetting as error:
                key = f"hyperparameters.{name}"
                if error.key.startswith("hyperparameters."):
                    raise
                raise InvalidSetting(
                    key, f"with {value!r}, {error.key} {error.message}"
                ) from error
            if others != paths:
                raise InvalidSetting(
                    f"hyperparameters.{name}",
                    "must not change the dropout layers, because their rates are "
                    f"compared. Received: {value!r} with the layers "
                    f"{', '.join(others) or 'none'}, and {', '.join(paths) or 'none'} "
                    "without it. Run a job for each number of layers.",
                )


def _rates_before(model):
    """The rates of a model, including dropout layers of Keras."""
    rates = {found.path: found.rate for found in keras_rates(model) if not found.is_off}
    for path, layer in dropout_layers(model).items():
        rates[path] = layer.rate
    return rates


def _about_space(error):
    """Convert an error of `tune_rates`, with the key of the pattern that causes it."""
    pattern = getattr(error, "pattern", None)
    key = "space" if pattern is None else f"space.{pattern}"
    return InvalidSetting(key, f"does not fit the model: {error}")


def _check_settings(search, hp, targets):
    """Raise if listed settings of a search do not fit the space."""
    try:
        if isinstance(search, SuccessiveHalvingSearch):
            distinct_values(search.settings, hp.space, targets)
        reader = SettingReader("initial_trials", isinstance(search, GridSearch))
        for index, setting in enumerate(getattr(search, "initial_trials", ())):
            reader.values(index, setting, hp.space, targets)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(dotted(("search", *error.key)), error.problem) from error


def _evaluate(model, data, chosen_loss):
    """Evaluate a model on a few samples, and return its logs."""
    x, y = data.x_val, data.y_val
    if y is None:
        x, y = next(iter(iterate_batches(x)))[:2]
    # A dataset may yield tensors of another backend.
    numpy = keras.ops.convert_to_numpy
    x, y = keras.tree.map_structure(lambda array: numpy(array)[:NUM_SAMPLES], (x, y))
    # Run eagerly: this needs no compilation, and errors point to the layer.
    eagerly, model.run_eagerly = model.run_eagerly, True
    try:
        logged = model.test_on_batch(x, y, return_dict=True)
        if chosen_loss in _OF_PROBABILITIES:
            for outputs in keras.tree.flatten(model.predict_on_batch(x)):
                _check_probabilities(np.asarray(outputs, "float32"), chosen_loss)
    except (InvalidSetting, KeyboardInterrupt):
        raise
    except BaseException as error:  # a layer, loss or metric can raise anything
        reason = " ".join(str(error).split())
        raise InvalidSetting(
            "model",
            f"does not fit the data, with inputs of shape {_shapes(x)} and labels of "
            f"shape {_shapes(y)}: {type(error).__name__}: {reason[:500]}"
            f"{_about_texts(x)}",
        ) from error
    if not np.isfinite(logged["loss"]):
        raise InvalidSetting(
            "model",
            "must have a finite loss before training. Received: "
            f"{logged['loss']}, for inputs of shape {_shapes(x)} and labels of shape "
            f"{_shapes(y)}. Check that the model has one output per class, and that "
            "the loss fits the labels.",
        )
    model.reset_metrics()
    model.run_eagerly, model.test_function = eagerly, None
    model.predict_function = None
    return logged


# From the losses that a job chooses for classes to True if outputs must sum to 1.
_OF_PROBABILITIES = {
    "sparse_categorical_crossentropy": True,
    "categorical_crossentropy": True,
    "binary_crossentropy": False,
}


_TOLERANCE = 0.02  # the error of a sum of probabilities in half precision


def _check_probabilities(outputs, loss):
    """Raise if outputs are not probabilities, which the loss needs."""
    wrong = (outputs < 0.0) | (outputs > 1.0 + _TOLERANCE)
    if _OF_PROBABILITIES[loss]:
        wrong = wrong | (np.abs(outputs.sum(-1, keepdims=True) - 1.0) > _TOLERANCE)
    if wrong.any():
        activation = "softmax" if _OF_PROBABILITIES[loss] else "sigmoid"
        raise InvalidSetting(
            "model",
            f"must end with probabilities, because its loss is {loss}. Received: "
            f"outputs from {outputs.min():.3g} to {outputs.max():.3g}. Give the last "
            f"layer activation='{activation}', or compile the model in the function "
            "with a loss of logits.",
        )


def _about_texts(x):
    """A sentence for inputs that are texts on a backend that has none."""
    has_texts = any(array.dtype.kind == "O" for array in keras.tree.flatten(x))
    if not has_texts or keras.backend.backend() == "tensorflow":
        return ""
    return (
        " (The inputs are texts, and layers such as TextVectorization take them on the "
        "backend tensorflow only: set KERAS_BACKEND=tensorflow.)"
    )


def _shapes(values):
    shapes = [tuple(array.shape) for array in keras.tree.flatten(values)]
    return shapes[0] if len(shapes) == 1 else shapes


def _check_objective(job, logged, model):
    objective = job.objective
    prefixes = ["", "val_"]
    if objective.needs_gap:
        prefixes += ["gap_", "naive_gap_", "clean_"]
        _check_directions(objective, logged, model)
    names = [f"{prefix}{name}" for prefix in prefixes for name in logged]
    # A callback of the user may log it, but only after the limit or the sum needs it.
    is_combined = objective.also or objective.gap_limit is not None
    may_be_logged = references_of(job) and not is_combined
    for index, metric in enumerate(objective.metrics):
        if metric not in names and not may_be_logged:
            key = f"objective.also.{index - 1}" if index else "objective"
            raise InvalidSetting(
                f"{key}.metric",
                f"must be a name in the logs. Received: {metric!r}."
                f"{nearest(metric, names)} The names are: {', '.join(names)}",
            )


def _check_confirmation(job, logged):
    confirm, objective = job.confirm, job.objective
    compares_loss = objective.needs_gap and objective.gap_limit is None
    compared = objective.metric.removeprefix("val_")
    if (
        confirm.seeds
        and confirm.metric is None
        and not compares_loss
        and compared not in logged
    ):
        raise InvalidSetting(
            "confirm",
            "needs a metric of the model, because a callback logs the objective "
            f"{objective.metric!r}. Set confirm.metric to one of "
            f"{', '.join(logged)}, or confirm.seeds to 0.",
        )
    if confirm.metric is not None and confirm.metric not in logged:
        raise InvalidSetting(
            "confirm.metric",
            "must be a metric of the model. Received: "
            f"{confirm.metric!r}.{nearest(confirm.metric, logged)} The metrics are: "
            f"{', '.join(logged)}",
        )


def _check_directions(objective, logged, model):
    """Raise for a metric whose direction is not known, which its gap needs."""
    for name in logged:
        try:
            lower_is_better(name, model, objective.directions)
        except ValueError:
            raise InvalidSetting(
                "objective",
                "needs the overfitting gap, but the name of the metric "
                f"'{name}' does not show whether a lower value is better. Give the "
                "metric a name that ends like one of Keras, such as '_accuracy' or "
                "'_loss', or remove it.",
            ) from None
