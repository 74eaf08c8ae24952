"""A table becomes features by one rule, with statistics of its training rows."""

import pathlib
import pickle

import keras
import numpy as np
import pytest

from kdropout.tuning import Job
from kdropout.tuning.job.schema import MOST_INTEGER_CLASSES

pandas = pytest.importorskip("pandas")

pytestmark = pytest.mark.on_one_backend

NUM_ROWS = 60


def make_frame(seed=0):
    """A table with missing values in each column of features."""
    random = np.random.default_rng(seed)
    frame = pandas.DataFrame(
        {
            "age": random.integers(20, 60, NUM_ROWS).astype(float),
            "city": random.choice(["Bonn", "Kiel", "Ulm"], NUM_ROWS),
            "code": random.integers(1, 4, NUM_ROWS),
            "member": random.random(NUM_ROWS) < 0.5,
            "weight": random.integers(1, 5, NUM_ROWS),
            "height": random.normal(170.0, 9.0, NUM_ROWS),
            "buys": random.choice(["no", "yes"], NUM_ROWS),
        }
    )
    frame.loc[random.choice(NUM_ROWS, 15, replace=False), "age"] = np.nan
    frame.loc[random.choice(NUM_ROWS, 15, replace=False), "city"] = None
    return frame


def write(frame, name="t.csv", **options):
    frame.to_csv(name, index=False, **options)
    return name


def data_of(training=None, **settings):
    settings = {"csv": "t.csv", "target": "buys", **settings}
    return Job(data=settings, training=training or {}).make_data()


def kinds_of(data):
    return {column.name: column.kind for column in data.table.columns}


def split_rows(num_rows, seed=0):
    """The numbers of the rows of each part, as for other data of one array."""
    order = np.random.default_rng(seed).permutation(num_rows)
    return np.split(order, (round(0.6 * num_rows), round(0.8 * num_rows)))


def test_numbers_and_categories_become_features_of_the_training_rows():
    frame = make_frame()
    write(frame)
    data = data_of(ignore=["code", "member", "weight", "height"])
    assert data.table.columns[0].name == "age" and data.table.columns[1].name == "city"
    parts = [data.x_train, data.x_val, data.x_test]
    train = frame.iloc[split_rows(NUM_ROWS)[0]]
    cities = [*sorted(train["city"].dropna().unique()), None]
    for rows, x in zip(split_rows(NUM_ROWS), parts, strict=True):
        part = frame.iloc[rows]
        age = part["age"].fillna(train["age"].mean())
        age = (age - train["age"].fillna(train["age"].mean()).mean()) / train[
            "age"
        ].fillna(train["age"].mean()).std(ddof=0)
        city = part["city"].astype(object).where(part["city"].notna(), None)
        expected = [age, part["age"].isna()]
        expected += [[value == known for value in city] for known in cities]
        np.testing.assert_allclose(x, np.stack(expected, axis=1), atol=1e-6)
        assert x.dtype == "float32"
    expected = (frame["buys"] == "yes").to_numpy()
    np.testing.assert_array_equal(data.y_val, expected[split_rows(NUM_ROWS)[1]])
    assert data.description.class_names == ("no", "yes")
    assert data.description.input_shape == (6,)


def test_other_rows_do_not_change_the_features():
    frame = make_frame()
    write(frame)
    before = data_of()
    rows = np.concatenate(split_rows(NUM_ROWS)[1:])
    frame.loc[rows, "age"] = 1e6
    frame.loc[rows, "city"] = "Rome"
    write(frame)
    after = data_of()
    np.testing.assert_array_equal(before.x_train, after.x_train)
    cities = slice(5, 9)  # after four numbers and the mark of a missing age
    assert (after.x_val != before.x_val).any()
    assert "Rome" not in str(after.description)
    np.testing.assert_array_equal(after.x_test[:, cities].sum(1), 0.0)


