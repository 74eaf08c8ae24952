"""Builds the model of a trial."""

import math
import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner

from kdropout._validation import nearest
from kdropout.layers import Dropout, SpatialDropout2D
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.fields import make_loss, make_metric, make_optimizer
from kdropout.tuning.job.hyperparameters import (
    BATCH_SIZE,
    NoSuchNumber,
    default_of,
    of_optimizer,
    set_in_optimizer,
    with_values,
)
from kdropout.tuning.job.references import (
    blame_user_code,
    call_reference,
    reference_text,
)
from kdropout.tuning.job.schema import BuildModel, FileModel
from kdropout.tuning.model_pool import begin_anew
from kdropout.tuning.tune_rates import tune_parsed

if TYPE_CHECKING:
    from kdropout.tuning.job.data import Description
    from kdropout.tuning.job.job import Job

# The default for each kind of labels. The losses for classes expect probabilities.
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
    # With "accuracy", Keras would compare the largest output with the largest flag.
    "flags": ("binary_accuracy",),
    "numbers": ("root_mean_squared_error",),
}


class ModelBuilder:
    """Builds the model of a trial for KerasTuner, and sets its rates.

    It does not store data or a model, so it can be sent to another process.

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

    def __init__(self, job: "Job", description: "Description"):
        self.job = job
        self.description = description
        # The loss chosen for the last model, or None if the model or the job sets one.
        self.chosen_loss = None

    def __call__(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        return self.give_rates(hp, self.build(self.declare(hp)))

    def declare(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Declare the hyperparameters of the job that set no rates.

        Args:
            hp: `keras_tuner.HyperParameters` of the trial.

        Returns:
            Dict from dotted key, such as "model.units", to its value in this trial.
        """
        job = self.job
        return {
            name: choice.declare(
                hp, name, default_of(name, job.model, job.training.batch_size)
            )
            for name, choice in job.hyperparameters.items()
        }

    def fit_arguments(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Return the arguments of `fit` that this trial chooses.

        Args:
            hp: `keras_tuner.HyperParameters` of the trial.

        Returns:
            Dict, which is empty if the job does not search the batch size.
        """
        if BATCH_SIZE not in self.job.hyperparameters:
            return {}
        return {"batch_size": hp.get(BATCH_SIZE)}  # `declare` comes before

    def give_rates(
        self, hp: keras_tuner.HyperParameters, model: keras.Model
    ) -> keras.Model:
        """Set the rates of a trial in a model of `build`.

        Args:
            hp: `keras_tuner.HyperParameters` of the trial.
            model: `keras.Model` that `build` returned.

        Returns:
            The same `model`.
        """
        return tune_parsed(hp, model, self.job.choices)

    def build(self, values: Mapping[str, Any] | None = None) -> keras.Model:
        """Build a compiled model with the rates that it has before a search.

        Args:
            values: Dict from dotted keys of the job, such as "model.units", to other
                values than those of the job, or None. Defaults to None.

        Returns:
            `keras.Model`.

        Raises:
            InvalidSetting: If no model can be built for the job and its data.
        """
        values = {} if values is None else values
        settings = self.job.model
        if values:
            settings = with_values(settings, values)
            begin_anew()  # the check of the values made and numbered metrics
        if isinstance(settings, BuildModel):
            model = self._call_user(settings)
        elif isinstance(settings, FileModel):
            model = _load("model.file", self.job.folders[-1], settings.file)
        else:
            model = self._build_architecture(settings)
        if model.compiled and self.job.model.optimizer is None:
            # The model keeps its own optimizer, with these numbers.
            settings = settings.model_copy(update={"optimizer": None})
            numbers = of_optimizer(values)
        else:
            numbers = {}
        with blame_user_code("model", "cannot be compiled"):
            self._compile(model, settings)
        try:
            set_in_optimizer(model, numbers)
        except NoSuchNumber as error:
            key = f"hyperparameters.model.optimizer.{error.name}"
            raise InvalidSetting(key, error.problem) from None
        return model

    def _build_architecture(self, settings):
        try:
            return build_architecture(settings, self.description)
        except InvalidSetting:
            raise
        except Exception as error:  # from a backend, if the memory is too small
            reason = " ".join(str(error).split())[:300]
            raise InvalidSetting(
                "model",
                "cannot be built, perhaps because the layers are too large for the "
                f"memory. Received: {type(error).__name__}: {reason}. Make the layers "
                "smaller.",
            ) from error

    def _call_user(self, settings):
        key, reference = "model.build", settings.build
        model = call_reference(
            key, reference, settings.arguments, self.job.folders, data=self.description
        )
        if not isinstance(model, keras.Model):
            name = reference_text(reference)
            raise InvalidSetting(
                key, f"must return a keras.Model. Received: {model!r} of '{name}'."
            )
        return model

    def _compile(self, model, settings):
        labels = self.description.labels
        given = (settings.optimizer, settings.loss, settings.metrics)
        if model.compiled and given == (None, None, None):
            return
        self.chosen_loss = None if settings.loss else self._loss_of(model)
        metrics = _METRICS[labels] if settings.metrics is None else settings.metrics
        model.compile(
            make_optimizer(settings.optimizer or "adam"),
            loss=make_loss(settings.loss or self.chosen_loss),
            metrics=[make_metric(metric) for metric in metrics],
        )

    def _loss_of(self, model):
        """The loss for the labels and the outputs of the model."""
        labels = self.description.labels
        if labels == "classes" and _has_one_output(model):
            return "binary_crossentropy"
        return _LOSS[labels]


def _has_one_output(model):
    """True if a model has one output per sample, such as a sigmoid for two classes."""
    outputs = model.outputs if model.built else None
    if not outputs or len(outputs) != 1:
        return False
    return len(outputs[0].shape) == 2 and outputs[0].shape[-1] == 1


def _load(key, folder, name):
    path = pathlib.Path(folder) / pathlib.Path(name).expanduser()
    if os.path.isdir(path):
        raise InvalidSetting(
            key, f"must be the path of a .keras file. Received: '{path}', a folder."
        )
    if not os.path.isfile(path):
        others = [other.name for other in path.parent.glob("*.keras")]
        raise InvalidSetting(
            key,
            f"must be the path of a .keras file. There is no file at '{path}'."
            f"{nearest(path.name, others)}",
        )
    try:
        return keras.saving.load_model(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # from Keras, zipfile, h5py or a custom layer
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InvalidSetting(
            key,
            f"must be a model that model.save wrote. '{path}' cannot be loaded: "
            f"{type(error).__name__}: {reason}. For a model with custom classes, use "
            "'build' instead of 'file'.",
        ) from error


def build_architecture(settings, data):
    """Build an uncompiled model that outputs probabilities or targets."""
    if data.task == "classification" and data.num_classes is None:
        raise InvalidSetting(
            "model.architecture",
            "needs the number of classes, which is not known for a dataset of integer "
            "labels. Return arrays or one-hot labels, or use 'build' instead of "
            "'architecture'.",
        )
    return _BUILDERS[settings.architecture](settings, data)


def _mlp(settings, data):
    inputs = _image_or_table(settings, data)
    x = inputs
    if len(data.input_shape) > 1:
        x = keras.layers.Flatten(name="flatten")(x)
    if settings.input_dropout:
        x = Dropout(settings.rate, name="input_drop")(x)
    return keras.Model(inputs, _output(_dense(x, settings), settings, data), name="mlp")


def _cnn(settings, data):
    inputs = _image_or_table(settings, data)
    shape = data.input_shape
    if len(shape) != 3 or min(shape[:2]) < 2 ** len(settings.filters):
        raise InvalidSetting(
            "model.architecture",
            "cnn needs images of shape (height, width, channels). They must be at "
            f"least {2 ** len(settings.filters)} pixels high and wide, because each of "
            f"the {len(settings.filters)} convolutions halves them. Received: samples "
            f"of shape {shape}. Use architecture: mlp, or fewer filters.",
        )
    x = inputs
    for index, filters in enumerate(settings.filters, start=1):
        x = keras.layers.Conv2D(
            filters,
            settings.kernel_size,
            padding="same",
            activation=settings.activation,
            data_format="channels_last",
            name=f"conv{index}",
        )(x)
        x = keras.layers.MaxPooling2D(data_format="channels_last", name=f"pool{index}")(
            x
        )
        x = SpatialDropout2D(
            settings.rate, data_format="channels_last", name=f"conv{index}_drop"
        )(x)
    x = _dense(keras.layers.Flatten(name="flatten")(x), settings)
    return keras.Model(inputs, _output(x, settings, data), name="cnn")


def _transformer(settings, data):
    shape = data.input_shape
    if data.num_tokens is None or not isinstance(shape, tuple) or len(shape) != 1:
        raise InvalidSetting(
            "model.architecture",
            "transformer needs sequences of integers, one row for each sample. "
            f"Received: {data.input_dtype} samples of shape {shape}. Use data: "
            "{text: ...}, or architecture: mlp.",
        )
    if settings.embedding_dim % settings.num_heads:
        raise InvalidSetting(
            "model.num_heads",
            f"must divide embedding_dim={settings.embedding_dim}. Received: "
            f"{settings.num_heads}",
        )
    # With one label for each token, a token may only attend to those before it.
    causal = data.task == "classification" and _label_shape(data) == shape
    inputs = keras.Input(shape, dtype="int32", name="tokens")
    x = keras.layers.Embedding(
        data.num_tokens, settings.embedding_dim, name="embedding"
    )(inputs)
    x = PositionEmbedding(name="positions")(x)
    x = Dropout(settings.rate, name="embedding_drop")(x)
    for index in range(1, settings.num_blocks + 1):
        x = _block(x, settings, f"block{index}", causal)
    x = keras.layers.LayerNormalization(name="final_norm")(x)
    if not causal:
        x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.Model(inputs, _output(x, settings, data, causal), name="transformer")


def _block(x, settings, name, causal):
    normed = keras.layers.LayerNormalization(name=f"{name}_attention_norm")(x)
    attention = keras.layers.MultiHeadAttention(
        settings.num_heads,
        settings.embedding_dim // settings.num_heads,
        name=f"{name}_attention",
    )(normed, normed, use_causal_mask=causal)
    attention = Dropout(settings.rate, name=f"{name}_attention_drop")(attention)
    x = keras.layers.Add(name=f"{name}_attention_add")([x, attention])
    y = keras.layers.LayerNormalization(name=f"{name}_feed_forward_norm")(x)
    y = keras.layers.Dense(
        settings.feed_forward_dim,
        activation=settings.activation,
        name=f"{name}_feed_forward",
    )(y)
    y = keras.layers.Dense(settings.embedding_dim, name=f"{name}_projection")(y)
    y = Dropout(settings.rate, name=f"{name}_feed_forward_drop")(y)
    return keras.layers.Add(name=f"{name}_feed_forward_add")([x, y])


def _image_or_table(settings, data):
    if data.input_dtype != "float32":
        raise InvalidSetting(
            "model.architecture",
            f"{settings.architecture} needs one array of floating-point inputs. "
            f"Received: {data.input_dtype}. Save them as float32, or use 'build' "
            "instead of 'architecture'.",
        )
    return keras.Input(data.input_shape, name="features")


def _dense(x, settings):
    for index, units in enumerate(settings.units, start=1):
        name = f"dense{index}"
        x = keras.layers.Dense(units, activation=settings.activation, name=name)(x)
        x = Dropout(settings.rate, name=f"{name}_drop")(x)
    return x


def _label_shape(data):
    """The shape of the labels of a sample, where a row may be one label."""
    return data.target_shape if data.labels == "classes" else data.target_shape[:-1]


# Losses and metrics that compare the labels 0 and 1 with one probability, in lower case
# and without underscores.
_BINARY = {
    "auc",
    "binaryaccuracy",
    "binarycrossentropy",
    "binaryfocalcrossentropy",
    "falsenegatives",
    "falsepositives",
    "precision",
    "precisionatrecall",
    "recall",
    "recallatprecision",
    "sensitivityatspecificity",
    "specificityatsensitivity",
    "truenegatives",
    "truepositives",
}


def _is_binary(settings, data):
    """True if the loss or a metric of the job needs the probability of class 1."""
    if data.labels != "classes":
        return False
    given = settings.metrics or ()
    if settings.loss is not None:
        given = (settings.loss,)  # it decides, because a metric may fit both
    names = [
        value if isinstance(value, str) else value["class_name"] for value in given
    ]
    return any(name.lower().replace("_", "") in _BINARY for name in names)


def _output(x, settings, data, per_position=False):
    """Add the layers that output probabilities or targets."""
    if data.task == "classification":
        if _label_shape(data) not in ((), (1,)) and not per_position:
            raise InvalidSetting(
                "model.architecture",
                "needs one label for each sample. Received: labels of shape "
                f"{data.target_shape}. Use 'build' instead of 'architecture'.",
            )
        units, activation = data.num_classes, "softmax"
        if data.labels == "flags":
            activation = "sigmoid"
        elif data.num_classes == 2 and not per_position and _is_binary(settings, data):
            units, activation = 1, "sigmoid"
        return keras.layers.Dense(units, activation=activation, name="output")(x)
    x = keras.layers.Dense(math.prod(data.target_shape), name="output")(x)
    if len(data.target_shape) > 1:
        x = keras.layers.Reshape(data.target_shape, name="targets")(x)
    return x


@keras.saving.register_keras_serializable(package="kdropout")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to the inputs at each position of a sequence.

    Input shape:
        `(batch, positions, features)`, with a fixed number of positions.

    Output shape:
        Same as the input shape.

    Example:

    >>> from kdropout.tuning.job.models import PositionEmbedding
    >>> PositionEmbedding()(np.ones((2, 5, 3))).shape[1:] == (5, 3)
    True
    """

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=input_shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="embeddings",
        )

    def call(self, inputs):
        return inputs + self.embeddings

    def compute_output_shape(self, input_shape):
        return input_shape


_BUILDERS = {"mlp": _mlp, "cnn": _cnn, "transformer": _transformer}
