"""Reads, describes, splits and scales the data of a job."""

import collections.abc
import dataclasses
from typing import Any

import keras
import numpy as np

from kdropout._data import iterate_batches
from kdropout._label_noise import with_noise
from kdropout.tuning.class_weights import class_numbers
from kdropout.tuning.folds import partition
from kdropout.tuning.job.digests import digest_of_arrays
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.features import encode
from kdropout.tuning.job.references import blame_user_code
from kdropout.tuning.job.schema import (
    TABLES,
    CsvData,
    KerasData,
    ParquetData,
    SklearnData,
    TextData,
    UciData,
)
from kdropout.tuning.job.sources import check_pair, check_same_shapes, read_source
from kdropout.tuning.job.tables import Table
from kdropout.tuning.job.weights import (
    check_not_all_zero,
    check_weights,
    class_weights,
    has_one_class,
    training_weights,
)

# The sum of probabilities with few digits may differ from 1 by this much.
_TOLERANCE = 1e-3

# The number of class names in a text.
_MOST_NAMES = 5


@dataclasses.dataclass(frozen=True)
class Description:
    """Describes the data for the function that builds a model.

    Args:
        task: String, "classification" or "regression".
        input_shape: Tuple, the shape of one sample. A dict, list or tuple of these if
            there are several inputs.
        input_dtype: String, "float32" or "int32", with the same nesting.
        target_shape: Tuple, the shape of the label or target of one sample.
        num_classes: Integer, the number of classes, or of the flags of a sample. None
            for a regression, and for a dataset with integer labels, whose number of
            classes is not known.
        num_tokens: Integer, the number of different tokens if the inputs are integers,
            else None.
        num_samples: Integer, the number of training samples, or None if it is not known
            for a dataset.
        labels: String, the kind of the labels: "classes" (an integer, or one per
            position), "one-hot" (a row with a single 1), "probabilities" (a row that
            sums to 1), "flags" (a row of 0 and 1 with any number of 1), or "numbers"
            (the targets of a regression). None for "classes" or "numbers", depending on
            the task. Defaults to None.
        class_names: Tuple of the texts that the classes stand for, in the order of
            their numbers, or None if the labels are not texts. Defaults to None.
        texts: Array of the training inputs that are texts, for example to adapt a
            `keras.layers.TextVectorization` in the function that builds a model. With
            several inputs, a structure with None for the other inputs. None if the
            inputs are not texts, or are a dataset. Defaults to None.
    """

    task: str
    input_shape: Any
    input_dtype: Any
    target_shape: tuple
    num_classes: int | None
    num_tokens: int | None
    num_samples: int | None
    labels: str | None = None
    class_names: tuple | None = None
    texts: Any = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self):
        if self.labels is None:
            by_task = "numbers" if self.task == "regression" else "classes"
            object.__setattr__(self, "labels", by_task)


