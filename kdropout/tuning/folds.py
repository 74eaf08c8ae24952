"""Cross-validation: the data of each fold of a search."""

import dataclasses
import inspect
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kdropout import _validation

# The repetitions whose data stay in memory.
_KEPT = 4

_EXPECTED = (
    "an integer of at least 2, or a sequence of pairs of row numbers "
    "(training, validation)"
)


@dataclasses.dataclass(frozen=True)
class Fold:
    """The data of one fold.

    Args:
        arguments: Dict of the arguments of `fit` that the fold sets, such as "x", "y"
            and "validation_data".
        held_out: Data that compare settings in a confirmation: a tuple `(x, y)` or
            `(x, y, sample_weight)`.
    """

    arguments: dict[str, Any]
    held_out: Any

    @property
    def num_rows(self) -> tuple[int, int]:
        """The numbers of rows for training and for validation."""
        labels = (self.arguments["y"], self.arguments["validation_data"][1])
        first, second = (len(keras.tree.flatten(y)[0]) for y in labels)
        return first, second


class Folds:
    """The folds of a search, by the number of the training.

    Training `n` uses fold `n % number` of the partition `n // number`. So all trials
    have the same folds, and a confirmation, whose numbers are higher, has new ones.

    Args:
        number: Integer of at least 2, the number of folds.
        make: Function `make(repetition)` that returns a list of `Fold`, always the same
            for the same integer.
    """

    def __init__(self, number: int, make: Callable[[int], list[Fold]]):
        self.number = number
        self._make = make
        self._made: dict[int, list[Fold]] = {}

    def of_training(self, execution: int) -> Fold:
        """Return the `Fold` of a training."""
        repetition, fold = divmod(execution, self.number)
        if repetition not in self._made:
            self._made[repetition] = self._make(repetition)
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
        return self._made[repetition][fold]

    @property
    def ratio(self) -> float:
        """The rows for validation, divided by those for training, over all folds."""
        folds = [self.of_training(fold).num_rows for fold in range(self.number)]
        training, validation = np.sum(folds, axis=0)
        return float(validation / training)

    def __getstate__(self):
        return {**vars(self), "_made": {}}  # another process makes them itself


