"""Turns the columns of a table into features, by the training rows only."""

import dataclasses

import numpy as np

from kdropout._validation import shorten
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.fields import MOST_BYTES
from kdropout.tuning.job.tables import INPUTS, MOST_NAMED, Column, importing, listed

# With more features, a column is likely an identifier.
MOST_FEATURES = 50_000

# A column of texts with at least so many rows, all different, is an identifier.
_FEWEST_IDS = 10


def encode(table, pairs, standardize, known):
    """Replace the columns of all parts by features, and return the `Table` of them.

    The values of a feature come from the training rows: means, scales, and the
    categories that can occur. A feature that is 0 in all training rows, such as a
    category that only other folds have, is 0 in all rows.

    Args:
        table: `Table`.
        pairs: Dict from part to `(x, y)` after the split.
        standardize: Boolean, whether numbers are scaled.
        known: Dict from column to array, of the rows that decide which features there
            are: the training rows, or those of all folds.

    Returns:
        Tuple of `pairs` with arrays of float32, and the `Table` with its columns.
    """
    if table.text is not None:
        empty = sum(text == "" for x, _ in pairs.values() for text in x)
        note = f"{empty} empty or missing: an empty text" if empty else ""
        column = Column(table.text, "text", 1, note)
        return pairs, dataclasses.replace(table, columns=(column,), parts={})
    with importing(table.key):
        import pandas
        import sklearn.compose
        import sklearn.impute
        import sklearn.pipeline
        import sklearn.preprocessing
    plan = _Plan(table, known)
    plan.check_size(sum(len(y) for _, y in pairs.values()))
    numbers = [sklearn.impute.SimpleImputer(strategy="mean", keep_empty_features=True)]
    if standardize:
        numbers.append(sklearn.preprocessing.StandardScaler())
    scaler = sklearn.pipeline.make_pipeline(*numbers)
    marker = sklearn.compose.ColumnTransformer(
        [
            (
                "missing",
                sklearn.impute.MissingIndicator(features="all"),
                plan.with_missing,
            ),
            (
                "categories",
                sklearn.preprocessing.OneHotEncoder(
                    handle_unknown="ignore", sparse_output=False
                ),
                plan.categories,
            ),
        ]
    )
    xs = {part: x for part, (x, _) in pairs.items()}
    frames = {
        part: pandas.DataFrame({name: x[name] for name in plan.used}, copy=False)
        for part, x in {**xs, "known": known}.items()
    }
    marker.fit(frames["known"])
    marks = {part: marker.transform(frames[part]) for part in xs}
    occurs = marks["train"].any(0)
    encoded = {part: [marks[part] * occurs] for part in xs}
    if plan.numbers:
        scaler.fit(frames["train"][plan.numbers])
        for part in xs:
            encoded[part].insert(0, scaler.transform(frames[part][plan.numbers]))
    encoded = {
        part: (np.hstack(encoded[part]).astype("float32"), y)
        for part, (_, y) in pairs.items()
    }
    columns = plan.columns(pairs)
    return encoded, dataclasses.replace(table, columns=columns, parts={})


class _Plan:
    """The features of each column, from rows that may decide about them."""

    def __init__(self, table, train):
        self._key, self._inputs, self._train = table.key, table.inputs, train
        self._dropped = {}
        self.numbers, self.categories, self.with_missing = [], [], []
        self._values = {}  # by category: the number of values
        for name in table.inputs:
            self._add(name, train[name])
        self.used = [*self.numbers, *self.categories]
        if not self.used:
            raise InvalidSetting(
                table.key,
                "must have an input with at least two values in the training rows. "
                f"These have one value: {listed(self._dropped)}.",
            )

    def _add(self, name, values):
        is_category = values.dtype.kind == "O"
        missing = (
            np.array([v is None for v in values]) if is_category else np.isnan(values)
        )
        present = values[~missing]
        distinct = {*present.tolist()}
        if not distinct:
            self._dropped[name] = "no value in the training rows"
        elif len(distinct) == 1 and not missing.any():
            self._dropped[name] = f"only the value {shorten(present[:1].item(), 40)}"
        elif is_category:
            if len(distinct) == len(present) >= _FEWEST_IDS:
                raise InvalidSetting(
                    INPUTS,
                    f"column '{name}' has another value in each of the {len(present)} "
                    f"training rows, such as {shorten(present[0], 40)}, so it is an "
                    f"identifier and not a category. Add '{name}' to data.ignore.",
                )
            self.categories.append(name)
            self._values[name] = len(distinct) + bool(missing.any())
        else:
            self.numbers.append(name)
            if missing.any():
                self.with_missing.append(name)

    @property
    def num_features(self):
        values = sum(self._values.values())
        return len(self.numbers) + len(self.with_missing) + values

    def check_size(self, num_rows):
        """Raise if there would be too many features, before they take memory."""
        size = 4 * self.num_features * num_rows
        if self.num_features <= MOST_FEATURES and size <= MOST_BYTES:
            return
        largest = sorted(self._values, key=self._values.get, reverse=True)
        named = [f"'{name}' ({self._values[name]:,})" for name in largest[:MOST_NAMED]]
        hint = f" Most values have: {', '.join(named)}." if named else ""
        raise InvalidSetting(
            self._key,
            f"must become at most {MOST_FEATURES:,} features and 4 GiB as float32. "
            f"Received: {self.num_features:,} features of {num_rows:,} rows, "
            f"which take {size / 2**30:.1f} GiB.{hint} Add columns to data.ignore.",
        )

    def columns(self, pairs):
        """Return a `Column` for each input, with what was done."""
        inputs = {part: x for part, (x, _) in pairs.items()}
        return tuple(self._column(name, inputs) for name in self._inputs)

    def _column(self, name, inputs):
        if name in self._dropped:
            return Column(name, "not used", 0, self._dropped[name])
        values = [x[name] for x in inputs.values()]
        if name in self.numbers:
            count = sum(int(np.isnan(array).sum()) for array in values)
            marked = name in self.with_missing
            note = ""
            if count:
                mean = np.nanmean(self._train[name])
                note = f"{count} missing: replaced by the mean {mean:.4g}"
                note += " and marked by a feature" if marked else ""
            elif _looks_like_row_number(values):
                note = "another whole number in each row: if it is an id, ignore it"
            return Column(name, "number", 1 + marked, note)
        known = {*self._train[name].tolist()}
        count = sum(int(sum(v is None for v in array)) for array in values)
        notes = []
        if count:
            has_feature = None in known
            notes.append(
                f"{count} missing: a category"
                if has_feature
                else f"{count} missing, none in the training rows: all features are 0"
            )
        unknown = sum(
            v not in known for array in values for v in array if v is not None
        )
        if unknown:
            notes.append(f"{unknown} of a category that the training rows lack")
        return Column(name, "category", self._values[name], "; ".join(notes))


def _looks_like_row_number(values):
    every = np.sort(np.concatenate(values))
    return len(every) >= 20 and bool((np.diff(every) == 1.0).all())
