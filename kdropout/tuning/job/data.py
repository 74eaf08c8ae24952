"""The data of a job: read, checked, split and scaled."""

import collections.abc
import dataclasses
from typing import Any

import keras
import numpy as np

from kdropout._data import iterate_batches
from kdropout._label_noise import with_noise
from kdropout.tuning.job.contents import digest_of_arrays
from kdropout.tuning.job.description import (
    Description,
    count_classes,
    count_tokens,
    describe,
    find_labels,
    number_classes,
)
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.references import blame_user_code
from kdropout.tuning.job.schema import TABLES, SklearnData, TextData, UciData
from kdropout.tuning.job.sources import read_source


@dataclasses.dataclass(frozen=True)
class Data:
    """Training, validation and test data, ready for `fit`.

    Args:
        x_train: Array of the training inputs, a dict, list or tuple of arrays, or a
            dataset.
        y_train: Array of the training labels or targets; None with a dataset.
        x_val: Likewise for the validation.
        y_val: Likewise.
        x_test: Likewise for the test, or None without a test set.
        y_test: Likewise.
        description: `Description`.
        target_mean: What was subtracted from the targets. Defaults to 0.
        target_scale: By what they were divided then: a root mean squared error times
            this is in the unit of the targets. Defaults to 1.
        digests: Dict from "train", "val" and "test" to the digest of the arrays, as
            they were split and before they were scaled. Empty with datasets.
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

    @property
    def training(self):
        """What `fit` and the callbacks take: a tuple `(x, y)`, or a dataset."""
        return _pair(self.x_train, self.y_train)

    @property
    def validation(self):
        """Likewise."""
        return _pair(self.x_val, self.y_val)

    @property
    def test(self):
        """Likewise, or None without a test set."""
        return None if self.x_test is None else _pair(self.x_test, self.y_test)

    @property
    def is_dataset(self):
        """Whether the training data come in batches, rather than as arrays."""
        return self.y_train is None

    @property
    def task(self):
        """ "classification" or "regression"."""
        return self.description.task

    @property
    def input_shape(self):
        """Shape of one sample."""
        return self.description.input_shape

    @property
    def num_classes(self):
        """Number of classes, or None."""
        return self.description.num_classes


def _pair(x, y):
    return x if y is None else (x, y)


def prepare(settings, folders):
    """Read, check, split, add noise to and scale the data of a job."""
    key, parts = read_source(settings, folders)
    named = {"train": parts.train, "val": parts.validation, "test": parts.test}
    if not _is_pair(parts.train):
        return _prepare_datasets(key, settings, named)
    pairs = {}
    for name, part in named.items():
        if part is None:
            continue
        if not _is_pair(part):
            raise InvalidSetting(
                key,
                f"the {name} data must be a tuple (x, y) of arrays, as the training "
                f"data are. Received: {type(part).__name__}",
            )
        pairs[name] = check_pair(key, name, *part)
        check_same_shapes(key, pairs["train"], pairs[name], name)
    labels = find_labels(key, settings, pairs)
    task = "regression" if labels == "numbers" else "classification"
    pairs, class_names = number_classes(pairs)
    generator = np.random.default_rng(settings.seed)
    pairs = split(settings, pairs, generator)
    num_classes, num_tokens = count_classes(key, labels, pairs), count_tokens(pairs)
    if isinstance(settings, TextData):  # both are characters of one alphabet
        num_classes = num_tokens = max(num_classes, num_tokens)
    if settings.label_noise:
        pairs = _with_noise(settings, pairs, labels, num_classes, generator)
    # Before the scaling, whose last bits are not the same on all machines.
    digests = {name: digest_of_arrays(pair) for name, pair in pairs.items()}
    mean, scale = np.float32(0.0), np.float32(1.0)
    if _is_standardized(settings):
        pairs, mean, scale = standardize(pairs, task)
    num_samples = len(pairs["train"][1])
    description = describe(
        task,
        *pairs["train"],
        num_classes=num_classes,
        num_tokens=num_tokens,
        num_samples=num_samples,
        labels=labels,
        class_names=class_names,
    )
    test = pairs.get("test", (None, None))
    return Data(
        *pairs["train"], *pairs["val"], *test, description, mean, scale, digests
    )


def _is_pair(part):
    return isinstance(part, (tuple, list)) and len(part) == 2


def _with_noise(settings, pairs, labels, num_classes, generator):
    """Replace a share of the labels by random ones; those of the test stay right."""
    if labels not in ("classes", "one-hot"):
        raise InvalidSetting(
            "data.label_noise",
            "needs labels that are integers, counted from 0, or one-hot rows. "
            f"Received: {labels}.",
        )
    noisy = {}
    for name in ("train", "val"):
        x, y = pairs[name]
        classes = y.argmax(-1) if labels == "one-hot" else y
        classes = with_noise(classes, settings.label_noise, num_classes, generator)
        if labels == "one-hot":
            classes = np.eye(num_classes, dtype=y.dtype)[classes]
        noisy[name] = (x, classes)
    return {**pairs, **noisy}


def _is_standardized(settings):
    if settings.standardize is None:
        table = isinstance(settings, SklearnData) and settings.sklearn in TABLES
        return table or isinstance(settings, UciData)
    return settings.standardize


def _prepare_datasets(key, settings, parts):
    """Data that come in batches; only what the first batch shows can be checked."""
    names = ("label_noise", "standardize", "train_size", "validation_size")
    given = [name for name in names if getattr(settings, name)]
    if given:
        raise InvalidSetting(
            f"data.{given[0]}",
            "is for arrays. The function returns datasets: do it there, or return "
            "tuples (x, y) of arrays.",
        )
    if parts["val"] is None:
        raise InvalidSetting(
            key, "must also return validation data, because a dataset is not split."
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
        labels = "numbers"  # a batch of 0.0 and 1.0 may be chance
    task = "regression" if labels == "numbers" else "classification"
    # More classes may come in a later batch.
    num_classes = None if labels == "classes" else count_classes(key, labels, first)
    description = describe(
        task, *first["train"], num_classes=num_classes, labels=labels
    )
    columns = [part if _is_pair(part) else (part, None) for part in parts.values()]
    return Data(*(value for column in columns for value in column), description)


def _first_batch(key, name, part):
    if _is_pair(part):
        return part
    if not hasattr(part, "__iter__") and not hasattr(part, "__getitem__"):
        raise InvalidSetting(
            key,
            f"the {name} data must be a tuple (x, y) of arrays or a dataset. Received: "
            f"{part!r}",
        )
    if isinstance(part, collections.abc.Iterator):
        raise InvalidSetting(
            key,
            f"the {name} data must be there for each epoch. Received: "
            f"{type(part).__name__}, which is used up by the first. Return arrays, a "
            "tf.data.Dataset, a keras.utils.PyDataset or a list of batches.",
        )
    with blame_user_code(key, f"the {name} data cannot be read"):
        batch = next(iter(iterate_batches(part)), None)
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise InvalidSetting(
            key,
            f"the {name} data must hold batches (x, y), at least one. Received: "
            f"{type(batch).__name__}",
        )
    numpy = keras.ops.convert_to_numpy
    return keras.tree.map_structure(numpy, batch[0]), numpy(batch[1])


def check_pair(key, part, x, y):
    """The arrays of one part of the data, as float32 or int32, or as texts."""
    paths = keras.tree.flatten_with_path(x)
    names = ["".join(f"[{step!r}]" for step in path) for path, _ in paths]
    arrays = [
        _numbers(key, f"x_{part}{name}", value)
        for name, (_, value) in zip(names, paths, strict=True)
    ]
    if not arrays:
        raise InvalidSetting(key, f"x_{part} must hold an array. Received: {x!r}")
    labels = _numbers(key, f"y_{part}", y)
    for name, array in zip(names, arrays, strict=True):
        if len(array) != len(labels):
            raise InvalidSetting(
                key,
                f"x_{part}{name} and y_{part} must have as many samples. Received: "
                f"shapes {array.shape} and {labels.shape}.",
            )
    return keras.tree.pack_sequence_as(x, arrays), labels


def check_same_shapes(key, first, other, part):
    """Refuse a part whose samples are of another shape or type than the training's."""
    for kind, one, two in zip("xy", first, other, strict=True):
        one, two = _signature(one), _signature(two)
        if one != two:
            raise InvalidSetting(
                key,
                f"the samples of {kind}_train and {kind}_{part} must be of the same "
                f"shape and type. Received: {one} and {two}.",
            )