@dataclasses.dataclass(frozen=True)
class Data:
    """Training, validation and test data, ready for `fit`.

    Args:
        x_train: Array of the training inputs, a dict, list or tuple of arrays, or a
            dataset.
        y_train: Array of the training labels or targets. None with a dataset.
        x_val: The same for validation.
        y_val: The same for validation.
        x_test: The same for the test, or None without a test set.
        y_test: The same for the test.
        description: `Description`.
        target_mean: Float, subtracted from the targets. Defaults to 0.
        target_scale: Float, by which the shifted targets were divided. Multiply a root
            mean squared error by this value to get the unit of the targets. Defaults to
            1.
        digests: Dict from "train", "val" and "test" to the digest of the arrays after
            the split and before scaling. Empty with datasets. Defaults to {}.
        w_train: Array of the given weights of the training samples, or None.
        w_val: The same for validation.
        w_test: The same for the test.
        class_weight: Dict from the number of a class to the weight that the job gives
            it, or None. Defaults to None.
        fit_weight: Array of the weights of the training samples for `fit`: `w_train`
            times the weights of the classes. None without either. Defaults to None.
        table: `kdropout.tuning.job.tables.Table` with the columns of a table, or None
            for other data. Defaults to None.
        folds: `FoldedData`, or None without a cross-validation. With folds, the other
            attributes are those of the first one. Defaults to None.
    """

    x_train: Any
    y_train: Any
    x_val: Any
    y_val: Any
    x_test: Any
    y_test: Any
    description: Description
    target_mean: Any = dataclasses.field(default_factory=lambda: np.float32(0.0))
    target_scale: Any = dataclasses.field(default_factory=lambda: np.float32(1.0))
    digests: dict = dataclasses.field(default_factory=dict)
    w_train: Any = None
    w_val: Any = None
    w_test: Any = None
    class_weight: dict | None = None
    fit_weight: Any = None
    table: Table | None = None
    folds: "FoldedData | None" = None

    @property
    def training(self) -> Any:
        """The training data: `(x, y)`, `(x, y, w_train)`, or a dataset."""
        return _part(self.x_train, self.y_train, self.w_train)

    @property
    def validation(self) -> Any:
        """The validation data: `(x, y)`, `(x, y, w_val)`, or a dataset."""
        return _part(self.x_val, self.y_val, self.w_val)

    @property
    def test(self) -> Any:
        """The test data, in the same form, or None without a test set."""
        if self.x_test is None:
            return None
        return _part(self.x_test, self.y_test, self.w_test)

    @property
    def held_out(self) -> Any:
        """The test data, or the validation data without a test set."""
        return self.validation if self.test is None else self.test

    @property
    def is_dataset(self) -> bool:
        """True if the training data are a dataset of batches, and not arrays."""
        return self.y_train is None

    @property
    def task(self) -> str:
        """String, "classification" or "regression"."""
        return self.description.task

    @property
    def input_shape(self) -> Any:
        """Shape of one sample."""
        return self.description.input_shape

    @property
    def num_classes(self) -> int | None:
        """Number of classes, or None."""
        return self.description.num_classes


def _part(x, y, weights):
    if y is None:
        return x
    return (x, y) if weights is None else (x, y, weights)


def prepare(settings, folders, class_weight=None, folds=None):
    """Read, check, split, add noise to and scale the data of a job.

    `class_weight` and `folds` are the values of these keys of `training`.
    """
    key, parts = read_source(settings, folders)
    named = {"train": parts.train, "val": parts.validation, "test": parts.test}
    if not _are_arrays(parts.train):
        return _prepare_datasets(key, settings, named, class_weight, folds)
    pairs, weights = _check_arrays(key, parts, named)
    if parts.table is None and parts.class_names is None:
        labels = find_labels(key, settings, pairs)
        pairs, class_names = number_classes(pairs)
    else:
        labels = "classes" if parts.table is None else parts.table.labels
        class_names = parts.class_names
    generator = np.random.default_rng(settings.seed)
    pairs, weights = _split_with_weights(settings, pairs, weights, generator, folds)
    for name, array in weights.items():
        place = "data.sample_weight" if parts.table is not None else key
        check_not_all_zero(place, name, array)
    num_classes, num_tokens = count_classes(key, labels, pairs), count_tokens(pairs)
    if class_names is not None:  # the last one may be rare, and in no part
        num_classes = len(class_names)
    if isinstance(settings, TextData):  # classes and tokens are the same characters
        num_classes = num_tokens = max(num_classes, num_tokens)
    if settings.label_noise:
        pairs = _with_noise(settings, pairs, labels, num_classes, generator)
    # Compute them before scaling, whose last bits differ between machines.
    digests = {
        name: digest_of_arrays(_part(*pair, weights.get(name)))
        for name, pair in pairs.items()
    }
    recipe = _Recipe(
        settings,
        parts.table,
        labels,
        num_classes,
        num_tokens,
        class_names,
        class_weight,
    )
    if folds is None:
        return recipe.make(pairs, weights, digests, pairs["train"])
    folded = FoldedData(recipe, pairs, weights, digests, folds)
    return dataclasses.replace(folded.data(0)[0], folds=folded)


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """Makes `Data` from rows that are checked and split: encodes and scales them."""

    settings: Any
    table: Table | None
    labels: str
    num_classes: int | None
    num_tokens: int | None
    class_names: tuple | None
    class_weight: Any

    def make(self, pairs, weights, digests, known):
        """Return the `Data` of these parts.

        The statistics of the inputs are those of the training rows. `known` is the pair
        of all rows that may decide what does not depend on a fold: the features of a
        table, the unit of the targets, and the texts for a vocabulary.
        """
        task = "regression" if self.labels == "numbers" else "classification"
        mean, scale, table = np.float32(0.0), np.float32(1.0), None
        is_standardized = _is_standardized(self.settings)
        has_features = self.table is not None and self.table.text is None
        if self.table is not None:
            pairs, table = encode(self.table, pairs, is_standardized, known[0])
        elif is_standardized:
            pairs = standardize(pairs)
        if is_standardized and task == "regression":
            mean, scale = _moments(known[1])
            pairs = {name: (x, (y - mean) / scale) for name, (x, y) in pairs.items()}
        x_train, y_train = pairs["train"]
        description = describe(
            task,
            x_train,
            y_train,
            num_classes=self.num_classes,
            num_tokens=self.num_tokens,
            num_samples=len(y_train),
            labels=self.labels,
            class_names=self.class_names,
            texts=_texts_of(x_train if has_features else known[0]),
        )
        class_weight = self.class_weight
        if class_weight is not None:
            class_weight = class_weights(class_weight, y_train, description)
        return Data(
            x_train,
            y_train,
            *pairs["val"],
            *pairs.get("test", (None, None)),
            description,
            mean,
            scale,
            digests,
            w_train=weights.get("train"),
            w_val=weights.get("val"),
            w_test=weights.get("test"),
            class_weight=class_weight,
            fit_weight=training_weights(weights.get("train"), class_weight, y_train),
            table=table,
        )


