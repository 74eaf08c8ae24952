"""From a source of data to data that are ready for training."""

import collections.abc

import keras
import numpy as np

from kdropout.datasets import iterate_batches
from kdropout.label_noise import with_noise
from kdropout.tuning.job.array_checks import check_pair, check_same_shapes
from kdropout.tuning.job.contents import digest_of_arrays
from kdropout.tuning.job.data import Data
from kdropout.tuning.job.data_settings import TABLES, SklearnData, TextData, UciData
from kdropout.tuning.job.describing import (
    count_classes,
    count_tokens,
    describe,
    find_labels,
    number_classes,
)
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.references import blame_user_code
from kdropout.tuning.job.sources import read_source
from kdropout.tuning.job.splitting import split
from kdropout.tuning.job.standardizing import standardize


def prepare(settings, folders):
    """Read, check, split, add noise to and scale the data of a job.

    Args:
        settings: The key `data` of the job.
        folders: Paths of the folders where functions are looked for.

    Returns:
        `kdropout.tuning.job.Data`.

    Raises:
        InvalidSetting: If the data cannot be read, or nothing can be trained on them.
    """
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
            key, "must return validation data, too, because a dataset is not split."
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
