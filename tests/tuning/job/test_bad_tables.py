"""Tables that cannot be used are refused, with the column, the row and the way out."""

import dataclasses
import sys

import numpy as np
import pytest

from kdropout.tuning import JobError
from kdropout.tuning.job import features, tables
from tests.tools import name_of

pytestmark = pytest.mark.on_one_backend

HEADER = "size,color,price,label"
ROWS = [
    f"{row * 0.5},{'red' if row % 3 else 'blue'},{20 - row},{'ab'[row % 2]}"
    for row in range(20)
]


def table(header=HEADER, rows=ROWS):
    return "\n".join([header, *rows]) + "\n"


def with_column(name, values):
    """The table with one more column, whose values repeat."""
    rows = [f"{row},{values[number % len(values)]}" for number, row in enumerate(ROWS)]
    return table(f"{HEADER},{name}", rows)


def with_cell(row, column, value):
    """The table with another value in one place, where rows begin with 1."""
    rows = [line.split(",") for line in ROWS]
    rows[row - 1][HEADER.split(",").index(column)] = value
    return table(rows=[",".join(cells) for cells in rows])


@dataclasses.dataclass(frozen=True)
class BadTable:
    """The text of t.csv, more keys of `data`, and parts of the message."""

    name: str
    says: list
    text: str | bytes = table()
    keys: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    csv: str = "t.csv"
    target: str = "label"