class FoldedData:
    """The rows of a cross-validation, which can be divided into folds repeatedly.

    Args:
        recipe: `_Recipe`.
        pairs: Dict with the pair "train" of all rows, and maybe the pair "test".
        weights: Dict from the same names to the weights of samples.
        digests: Dict from the same names to digests.
        number: Integer, the number of folds.
    """

    def __init__(self, recipe, pairs, weights, digests, number):
        self._recipe = recipe
        self._pairs, self._weights, self._digests = pairs, weights, digests
        self.number = number
        self._made = {}  # the last partition, which the check of a job needs twice
        if number > self.num_rows:
            raise InvalidSetting(
                "training.folds",
                f"must be at most {self.num_rows}, the number of rows. Received: "
                f"{number}",
            )

    @property
    def num_rows(self):
        """The number of rows that the folds share."""
        return len(self._pairs["train"][1])

    def data(self, repetition: int) -> list[Data]:
        """Return the `Data` of each fold of a partition of the rows.

        Args:
            repetition: Integer, the number of the partition.
        """
        if repetition not in self._made:
            self._made = {repetition: self._make(repetition)}
        return self._made[repetition]

    def _make(self, repetition):
        known, recipe = self._pairs["train"], self._recipe
        y, classes = known[1], None
        if has_one_class(recipe.labels, y):
            classes = class_numbers(y)
        seed = [recipe.settings.seed, repetition]
        folds = partition(len(y), self.number, seed, classes)
        return [self._fold(*rows) for rows in folds]

    def _fold(self, training, validation):
        rows, weights = {"train": training, "val": validation}, self._weights
        pairs = {name: _rows(self._pairs["train"], rows[name]) for name in rows}
        of_rows = {}
        if "train" in weights:
            of_rows = {name: weights["train"][rows[name]] for name in rows}
        if "test" in self._pairs:
            pairs["test"] = self._pairs["test"]
        if "test" in weights:
            of_rows["test"] = weights["test"]
        known = self._pairs["train"]
        return self._recipe.make(pairs, of_rows, self._digests, known)

    def __getstate__(self):
        return vars(self) | {"_made": {}}  # another process makes them itself


def _check_arrays(key, parts, named):
    """Return a dict from part to `(x, y)`, and one to weights, after their checks."""
    pairs, weights = {}, {}
    is_checked = parts.table is not None or parts.class_names is not None
    for name, part in named.items():
        if part is None:
            continue
        if not _are_arrays(part):
            raise InvalidSetting(
                key,
                f"the {name} data must be a tuple (x, y) of arrays, like the training "
                f"data. Received: {type(part).__name__}",
            )
        x, y, *given = part
        given = [array for array in given if array is not None]
        if not is_checked:
            x, y = check_pair(key, name, x, y)
            given = [check_weights(key, f"w_{name}", array, y) for array in given]
        pairs[name] = (x, y)
        if not is_checked:
            check_same_shapes(key, pairs["train"], pairs[name], name)
        if given:
            (weights[name],) = given
    return pairs, weights


