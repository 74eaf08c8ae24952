"""Turns the columns of a table into features, by the training rows only."""

import dataclasses

import numpy as np

from kdropout._validation import shorten
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.tables import INPUTS, MOST_NAMED, Column, importing, listed

# Limits of a table of features. Beyond them, a column is likely an identifier, or the
# features do not fit into memory.
MOST_FEATURES = 50_000
MOST_BYTES = 4 * 2**30

# A column of texts with at least so many rows, all different, is an identifier.
_FEWEST_IDS = 10


def encode(table, pairs, standardize):
    """Replace the columns of all parts by features, and return the `Table` of them.

    Args:
        table: `Table`.
        pairs: Dict from part to `(x, y)` after the split.
        standardize: Boolean, whether numbers are scaled.

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
    plan = _Plan(table, pairs["train"][0])
    plan.check_size(sum(len(y) for _, y in pairs.values()))
    numbers = [sklearn.impute.SimpleImputer(strategy="mean")]
    if standardize:
        numbers.append(sklearn.preprocessing.StandardScaler())
    encoder = sklearn.compose.ColumnTransformer(
        [
            ("numbers", sklearn.pipeline.make_pipeline(*numbers), plan.numbers),
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
    frames = {
        part: pandas.DataFrame({name: x[name] for name in plan.used}, copy=False)
        for part, (x, _) in pairs.items()
    }
    encoder.fit(frames["train"])
    encoded = {
        part: (encoder.transform(frames[part]).astype("float32"), y)
        for part, (_, y) in pairs.items()
    }
    columns = plan.columns(pairs)
    return encoded, dataclasses.replace(table, columns=columns, parts={})


class _Plan:
    """The features of each column, from the training rows."""

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
