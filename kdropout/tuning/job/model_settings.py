"""The key `model` of a job."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from kdropout.tuning.job import keras_names
from kdropout.tuning.job.settings import (
    PathText,
    Settings,
    Width,
    Widths,
    choose_by_key,
    choose_by_value,
    invalid,
    one_of,
    other_keys,
)
from kdropout.validation import shorten

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


def _check_reference(value):
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", value):
        raise invalid(
            "must be 'module:function', such as 'my_models:build'. Received: "
            f"{shorten(value)}"
        )
    return value


Reference = Annotated[str, AfterValidator(_check_reference)]


def _checked(check):
    """A validator of pydantic that says what `check` says."""

    def validate(value):
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            raise invalid(str(error)) from None

    return AfterValidator(validate)


# A name of Keras, or a mapping of that and its arguments.
Optimizer = Annotated[
    Any,
    _checked(keras_names.check_optimizer),
    Field(json_schema_extra={"kind": "text, or {name: text, learning_rate: ...}"}),
]
Loss = Annotated[str, _checked(keras_names.check_loss)]
Metric = Annotated[str, _checked(keras_names.check_metric)]
Activation = Annotated[str, _checked(keras_names.check_activation)]


class ModelSettings(Settings):
    """How a model is compiled.

    A model that comes compiled stays as it is, unless one of these is given: then
    it is compiled anew with all three.
    """

    optimizer: Optimizer = Field(
        None,
        description="Optimizer of Keras: its name, or its name and its arguments. "
        "Defaults to Adam.",
    )
    loss: Loss | None = Field(
        None,
        description="Loss of Keras. Defaults to sparse_categorical_crossentropy for "
        "integer labels, categorical_crossentropy for one-hot rows and probabilities, "
        "binary_crossentropy for rows of 0 and 1 (and for one output), and to "
        "mean_squared_error for regression. Those of classes are of probabilities.",
    )
    metrics: Annotated[tuple[Metric, ...], Field(strict=False)] | None = Field(
        None,
        description="Metrics of Keras. Defaults to accuracy for classification "
        "(binary_accuracy for rows of 0 and 1), and to root_mean_squared_error for "
        "regression.",
    )

    @property
    def source(self):
        """The key that says where the model comes from: "architecture", ..."""
        return next(name for name in SOURCES if hasattr(self, name))


class BuildModel(ModelSettings):
    """A function of yours that returns a model."""

    build: Reference = Field(
        description="Function that returns a Keras model. It is looked for in the "
        "folder of the job's file and in the current one, too. Where it has a "
        "parameter `data`, it is told `data.input_shape`, `data.num_classes`, "
        "`data.num_samples` and more."
    )
    arguments: dict[str, Any] = Field({}, description="Arguments of the function.")


class FileModel(ModelSettings):
    """A saved model; each trial begins with its weights."""

    file: PathText = Field(
        description="Path of a .keras file, from the current folder."
    )


class ArchitectureModel(ModelSettings):
    """A small network with a dropout layer after each hidden layer."""

    activation: Activation = Field(
        "relu", description="Activation of the hidden layers."
    )
    rate: Rate = Field(
        0.3, description="Rate of each dropout layer that `space` does not name."
    )

    @property
    def name(self):
        return self.architecture


class MlpModel(ArchitectureModel):
    """Dense layers. Dropout: `dense1_drop`, `dense2_drop`, ..."""

    architecture: Literal["mlp"]
    units: Widths = Field((256, 256), description="Units of each hidden layer.")
    input_dropout: bool = Field(
        False, description="Whether the inputs are dropped, too, by `input_drop`."
    )


class CnnModel(ArchitectureModel):
    """Convolutions, each with pooling, then dense layers.

    Dropout: `conv1_drop`, ... (of whole channels), then `dense1_drop`, ...
    """

    architecture: Literal["cnn"]
    filters: Widths = Field((32, 64), description="Channels of each convolution.")
    kernel_size: Width = Field(3, description="Height and width of each kernel.")
    units: Widths = Field((128,), description="Units of each dense layer.")


class TransformerModel(ArchitectureModel):
    """Blocks of attention and feed-forward layers, normalised first.

    Predicts the next token at each position where the labels are sequences, and one
    label per sequence otherwise. Dropout: `embedding_drop`, `block1_attention_drop`,
    `block1_feed_forward_drop`, `block2_attention_drop`, ...
    """

    architecture: Literal["transformer"]
    activation: Activation = Field(
        "gelu", description="Activation of the hidden layers."
    )
    rate: Rate = Field(
        0.1, description="Rate of each dropout layer that `space` does not name."
    )
    embedding_dim: Width = Field(64, description="Size of the vector of a token.")
    num_heads: Width = Field(4, description="Attention heads of each block.")
    num_blocks: Width = Field(2, description="Number of blocks.")
    feed_forward_dim: Width = Field(
        256, description="Units of the hidden layer of each block."
    )


ARCHITECTURES = {"mlp": MlpModel, "cnn": CnnModel, "transformer": TransformerModel}

_by_architecture = choose_by_value(ARCHITECTURES, "architecture")
SOURCES = ("architecture", "build", "file")
_by_key = choose_by_key(SOURCES, lambda: other_keys(KINDS, SOURCES))


def _choose(value):
    key = _by_key(value)
    return _by_architecture(value) if key == "architecture" else key


KINDS = {**ARCHITECTURES, "build": BuildModel, "file": FileModel}
Model = one_of(KINDS, _choose, "{architecture: mlp}")