def _split_with_weights(settings, pairs, weights, generator, folds):
    """Split the pairs of arrays, and their weights in the same way.

    With folds, training and validation data are one part, "train".
    """
    if folds is not None and weights:  # the joined parts need the same arrays
        weights = {
            name: weights.get(name, np.ones(len(y), "float32"))
            for name, (_, y) in pairs.items()
        }
    parts = {name: _part(*pair, weights.get(name)) for name, pair in pairs.items()}
    divide = split if folds is None else _join
    parts = divide(settings, parts, generator)
    pairs = {name: part[:2] for name, part in parts.items()}
    return pairs, {name: part[2] for name, part in parts.items() if len(part) == 3}


def _are_arrays(part):
    """True for `(x, y)` or `(x, y, weights)`, and False for an iterable of batches."""
    if isinstance(part, tuple) and len(part) == 3:
        return not isinstance(part[2], tuple)
    return isinstance(part, (tuple, list)) and len(part) == 2


def _texts_of(x):
    """The inputs that are texts, with None for others, or None if there are none."""
    texts = _map(lambda array: array if array.dtype.kind == "O" else None, x)
    leaves = [array for array in keras.tree.flatten(x) if array.dtype.kind == "O"]
    return texts if leaves else None


def _with_noise(settings, pairs, labels, num_classes, generator):
    """Replace a share of the training and validation labels by random ones."""
    if labels not in ("classes", "one-hot"):
        raise InvalidSetting(
            "data.label_noise",
            "needs labels that are integers from 0 on, or one-hot rows. Received: "
            f"{labels}.",
        )
    noisy = {}
    for name in ("train", "val"):
        if name not in pairs:  # the folds have the rows of both
            continue
        x, y = pairs[name]
        classes = y.argmax(-1) if labels == "one-hot" else y
        classes = with_noise(classes, settings.label_noise, num_classes, generator)
        if labels == "one-hot":
            classes = np.eye(num_classes, dtype=y.dtype)[classes]
        noisy[name] = (x, classes)
    return {**pairs, **noisy}


def _is_standardized(settings):
    if settings.standardize is None:
        if isinstance(settings, SklearnData):
            return settings.sklearn in TABLES
        return isinstance(settings, (CsvData, ParquetData, UciData))
    return settings.standardize


def _prepare_datasets(key, settings, parts, class_weight, folds):
    """Prepare datasets, of which only the first batch is checked."""
    if folds is not None:
        raise InvalidSetting(
            "training.folds",
            "only applies to arrays, whose rows it divides. Received: datasets from "
            "the function. Return tuples (x, y) of arrays, or remove training.folds.",
        )
    if class_weight is not None:
        raise InvalidSetting(
            "training.class_weight",
            "only applies to arrays. Received: datasets from the function. Add sample "
            "weights to the batches, (x, y, sample_weight), or return arrays.",
        )
    names = ("label_noise", "standardize", "train_size", "validation_size")
    given = [name for name in names if getattr(settings, name)]
    if given:
        raise InvalidSetting(
            f"data.{given[0]}",
            "only applies to arrays. Received: datasets from the function. Do this in "
            "the function, or return tuples (x, y) of arrays.",
        )
    if parts["val"] is None:
        raise InvalidSetting(
            key, "must also return validation data, because datasets are not split."
        )
    first = {}
    for name, part in parts.items():
        if part is None:
            continue
        first[name] = check_pair(key, name, *_first_batch(key, name, part))
        check_same_shapes(key, first["train"], first[name], name)
    labels = find_labels(key, settings, first)
    is_column = first["train"][1].ndim < 2 or first["train"][1].shape[-1] == 1
    if first["train"][1].dtype.kind == "f" and is_column and settings.task is None:
        labels = "numbers"  # one batch with only 0.0 and 1.0 may be a coincidence
    task = "regression" if labels == "numbers" else "classification"
    # More classes may come in a later batch.
    num_classes = None if labels == "classes" else count_classes(key, labels, first)
    description = describe(
        task, *first["train"], num_classes=num_classes, labels=labels
    )
    columns = [_columns_of(key, name, part) for name, part in parts.items()]
    return Data(
        *(value for x, y, _ in columns for value in (x, y)),
        description,
        w_val=columns[1][2],
        w_test=columns[2][2],
    )


