"""Reads a table from its files: the columns to use, the targets and the weights.

The columns stay as they are until the rows are split. `features.encode` then turns them
into numbers.
"""

import collections
import contextlib
import csv
import dataclasses
import fnmatch
import itertools
import pathlib
import re
import warnings

import numpy as np

from kdropout._requirements import is_installed
from kdropout._validation import nearest, shorten
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.fields import PartFiles, label_text
from kdropout.tuning.job.schema import MOST_INTEGER_CLASSES, CsvData
from kdropout.tuning.job.weights import check_weights

# The number of names, rows or values in a message.
MOST_NAMED = 5

_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?: .*)?"
)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table, and what became of it.

    Args:
        name: String, the name in the header.
        kind: String, "number", "category", "text" or "not used".
        num_features: Integer, the number of features that it became.
        note: String, what was done with missing values, or why the column is not used.
    """

    name: str
    kind: str
    num_features: int
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """The parts of a table, before the split.

    Args:
        key: String, dotted key of the source.
        parts: Dict from "train", "val" and "test" to `(x, y)`, or to `(x, y, weights)`.
            `x` is a dict from column to array: numbers with NaN, or texts with None, if
            a value is missing. With the key `text`, it is one array of texts. Empty
            after `encode`.
        labels: String, the kind of the labels, "classes" or "numbers".
        class_names: Tuple of the names of the classes, or None for a regression.
        inputs: Tuple of the names of the inputs, in the order of the file.
        unused: Tuple of `Column`, for the columns that are not used.
        text: String, the column of texts that is the only input, or None.
        columns: Tuple of `Column`, for the inputs. Empty before `encode`.
    """

    key: str
    parts: dict
    labels: str
    class_names: tuple | None
    inputs: tuple
    unused: tuple
    text: str | None = None
    columns: tuple = ()


def read_table(key, settings):
    """Read the files of a job, and return a `Table`."""
    with importing(key):
        import pandas
    frames, paths = {}, _paths_of(settings)
    for part, path in paths.items():
        frames[part] = _read_frame(pandas, key, path, settings)
    train = frames["train"]
    chosen = _choose_columns(key, settings, list(train.columns))
    used = [*settings.target, *chosen.inputs]
    if settings.sample_weight is not None:
        used.append(settings.sample_weight)
    for part, frame in frames.items():
        _check_same_columns(key, paths, part, used, frame)
    inputs = _read_inputs(key, settings, chosen, frames)
    targets, labels, class_names = _read_targets(key, settings, frames)
    parts = {}
    for part, frame in frames.items():
        pair = (inputs[part], targets[part])
        if settings.sample_weight is not None:
            pair = (*pair, _read_weights(settings, part, frame, targets[part]))
        parts[part] = pair
    return Table(
        key,
        parts,
        labels,
        class_names,
        chosen.inputs,
        chosen.unused,
        settings.text,
    )


@contextlib.contextmanager
def importing(key):
    """Turn a failed import into an error of a key."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        name = {"sklearn": "scikit-learn"}.get(package, package)
        raise InvalidSetting(
            key,
            f"needs {name}. Run: pip install {name}. The extra 'tuner' of kdropout has "
            "it.",
        ) from error


# The files.


def _paths_of(settings):
    files = getattr(settings, settings.source)
    if not isinstance(files, PartFiles):
        return {"train": files}
    paths = {"train": files.train, "val": files.validation, "test": files.test}
    return {part: path for part, path in paths.items() if path is not None}


def _read_frame(pandas, key, name, settings):
    """Read a file as a frame of pandas, whose columns have texts as names."""
    path = pathlib.Path(name).expanduser()
    _check_file(key, path)
    if isinstance(settings, CsvData):
        frame = _read_csv(pandas, key, path, settings)
    else:
        frame = _read_parquet(pandas, key, path, settings)
    if not len(frame):
        raise InvalidSetting(
            key,
            f"must have rows. Received: '{path}' with the columns "
            f"{listed(frame.columns)}, and no rows.",
        )
    return frame