CASES = [
    # The file
    BadTable("no file", ["There is no file at 'table.csv'"], csv="table.csv"),
    BadTable("similar file", ["Did you mean 't.csv'?"], csv="tt.csv"),
    BadTable(
        "a folder",
        [
            "data.csv: must be the path of a file. Received: 'folder', a folder",
            "train:",
        ],
        csv="folder",
    ),
    BadTable("empty file", ["must have a line with the names", "is empty"], text=""),
    BadTable("no rows", ["must have rows", "'size', 'color'"], text=f"{HEADER}\n"),
    BadTable(
        "no header",
        ["must begin with a line of column names", "'0.0', 'red', '20', '3'"],
        text=table("0.0,red,20,3"),
    ),
    BadTable(
        "column without a name",
        ["Column 3 of 't.csv' has none"],
        text=table("size,color,,label"),
    ),
    BadTable(
        "duplicate columns",
        ["must have different names", "several columns 'size'", "Rename or remove"],
        text=table("size,color,size,label"),
    ),
    BadTable(
        "wrong separator",
        ["data.separator: must be the character", "only one column", "separator=';'"],
        text=table().replace(",", ";"),
    ),
    BadTable(
        "rows longer than the header",
        ["same number of columns in each line", "line 4", "data.separator"],
        text=table(rows=[*ROWS[:2], "1,red,3,a,5", *ROWS[2:]]),
    ),
    BadTable(
        "all rows longer than the header",
        ["same number of columns in each line"],
        text=table(rows=[f"{row},9" for row in ROWS]),
    ),
    BadTable(
        "another encoding",
        ["must be text in UTF-8", "at byte", "CSV UTF-8"],
        text="größe,label\n1,a\n".encode("latin-1"),
    ),
    BadTable(
        "no text",
        ["t.csv"],
        text=b"PK\x03\x04\x00\x00\xff\xfe" * 30,
    ),
    # The names of columns
    BadTable(
        "unknown target",
        [
            "data.target: must be the name of a column. Received: 'lable'. Did you "
            "mean 'label'?",
            "'size', 'color', 'price', 'label'",
        ],
        target="lable",
    ),
    BadTable(
        "unknown text column",
        ["data.text: must be the name of a column. Received: 'colour'. Did you mean"],
        keys="text: colour",
    ),
    BadTable(
        "unknown weights",
        ["data.sample_weight: must be the name of a column. Received: 'weight'"],
        keys="sample_weight: weight",
    ),
    BadTable(
        "glob that matches nothing",
        ["data.ignore.1: must match a column. Received: 'x*'", "The columns are"],
        keys="ignore: [size, 'x*']",
    ),
    BadTable(
        "target among the features",
        ["data.features.1: must not contain the column of 'target'", "'label'. Remove"],
        keys="features: [size, label]",
    ),
    BadTable(
        "target ignored",
        ["data.ignore.0: must not contain the column of 'target'"],
        keys="ignore: label",
    ),
    BadTable(
        "target as weights",
        ["data.sample_weight: must be another column than the target"],
        keys="sample_weight: label",
    ),
    BadTable(
        "target as text",
        ["data.text: must be another column than target. Received: 'label'"],
        keys="text: label",
    ),
    BadTable(
        "nothing left",
        ["must leave at least one column", "'size', 'color', 'price', 'label'"],
        keys="ignore: '*'",
    ),
    BadTable(
        "categories that are ignored",
        ["data.categorical: must name columns that are used. Received: 'size'"],
        keys="categorical: size\nignore: size",
    ),
    BadTable(
        "features next to a text",
        ["data.features: must not be given with 'text'", "'color'"],
        keys="text: color\nfeatures: size",
    ),
    BadTable(
        "text of numbers",
        ["data.text: must be a column of texts. Received: 0.0 in row 1", "'size'"],
        keys="text: size",
    ),
    # The target
    BadTable(
        "target missing in rows",
        ["data.target: column 'label' must have a value", "rows 3, 7 (", "Remove or"],
        text=table(
            rows=[
                row[:-1] if number in (3, 7) else row
                for number, row in enumerate(ROWS, 1)
            ]
        ),
    ),
    BadTable(
        "target of one value",
        ["'label' must have at least two different values. Received: 'a' in all rows"],
        text=table(rows=[f"{row[:-1]}a" for row in ROWS]),
    ),
    BadTable(
        "number of one value",
        ["'price' must have at least two different values. Received: 7 in all rows"],
        text=with_column("fixed", ["7"])
        .replace("price", "old")
        .replace("fixed", "price"),
        target="price",
        keys="task: regression",
    ),
    BadTable(
        "class with one row",
        ["at least two rows of each class", "one row of 'A' (row 5)", "Correct or"],
        text=with_cell(5, "label", "A"),
    ),
    BadTable(
        "regression of texts",
        ["'label' must contain numbers for a regression. Received: 'a'"],
        keys="task: regression",
    ),
    BadTable(
        "classes of fractions",
        ["data.task: must be regression", "'size' contains 0.5"],
        target="size",
        keys="task: classification",
    ),
    BadTable(
        "several classes",
        ["data.target: must be one column for a classification", "'label', 'color'"],
        target="[label, color]",
        keys="task: classification",
    ),
    # The values
    BadTable(
        "date column",
        ["column 'day' contains dates, such as '2026-01-31'", "data.ignore or"],
        text=with_column("day", ["2026-01-31", "2026-02-01 10:00"]),
    ),
    BadTable(
        "dates in other forms",
        ["column 'day' contains dates, such as '31.1.2026'"],
        text=with_column("day", ["31.1.2026", "1/2/26"]),
    ),
    BadTable(
        "numbers with a text among them",
        [
            "'price' must contain only numbers or only texts. Received: 'n/k' in row 6",
            "next to 19 numbers",
            "data.missing_values",
            "data.categorical",
        ],
        text=with_cell(6, "price", "n/k"),
    ),
    BadTable(
        "decimal commas",
        ["data.decimal: must be ','", "'1,5' in column 'ratio'"],
        text=with_column("ratio", ['"1,5"', "2"]),
    ),
    BadTable(
        "infinite numbers",
        ["'price' must be finite in float32", "in row 4"],
        text=with_cell(4, "price", "inf"),
    ),
    BadTable(
        "an identifier",
        [
            "column 'key' has another value in each of the 12 training rows, such as",
            "is an identifier",
            "Add 'key' to data.ignore",
        ],
        text=with_column("key", [f"k{number}" for number in range(20)]),
    ),
    BadTable(
        "numbers as an identifier",
        ["column 'price' has another value in each of the 12 training rows"],
        keys="categorical: price",
    ),
    BadTable(
        "only empty columns",
        ["must have a column with values", "'size', 'color'"],
        text=table("size,color,label", [f",,{'ab'[row % 2]}" for row in range(20)]),
    ),
    BadTable(
        "only constant columns",
        ["must have an input with at least two values", "'size', 'color'"],
        text=table("size,color,label", [f"3,red,{'ab'[row % 2]}" for row in range(20)]),
    ),
    # The weights
    BadTable(
        "negative weights",
        [
            "data.sample_weight: column 'w' must contain finite numbers of at least 0",
            "-1 in row 2, 4, 6, 8, 10 and 5 more",
        ],
        text=with_column("w", ["1", "-1"]),
        keys="sample_weight: w",
    ),
    BadTable(
        "missing weights",
        ["column 'w' must contain finite numbers", "nan in row 2"],
        text=with_column("w", ["1", ""]),
        keys="sample_weight: w",
    ),
    BadTable(
        "weights of zero",
        ["data.sample_weight: the sample weights must contain a number above 0"],
        text=with_column("w", ["0"]),
        keys="sample_weight: w",
    ),
    BadTable(
        "weights of texts",
        ["data.sample_weight: must be a column of numbers. Received: 'blue'"],
        keys="sample_weight: color",
    ),
    # Several files
    BadTable(
        "other columns in another file",
        [
            "the files of all parts must have the columns",
            "'v.csv' has no column 'price'",
            "Did you mean 'prices'?",
        ],
        csv="{train: t.csv, validation: v.csv}",
        files={"v.csv": table("size,color,prices,label")},
    ),
    BadTable(
        "another type in another file",
        ["column 'price' must have values of one type in all files", "'cheap'"],
        csv="{train: t.csv, test: v.csv}",
        files={"v.csv": table(rows=["1,red,cheap,a", "2,blue,cheap,b"])},
    ),
    BadTable(
        "missing target in another file",
        ["'label' must have a value in each row. It is missing in row 2", "test file"],
        csv="{train: t.csv, test: v.csv}",
        files={"v.csv": table(rows=["1,red,3,a", "2,red,3,"])},
    ),
    BadTable(
        "no training file",
        ["data.csv.train: is required"],
        csv="{validation: t.csv}",
    ),
    BadTable(
        "unknown part",
        ["data.csv.val: is not a known key", "train, validation, test"],
        csv="{train: t.csv, val: t.csv}",
    ),
    # Other keys
    BadTable("path of numbers", ["data.csv: must be a path, or a mapping"], csv="3"),
    BadTable(
        "features as a number",
        ["data.features: must be a name, or a list of names. Received: 3"],
        keys="features: 3",
    ),
    BadTable(
        "features with a number",
        ["data.features.1: must be a text. Received: 3"],
        keys="features: [size, 3]",
    ),
    BadTable(
        "long separator",
        ["data.separator: must have a length of at most 1. Received: ';;'"],
        keys='separator: ";;"',
    ),
]