def _columns_of(key, name, part):
    """Inputs, labels and weights of a part next to a training dataset."""
    if not _are_arrays(part):
        return part, None, None
    x, y, *given = part
    if not given or given[0] is None:
        return x, y, None
    return x, y, check_weights(key, f"w_{name}", given[0], np.asarray(y))


def _first_batch(key, name, part):
    if _are_arrays(part):
        return part[:2]
    if not hasattr(part, "__iter__") and not hasattr(part, "__getitem__"):
        raise InvalidSetting(
            key,
            f"the {name} data must be a tuple (x, y) of arrays or a dataset. Received: "
            f"{part!r}",
        )
    if isinstance(part, collections.abc.Iterator):
        raise InvalidSetting(
            key,
            f"the {name} data must be available in each epoch. Received: "
            f"{type(part).__name__}, which is exhausted after the first epoch. Return "
            "arrays, a tf.data.Dataset, a keras.utils.PyDataset or a list of batches.",
        )
    with blame_user_code(key, f"the {name} data cannot be read"):
        batch = next(iter(iterate_batches(part)), None)
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise InvalidSetting(
            key,
            f"the {name} data must contain at least one batch (x, y). Received: "
            f"{type(batch).__name__}",
        )
    numpy = keras.ops.convert_to_numpy
    return keras.tree.map_structure(numpy, batch[0]), numpy(batch[1])


# The defaults of `train_size` and `validation_size`.
TRAIN_SHARE = 0.6

VALIDATION_SHARE = 0.2


def split(settings, pairs, generator):
    """Return a dict of all parts, with missing ones split off at random."""
    train_size = getattr(settings, "train_size", None)
    validation_size = getattr(settings, "validation_size", None)
    if "val" in pairs:
        chosen = {"train": train_size, "val": validation_size}
        chosen = {name: size for name, size in chosen.items() if size is not None}
        drawn = {
            name: _rows(pairs[name], _draw(name, size, pairs[name], generator))
            for name, size in chosen.items()
        }
        return {**pairs, **drawn}
    total = len(pairs["train"][1])
    size = VALIDATION_SHARE if validation_size is None else validation_size
    num_validation = _count(size, total)
    if train_size is not None:
        num_train = _count(train_size, total)
    elif "test" in pairs:
        num_train = total - num_validation
    else:
        num_train = min(_count(TRAIN_SHARE, total), total - num_validation)
    if num_train + num_validation > total or min(num_train, num_validation) < 1:
        raise InvalidSetting(
            "data.train_size" if train_size is not None else "data.validation_size",
            f"must leave at least 1 of the {total} samples for training and 1 for "
            f"validation. Received: {num_train} for training, {num_validation} for "
            "validation.",
        )
    order = generator.permutation(total)
    train, validation, rest = np.split(order, (num_train, num_train + num_validation))
    result = {
        "train": _rows(pairs["train"], train),
        "val": _rows(pairs["train"], validation),
    }
    if "test" in pairs:
        result["test"] = pairs["test"]
    elif len(rest):
        result["test"] = _rows(pairs["train"], rest)
    return result


def _join(settings, pairs, generator):
    """Return a dict with the part "train" of all rows for folds, and maybe "test".

    Training and validation rows are joined. If `train_size` leaves rows out, these are
    the test data, unless there are others.
    """
    training = pairs["train"]
    if "val" in pairs:
        training = keras.tree.map_structure(
            lambda *arrays: np.concatenate(arrays), training, pairs["val"]
        )
    test = {"test": pairs["test"]} if "test" in pairs else {}
    size = getattr(settings, "train_size", None)
    if size is None:
        return {"train": training, **test}
    chosen = _draw("train", size, training, generator)
    rest = np.setdiff1d(np.arange(len(training[1])), chosen)
    if not test and len(rest):
        test = {"test": _rows(training, rest)}
    return {"train": _rows(training, chosen), **test}