def _check_file(key, path):
    if path.is_dir():
        raise InvalidSetting(
            key,
            f"must be the path of a file. Received: '{path}', a folder. For one file "
            "for each part, write {train: a.csv, validation: b.csv, test: c.csv}.",
        )
    if not path.is_file():
        others = [other.name for other in path.parent.glob(f"*{path.suffix}")]
        raise InvalidSetting(
            key,
            f"must be the path of a file. There is no file at '{path}', relative to "
            f"{pathlib.Path.cwd()}.{nearest(path.name, others)}",
        )


def _read_csv(pandas, key, path, settings):
    names = _read_header(key, path, settings)
    try:
        with warnings.catch_warnings():
            # Rows that are longer than the header.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                path,
                sep=settings.separator,
                decimal=settings.decimal,
                encoding="utf-8-sig",
                skipinitialspace=settings.separator != " ",
                na_values=list(settings.missing_values or ()),
                index_col=False,
                low_memory=False,
            )
    except (ValueError, OSError, pandas.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())
        raise InvalidSetting(
            key,
            f"must be a table with the same number of columns in each line. '{path}' "
            f"cannot be read: {reason}. Correct the file, or set data.separator.",
        ) from None
    if names[0] == "":
        # An index, as `DataFrame.to_csv` writes it.
        frame = frame.drop(columns=frame.columns[0])
    return frame