def job_text(case):
    keys = [f"csv: {case.csv}", f"target: {case.target}", *case.keys.splitlines()]
    return "\n  ".join(["data:", *keys])


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_error_names_the_place_and_the_way_out(case, tmp_path, job_of):
    (tmp_path / "folder").mkdir()
    content = case.text if isinstance(case.text, bytes) else case.text.encode()
    (tmp_path / "t.csv").write_bytes(content)
    for name, text in case.files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(JobError) as raised:
        job_of(job_text(case)).make_data()
    message = str(raised.value)
    assert "job.yaml cannot be used:\n  line " in message
    assert all(part in message for part in case.says), message


def test_too_many_features_are_refused_before_they_take_memory(
    tmp_path, job_of, monkeypatch
):
    (tmp_path / "t.csv").write_text(
        with_column("key", [f"k{number % 9}" for number in range(20)])
    )
    monkeypatch.setattr(features, "MOST_FEATURES", 10)
    text = "data: {csv: t.csv, target: label}"
    with pytest.raises(JobError, match="at most 10 features.*'key' .*data.ignore"):
        job_of(text).make_data()
    monkeypatch.setattr(features, "MOST_FEATURES", 1000)
    monkeypatch.setattr(features, "MOST_BYTES", 100)
    with pytest.raises(JobError, match="features and 4 GiB as float32"):
        job_of(text).make_data()


@pytest.mark.parametrize("package", ["pandas", "sklearn"])
def test_missing_package_is_named(package, tmp_path, job_of, monkeypatch):
    (tmp_path / "t.csv").write_text(table())
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    name = {"sklearn": "scikit-learn"}.get(package, package)
    with pytest.raises(JobError, match=f"data.csv: needs {name}. Run: pip install"):
        job_of("data: {csv: t.csv, target: label}").make_data()


def test_parquet_needs_pyarrow(tmp_path, job_of, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(tables, "is_installed", lambda name: name != "pyarrow")
    with pytest.raises(JobError, match="needs pyarrow. Run: pip install.*'parquet'"):
        job_of("data: {parquet: t.parquet, target: y}").make_data()


def test_damaged_parquet_is_refused(tmp_path, job_of):
    pytest.importorskip("pyarrow")
    for content in (b"", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1"):
        (tmp_path / "t.parquet").write_bytes(content)
        with pytest.raises(
            JobError, match="data.parquet: must be a Parquet file. 't.p"
        ):
            job_of("data: {parquet: t.parquet, target: y}").make_data()


def test_parquet_of_other_types_is_refused(tmp_path, job_of):
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    labels = np.array(["a", "b"] * 10)
    for values, says in (
        (pandas.date_range("2026-01-01", periods=20), "contains dates, such as '2026"),
        (pandas.to_timedelta(np.arange(20), "s"), "contains dates, such as '0 days"),
        ([[1, 2]] * 20, "only numbers or only texts. Received: array"),
    ):
        frame = pandas.DataFrame({"value": values, "label": labels})
        frame.to_parquet("t.parquet")
        with pytest.raises(JobError, match=f"column 'value' .*{says}"):
            job_of("data: {parquet: t.parquet, target: label}").make_data()