def _signature(values):
    """Shapes of single samples and types of numbers, for comparison and to be read."""
    described = [
        (path, f"{array.dtype} of shape {array.shape[1:]}")
        for path, array in keras.tree.flatten_with_path(values)
    ]
    if len(described) == 1 and not described[0][0]:
        return described[0][1]
    return {"".join(map(str, path)): text for path, text in described}


def _numbers(key, name, value):
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    texts = _texts(value, array)
    if texts is None and array.dtype.kind not in "buif":
        raise InvalidSetting(
            key,
            f"{name} must be an array of numbers, or of texts. Received: "
            f"{type(value).__name__} of {array.dtype}.",
        )
    if array.ndim == 0 or array.size == 0:
        raise InvalidSetting(
            key,
            f"{name} must hold at least one sample. Received: shape {array.shape}.",
        )
    if texts is not None:
        return texts
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # refused below
            array = array.astype("float32")
        wrong = ~np.isfinite(array)
        if wrong.any():
            first = tuple(int(index) for index in np.argwhere(wrong)[0])
            raise InvalidSetting(
                key,
                f"{name} must be finite in float32. Received: {int(wrong.sum())} NaN "
                f"or infinite values of {array.size}, the first at {list(first)}. "
                "Remove these samples, or fill the values in.",
            )
        return array
    if array.dtype in ("bool", "uint8") and name.startswith("x"):
        return array.astype("float32")  # pictures, and columns of yes and no
    if array.dtype.kind == "b":
        return array.astype("int32")  # two classes, or flags
    limits = np.iinfo("int32")
    if array.min() < limits.min or array.max() > limits.max:
        raise InvalidSetting(
            key,
            f"{name} must fit into int32. Received: values from {array.min()} to "
            f"{array.max()}. Save it as float32.",
        )
    return array.astype("int32")