def _read_header(key, path, settings):
    """Return the names in the first line, after a check."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(
                file,
                delimiter=settings.separator,
                skipinitialspace=settings.separator != " ",
            )
            names = next((line for line in lines if line), [])
    except UnicodeDecodeError as error:
        raise InvalidSetting(
            key,
            f"must be text in UTF-8. Received: '{path}', which is not at byte "
            f"{error.start}. Save it as 'CSV UTF-8'.",
        ) from None
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidSetting(key, f"'{path}' cannot be read: {reason}.") from None
    if not any(names):
        raise InvalidSetting(
            key,
            "must have a line with the names of the columns. Received: "
            f"'{path}', which is empty.",
        )
    if len(names) == 1:
        other = next((s for s in (";", "\t", "|", ",") if s in names[0]), None)
        if other is not None:
            raise InvalidSetting(
                "data.separator",
                f"must be the character between the columns. Received: "
                f"{settings.separator!r}, with which '{path}' has only one column: "
                f"{shorten(names[0])}. Set data.separator={other!r}.",
            )
    numbers = [name for name in names if _NUMBER.fullmatch(name.strip())]
    if 2 * len(numbers) >= len(names):
        raise InvalidSetting(
            key,
            f"must begin with a line of column names. The first line of '{path}' "
            f"contains values: {listed(names)}. Add a line with names.",
        )
    unnamed = [number for number, name in enumerate(names, 1) if name == ""]
    if unnamed and unnamed != [1]:
        number = next(number for number in unnamed if number > 1)
        raise InvalidSetting(
            key,
            f"must have a name for each column. Column {number} of '{path}' has none. "
            "Complete the first line.",
        )
    _check_different(key, path, names)
    return names


def _check_different(key, path, names):
    """Raise if two columns have the same name."""
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise InvalidSetting(
            key,
            f"must have different names for all columns. '{path}' has several columns "
            f"{listed(twice)}. Rename or remove one of them.",
        )


def _read_parquet(pandas, key, path, settings):
    if not is_installed("pyarrow"):
        raise InvalidSetting(
            key,
            "needs pyarrow. Run: pip install pyarrow. The extra 'parquet' of kdropout "
            "has it. Or save the table as CSV, and use data: {csv: ...}.",
        )
    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except Exception as error:  # a damaged file can raise anything
        reason = " ".join(str(error).split())[:200]
        raise InvalidSetting(
            key,
            f"must be a Parquet file. '{path}' cannot be read: "
            f"{type(error).__name__}: {reason}",
        ) from None
    frame.columns = [str(name) for name in frame.columns]
    _check_different(key, path, list(frame.columns))
    frame = frame.reset_index(drop=True)
    if settings.missing_values:
        frame = frame.replace(list(settings.missing_values), None)
    return frame


def _check_same_columns(key, paths, part, used, frame):
    missing = [name for name in used if name not in frame.columns]
    if missing:
        raise InvalidSetting(
            key,
            f"the files of all parts must have the columns that are used. "
            f"'{paths[part]}' has no column '{missing[0]}', which '{paths['train']}' "
            f"has.{nearest(missing[0], frame.columns)} Its columns are: "
            f"{listed(frame.columns)}.",
        )


# The columns.


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """The names of the inputs, those that are categories, and the unused columns."""

    inputs: tuple
    categorical: frozenset
    unused: tuple


def _choose_columns(key, settings, names):
    """Return the columns that the job chooses, of those in the training file."""
    for target in settings.target:
        if target not in names:
            raise _no_column("target", target, names)
    weight = settings.sample_weight
    if weight is not None and weight not in names:
        raise _no_column("sample_weight", weight, names)
    reserved = {**dict.fromkeys(settings.target, "target")}
    if weight in reserved:
        raise InvalidSetting(
            "data.sample_weight",
            f"must be another column than the target. Received: '{weight}'.",
        )
    if weight is not None:
        reserved[weight] = "sample_weight"
    if settings.text is not None:
        return _choose_text(settings, names, reserved)
    free = [name for name in names if name not in reserved]
    features = free
    if settings.features is not None:
        features = _matching("features", settings.features, names, reserved)
    ignored = []
    if settings.ignore is not None:
        ignored = _matching("ignore", settings.ignore, names, reserved)
    inputs = [name for name in free if name in features and name not in ignored]
    if not inputs:
        raise InvalidSetting(
            "data.features" if settings.features is not None else key,
            "must leave at least one column as input. Received: the columns "
            f"{listed(names)}, of which none is left without target and ignored ones.",
        )
    categorical = []
    if settings.categorical is not None:
        categorical = _matching("categorical", settings.categorical, names, reserved)
        unused = [name for name in categorical if name not in inputs]
        if len(unused) == len(categorical):
            raise InvalidSetting(
                "data.categorical",
                f"must name columns that are used. Received: {listed(unused)}, which "
                "'features' leaves out or 'ignore' contains.",
            )
    unused = [
        Column(
            name,
            "not used",
            0,
            "in 'ignore'" if name in ignored else "not in 'features'",
        )
        for name in free
        if name not in inputs
    ]
    return _Chosen(tuple(inputs), frozenset(categorical), tuple(unused))


def _choose_text(settings, names, reserved):
    text = settings.text
    if text not in names:
        raise _no_column("text", text, names)
    if text in reserved:
        raise InvalidSetting(
            "data.text",
            f"must be another column than {reserved[text]}. Received: '{text}'.",
        )
    for other in ("features", "categorical"):
        if getattr(settings, other) is not None:
            raise InvalidSetting(
                f"data.{other}",
                f"must not be given with 'text', because the column '{text}' is then "
                "the only input. Remove one of the two keys.",
            )
    unused = [
        Column(name, "not used", 0, "the text is the only input")
        for name in names
        if name != text and name not in reserved
    ]
    return _Chosen((text,), frozenset(), tuple(unused))


def _no_column(key, name, names):
    return InvalidSetting(
        f"data.{key}",
        f"must be the name of a column. Received: '{name}'.{nearest(name, names)} The "
        f"columns are: {listed(names, 20)}.",
    )


def _matching(key, patterns, names, reserved):
    """Return the names that match the patterns of a key, in the order of the file."""
    found = []
    for index, pattern in enumerate(patterns):
        if pattern in reserved:
            raise InvalidSetting(
                f"data.{key}.{index}",
                f"must not contain the column of '{reserved[pattern]}'. Received: "
                f"'{pattern}'. Remove it.",
            )
        if pattern in names:  # a name may contain characters of a glob
            found.append(pattern)
            continue
        matches = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matches:
            raise InvalidSetting(
                f"data.{key}.{index}",
                f"must match a column. Received: '{pattern}'.{nearest(pattern, names)} "
                f"The columns are: {listed(names, 20)}.",
            )
        found += matches
    return [name for name in names if name in found and name not in reserved]


def _read_inputs(key, settings, chosen, frames):
    """Dict from part to the raw inputs: a dict of arrays, or an array of texts."""
    if settings.text is not None:
        return {part: _texts(settings.text, frame) for part, frame in frames.items()}
    kinds = {
        name: "category"
        if name in chosen.categorical
        else _kind_of(name, frames["train"][name])
        for name in chosen.inputs
    }
    if set(kinds.values()) == {None}:
        raise InvalidSetting(
            key,
            f"must have a column with values. All inputs are empty: "
            f"{listed(chosen.inputs)}.",
        )
    for part, frame in frames.items():
        for name in chosen.inputs if part != "train" else ():
            kind = _kind_of(name, frame[name])
            if kinds[name] == "number" and kind == "category":
                raise InvalidSetting(
                    key,
                    f"column '{name}' must have values of one type in all files. "
                    f"Received: numbers in the training file, and "
                    f"{shorten(_first(frame[name]))} in another one. Correct the file, "
                    f"or add '{name}' to data.categorical.",
                )
    return {
        part: {
            name: _raw(name, frame[name], kinds[name] or "number")
            for name in chosen.inputs
        }
        for part, frame in frames.items()
    }


def _kind_of(name, values):
    """Return "number" or "category", or None for a column without values."""
    from pandas.api import types

    present = values.dropna()
    if not len(present):
        return None
    if types.is_bool_dtype(present) or all(
        isinstance(v, (bool, np.bool_)) for v in present
    ):
        return "category"
    if types.is_datetime64_any_dtype(values) or types.is_timedelta64_dtype(values):
        raise _about_date(name, present.iloc[0])
    if types.is_complex_dtype(values):
        raise InvalidSetting(
            INPUTS,
            f"column '{name}' must contain numbers, texts, or true and false. "
            f"Received: complex numbers. {_way_out(name, ('ignore',))}",
        )
    if types.is_numeric_dtype(values):
        return "number"
    if isinstance(values.dtype, _categorical_dtype()):
        return "category"
    first = next((v for v in present if not isinstance(v, (str, bytes, bool))), None)
    if first is not None:
        return _kind_of_objects(name, present, first)
    texts = [str(value).strip() for value in present]
    if all(map(_DATE.fullmatch, texts)):
        raise _about_date(name, texts[0])
    if all(_DECIMAL_COMMA.fullmatch(t) or _NUMBER.fullmatch(t) for t in texts):
        raise InvalidSetting(
            "data.decimal",
            f"must be ',' for a file with decimal commas. Received: "
            f"{shorten(texts[0])} in column '{name}'. Set data.decimal=','.",
        )
    numbers = [text for text in texts if _NUMBER.fullmatch(text)]
    if 2 * len(numbers) > len(texts):
        position = next(i for i, text in enumerate(texts) if text not in numbers)
        row = present.index[position] + 1
        raise InvalidSetting(
            INPUTS,
            f"column '{name}' must contain only numbers or only texts. Received: "
            f"{shorten(texts[position])} in row {row}, next to {len(numbers)} numbers. "
            f"Correct it, add it to data.missing_values, or add '{name}' to "
            "data.categorical or data.ignore.",
        )
    return "category"


def _categorical_dtype():
    import pandas

    return pandas.CategoricalDtype


def _kind_of_objects(name, present, first):
    """The kind of a column of Parquet that holds objects of Python."""
    if type(first).__name__ == "Decimal" and all(
        type(value).__name__ == "Decimal" for value in present
    ):
        return "number"
    if type(first).__name__ in ("date", "datetime", "time", "Timestamp"):
        raise _about_date(name, first)
    raise InvalidSetting(
        INPUTS,
        f"column '{name}' must contain only numbers or only texts. Received: "
        f"{shorten(first)} of type {type(first).__name__}. "
        f"{_way_out(name, ('categorical', 'ignore'))}",
    )


# Errors about a column that could be left out have this key.
INPUTS = "data.ignore"


def _about_date(name, value):
    return InvalidSetting(
        INPUTS,
        f"column '{name}' contains dates, such as {str(value)!r}, which are neither "
        "numbers nor categories. Replace it by numbers, such as the month or the "
        f"number of days. {_way_out(name, ('ignore', 'categorical'))}",
    )


def _way_out(name, keys):
    places = " or ".join(f"data.{key}" for key in keys)
    return f"Or add '{name}' to {places}."


def _raw(name, values, kind):
    """The values of a column as an array of numbers with NaN, or of texts with None."""
    if kind == "category":
        missing = values.isna().to_numpy()
        texts = np.array([label_text(value) for value in values], dtype=object)
        texts[missing] = None
        return texts
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    infinite = np.isinf(numbers) | (np.abs(numbers) > np.finfo("float32").max)
    if infinite.any():
        raise InvalidSetting(
            INPUTS,
            f"column '{name}' must be finite in float32. Received: "
            f"{numbers[infinite][0]} in {_rows_text(infinite)}. Correct it, add the "
            "text to data.missing_values, or add the column to data.ignore.",
        )
    return numbers


def _texts(name, frame):
    """The texts of the column `text`, where a missing one is empty."""
    values = frame[name]
    pairs = zip(values, values.isna(), strict=True)
    texts = np.array(
        ["" if is_missing else text for text, is_missing in pairs], dtype=object
    )
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidSetting(
                "data.text",
                f"must be a column of texts. Received: {shorten(text)} in row "
                f"{row + 1} of column '{name}'. Use 'features' for numbers.",
            )
    return texts


# The targets and the weights.


def _read_targets(key, settings, frames):
    """Return a dict from part to targets, their kind, and the names of the classes."""
    import pandas

    for target in settings.target:
        for part, frame in frames.items():
            missing = frame[target].isna().to_numpy()
            if missing.any():
                where = "" if len(frames) == 1 else f" of the {_PART_NAMES[part]} file"
                raise InvalidSetting(
                    "data.target",
                    f"column '{target}' must have a value in each row. It is missing "
                    f"in {_rows_text(missing)}{where}. Remove or correct these rows.",
                )
    columns = [
        pandas.concat([frame[target] for frame in frames.values()], ignore_index=True)
        for target in settings.target
    ]
    if _task_of(settings, columns) == "classification":
        classes, names = _number_labels(settings.target[0], columns[0])
        return _split_rows(frames, classes), "classes", names
    numbers = [
        _numeric_target(name, values)
        for name, values in zip(settings.target, columns, strict=True)
    ]
    array = np.stack(numbers, axis=-1) if len(numbers) > 1 else numbers[0]
    return _split_rows(frames, array.astype("float32")), "numbers", None


_PART_NAMES = {"train": "training", "val": "validation", "test": "test"}


def _split_rows(frames, array):
    ends = list(itertools.accumulate(len(frame) for frame in frames.values()))
    return dict(zip(frames, np.split(array, ends[:-1]), strict=True))


def _task_of(settings, columns):
    if len(columns) > 1:
        if settings.task == "classification":
            raise InvalidSetting(
                "data.target",
                "must be one column for a classification. Received: "
                f"{listed(settings.target)}. Set data.task=regression, or keep one.",
            )
        return "regression"
    if settings.task is not None:
        return settings.task
    from pandas.api import types

    values = columns[0]
    if types.is_bool_dtype(values) or not types.is_numeric_dtype(values):
        return "classification"
    if types.is_integer_dtype(values) and values.nunique() <= MOST_INTEGER_CLASSES:
        return "classification"
    return "regression"


def _number_labels(target, values):
    """Return the number of the class of each row, and the names of the classes."""
    from pandas.api import types

    is_number = types.is_numeric_dtype(values) and not types.is_bool_dtype(values)
    if is_number and (values.astype("float64") % 1 != 0).any():
        wrong = values[values.astype("float64") % 1 != 0].iloc[0]
        raise InvalidSetting(
            "data.task",
            f"must be regression, because the target '{target}' contains {wrong}, "
            "which is not a whole number.",
        )
    distinct = sorted(values.unique()) if is_number else values.unique()
    names = [label_text(value) for value in distinct]
    if not is_number:
        names = sorted(names)
    numbers = {name: number for number, name in enumerate(names)}
    texts = [label_text(value) for value in values]
    classes = np.array([numbers[text] for text in texts], dtype="int32")
    counts = np.bincount(classes)
    if len(names) == 1:
        raise InvalidSetting(
            "data.target",
            f"column '{target}' must have at least two different values. Received: "
            f"'{names[0]}' in all rows.",
        )
    single = [names[number] for number in np.flatnonzero(counts == 1)]
    if single:
        row = texts.index(single[0]) + 1
        more = "; for numbers, set data.task=regression" if len(single) > 1 else ""
        raise InvalidSetting(
            "data.target",
            f"column '{target}' must have at least two rows of each class. Received: "
            f"one row of {listed(single)} (row {row}). Correct or remove these "
            f"rows{more}.",
        )
    return classes, tuple(names)


def _numeric_target(target, values):
    from pandas.api import types

    if not types.is_numeric_dtype(values) and not types.is_bool_dtype(values):
        if all(type(value).__name__ == "Decimal" for value in values):
            return values.to_numpy(dtype="float64")
        first = next(v for v in values if not _NUMBER.fullmatch(str(v)))
        raise InvalidSetting(
            "data.target",
            f"column '{target}' must contain numbers for a regression. Received: "
            f"{shorten(first)}. Correct it, or set data.task=classification.",
        )
    numbers = values.to_numpy(dtype="float64")
    wrong = ~np.isfinite(numbers.astype("float32"))
    if wrong.any():
        raise InvalidSetting(
            "data.target",
            f"column '{target}' must be finite in float32. Received: "
            f"{numbers[wrong][0]} in {_rows_text(wrong)}. Remove these rows.",
        )
    if (numbers == numbers[0]).all():
        raise InvalidSetting(
            "data.target",
            f"column '{target}' must have at least two different values. Received: "
            f"{numbers[0]:g} in all rows.",
        )
    return numbers


def _read_weights(settings, part, frame, target):
    from pandas.api import types

    name = settings.sample_weight
    values = frame[name]
    if not types.is_numeric_dtype(values):
        raise InvalidSetting(
            "data.sample_weight",
            f"must be a column of numbers. Received: {shorten(_first(values))} in "
            f"column '{name}'.",
        )
    weights = values.to_numpy(dtype="float64", na_value=np.nan)
    return check_weights("data.sample_weight", f"column '{name}'", weights, target)


def _first(values):
    present = values.dropna()
    return present.iloc[0] if len(present) else None


def listed(names, most=MOST_NAMED):
    names = list(names)
    text = ", ".join(f"'{name}'" for name in names[:most])
    rest = len(names) - most
    return f"{text} and {rest} more" if rest > 0 else text


def _rows_text(wrong):
    """The numbers of rows, where the first one below the header is row 1."""
    rows = np.flatnonzero(wrong) + 1
    text = ", ".join(map(str, rows[:MOST_NAMED]))
    rest = len(rows) - MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"row{'s' if len(rows) > 1 else ''} {text}{more} (the first is row 1)"
