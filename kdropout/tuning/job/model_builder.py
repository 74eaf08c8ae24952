"""Builds the model of a trial."""

import pathlib

import keras

from kdropout.tuning.job import keras_names
from kdropout.tuning.job.architectures import build_architecture
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.model_settings import BuildModel, FileModel
from kdropout.tuning.job.references import call_reference
from kdropout.tuning.job.space_settings import plain_space
from kdropout.validation import nearest

_LOSS = {
    "classification": "sparse_categorical_crossentropy",
    "regression": "mean_squared_error",
}
_METRICS = {
    "classification": ("accuracy",),
    "regression": ("root_mean_squared_error",),
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

    def __call__(self, hp):
        from kdropout.tuning.tune_rates import tune_rates

        return tune_rates(hp, self.build(), plain_space(self.job.space))

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
            model = build_architecture(settings, self.description)
        self._compile(model)
        return model

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
        settings, task = self.job.model, self.description.task
        given = (settings.optimizer, settings.loss, settings.metrics)
        if model.compiled and given == (None, None, None):
            return
        optimizer = settings.optimizer or "adam"
        metrics = settings.metrics
        model.compile(
            keras_names.make_optimizer(optimizer),
            loss=settings.loss or _LOSS[task],
            metrics=list(_METRICS[task] if metrics is None else metrics),
        )


def _load(key, folder, name):
    path = pathlib.Path(folder) / pathlib.Path(name).expanduser()
    if not path.is_file():
        others = [other.name for other in path.parent.glob("*.keras")]
        raise InvalidSetting(
            key,
            f"must be the path of a .keras file. There is none at '{path}'."
            f"{nearest(path.name, others)}",
        )
    try:
        return keras.saving.load_model(path)
    except Exception as error:  # of Keras, zipfile, h5py or a layer of the user's
        reason = str(error).strip().split("\n")[0]
        raise InvalidSetting(
            key,
            f"must be a model that model.save wrote. '{path}' cannot be loaded: "
            f"{type(error).__name__}: {reason}. A model of your own classes loads by "
            "'build', in place of 'file'.",
        ) from error
