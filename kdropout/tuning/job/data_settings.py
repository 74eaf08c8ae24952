"""The key `data` of a job."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kdropout.tuning.job.model_settings import Reference
from kdropout.tuning.job.settings import (
    PathText,
    Seed,
    Settings,
    Size,
    choose_by_key,
    one_of,
    other_keys,
)

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

# Sets of which each row is a table's, with columns of different units.
TABLES = ("breast_cancer", "diabetes", "iris", "wine")


class DataSettings(Settings):
    """What can be done to any data."""

    standardize: bool | None = Field(
        None,
        description="Whether inputs, and the targets of a regression, are shifted and "
        "scaled to mean 0 and standard deviation 1 of the training data. Defaults to "
        "true for tables (of sklearn and uci), else to false.",
    )
    label_noise: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.0,
        description="Share of the training and validation labels that is replaced by "
        "random ones.",
    )
    seed: Seed = Field(
        0, description="Decides the split and which labels are replaced."
    )

    @property
    def source(self):
        """The key that says where the data come from, such as "npz"."""
        return next(name for name, kind in KINDS.items() if type(self) is kind)


class SplitSettings(DataSettings):
    """Data that are split at random."""

    train_size: Size | None = Field(
        None,
        description="Training data. Defaults to 0.6, or to all the rest where a test "
        "set is there already. What is left after both is the test set.",
    )
    validation_size: Size | None = Field(
        None, description="Validation data. Defaults to 0.2, or to all of those given."
    )


class ArraySettings(SplitSettings):
    """Data of which it must be found out what they are."""

    task: Literal["classification", "regression"] | None = Field(
        None,
        description="Defaults to classification where the labels are integers, "
        "booleans, texts, rows with a single 1, rows of probabilities, rows of 0 and "
        "1, or a column of 0.0 and 1.0; else to regression.",
    )


class SklearnData(SplitSettings):
    """A set that scikit-learn ships: nothing is downloaded."""

    sklearn: Literal["breast_cancer", "diabetes", "digits", "iris", "wine"] = Field(
        description="Name of the set."
    )


class NpzData(ArraySettings):
    """A file of NumPy arrays."""

    npz: PathText = Field(
        description="Path of an .npz file, from the current folder, with x_train and "
        "y_train, and perhaps x_val, y_val, x_test, y_test.",
    )


class FunctionData(ArraySettings):
    """A function of yours that returns data."""

    function: Reference = Field(
        description="Function that returns (train, validation) or (train, validation, "
        "test). Each is a tuple (x, y) of arrays, or a tf.data.Dataset or other "
        "iterable of batches; validation and test may be None for arrays."
    )
    arguments: dict[str, Any] = Field({}, description="Arguments of the function.")


class KerasData(SplitSettings):
    """A set of keras.datasets. Images are scaled to [0, 1]."""

    keras: Literal["cifar10", "cifar100", "fashion_mnist", "mnist"] = Field(
        description="Name of the set. The test set stays apart."
    )
    data_dir: PathText | None = Field(
        None,
        description="Folder that holds mnist/ and fashion_mnist/ with their .gz "
        "files. Defaults to the environment variable KDROPOUT_DATA; without both, "
        "Keras downloads the set.",
    )


class UciData(DataSettings):
    """A regression table of the UCI repository, with the standard splits."""

    uci: Literal[tuple(UCI_FOLDERS)] = Field(description="Name of the set.")
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


class TextData(SplitSettings):
    """Characters, each of which is predicted from those before it.

    The first 80 % of the text are for training, the last 10 % for the test.
    """

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


KINDS = {
    "sklearn": SklearnData,
    "npz": NpzData,
    "function": FunctionData,
    "keras": KerasData,
    "uci": UciData,
    "text": TextData,
}
Data = one_of(
    KINDS,
    choose_by_key(
        tuple(KINDS),
        lambda: other_keys(KINDS, KINDS),
        " Other files, such as CSV, are read by a function of yours: {function: "
        "my_data:load}.",
    ),
    "{sklearn: digits}",
)