def _texts(value, array):
    """The texts in an array, as Keras takes them, or None if it holds others."""
    if array.dtype.kind not in "USO" or array.size == 0:
        return None
    # As they were: NumPy makes texts of numbers beside texts.
    texts = np.asarray(value, dtype=object)
    if texts.shape != array.shape:
        return None
    return texts if all(isinstance(t, (str, bytes)) for t in texts.flat) else None


# Where a job does not say it.
TRAIN_SHARE = 0.6
VALIDATION_SHARE = 0.2


def split(settings, pairs, generator):
    """Split at random what is not split yet.

    Returns:
        The same dict, now with "train" and "val", and "test" if any is left.
    """
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


def _draw(name, size, pair, generator):
    total = len(pair[1])
    count = _count(size, total)
    if not 1 <= count <= total:
        key = "train_size" if name == "train" else "validation_size"
        raise InvalidSetting(
            f"data.{key}",
            f"must be from 1 to the {total} samples that there are. Received: {size}",
        )
    return generator.permutation(total)[:count]


def _count(size, total):
    return round(size * total) if isinstance(size, float) else size


def _rows(pair, rows):
    return keras.tree.map_structure(lambda array: array[rows], tuple(pair))


_UNCHANGED = (np.float32(0.0), np.float32(1.0))


def standardize(pairs, task):
    """Shift and scale by mean and standard deviation of the training data."""
    x_train, y_train = pairs["train"]
    inputs = [_moments(array) for array in keras.tree.flatten(x_train)]
    mean, scale = _moments(y_train) if task == "regression" else _UNCHANGED
    scaled = {}
    for name, (x, y) in pairs.items():
        arrays = [
            array if moments is _UNCHANGED else (array - moments[0]) / moments[1]
            for array, moments in zip(keras.tree.flatten(x), inputs, strict=True)
        ]
        x = keras.tree.pack_sequence_as(x, arrays)
        scaled[name] = (x, (y - mean) / scale if task == "regression" else y)
    return scaled, mean, scale


def _moments(array):
    """Mean and standard deviation over the samples; tokens and texts stay."""
    if array.dtype.kind != "f":
        return _UNCHANGED
    # In double precision: a column far from 0 would lose its digits.
    mean = array.mean(0, dtype="float64")
    scale = array.std(0, dtype="float64")
    # A column that never changes is shifted only. What rounding leaves of its
    # deviation is not a scale.
    scale = np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)
    return mean.astype("float32"), scale.astype("float32")
