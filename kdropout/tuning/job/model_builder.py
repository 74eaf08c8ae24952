"""Builds the model of a trial."""

import os
import pathlib

import keras

from kdropout.tuning.job import keras_names
from kdropout.tuning.job.architectures import build_architecture
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.model_settings import BuildModel, FileModel
from kdropout.tuning.job.references import blame_user_code, call_reference
from kdropout.validation import nearest

# By what the labels are. The losses of classes are of probabilities.
_LOSS = {
    "classes": "sparse_categorical_crossentropy",
    "one-hot": "categorical_crossentropy",
    "probabilities": "categorical_crossentropy",
    "flags": "binary_crossentropy",
    "numbers": "mean_squared_error",
}
_METRICS = {
    "classes": ("accuracy",),
    "one-hot": ("accuracy",),
    "probabilities": ("accuracy",),
    "flags": (
        "binary_accuracy",
    ),  # by "accuracy" Keras takes the largest for the class
    "numbers": ("root_mean_squared_error",),
}


class ModelBuilder:
    """A function of KerasTuner's that builds a model and gives it its rates.

    It holds no data and no model, so it can be sent to another process.

    Args:
        job: `kdropout.tuning.job.Job`.
        description: `kdropout.tuning.job.Description` of its data.

    Example:

    >>> import keras_tuner
    >>> from kdropout.tuning.job import Job
    >>> job = Job(data={"sklearn": "iris"}, space={"*": [0.0, 0.5]})
    >>> build = job.make_hypermodel(job.make_data())
    >>> hp = keras_tuner.HyperParameters()
    >>> model = build(hp)
    >>> hp.values
    {'rate/dense1_drop': 0.3, 'rate/dense2_drop': 0.3}
    """

    def __init__(self, job, description):
        self.job = job
        self.description = description
        # The loss of the last model, where neither it nor the job says which one.
        self.chosen_loss = None

    def __call__(self, hp):
        return self.give_rates(hp, self.build())

    def give_rates(self, hp, model):
        """A model of `build` with the rates of a trial."""
        from kdropout.tuning.tune_rates import tune_parsed

        return tune_parsed(hp, model, self.job.choices)

    def build(self):
        """A new compiled model, with the rates that it has before a search.

        Raises:
            InvalidSetting: If there is none for the job and its data.
        """
        settings = self.job.model
        if isinstance(settings, BuildModel):
            model = self._call_user()
        elif isinstance(settings, FileModel):
            model = _load("model.file", self.job.folders[-1], settings.file)
        else:
            model = self._build_architecture()
        with blame_user_code("model", "cannot be compiled"):
            self._compile(model)
        return model

    def _build_architecture(self):
        try:
            return build_architecture(self.job.model, self.description)
        except InvalidSetting:
            raise
        except Exception as error:  # of any backend, where memory is short
            reason = " ".join(str(error).split())[:300]
            raise InvalidSetting(
                "model",
                "cannot be built, perhaps because the layers are too large for the "
                f"memory. Make them smaller. {type(error).__name__}: {reason}",
            ) from error

    def _call_user(self):
        settings = self.job.model
        key, reference = "model.build", settings.build
        model = call_reference(
            key, reference, settings.arguments, self.job.folders, data=self.description
        )
        if not isinstance(model, keras.Model):
            raise InvalidSetting(
                key, f"must return a keras.Model. '{reference}' returned {model!r}."
            )
        return model

    def _compile(self, model):
        settings, labels = self.job.model, self.description.labels
        given = (settings.optimizer, settings.loss, settings.metrics)
        if model.compiled and given == (None, None, None):
            return
        self.chosen_loss = None if settings.loss else self._loss_of(model)
        metrics = settings.metrics
        model.compile(
            keras_names.make_optimizer(settings.optimizer or "adam"),
            loss=settings.loss or self.chosen_loss,
            metrics=list(_METRICS[labels] if metrics is None else metrics),
        )

    def _loss_of(self, model):
        """The loss for the labels, and for what the model gives for a sample."""
        labels = self.description.labels
        if labels == "classes" and _has_one_output(model):
            return "binary_crossentropy"
        return _LOSS[labels]


def _has_one_output(model):
    """Whether a model gives one number per sample, as a sigmoid of two classes."""
    outputs = model.outputs if model.built else None
    if not outputs or len(outputs) != 1:
        return False
    return len(outputs[0].shape) == 2 and outputs[0].shape[-1] == 1


def _load(key, folder, name):
    path = pathlib.Path(folder) / pathlib.Path(name).expanduser()
    if os.path.isdir(path):
        raise InvalidSetting(
            key, f"must be the path of a .keras file. '{path}' is a folder."
        )
    if not os.path.isfile(path):
        others = [other.name for other in path.parent.glob("*.keras")]
        raise InvalidSetting(
            key,
            f"must be the path of a .keras file. There is none at '{path}'."
            f"{nearest(path.name, others)}",
        )
    try:
        return keras.saving.load_model(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of Keras, zipfile, h5py or a layer of the user's
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InvalidSetting(
            key,
            f"must be a model that model.save wrote. '{path}' cannot be loaded: "
            f"{type(error).__name__}: {reason}. A model of your own classes loads by "
            "'build', in place of 'file'.",
        ) from error