def _draw(name, size, pair, generator):
    total = len(pair[1])
    count = _count(size, total)
    if not 1 <= count <= total:
        key = "train_size" if name == "train" else "validation_size"
        raise InvalidSetting(
            f"data.{key}",
            f"must be from 1 to {total}, the number of samples. Received: {size}",
        )
    return generator.permutation(total)[:count]


def _count(size, total):
    return round(size * total) if isinstance(size, float) else size


def _rows(pair, rows):
    return keras.tree.map_structure(lambda array: array[rows], tuple(pair))


_UNCHANGED = (np.float32(0.0), np.float32(1.0))


def standardize(pairs):
    """Shift and scale inputs by mean and standard deviation of the training data."""
    inputs = [_moments(array) for array in keras.tree.flatten(pairs["train"][0])]
    scaled = {}
    for name, (x, y) in pairs.items():
        arrays = [
            array if moments is _UNCHANGED else (array - moments[0]) / moments[1]
            for array, moments in zip(keras.tree.flatten(x), inputs, strict=True)
        ]
        scaled[name] = (keras.tree.pack_sequence_as(x, arrays), y)
    return scaled


def _moments(array):
    """Mean and standard deviation over the samples. Tokens and texts do not change."""
    if array.dtype.kind != "f":
        return _UNCHANGED
    # Use double precision, because a column far from 0 would lose its digits.
    mean = array.mean(0, dtype="float64")
    scale = array.std(0, dtype="float64")
    # A constant column is only shifted, because its deviation is a rounding error.
    scale = np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)
    return mean.astype("float32"), scale.astype("float32")


def find_labels(key, settings, pairs):
    """Return the kind of the labels, a value of `Description.labels`.

    It is found from the labels, unless the job sets the task. Rows with a single 1 are
    one-hot rows, whatever their type.
    """
    labels = [y for _, y in pairs.values()]
    x = pairs["train"][0]
    task = _given_task(settings)
    if task == "regression":
        if labels[0].dtype.kind == "O":
            raise InvalidSetting(
                "data.task", "must be classification, because the labels are texts."
            )
        return "numbers"
    found = _kind_of_labels(labels, x)
    if task == "classification" and found == "numbers":
        if all(_are_whole(y) for y in labels):
            return "classes"
        raise InvalidSetting(
            key,
            "y_train must contain classes: integers, rows with a single 1, rows of "
            "probabilities that sum to 1, or rows of 0 and 1. Received: "
            f"{labels[0].dtype} labels of shape {labels[0].shape[1:]} from "
            f"{labels[0].min():g} to {labels[0].max():g}. For a regression, set "
            "data.task=regression.",
        )
    return found


def describe(task, x, y, **more):
    """Return the `Description` of training data, from arrays or from a batch."""
    unknown = {"num_classes": None, "num_tokens": None, "num_samples": None}
    return Description(
        task=task,
        input_shape=_map(lambda array: array.shape[1:], x),
        input_dtype=_map(_name_of_type, x),
        target_shape=y.shape[1:],
        **{**unknown, **more},
    )


def count_classes(key, labels, pairs):
    """Return the number of classes or of flags of a sample, or None for numbers."""
    if labels == "numbers":
        return None
    if labels != "classes":
        return pairs["train"][1].shape[-1]
    for name, (_, y) in pairs.items():
        _check_classes(key, name, y)
    num_classes = 1 + max(int(y.max()) for _, y in pairs.values())
    if num_classes == 1:
        raise InvalidSetting(
            key, "y_train must contain at least two classes. Received: 0 everywhere."
        )
    return num_classes


def _check_classes(key, part, y):
    """Raise if a label is below 0."""
    if y.min() < 0:
        raise InvalidSetting(
            key,
            f"y_{part} must contain classes from 0 on. Received: {int(y.min())}.",
        )


def number_classes(pairs):
    """Replace labels that are texts by numbers. Also return the texts, or None."""
    if pairs["train"][1].dtype.kind != "O":
        return pairs, None
    every = np.concatenate([y.ravel() for _, y in pairs.values()])
    names = sorted({*every.tolist()}, key=str)
    numbers = {name: number for number, name in enumerate(names)}
    numbered = np.frompyfunc(numbers.__getitem__, 1, 1)
    numbered_pairs = {
        part: (x, np.asarray(numbered(y), dtype="int32"))
        for part, (x, y) in pairs.items()
    }
    return numbered_pairs, tuple(names)


