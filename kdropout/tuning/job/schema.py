"""The keys of a job: what each may be, what it means and its default."""

import dataclasses
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
from kdropout._validation import shorten
from kdropout.tuning.budget import (
    UNSUPPORTED,
    checked_median_stopping,
    problem_of_unsupported,
    seconds_of,
)
from kdropout.tuning.given_settings import check_initial_trials
from kdropout.tuning.halving import RUNGS, SETTINGS, check_rungs, check_settings
from kdropout.tuning.job.callbacks import STOPPED_TWICE, Callbacks, has_class
from kdropout.tuning.job.earlier_names import earlier_name
from kdropout.tuning.job.errors import dotted
from kdropout.tuning.job.fields import (
    ActivationName,
    ClassWeight,
    Count,
    Files,
    ImageSize,
    LossName,
    MetricName,
    Names,
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
from kdropout.tuning.job.hyperparameters import (
    Choice,
    plain_hyperparameters,
    read_hyperparameters,
)
from kdropout.tuning.space.parsing import parse_all, to_plain
from kdropout.tuning.space.rates import Rates

# The key `model`.

# Keys for the compilation of every model.
Optimizer = Annotated[
    OptimizerName,
    Field(
        description="Optimizer of Keras: its name, or a mapping of its name and "
        "arguments. Defaults to Adam."
    ),
]
Loss = Annotated[
    LossName | None,
    Field(
        description="Loss of Keras: its name, or its class and arguments. Defaults to "
        "sparse_categorical_crossentropy for integer labels, categorical_crossentropy "
        "for one-hot rows and probabilities, binary_crossentropy for rows of 0 and 1 "
        "(and for one output), and mean_squared_error for regression. The default "
        "losses of classes expect probabilities."
    ),
]
Metrics = Annotated[
    Annotated[tuple[MetricName, ...], Field(strict=False)] | None,
    Field(
        description="Metrics of Keras: names, or classes and arguments. Defaults to "
        "accuracy for classification (binary_accuracy for rows of 0 and 1), and "
        "root_mean_squared_error for regression."
    ),
]

Activation = Annotated[
    ActivationName, Field(description="Activation of the hidden layers.")
]
DropoutRate = Annotated[
    Rate, Field(description="Rate of each dropout layer that `space` does not name.")
]


class MlpModel(Settings):
    """Dense layers, each followed by dropout: `dense1_drop`, `dense2_drop`, ..."""

    source: ClassVar[str] = "architecture"
    architecture: Literal["mlp"]
    units: Widths = Field((256, 256), description="Units of each hidden layer.")
    input_dropout: bool = Field(
        False, description="If true, another layer, `input_drop`, drops inputs."
    )
    activation: Activation = "relu"
    rate: DropoutRate = 0.3
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


class CnnModel(Settings):
    """Convolutions, each with pooling, then dense layers.

    The layers `conv1_drop`, ... drop whole channels; `dense1_drop`, ... drop units.
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
    """Blocks of attention and feed-forward layers, with normalisation before each.

    If the labels are sequences, the model predicts the next token at each position.
    Otherwise it predicts one label per sequence. The dropout layers are
    `embedding_drop`, `block1_attention_drop`, `block1_feed_forward_drop`,
    `block2_attention_drop`, ...
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
    """Your function, which returns a model."""

    source: ClassVar[str] = "build"
    build: Reference = Field(
        description="Function that returns a Keras model, as module:function. Python "
        "also looks for the module in the folder of the job's file and in the current "
        "folder. If the function has a parameter `data`, it gets `data.input_shape`, "
        "`data.num_classes`, `data.num_samples`, `data.texts` and more."
    )
    arguments: dict[str, Any] = Field({}, description="Arguments of the function.")
    optimizer: Optimizer = None
    loss: Loss = None
    metrics: Metrics = None


class FileModel(Settings):
    """A saved model. Each trial begins with its weights."""

    source: ClassVar[str] = "file"
    file: PathText = Field(
        description="Path of a .keras file, relative to the current folder."
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

# A column with more different whole numbers is one of amounts, and not of classes.
MOST_INTEGER_CLASSES = 20

# Keys for all data.
Standardize = Annotated[
    bool | None,
    Field(
        description="If true, inputs and the targets of a regression are shifted and "
        "scaled, so that the training data have mean 0 and standard deviation 1. "
        "Defaults to true for tables (of csv, parquet, sklearn and uci), and to false "
        "otherwise."
    ),
]
LabelNoise = Annotated[
    Rate,
    Field(
        description="Share of the training and validation labels to replace by random "
        "ones. The test labels stay."
    ),
]
DataSeed = Annotated[
    Seed, Field(description="Seed of the split and of the labels to replace.")
]

# Keys for data that are not split.
TrainSize = Annotated[
    Size | None,
    Field(
        description="Size of the training data. Defaults to 0.6, or to the rest if "
        "there already is a test set. The samples that neither size takes are the test "
        "set."
    ),
]
ValidationSize = Annotated[
    Size | None,
    Field(
        description="Size of the validation data. Defaults to 0.2, or to all given "
        "validation data."
    ),
]

# The key for data whose labels are not known.
Task = Annotated[
    Literal["classification", "regression"] | None,
    Field(
        description="Defaults to classification if the labels are integers, booleans, "
        "texts, rows with a single 1, rows of probabilities, rows of 0 and 1, or a "
        "column of 0.0 and 1.0. Otherwise it defaults to regression."
    ),
]


class SklearnData(Settings):
    """A data set that scikit-learn contains, without a download."""

    source: ClassVar[str] = "sklearn"
    sklearn: Literal["breast_cancer", "diabetes", "digits", "iris", "wine"] = Field(
        description="Name of the set."
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


# Keys for tables.
Target = Annotated[
    Names,
    Field(
        description="Name of the column to predict, or a list of names for a "
        "regression with several outputs.",
        json_schema_extra={"kind": "text, or list of texts"},
    ),
]
Features = Annotated[
    Names | None,
    Field(
        description="Columns to use: names or globs. Defaults to all columns except "
        "target and sample_weight.",
        json_schema_extra={"kind": "text, or list of texts"},
    ),
]
Ignore = Annotated[
    Names | None,
    Field(
        description="Columns not to use: names or globs.",
        json_schema_extra={"kind": "text, or list of texts"},
    ),
]
Categorical = Annotated[
    Names | None,
    Field(
        description="Columns of numbers that are categories: names or globs. Columns "
        "of texts and of true and false always are.",
        json_schema_extra={"kind": "text, or list of texts"},
    ),
]
TextColumn = Annotated[
    str | None,
    Field(
        min_length=1,
        description="Column of texts that is the only input. The model gets them "
        "unchanged, so it must begin with a text layer.",
    ),
]
WeightColumn = Annotated[
    str | None,
    Field(
        min_length=1,
        description="Column of sample weights: numbers of at least 0.",
    ),
]
MissingValues = Annotated[
    Names | None,
    Field(
        description="Texts that stand for a missing value, in addition to an empty "
        "cell, NA, N/A, NaN, null and None.",
        json_schema_extra={"kind": "text, or list of texts"},
    ),
]
TableTask = Annotated[
    Literal["classification", "regression"] | None,
    Field(
        description="Defaults to classification if the target has texts, true and "
        f"false, or at most {MOST_INTEGER_CLASSES} different whole numbers. Otherwise "
        "it defaults to regression."
    ),
]


class CsvData(Settings):
    """A table in a file of comma-separated values, whose first line has the names.

    Numbers are standardised. Texts become categories, and categories become one feature
    for each value. Mean, deviation and categories are those of the training rows.
    """

    source: ClassVar[str] = "csv"
    csv: Files = Field(
        description="Path of the file, relative to the current folder. Or one path for "
        "each part: {train: a.csv, validation: b.csv, test: c.csv}, where validation "
        "and test are optional."
    )
    target: Target
    features: Features = None
    ignore: Ignore = None
    categorical: Categorical = None
    text: TextColumn = None
    sample_weight: WeightColumn = None
    missing_values: MissingValues = None
    separator: str = Field(
        ",", min_length=1, max_length=1, description="Character between two columns."
    )
    decimal: Literal[".", ","] = Field(
        ".", description="Character before the decimals of a number."
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    task: TableTask = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class ParquetData(Settings):
    """A table in a Parquet file, with the keys and rules of `csv`."""

    source: ClassVar[str] = "parquet"
    parquet: Files = Field(
        description="Path of the file, relative to the current folder, or one path for "
        "each part, as for csv. Needs the extra parquet."
    )
    target: Target
    features: Features = None
    ignore: Ignore = None
    categorical: Categorical = None
    text: TextColumn = None
    sample_weight: WeightColumn = None
    missing_values: MissingValues = None
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    task: TableTask = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class ImageData(Settings):
    """A folder of images, with one subfolder for each class. Values are in [0, 1].

    If the folder contains `train` and optionally `validation` and `test`, each of these
    contains the subfolders of the classes.
    """

    source: ClassVar[str] = "images"
    images: PathText = Field(
        description="Path of the folder, relative to the current folder."
    )
    image_size: ImageSize | None = Field(
        None,
        description="Height and width to which images are resized. Defaults to their "
        "size, which must then be the same for all.",
    )
    color_mode: Literal["rgb", "grayscale", "rgba"] = Field(
        "rgb", description="Channels of the images: 3, 1 or 4."
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
        description="Path of an .npz file, relative to the current folder, with "
        "x_train and y_train, and optionally x_val, y_val, x_test, y_test, and the "
        "sample weights w_train, w_val, w_test.",
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    task: Task = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class FunctionData(Settings):
    """Your function, which returns data."""

    source: ClassVar[str] = "function"
    function: Reference = Field(
        description="Function that returns (train, validation) or (train, validation, "
        "test), as module:function. Each part is a tuple (x, y) or (x, y, "
        "sample_weight) of arrays, or a tf.data.Dataset or another iterable of "
        "batches. For arrays, validation and test may be None."
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
        description="Name of the set. Its test set is used only for the test."
    )
    data_dir: PathText | None = Field(
        None,
        description="Folder with mnist/ and fashion_mnist/, which contain .gz files. "
        "Defaults to the environment variable KDROPOUT_DATA. Without either, Keras "
        "downloads the set.",
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
        description="Folder that contains uci/<set>/data.txt. Defaults to the "
        "environment variable KDROPOUT_DATA.",
    )
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


class TextData(Settings):
    """A text. The model predicts each character from those before it.

    The first 80 % of the text are for training, and the last 10 % are for the test.
    """

    source: ClassVar[str] = "text"
    text: PathText = Field(
        description="tinyshakespeare, or the path of a text file, relative to the "
        "current folder.",
    )
    sequence_length: Annotated[int, Field(ge=2, lt=2**31)] = Field(
        64, description="Characters in a sample."
    )
    data_dir: PathText | None = Field(
        None,
        description="Folder that contains text/tinyshakespeare/input.txt. Defaults to "
        "the environment variable KDROPOUT_DATA.",
    )
    train_size: TrainSize = None
    validation_size: ValidationSize = None
    standardize: Standardize = None
    label_noise: LabelNoise = 0.0
    seed: DataSeed = 0


DATA_KINDS = {
    kind.source: kind
    for kind in (
        CsvData,
        ParquetData,
        ImageData,
        SklearnData,
        NpzData,
        FunctionData,
        KerasData,
        UciData,
        TextData,
    )
}

_data_by_key = choose_by_key(
    tuple(DATA_KINDS),
    other_keys(DATA_KINDS, DATA_KINDS),
    " Other files are read by a function of yours: {function: my_data:load}.",
)


def _choose_data(value):
    if "csv" in value or "parquet" in value:  # there, 'text' is the name of a column
        value = {name: value[name] for name in value if name != "text"}
    return _data_by_key(value)


AnyData = one_of("data", DATA_KINDS, _choose_data, "{sklearn: digits}")


# The keys `search` and `objective`.

SearchSeed = Annotated[
    Seed,
    Field(description="Seed of the settings that are tried and of the weights."),
]
Executions = Annotated[
    Count,
    Field(
        description="Number of trainings of each setting, each with other initial "
        "weights. The score is their mean."
    ),
]
MaxTrials = Annotated[Count, Field(description="Number of settings to try.")]


def _entries_checked_by(check):
    """Return a validator of a list that reports an error at the entry."""

    def validate(value):
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            raise invalid(error.problem, *error.key[1:]) from None

    return AfterValidator(validate)


def _check_timeout(value):
    if value is not None:
        seconds_of(value)
    return value  # as it was written, such as 2min


def _check_median_stopping(value):
    rule = checked_median_stopping(value)
    return False if rule is None else dataclasses.asdict(rule)


Timeout = Annotated[
    Any,
    _entries_checked_by(_check_timeout),
    Field(
        description="Time after which the search stops: seconds, or a text such as "
        "2min or 1h30m. A training stops at the end of its epoch, and runs again with "
        "--resume, which has the whole time again. The confirmation is not included.",
        json_schema_extra={"kind": "seconds above 0, or text"},
    ),
]
Patience = Annotated[
    Count | None,
    Field(
        description="Number of trials in a row without a better score after which the "
        "search stops."
    ),
]
MedianRule = Annotated[
    Any,
    _entries_checked_by(_check_median_stopping),
    Field(
        description="If true, a trial stops that is worse than the median of earlier "
        "trials at the same epoch. A mapping may set warmup_trials (5), the number of "
        "trials that are never stopped, and warmup_epochs (10), the number of epochs "
        "before the first comparison. High rates are stopped too often.",
        json_schema_extra={"kind": "true, false, or mapping"},
    ),
]
InitialTrials = Annotated[
    Any,
    _entries_checked_by(check_initial_trials),
    Field(
        description="Settings to try first. Each is the rate of all layers, as near as "
        "the space allows, or a mapping from layer paths, globs or hyperparameters to "
        "values. They count in max_trials.",
        json_schema_extra={"kind": "list of rates in [0, 1), or of mappings"},
    ),
]
RetryFailed = Annotated[
    bool,
    Field(
        description="If true, --resume also runs the trials again that have failed. "
        "The command line has --retry-failed."
    ),
]


def _without_unsupported(algorithm):
    """Return a validator that explains why an algorithm lacks a key."""

    def validate(cls, settings):
        if isinstance(settings, dict):
            raise_for = [name for name in UNSUPPORTED[algorithm] if settings.get(name)]
            if raise_for:
                raise invalid_parts(
                    [
                        (
                            (name,),
                            problem_of_unsupported(algorithm, name, settings[name]),
                        )
                        for name in raise_for
                    ]
                )
        return settings

    return model_validator(mode="before")(classmethod(validate))


class RandomSearch(Settings):
    """Draws settings at random."""

    algorithm: Literal["RandomSearch"] = "RandomSearch"
    max_trials: MaxTrials = 20
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1
    timeout: Timeout = None
    patience: Patience = None
    median_stopping: MedianRule = False
    initial_trials: InitialTrials = ()
    retry_failed: RetryFailed = False


class BayesianSearch(Settings):
    """Tries settings where a Gaussian process expects the best score."""

    algorithm: Literal["BayesianOptimization"]
    max_trials: MaxTrials = 20
    num_initial_points: Count | None = Field(
        None,
        description="Number of random settings before the first proposal. Defaults to "
        "3 per hyperparameter.",
    )
    alpha: Annotated[float, Field(gt=0.0)] = Field(
        1e-4, description="Variance of the noise in the scores."
    )
    beta: Annotated[float, Field(ge=0.0)] = Field(
        2.6, description="Weight of the uncertainty. A larger weight explores more."
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1
    timeout: Timeout = None
    patience: Patience = None
    median_stopping: MedianRule = False
    initial_trials: InitialTrials = ()
    retry_failed: RetryFailed = False


class HyperbandSearch(Settings):
    """Begins many short trainings. The best ones continue to `training.epochs`."""

    algorithm: Literal["Hyperband"]
    factor: Annotated[int, Field(ge=2, lt=2**31)] = Field(
        3,
        description="The best 1/factor of the trials continue, with factor times as "
        "many epochs.",
    )
    hyperband_iterations: Count = Field(
        1, description="Number of repetitions of the whole search."
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1
    timeout: Timeout = None
    initial_trials: InitialTrials = ()
    retry_failed: RetryFailed = False

    iterations: ClassVar = earlier_name("iterations", "hyperband_iterations")

    _explain = _without_unsupported("Hyperband")


class SuccessiveHalvingSearch(Settings):
    """Trains a few settings side by side, and stops the worse half at each rung.

    The first rung is late, because less dropout nearly always looks better early in a
    training. The best setting trains for `training.epochs`. The score is the mean of
    the last epochs. With `objective.scored_epoch: last`, the weights are those of the
    last epoch.
    """

    algorithm: Literal["SuccessiveHalving"]
    settings: Annotated[
        Any,
        _entries_checked_by(check_settings),
        Field(
            description="Settings to compare. Each is the rate of all layers, as near "
            "as the space allows, or the value of each hyperparameter, such as "
            "rate/dense1.",
            json_schema_extra={"kind": "list of rates in [0, 1), or of mappings"},
        ),
    ] = SETTINGS
    rungs: Annotated[
        Any,
        _entries_checked_by(check_rungs),
        Field(
            description="Shares of training.epochs. At each of them, the better half "
            "of the settings continues.",
            json_schema_extra={"kind": "list of numbers in (0, 1)"},
        ),
    ] = RUNGS
    smoothing: Count = Field(
        3, description="Number of last epochs. A rung compares their mean."
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1
    timeout: Timeout = None
    retry_failed: RetryFailed = False

    _explain = _without_unsupported("SuccessiveHalving")


class GridSearch(Settings):
    """Tries all combinations of the values or steps in `space`."""

    algorithm: Literal["GridSearch"]
    max_trials: Count | None = Field(
        None,
        description="Largest number of settings to try. Defaults to all combinations.",
    )
    seed: SearchSeed = 0
    executions_per_trial: Executions = 1
    timeout: Timeout = None
    patience: Patience = None
    median_stopping: MedianRule = False
    initial_trials: InitialTrials = ()
    retry_failed: RetryFailed = False


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


# The key `hyperparameters`.

Hyperparameters = Annotated[
    dict[str, Choice],
    BeforeValidator(read_hyperparameters),
    PlainSerializer(plain_hyperparameters),
    WithJsonSchema({"type": "object"}),
]


# The keys `training` and `confirm`.


class TrainingSettings(Settings):
    """The training of each setting."""

    epochs: Count = Field(20, description="Number of epochs of a training.")
    batch_size: Count = Field(32, description="Number of samples per training step.")
    early_stopping: Count | None = Field(
        None,
        description="Number of epochs without a better objective after which a "
        "training stops. By default, no training stops early.",
    )
    shuffle: bool = Field(
        True, description="If true, the samples are shuffled before each epoch."
    )
    class_weight: ClassWeight | None = Field(
        None,
        description="Weight of each class in the training loss: balanced, for weights "
        "inversely proportional to the number of training samples, or a mapping from "
        "label to weight. A class without a weight has weight 1.",
    )
    folds: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="Number of folds of a cross-validation, which the training and "
        "validation samples are divided into. A trial then trains once on each fold, "
        "and its score is the mean. By default, there is no cross-validation.",
    )
    callbacks: Callbacks = Field(
        (),
        description="Callbacks of Keras and of kdropout.callbacks, which act in each "
        "training of the search and of the confirmation: names, classes and "
        "arguments, or functions of yours that return a callback.",
    )

    @model_validator(mode="after")
    def _check(self):
        stops = has_class(self.callbacks, "EarlyStopping")
        if stops and self.early_stopping is not None:
            raise invalid(STOPPED_TWICE, "early_stopping")
        return self


class ConfirmSettings(Settings):
    """Trainings with new seeds, which show whether the best rates really help."""

    top: Count = Field(
        3, description="Number of best settings of the search to train again."
    )
    seeds: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        10,
        description="Number of trainings of each of these settings, of the best single "
        "rate for all layers, and of no dropout. 0 for no confirmation.",
    )

    metric: str | None = Field(
        None,
        min_length=1,
        description="Metric of the model that compares them, on the test set if there "
        "is one. Defaults to that of the objective.",
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