def test_missing_values_follow_one_rule():
    frame = make_frame()[["age", "city", "height", "buys"]]
    train, validation = frame[:40].copy(), frame[40:].copy()
    train["height"] = train["height"].fillna(160.0)
    train["city"] = train["city"].fillna("Ulm")
    validation.loc[validation.index[:3], "height"] = np.nan
    validation.loc[validation.index[:4], "city"] = None
    write(train, "a.csv")
    write(validation, "b.csv")
    data = data_of(csv={"train": "a.csv", "validation": "b.csv"})
    notes = {column.name: column.note for column in data.table.columns}
    assert data.x_train.shape == (40, 6)  # age and its mark, height, three cities
    # No mark and no category, because the training rows have none.
    np.testing.assert_allclose(data.x_val[:3, 1], 0.0, atol=1e-6)
    np.testing.assert_array_equal(data.x_val[:4, 3:], 0.0)
    assert "replaced by the mean" in notes["age"] and "marked" in notes["age"]
    assert "3 missing: replaced by the mean" in notes["height"]
    assert "marked" not in notes["height"]
    assert "all features are 0" in notes["city"]
    assert data.test is None


def test_kind_of_a_column_is_that_of_its_values():
    write(make_frame())
    numbers = dict.fromkeys(["age", "code", "weight", "height"], "number")
    categories = dict.fromkeys(["city", "member"], "category")
    assert kinds_of(data_of()) == {**numbers, **categories}
    kinds = kinds_of(data_of(categorical="co*"))
    assert kinds == {**numbers, **categories, "code": "category"}


def test_columns_are_chosen_by_name_and_glob():
    write(make_frame())
    chosen = data_of(features=["c*", "height"], ignore="code")
    assert list(kinds_of(chosen)) == ["city", "height"]
    reasons = {column.name: column.note for column in chosen.table.unused}
    assert reasons["code"] == "in 'ignore'" and reasons["age"] == "not in 'features'"
    everything = data_of(features="*", sample_weight="weight")
    assert "buys" not in kinds_of(everything) and "weight" not in kinds_of(everything)
    np.testing.assert_array_equal(
        everything.w_train, make_frame()["weight"].iloc[split_rows(NUM_ROWS)[0]]
    )


def test_constant_and_empty_columns_are_not_used():
    frame = make_frame()
    frame["same"], frame["word"], frame["empty"] = 3, "a", np.nan
    write(frame)
    data = data_of()
    notes = {c.name: c.note for c in data.table.columns if c.kind == "not used"}
    assert notes == {
        "same": "only the value 3.0",
        "word": "only the value 'a'",
        "empty": "no value in the training rows",
    }
    without = data_of(ignore=["same", "word", "empty"])
    np.testing.assert_array_equal(data.x_train, without.x_train)


def test_row_number_is_used_but_named():
    frame = make_frame()
    frame["number"] = np.arange(NUM_ROWS)
    write(frame)
    (column,) = [c for c in data_of().table.columns if c.name == "number"]
    assert column.kind == "number" and "if it is an id, ignore it" in column.note


def test_index_that_pandas_writes_is_left_out():
    frame = make_frame()
    write(frame)
    without = data_of()
    frame.to_csv("t.csv")
    np.testing.assert_array_equal(data_of().x_train, without.x_train)


def test_files_of_other_countries_are_read():
    frame = make_frame()
    write(frame)
    expected = data_of()
    write(frame, sep=";", decimal=",", encoding="utf-8-sig")
    data = data_of(separator=";", decimal=",")
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    text = frame.to_csv(index=False, na_rep="?").replace(",", " ,")
    pathlib.Path("t.csv").write_text(text.replace(" ,", ", "))
    data = data_of(missing_values="?")
    np.testing.assert_array_equal(data.x_train, expected.x_train)


@pytest.mark.parametrize(
    "values, labels, names",
    [
        (["b", "a"], "classes", ("a", "b")),
        ([True, False], "classes", ("False", "True")),
        ([3, 8, 10], "classes", ("3", "8", "10")),  # as in a table of grades
        (range(MOST_INTEGER_CLASSES), "classes", None),
        (range(MOST_INTEGER_CLASSES + 1), "numbers", None),
        ([1.0, 2.5], "numbers", None),
    ],
)
def test_task_is_that_of_the_target(values, labels, names):
    values = list(values)
    frame = pandas.DataFrame({"x": np.arange(84.0) % 11})
    frame["buys"] = [values[row % len(values)] for row in range(84)]
    write(frame)
    description = data_of().description
    assert description.labels == labels
    if names is not None:
        assert description.class_names == names
        assert description.num_classes == len(names)
    if labels == "classes" and isinstance(values[0], int):
        assert data_of(task="regression").task == "regression"