def count_tokens(pairs):
    """Return the number of tokens if the inputs are an array of integers, or None."""
    inputs = [x for x, _ in pairs.values()]
    if not isinstance(inputs[0], np.ndarray) or inputs[0].dtype.kind != "i":
        return None
    return 1 + max(int(x.max()) for x in inputs)


def task_text(data, loss, metrics):
    """Return the task, the classes, the loss and the metrics in words."""
    description = data.description
    parts = [
        f"{description.task} of {_what(description, data)}",
        f"loss {_loss_name(loss)}",
        f"metrics {', '.join(metrics) or 'none'}",
    ]
    return "; ".join(parts)


def _what(description, data):
    number = description.num_classes
    if description.labels == "numbers":
        size = int(np.prod(description.target_shape))
        return f"{size} numbers per sample" if size > 1 else "one number per sample"
    if description.labels == "flags":
        return f"{number} flags per sample (labels are rows of 0 and 1)"
    if description.labels == "probabilities":
        return f"{number} classes (labels are rows of probabilities)"
    if description.labels == "one-hot":
        return f"{number} classes (labels are one-hot rows)"
    if number is None:
        return "classes (labels are integers)"
    kind = "integers" if data.y_train.dtype.kind == "i" else "whole numbers as floats"
    if description.class_names is not None:
        names = [repr(name) for name in description.class_names[:_MOST_NAMES]]
        kind = f"texts: {', '.join(names)}{', ...' if number > _MOST_NAMES else ''}"
    occurring = len(np.unique(data.y_train))
    some = f", of which the training data have {occurring}"
    return f"{number} classes{some if occurring < number else ''} (labels are {kind})"


def _given_task(settings):
    """The task that the source of the data or the job sets, or None."""
    if isinstance(settings, (KerasData, TextData)):
        return "classification"
    if isinstance(settings, UciData):
        return "regression"
    if isinstance(settings, SklearnData):
        return "regression" if settings.sklearn == "diabetes" else "classification"
    return settings.task


def _kind_of_labels(labels, x):
    first = labels[0]
    is_integer = first.dtype.kind in "iO"
    if first.ndim < 2 or first.shape[-1] == 1:
        # A column of 0.0 and 1.0, such as from a comparison, is two classes.
        values = {*np.unique(np.concatenate([y.ravel() for y in labels])).tolist()}
        return "classes" if is_integer or values == {0.0, 1.0} else "numbers"
    if first.dtype.kind == "O":
        return "classes"
    if all(_are_flags(y) for y in labels):
        if all((y.sum(-1) == 1).all() for y in labels):
            return "one-hot"
        # A label for each token is a class, even if there are only two classes.
        if isinstance(x, np.ndarray) and x.dtype.kind == "i" and is_integer:
            return "classes" if x.shape[1:] == first.shape[1:] else "flags"
        return "flags"
    if is_integer:
        return "classes"
    if all((y >= 0).all() for y in labels) and all(
        (np.abs(y.sum(-1) - 1.0) <= _TOLERANCE).all() for y in labels
    ):
        return "probabilities"
    return "numbers"


def _are_flags(y):
    return bool(((y == 0) | (y == 1)).all())


def _are_whole(y):
    """True for a column of whole numbers, which may be floats."""
    is_column = y.ndim == 1 or y.shape[-1] == 1
    return is_column and bool((y == np.round(y)).all())


def _name_of_type(array):
    return "string" if array.dtype.kind == "O" else array.dtype.name


def _loss_name(loss):
    if isinstance(loss, (dict, list, tuple)):
        return ", ".join(map(_loss_name, keras.tree.flatten(loss)))
    if isinstance(loss, str):
        return loss
    return getattr(loss, "name", None) or getattr(loss, "__name__", repr(loss))


def _map(function, values):
    """Map each array. Unlike `tree.map_structure`, this keeps tuple results."""
    if isinstance(values, np.ndarray):
        return function(values)
    if isinstance(values, dict):
        return {name: _map(function, value) for name, value in values.items()}
    return type(values)(_map(function, value) for value in values)
