"""The keys of a job: what each may be, what it means and its default."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from kdropout._renamed import warn_about_name
from kdropout._validation import nearest, shorten
from kdropout.callbacks.metric_direction import lower_is_better
from kdropout.tuning.halving import RUNGS, SETTINGS, check_rungs, check_settings
from kdropout.tuning.job.earlier_names import earlier_name
from kdropout.tuning.job.errors import dotted
from kdropout.tuning.job.fields import (
    ActivationName,
    Count,
    LossName,
    MetricName,
    OptimizerName,
    PathText,
    Rate,
    Reference,
    Seed,
    Settings,
    Size,
    Width,
    Widths,
    choose_by_key,
    choose_by_value,
    invalid,
    invalid_parts,
    one_of,
    other_keys,
)
from kdropout.tuning.space.parsing import parse_all, to_plain
from kdropout.tuning.space.rates import Rates

# The key `model`.

# Keys for the compilation of every model.
Optimizer = Annotated[
    OptimizerName,
    Field(
        description="Optimizer of Keras: its name, or its name and its arguments. "
        "Defaults to Adam."
    ),
]
Loss = Annotated[
    LossName | None,
    Field(
        description="Loss of Keras. Defaults to sparse_categorical_crossentropy for "
        "integer labels, categorical_crossentropy for one-hot rows and probabilities, "
        "binary_crossentropy for rows of 0 and 1 (and for one output), and to "
        "mean_squared_error for regression. Those of classes are of probabilities."
    ),
]
Metrics = Annotated[
    Annotated[tuple[MetricName, ...], Field(strict=False)] | None,
    Field(
        description="Metrics of Keras. Defaults to accuracy for classification "
        "(binary_accuracy for rows of 0 and 1), and to root_mean_squared_error for "
        "regression."
    ),
]

Activation = Annotated[
    ActivationName, Field(description="Activation of the hidden layers.")
]
DropoutRate = Annotated[
    Rate, Field(description="Rate of each dropout layer that `space` does not name.")
]


class MlpModel(Settings):
    """Dense layers. Dropout: `dense1_drop`, `dense2_drop`, ..."""

    source: ClassVar[str] = "architecture"
    architecture: Literal["mlp"]
    units: Widths = Field((256, 256), description="Units of each hidden layer.")
    input_dropout: bool = Field(
        False, description="Whether `input_drop` drops inputs as well."
    )
    activation: Activation = "relu"
    rate: DropoutRate = 0.3
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


class CnnModel(Settings):
    """Convolutions, each with pooling, then dense layers.

    Dropout: `conv1_drop`, ... (of whole channels), then `dense1_drop`, ...
    """

    source: ClassVar[str] = "architecture"
    architecture: Literal["cnn"]
    filters: Widths = Field((32, 64), description="Channels of each convolution.")
    kernel_size: Width = Field(3, description="Height and width of each kernel.")
    units: Widths = Field((128,), description="Units of each dense layer.")
    activation: Activation = "relu"
    rate: DropoutRate = 0.3
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


class TransformerModel(Settings):
    """Blocks of attention and feed-forward layers, normalised first.

    Predicts the next token at each position where the labels are sequences, and one
    label per sequence otherwise. Dropout: `embedding_drop`, `block1_attention_drop`,
    `block1_feed_forward_drop`, `block2_attention_drop`, ...
    """

    source: ClassVar[str] = "architecture"
    architecture: Literal["transformer"]
    embedding_dim: Width = Field(64, description="Size of the vector of a token.")
    num_heads: Width = Field(4, description="Attention heads of each block.")
    num_blocks: Width = Field(2, description="Number of blocks.")
    feed_forward_dim: Width = Field(
        256, description="Units of the hidden layer of each block."
    )
    activation: Activation = "gelu"
    rate: DropoutRate = 0.1
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


class BuildModel(Settings):
    """A function of yours that returns a model."""

    source: ClassVar[str] = "build"
    build: Reference = Field(
        description="Function that returns a Keras model. Its module is also "
        "looked for in the folder of the job's file and in the current one. A "
        "parameter `data` of the function gets `data.input_shape`, "
        "`data.num_classes`, `data.num_samples` and more."
    )
    arguments: dict[str, Any] = Field({}, description="Arguments of the function.")
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


class FileModel(Settings):
    """A saved model; each trial begins with its weights."""

    source: ClassVar[str] = "file"
    file: PathText = Field(
        description="Path of a .keras file, from the current folder."
    )
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


ARCHITECTURES = {"mlp": MlpModel, "cnn": CnnModel, "transformer": TransformerModel}

_by_architecture = choose_by_value(ARCHITECTURES, "architecture")

MODEL_KINDS = {**ARCHITECTURES, "build": BuildModel, "file": FileModel}

_SOURCES = ("architecture", "build", "file")

_by_key = choose_by_key(_SOURCES, other_keys(MODEL_KINDS, _SOURCES))


def _choose(value):
    key = _by_key(value)
    return _by_architecture(value) if key == "architecture" else key


AnyModel = one_of("model", MODEL_KINDS, _choose, "{architecture: mlp}")


# The key `data`.

# The folder of each set in the data folder, by its short name.
UCI_FOLDERS = {
    "concrete": "concrete",
    "energy": "energy",
    "kin8nm": "kin8nm",
    "naval": "naval-propulsion-plant",
    "power": "power-plant",
    "wine": "wine-quality-red",
    "yacht": "yacht",
}

# Sets that are tables, with columns of different units.
TABLES = ("breast_cancer", "diabetes", "iris", "wine")

# Keys for all data.
Standardize = Annotated[
    bool | None,
    Field(
        description="Whether inputs, and the targets of a regression, are shifted and "
        "scaled to mean 0 and standard deviation 1 of the training data. Defaults to "
        "true for tables (of sklearn and uci), else to false."
    ),
]
LabelNoise = Annotated[
    Rate,
    Field(
        description="Share of the training and validation labels that is replaced by "
        "random ones."
    ),
]
DataSeed = Annotated[
    Seed, Field(description="Decides the split and which labels are replaced.")
]

# Keys for data that are not split.
TrainSize = Annotated[
    Size | None,
    Field(
        description="Training data. Defaults to 0.6, or to all the rest where a test "
        "set is there already. What is left after both is the test set."
    ),
]
ValidationSize = Annotated[
    Size | None,
    Field(description="Validation data. Defaults to 0.2, or to all of those given."),
]

# The key for data whose labels are not known.
Task = Annotated[
    Literal["classification", "regression"] | None,
    Field(
        description="Defaults to classification where the labels are integers, "
        "booleans, texts, rows with a single 1, rows of probabilities, rows of 0 and "
        "1, or a column of 0.0 and 1.0; else to regression."
    ),
]


class SklearnData(Settings):
    """A data set that scikit-learn ships; nothing is downloaded."""

    source: ClassVar[str] = "sklearn"
    sklearn: Literal["breast_cancer", "diabetes", "digits", "iris", "wine"] = Field(
        description="Name of the set."
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class NpzData(Settings):
    """A file of NumPy arrays."""

    source: ClassVar[str] = "npz"
    npz: PathText = Field(
        description="Path of an .npz file, from the current folder, with x_train and "
        "y_train, and perhaps x_val, y_val, x_test, y_test.",
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    task: Task = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class FunctionData(Settings):
    """A function of yours that returns data."""

    source: ClassVar[str] = "function"
    function: Reference = Field(
        description="Function that returns (train, validation) or (train, validation, "
        "test). Each is a tuple (x, y) of arrays, or a tf.data.Dataset or other "
        "iterable of batches; validation and test may be None for arrays."
    )
    arguments: dict[str, Any] = Field({}, description="Arguments of the function.")
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    task: Task = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class KerasData(Settings):
    """A data set of keras.datasets. Images are scaled to [0, 1]."""

    source: ClassVar[str] = "keras"
    keras: Literal["cifar10", "cifar100", "fashion_mnist", "mnist"] = Field(
        description="Name of the set. Its test set is used for the test alone."
    )
    data_dir: PathText | None = Field(
        None,
        description="Folder that holds mnist/ and fashion_mnist/ with their .gz "
        "files. Defaults to the environment variable KDROPOUT_DATA; without both, "
        "Keras downloads the set.",
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class UciData(Settings):
    """A regression table of the UCI repository, with the standard splits."""

    source: ClassVar[str] = "uci"
    uci: Literal[tuple(UCI_FOLDERS)] = Field(  # type: ignore[valid-type]
        description="Name of the set."
    )
    split: Annotated[int, Field(ge=0, le=19)] = Field(
        0,
        description="Number of the standard split: 72 % for training, 18 % for "
        "validation, 10 % for the test.",
    )
    data_dir: PathText | None = Field(
        None,
        description="Folder that holds uci/<set>/data.txt. Defaults to the "
        "environment variable KDROPOUT_DATA.",
    )
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class TextData(Settings):
    """A text, of which each character is predicted from those before it.

    The first 80 % of the text are for training, the last 10 % for the test.
    """

    source: ClassVar[str] = "text"
    text: PathText = Field(
        description="tinyshakespeare, or the path of a text file, from the current "
        "folder.",
    )
    sequence_length: Annotated[int, Field(ge=2, lt=2**31)] = Field(
        64, description="Characters in a sample."
    )
    data_dir: PathText | None = Field(
        None,
        description="Folder that holds text/tinyshakespeare/input.txt. Defaults to "
        "the environment variable KDROPOUT_DATA.",
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


DATA_KINDS = {
    kind.source: kind
    for kind in (SklearnData, NpzData, FunctionData, KerasData, UciData, TextData)
}
AnyData = one_of(
    "data",
    DATA_KINDS,
    choose_by_key(
        tuple(DATA_KINDS),
        other_keys(DATA_KINDS, DATA_KINDS),
        " Other files, such as CSV, are read by a function of yours: {function: "
        "my_data:load}.",
    ),
    "{sklearn: digits}",
)


# The keys `search` and `objective`.

SearchSeed = Annotated[
    Seed,
    Field(description="Decides which settings are tried, and the initial weights."),
]
Executions = Annotated[
    Count,
    Field(description="Trainings of each setting, with new weights; the mean counts."),
]
MaxTrials = Annotated[Count, Field(description="Settings to try.")]


class RandomSearch(Settings):
    """Settings at random."""

    algorithm: Literal["RandomSearch"] = "RandomSearch"
    max_trials: MaxTrials = 20
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1


class BayesianSearch(Settings):
    """Settings where a Gaussian process expects the best."""

    algorithm: Literal["BayesianOptimization"]
    max_trials: MaxTrials = 20
    num_initial_points: Count | None = Field(
        None,
        description="Settings at random before the first guess. Defaults to 3 per "
        "hyperparameter.",
    )
    alpha: Annotated[float, Field(gt=0.0)] = Field(
        1e-4, description="Variance of the noise in the scores."
    )
    beta: Annotated[float, Field(ge=0.0)] = Field(
        2.6, description="Weight of the uncertainty: a larger one explores more."
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1


class HyperbandSearch(Settings):
    """Many short trainings, of which the best go on to `training.epochs`."""

    algorithm: Literal["Hyperband"]
    factor: Annotated[int, Field(ge=2, lt=2**31)] = Field(
        3,
        description="The best 1/factor of the trials go on, with factor times the "
        "epochs.",
    )
    hyperband_iterations: Count = Field(1, description="Repetitions of the whole.")
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1

    iterations: ClassVar = earlier_name("iterations", "hyperband_iterations")


def _entries_checked_by(check):
    """Return a validator of a list that reports an error at the entry."""

    def validate(value):
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            raise invalid(error.problem, *error.key[1:]) from None

    return AfterValidator(validate)


class SuccessiveHalvingSearch(Settings):
    """A few settings side by side, half of which stop at each rung.

    The first rung is late, because early in a training less dropout always looks
    better. The best setting trains for `training.epochs`. The score is the mean of the
    last epochs; with `objective.scored_epoch: last`, the weights are those of the last
    epoch.
    """

    algorithm: Literal["SuccessiveHalving"]
    settings: Annotated[
        Any,
        _entries_checked_by(check_settings),
        Field(
            description="Settings to compare: the rate of all layers, as near as the "
            "space allows, or the value of each hyperparameter, such as rate/dense1.",
            json_schema_extra={"kind": "list of rates in [0, 1), or of mappings"},
        ),
    ] = SETTINGS
    rungs: Annotated[
        Any,
        _entries_checked_by(check_rungs),
        Field(
            description="Shares of training.epochs, at each of which the better half "
            "of the settings goes on.",
            json_schema_extra={"kind": "list of numbers in (0, 1)"},
        ),
    ] = RUNGS
    smoothing: Count = Field(
        3, description="Number of last epochs whose mean is compared at a rung."
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1


class GridSearch(Settings):
    """All combinations of the values that `space` lists, or of its steps."""

    algorithm: Literal["GridSearch"]
    max_trials: Count | None = Field(
        None,
        description="Largest number of settings to try. Defaults to all combinations.",
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1


ALGORITHMS = {
    "RandomSearch": RandomSearch,
    "BayesianOptimization": BayesianSearch,
    "Hyperband": HyperbandSearch,
    "SuccessiveHalving": SuccessiveHalvingSearch,
    "GridSearch": GridSearch,
}
AnySearch = one_of(
    "search",
    ALGORITHMS,
    choose_by_value(ALGORITHMS, "algorithm", "RandomSearch"),
    "{algorithm: RandomSearch}",
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
        description="Whether a smaller or a larger value is better. Needed only if the "
        "name of the metric does not show it.",
    )
    gap_limit: Annotated[float, Field(ge=0.0)] | None = Field(
        None,
        description="Largest gap_loss allowed, in the unit of the loss. Epochs above "
        "it count only if none is below.",
    )
    scored_epoch: Literal["best", "last"] = Field(
        "best",
        description="The epoch of a training whose value counts: the best one, or the "
        "last, as without early stopping.",
    )

    @model_validator(mode="after")
    def _check(self):
        if self.direction is None:
            _infer_direction(self.metric)
        if self.gap_limit is not None and _is_gap(self.metric):
            raise invalid(
                "must not be given if 'metric' is a gap. Received: "
                f"metric={self.metric!r}, gap_limit={self.gap_limit!r}",
                "gap_limit",
            )
        return self

    epoch: ClassVar = earlier_name("epoch", "scored_epoch")

    @property
    def resolved_direction(self):
        """String, "min" or "max"."""
        return self.direction or _infer_direction(self.metric)

    @property
    def directions(self):
        """Dict from metric to direction, for metrics whose direction the job sets."""
        if self.direction is None or _is_gap(self.metric):
            return {}
        name = self.metric.removeprefix("val_").removeprefix("clean_")
        return {name: self.direction}

    @property
    def name(self):
        """The name in the logs that the search optimises."""
        return self.metric if self.gap_limit is None else f"limited_{self.metric}"

    @property
    def needs_gap(self):
        """True if `kdropout.callbacks.OverfittingGap` must log the gap."""
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
            "must be 'min' or 'max', because the name of the metric "
            f"'{name}' does not show which is better.{hint}",
            "direction",
        ) from None


def as_mapping(value: Any):
    """Return the objective as a mapping. A name stands for a mapping with `metric`."""
    if isinstance(value, str):
        return {"metric": value}
    if not isinstance(value, (dict, ObjectiveSettings)):
        raise invalid(
            "must be a logged name such as val_loss, or a mapping such as {metric: "
            f"val_loss, gap_limit: 0.2}}. Received: {shorten(value)}"
        )
    return value


Objective = Annotated[ObjectiveSettings, BeforeValidator(as_mapping)]


# The key `space`.


def _read_space(value, info):
    """Return a mapping from patterns to the parsed entries of a space."""
    if not isinstance(value, Mapping):
        raise invalid(
            f"must be a mapping of 'key: value'. Received: {shorten(value)}. Write one "
            "such as {'*': [0.0, 0.5]}"
        )
    if not value:
        raise invalid(
            "must name at least one layer, or '*' for all. Received: an empty mapping."
        )
    # An empty mapping stands for the defaults.
    entries = {name: Rates() if entry == {} else entry for name, entry in value.items()}
    space, errors, old_names = parse_all(entries)
    if errors:
        # The first name in a key is that of the argument.
        raise invalid_parts([(error.key[1:], error.problem) for error in errors])
    if all(isinstance(choice, float) for choice in space.values()):
        raise invalid(
            "must contain at least one rate to search, such as [0.0, 0.8]. Received: "
            f"only numbers, {shorten(value)}"
        )
    if info.context is None:  # a `Job` made in Python
        for key, name in old_names.items():
            warn_about_name(f"the key '{dotted(key)}' of a job", name, stacklevel=4)
    else:
        info.context.update(old_names)  # the reader of the file adds the line
    return space


def plain_space(space):
    """Return the space of a job as plain values, from which it can be read again."""
    return {pattern: to_plain(choice) for pattern, choice in space.items()}


Space = Annotated[
    dict[str, Any],
    BeforeValidator(_read_space),
    PlainSerializer(plain_space),
    WithJsonSchema({"type": "object"}),
]


# The keys `training` and `confirm`.


class TrainingSettings(Settings):
    """How each setting is trained."""

    epochs: Count = Field(20, description="Length of a training.")
    batch_size: Count = Field(32, description="Samples per training step.")
    early_stopping: Count | None = Field(
        None,
        description="Stop after this number of epochs without a better objective. "
        "Defaults to never.",
    )
    shuffle: bool = Field(
        True, description="Whether the samples are shuffled before each epoch."
    )


class ConfirmSettings(Settings):
    """Trainings on new seeds, which show whether the best is really better."""

    top: Count = Field(3, description="Best settings of the search to train again.")
    seeds: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        10,
        description="Trainings of each of them, of the best single rate for all "
        "layers, and of no dropout. 0 for no confirmation.",
    )

    metric: str | None = Field(
        None,
        min_length=1,
        description="Metric of the model by which they are compared, on the test set "
        "if there is one. Defaults to that of the objective.",
    )

    @model_validator(mode="after")
    def _check(self):
        if self.seeds == 1:
            raise invalid(
                "must be 0 or at least 2, because an interval needs two seeds. "
                "Received: 1",
                "seeds",
            )
        return self