def test_targets_of_a_regression_are_scaled_and_may_be_several():
    frame = make_frame()
    write(frame)
    data = data_of(target=["height", "weight"], ignore="buys")
    raw = frame[["height", "weight"]].to_numpy()
    assert data.task == "regression" and data.y_train.shape == (36, 2)
    back = data.y_test * data.target_scale + data.target_mean
    np.testing.assert_allclose(back, raw[split_rows(NUM_ROWS)[2]], rtol=1e-5)
    np.testing.assert_allclose(data.y_train.std(0), 1.0, rtol=1e-5)
    plain = data_of(target="height", standardize=False, features="weight")
    np.testing.assert_allclose(plain.y_val, raw[split_rows(NUM_ROWS)[1], 0], rtol=1e-6)
    assert set(np.unique(plain.x_train)) == {1.0, 2.0, 3.0, 4.0}


def test_files_of_all_parts_are_not_split():
    frame = make_frame()
    for name, rows in (("a", slice(30)), ("b", slice(30, 45)), ("c", slice(45, 60))):
        write(frame[rows], f"{name}.csv")
    files = {"train": "a.csv", "validation": "b.csv", "test": "c.csv"}
    data = data_of(csv=files)
    sizes = [len(y) for y in (data.y_train, data.y_val, data.y_test)]
    assert sizes == [30, 15, 15]
    expected = (frame["buys"] == "yes").to_numpy()
    np.testing.assert_array_equal(data.y_train, expected[:30])
    np.testing.assert_array_equal(data.y_test, expected[45:])
    split = data_of(csv={"train": "a.csv", "test": "c.csv"})
    assert [len(split.y_train), len(split.y_val), len(split.y_test)] == [24, 6, 15]


def test_noise_and_seed_act_as_for_other_data():
    write(make_frame())
    clean, noisy = data_of(), data_of(label_noise=0.5)
    assert (clean.y_train != noisy.y_train).any()
    np.testing.assert_array_equal(clean.y_test, noisy.y_test)
    assert (data_of(seed=1).y_train != clean.y_train).any()
    assert data_of(seed=1).digests != clean.digests


def test_parquet_has_the_features_of_csv():
    pytest.importorskip("pyarrow")
    # Before version 3.1, pandas rounds numbers of many digits when it reads a CSV.
    frame = make_frame().round(3)
    frame["city"] = frame["city"].astype("category")
    write(frame)
    expected = data_of()
    frame.to_parquet("t.parquet")
    data = Job(data={"parquet": "t.parquet", "target": "buys"}).make_data()
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(data.y_test, expected.y_test)
    assert data.digests == expected.digests
    files = {"train": "t.parquet", "validation": "t.parquet"}
    both = Job(data={"parquet": files, "target": "buys"}).make_data()
    np.testing.assert_array_equal(both.x_val, both.x_train)


def test_text_column_reaches_the_model_unchanged():
    texts = [f"word{row % 5} and, more" for row in range(29)]
    frame = pandas.DataFrame({"review": [*texts, None], "buys": ["a", "b"] * 15})
    write(frame)
    data = data_of(text="review")
    assert data.x_train.dtype == object and data.x_train.shape == (18,)
    both = np.concatenate([data.x_train, data.x_val, data.x_test])
    assert sorted(both) == sorted([*texts, ""])
    assert data.description.input_dtype == "string"
    assert data.description.texts is data.x_train
    (column,) = data.table.columns
    assert (column.kind, column.note) == ("text", "1 empty or missing: an empty text")


def test_training_texts_survive_pickling():
    frame = pandas.DataFrame({"review": ["a b", "c"] * 15, "buys": ["a", "b"] * 15})
    write(frame)
    settings = {"csv": "t.csv", "target": "buys", "text": "review"}
    job = Job(data=settings, model={"build": "my_texts:build"})
    data = job.make_data()
    again = pickle.loads(pickle.dumps(job.make_hypermodel(data)))
    assert list(again.description.texts) == list(data.x_train)
    assert again.description == data.description
    assert "c" not in repr(data.description).split("class_names")[0].split("'")


def test_other_inputs_have_no_texts():
    write(make_frame())
    assert data_of().description.texts is None


def test_tables_have_one_array_for_a_network():
    write(make_frame())
    job = Job(data={"csv": "t.csv", "target": "buys"})
    model = job.check().model
    assert model.input_shape == (None, data_of().x_train.shape[1])
    assert keras.backend.standardize_dtype(model.input.dtype) == "float32"