def partition(
    num_rows: int,
    number: int,
    seed: int | Sequence[int],
    classes: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows into folds at random.

    The sizes of the folds differ by at most one row, also those of each class.

    Args:
        num_rows: Integer, the number of rows.
        number: Integer, the number of folds.
        seed: Integer or sequence of integers.
        classes: Array of integers, the class of each row. None to divide the rows
            without regard to classes. Defaults to None.

    Returns:
        List of pairs of arrays: the rows for training, and the rows of the fold, which
        are for validation. Both are in the order of the data.
    """
    order = np.random.default_rng(seed).permutation(num_rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    fold_of_row = np.empty(num_rows, "int64")
    fold_of_row[order] = np.arange(num_rows) % number
    return [
        (np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold))
        for fold in range(number)
    ]


def classes_of(y: Any) -> np.ndarray | None:
    """Return the class of each row, or None if the labels are not one class per row.

    Classes are integers, one per row, or rows with a single 1.
    """
    if not isinstance(y, np.ndarray):
        return None
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        return y.reshape(-1) if y.dtype.kind in "biu" else None
    is_one_hot = y.ndim == 2 and bool(((y == 0) | (y == 1)).all())
    return y.argmax(-1) if is_one_hot and (y.sum(-1) == 1).all() else None


def take_rows(data: Any, rows: np.ndarray) -> Any:
    """Return the rows of each array in a structure. None stays None."""
    return keras.tree.map_structure(
        lambda array: None if array is None else array[rows], data
    )


def with_folds(
    args: tuple, kwargs: dict[str, Any], seed: int, test_data: Any = None
) -> dict[str, Any]:
    """Return the arguments of `search` by name, with its `folds` as a `Folds`.

    Args:
        args: Tuple of the positional arguments of `search`.
        kwargs: Dict of its keyword arguments, with "folds".
        seed: Integer, which determines the partitions.
        test_data: Data that compare settings in a confirmation, or None for those of
            each fold. Defaults to None.

    Raises:
        TypeError: If `folds` or the data are of the wrong type.
        ValueError: If `folds` does not fit the data, or other validation data are
            given.
    """
    others = {name: value for name, value in kwargs.items() if name != "folds"}
    given = inspect.signature(keras.Model.fit).bind(None, *args, **others).arguments
    given.pop("self")
    if isinstance(kwargs["folds"], Folds):
        return {**given, "folds": kwargs["folds"]}
    for name, unset in (("validation_data", None), ("validation_split", 0.0)):
        value = given.pop(name, None)
        if value is not None and not (unset is not None and value == unset):
            raise _validation.argument_error(
                ValueError,
                "folds",
                "cannot be used with other validation data, because each fold is "
                f"validation data once. Received: also '{name}'. Leave one of the two "
                "out.",
            )
    data = {name: given.pop(name, None) for name in ("x", "y", "sample_weight")}
    maker = _Maker(_checked_arrays(data), kwargs["folds"], seed, test_data)
    return {**given, "folds": Folds(maker.number, maker)}


def _checked_arrays(data):
    """Return the data with arrays of NumPy, or raise if they have no rows to take."""
    arrays = {}
    for name, value in data.items():
        leaves = [leaf for leaf in keras.tree.flatten(value) if leaf is not None]
        if not all(hasattr(leaf, "shape") and len(leaf.shape) for leaf in leaves) or (
            name != "sample_weight" and not leaves
        ):
            raise _validation.argument_error(
                TypeError,
                "folds",
                "needs arrays, whose rows it divides. Received: "
                f"{name}={_validation.shorten(value)} of type {type(value).__name__}. "
                "Pass arrays as 'x' and 'y', or leave 'folds' out and pass "
                "'validation_data'.",
            )
        arrays[name] = keras.tree.map_structure(
            lambda leaf: None if leaf is None else _to_numpy(leaf), value
        )
    leaves = [leaf for leaf in keras.tree.flatten(arrays) if leaf is not None]
    lengths = sorted({len(leaf) for leaf in leaves})
    if len(lengths) > 1:
        raise _validation.argument_error(
            ValueError,
            "folds",
            "needs arrays with the same number of rows. Received: x, y and "
            f"sample_weight with {' and '.join(map(str, lengths))} rows.",
        )
    return arrays


def _to_numpy(array):
    is_tensor = keras.ops.is_tensor(array)
    return keras.ops.convert_to_numpy(array) if is_tensor else np.asarray(array)


class _Maker:
    """Makes the folds of arrays, from the argument `folds` of `search`."""

    def __init__(self, data, folds, seed, test_data):
        self._data, self._seed, self._test_data = data, seed, test_data
        self._num_rows = len(keras.tree.flatten(data["y"])[0])
        self._given = None
        if isinstance(folds, numbers.Integral) and not isinstance(folds, bool):
            self.number = _validation.integer("folds", folds, low=2)
            if self.number > self._num_rows:
                raise _validation.value_error(
                    "folds", f"at most {self._num_rows}, the number of rows", folds
                )
        else:
            self._given = _checked_pairs(folds, self._num_rows)
            self.number = len(self._given)

    def __call__(self, repetition):
        pairs = self._given
        if pairs is None:
            classes, seed = classes_of(self._data["y"]), [self._seed, repetition]
            pairs = partition(self._num_rows, self.number, seed, classes)
        return [self._fold(*pair) for pair in pairs]

    def _fold(self, training, validation):
        arguments = take_rows(self._data, training)
        held_out = tuple(take_rows(self._data, validation).values())
        if held_out[-1] is None:
            held_out = held_out[:-1]
        arguments["validation_data"] = held_out
        test_data = self._test_data
        return Fold(arguments, held_out if test_data is None else test_data)


def _checked_pairs(folds, num_rows):
    """Return a sequence of pairs of row numbers as arrays, or raise."""
    if hasattr(folds, "split") and not isinstance(folds, str):
        raise _validation.argument_error(
            TypeError,
            "folds",
            f"must be {_EXPECTED}. Received: {type(folds).__name__}. Pass its pairs: "
            "folds=list(splitter.split(x, y)).",
        )
    if not isinstance(folds, (list, tuple)):
        raise _validation.type_error("folds", _EXPECTED, folds)
    if len(folds) < 2:
        raise _validation.value_error("folds", "at least 2 pairs", folds)
    pairs = []
    for index, pair in enumerate(folds):
        rows = [np.asarray(part) for part in pair] if _is_pair(pair) else []
        if len(rows) != 2 or not all(_are_rows(part, num_rows) for part in rows):
            raise _validation.argument_error(
                ValueError,
                "folds",
                f"must be {_EXPECTED}. Received: {_shown(pair)} at index "
                f"{index}. Each part must have at least one row number from 0 to "
                f"{num_rows - 1}, and none twice.",
            )
        both = np.intersect1d(*rows)
        if len(both):
            raise _validation.argument_error(
                ValueError,
                "folds",
                "must not train and validate on the same row. Received: row "
                f"{both[0]} in both parts at index {index}.",
            )
        pairs.append(tuple(rows))
    return pairs


def _shown(pair):
    return _validation.shorten(" ".join(str(pair).split()))


def _is_pair(pair):
    return isinstance(pair, (list, tuple)) and len(pair) == 2


def _are_rows(rows, num_rows):
    return (
        rows.ndim == 1
        and rows.dtype.kind in "iu"
        and len(rows) > 0
        and len(np.unique(rows)) == len(rows)
        and rows.min() >= 0
        and rows.max() < num_rows
    )
