"""Data are read from their source, split, made noisy and scaled as requested."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from kdropout.demo.training import noisy_digits
from kdropout.tuning import Job, JobError


def data_of(**settings):
    return Job(data=settings).make_data()


def write_module(tmp_path, text, name="my_data"):
    (tmp_path / f"{name}.py").write_text("import numpy as np\n" + text)
    return name


def test_digits_are_those_of_the_demo_with_the_same_noise():
    data = data_of(
        sklearn="digits", train_size=900, validation_size=400, label_noise=0.3, seed=2
    )
    expected = noisy_digits(2, 0.3)
    for part, tuples in (
        (data.training, expected.training),
        (data.validation, expected.validation),
        (data.test, expected.test),
    ):
        for one, two in zip(part, tuples, strict=True):
            np.testing.assert_array_equal(one, two)
    assert (data.task, data.input_shape, data.num_classes) == (
        "classification",
        (64,),
        10,
    )


def test_seed_assigns_each_sample_to_one_part():
    x, y = load_iris(return_X_y=True)
    rows = {}
    for seed in (0, 1):
        data = data_of(sklearn="iris", standardize=False, seed=seed)
        parts = (data.training, data.validation, data.test)
        assert [len(part[1]) for part in parts] == [90, 30, 30]
        found = np.concatenate(
            [np.column_stack([inputs, labels]) for inputs, labels in parts]
        )
        whole = np.column_stack([x, y]).astype("float32")
        assert sorted(map(tuple, found)) == sorted(map(tuple, whole.astype("float64")))
        rows[seed] = found
    assert (rows[0] != rows[1]).any()


def test_tables_are_standardised_by_their_training_part():
    raw = data_of(sklearn="diabetes", standardize=False, seed=3)
    data = data_of(sklearn="diabetes", seed=3)
    assert data.task == "regression" and data.num_classes is None
    for one, plain in ((data.x_val, raw.x_val), (data.x_test, raw.x_test)):
        expected = (plain - raw.x_train.mean(0)) / raw.x_train.std(0)
        np.testing.assert_allclose(one, expected, atol=1e-4)
    np.testing.assert_allclose(data.x_train.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(data.x_train.std(0), 1.0, atol=1e-5)
    back = data.y_test * data.target_scale + data.target_mean
    np.testing.assert_allclose(back, raw.y_test, rtol=1e-5)
    assert 20 < data.target_scale < 200  # of the targets, which go from 25 to 346
    assert load_diabetes().target.min() == 25.0


def test_constant_column_is_only_shifted(tmp_path):
    x = np.column_stack([np.full(20, 0.1), np.arange(20.0)])
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(20) % 2)
    data = data_of(npz="a.npz", standardize=True)
    assert np.isfinite(data.x_train).all()
    np.testing.assert_allclose(data.x_train[:, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(data.x_train[:, 1].std(), 1.0, rtol=1e-5)
    assert data.y_train.dtype == "int32"  # labels are not scaled


def test_share_of_the_labels_is_replaced_except_in_the_test_set():
    clean = data_of(sklearn="digits", train_size=1000, validation_size=500)
    noisy = data_of(
        sklearn="digits", train_size=1000, validation_size=500, label_noise=0.4
    )
    np.testing.assert_array_equal(clean.y_test, noisy.y_test)
    np.testing.assert_array_equal(clean.x_train, noisy.x_train)
    for one, two, n in (
        (clean.y_train, noisy.y_train, 1000),
        (clean.y_val, noisy.y_val, 500),
    ):
        # Each of 0.4 n replaced labels changes with probability 0.9.
        mean, deviation = 0.36 * n, np.sqrt(0.4 * n * 0.9 * 0.1)
        assert abs((one != two).sum() - mean) < 5 * deviation


def test_npz_may_have_validation_and_test_sets(tmp_path):
    x = np.arange(60.0).reshape(20, 3)
    arrays = {"x_train": x[:12], "y_train": x[:12, 0], "x_val": x[12:16]}
    arrays |= {"y_val": x[12:16, 0], "x_test": x[16:], "y_test": x[16:, 0]}
    np.savez(tmp_path / "own.npz", **arrays)
    data = data_of(npz="own.npz")
    np.testing.assert_array_equal(data.x_train, x[:12])
    np.testing.assert_array_equal(data.y_val, x[12:16, 0])
    np.testing.assert_array_equal(data.x_test, x[16:])
    assert data.task == "regression" and data.description.num_samples == 12
    few = data_of(npz="own.npz", train_size=5, validation_size=0.5)
    assert (len(few.y_train), len(few.y_val), len(few.y_test)) == (5, 2, 4)
    assert set(few.y_train) < set(data.y_train)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_replace_a_download(name, write_images, tmp_path, monkeypatch):
    sets = write_images(name)
    monkeypatch.setenv("KDROPOUT_DATA", str(tmp_path))
    data = data_of(keras=name, validation_size=6)
    assert data.x_train.shape == (24, 28, 28, 1) and data.x_val.shape == (6, 28, 28, 1)
    images, labels = sets["t10k"]
    np.testing.assert_allclose(data.x_test[..., 0], images / 255.0, atol=1e-6)
    np.testing.assert_array_equal(data.y_test, labels)
    both = np.concatenate([data.x_train, data.x_val])[..., 0].sum((1, 2))
    expected = (sets["train"][0] / 255.0).sum((1, 2))
    np.testing.assert_allclose(np.sort(both), np.sort(expected), rtol=1e-4)


def test_keras_downloads_if_no_folder_is_given(monkeypatch):
    images, labels = np.zeros((20, 4, 4, 3), "uint8"), np.arange(20).reshape(20, 1) % 2
    load = lambda: ((images, labels), (images, labels))  # noqa: E731
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load)
    data = data_of(keras="cifar10")
    assert data.input_shape == (4, 4, 3) and data.y_test.shape == (20,)
    assert len(data.y_train) == 16 and len(data.y_val) == 4


def test_splits_of_uci_are_the_standard_ones(write_table):
    table = write_table("wine-quality-red", [0, 1, 3], 2)
    data = data_of(uci="wine", data_dir=".", split=2, standardize=False)
    state = np.random.get_state()
    np.random.seed(1)
    for _ in range(3):
        order = np.random.choice(range(50), 50, replace=False)
    np.random.set_state(state)
    # 90 % are 45 rows; the last fifth of these is for validation.
    for (x, y), rows in (
        (data.training, order[:36]),
        (data.validation, order[36:45]),
        (data.test, order[45:]),
    ):
        np.testing.assert_allclose(x, table[rows][:, [0, 1, 3]], rtol=1e-5)
        np.testing.assert_allclose(y, table[rows][:, 2], rtol=1e-5)


def test_text_becomes_characters_and_their_successors(tmp_path):
    text = "abcdefghij" * 30
    (tmp_path / "t.txt").write_text(text)
    data = data_of(text="t.txt", sequence_length=9)
    assert data.x_train.shape == (24, 9) and data.x_val.shape == (3, 9)
    np.testing.assert_array_equal(data.x_train[0], np.arange(9))
    np.testing.assert_array_equal(data.y_train[0], np.arange(1, 10))
    description = data.description
    assert (description.num_tokens, description.num_classes) == (10, 10)
    assert description.target_shape == (9,)
    assert len(data_of(text="t.txt", sequence_length=9, train_size=5).x_train) == 5
    folder = tmp_path / "text" / "tinyshakespeare"
    folder.mkdir(parents=True)
    (folder / "input.txt").write_text(text)
    named = data_of(text="tinyshakespeare", data_dir=".", sequence_length=9)
    np.testing.assert_array_equal(named.x_val, data.x_val)


def test_function_may_return_arrays_to_split_or_several_inputs(tmp_path):
    module = write_module(
        tmp_path,
        "def load(n):\n"
        "    x = {'a': np.arange(n * 2.0).reshape(n, 2), 'b': np.ones((n, 3, 1))}\n"
        "    return (x, np.arange(n) % 3), None\n",
        "my_inputs",
    )
    data = data_of(function=f"{module}:load", arguments={"n": 20})
    assert data.x_train["a"].shape == (12, 2) and data.x_val["b"].shape == (4, 3, 1)
    assert data.input_shape == {"a": (2,), "b": (3, 1)} and data.num_classes == 3


def test_function_may_return_datasets(tmp_path):
    module = write_module(
        tmp_path,
        "import keras\n"
        "class Batches(keras.utils.PyDataset):\n"
        "    def __len__(self):\n"
        "        return 3\n"
        "    def __getitem__(self, index):\n"
        "        return np.ones((4, 5), 'float32'), np.ones((4, 1), 'float32')\n"
        "def load():\n"
        "    return Batches(), Batches()\n",
        "my_batches",
    )
    data = data_of(function=f"{module}:load")
    assert data.is_dataset and len(data.training) == 3
    assert data.input_shape == (5,) and data.task == "regression"
    assert data.description.num_samples is None and data.test is None


def test_byte_images_and_flags_become_floats_and_integers_stay(tmp_path):
    for dtype, expected in (
        ("uint8", "float32"),
        ("bool", "float32"),
        ("int64", "int32"),
    ):
        x = np.ones((10, 2), dtype)
        np.savez(tmp_path / "t.npz", x_train=x, y_train=np.arange(10) % 2)
        assert data_of(npz="t.npz").description.input_dtype == expected


def test_dataset_may_begin_with_a_batch_of_one_class(tmp_path):
    module = write_module(
        tmp_path,
        "def load():\n"
        "    batches = [(np.ones((4, 5)), np.full(4, label)) for label in (0, 1)]\n"
        "    return batches + batches, (np.ones((4, 5)), np.zeros(4, int))\n",
        "my_sorted_batches",
    )
    data = data_of(function=f"{module}:load")
    assert data.task == "classification" and data.num_classes is None
    assert data.is_dataset and data.validation[0].shape == (4, 5)


CLASSES = np.arange(60) % 3
ONE_HOT = np.eye(3)[CLASSES]
FLAGS = np.random.default_rng(1).integers(0, 2, (60, 3))

# Labels by name, with the inferred task, kind, number of classes, and loss.
CROSS, SPARSE = "categorical_crossentropy", "sparse_categorical_crossentropy"
LABELS = {
    "integers": (CLASSES, "classes", 3, SPARSE),
    "a column of integers": (CLASSES[:, None], "classes", 3, SPARSE),
    "booleans": (CLASSES > 0, "classes", 2, SPARSE),
    "texts": (np.array(["b", "a", "c"])[CLASSES], "classes", 3, SPARSE),
    "bytes": (np.array([b"b", b"a", b"c"])[CLASSES], "classes", 3, SPARSE),
    "0.0 and 1.0": ((CLASSES > 0) * 1.0, "classes", 2, SPARSE),
    "a column of 0.0 and 1.0": ((CLASSES > 0)[:, None] * 1.0, "classes", 2, SPARSE),
    "one-hot integers": (ONE_HOT.astype(int), "one-hot", 3, CROSS),
    "one-hot bytes": (ONE_HOT.astype("uint8"), "one-hot", 3, CROSS),
    "one-hot floats": (ONE_HOT, "one-hot", 3, CROSS),
    "one-hot booleans": (ONE_HOT > 0, "one-hot", 3, CROSS),
    "smoothed": (0.9 * ONE_HOT + 0.1 / 3, "probabilities", 3, CROSS),
    "flags": (FLAGS, "flags", 3, "binary_crossentropy"),
    "flags as floats": (FLAGS * 1.0, "flags", 3, "binary_crossentropy"),
    "numbers": (CLASSES + 0.5, "numbers", None, "mean_squared_error"),
    "whole numbers": (CLASSES * 1.0, "numbers", None, "mean_squared_error"),
    "rows of numbers": (ONE_HOT * 2, "numbers", None, "mean_squared_error"),
}


def write_labels(y, name="labels.npz"):
    x = np.random.default_rng(0).normal(size=(60, 4))
    np.savez(name, x_train=x, y_train=y)
    return name


@pytest.mark.parametrize("name", LABELS)
def test_kind_of_labels_is_inferred_as_keras_users_expect(name):
    y, labels, num_classes, loss = LABELS[name]
    model = {"architecture": "mlp", "units": [4]}
    checked = Job(model=model, data={"npz": write_labels(y)}).check()
    description = checked.data.description
    assert (description.labels, description.num_classes) == (labels, num_classes)
    task = "regression" if labels == "numbers" else "classification"
    assert checked.data.task == task and checked.model.loss == loss
    assert checked.task.startswith(f"{task} of ")
    assert f"loss {loss}" in checked.task
    assert num_classes is None or f"of {num_classes} " in checked.task


@pytest.mark.parametrize("name", ["one-hot floats", "0.0 and 1.0", "integers"])
def test_job_may_declare_a_regression(name):
    y = LABELS[name][0]
    data = data_of(npz=write_labels(y), task="regression")
    assert (data.task, data.num_classes) == ("regression", None)


def test_texts_are_classes_in_alphabetical_order():
    data = data_of(npz=write_labels(LABELS["texts"][0]))
    assert data.description.class_names == ("a", "b", "c")
    every = np.concatenate([data.y_train, data.y_val, data.y_test])
    # "b", "a" and "c", for twenty samples each.
    np.testing.assert_array_equal(np.bincount(every), [20, 20, 20])
    x = np.load("labels.npz")["x_train"].astype("float32")
    first = int(np.flatnonzero((x == data.x_train[0]).all(-1))[0])
    assert data.y_train[0] == [1, 0, 2][first % 3]


def test_whole_floats_are_classes_if_the_job_declares_it():
    data = data_of(npz=write_labels(CLASSES * 1.0), task="classification")
    assert (data.description.labels, data.num_classes) == ("classes", 3)
    with pytest.raises(JobError, match="y_train must contain classes.*task=regression"):
        data_of(npz=write_labels(CLASSES + 0.5), task="classification")
    with pytest.raises(JobError, match="data.task: must be classification.*texts"):
        data_of(npz=write_labels(LABELS["texts"][0]), task="regression")


def test_missing_classes_are_reported():
    checked = Job(
        model={"architecture": "mlp", "units": [4]},
        data={"npz": write_labels(1990 + CLASSES)},
    ).check()
    assert "of 1993 classes, of which the training data have 3" in checked.task


def test_noise_replaces_one_hot_rows_by_one_hot_rows():
    name = write_labels(ONE_HOT.astype("float32"))
    noisy = data_of(npz=name, label_noise=1.0, train_size=50, validation_size=5)
    numbered = data_of(
        npz=write_labels(CLASSES), label_noise=1.0, train_size=50, validation_size=5
    )
    np.testing.assert_array_equal(noisy.y_train.argmax(-1), numbered.y_train)
    np.testing.assert_array_equal(noisy.y_train.sum(-1), 1.0)
    with pytest.raises(JobError, match="label_noise: needs labels that are integers"):
        data_of(npz=write_labels(FLAGS), label_noise=0.5)


@pytest.mark.parametrize("name", ["one-hot floats", "smoothed", "flags", "0.0 and 1.0"])
def test_labels_of_batches_are_inferred_if_a_batch_shows_their_kind(name, tmp_path):
    np.save("y.npy", LABELS[name][0])
    module = write_module(
        tmp_path,
        "def load():\n"
        "    y = np.load('y.npy')\n"
        "    return [(np.ones((60, 4)), y)], [(np.ones((60, 4)), y)]\n",
        "batches_" + name.replace(" ", "_").replace("-", "_").replace(".", "_"),
    )
    description = data_of(function=f"{module}:load").description
    # A batch of 0.0 and 1.0 may be chance, for example if the target is a count.
    expected = "numbers" if name == "0.0 and 1.0" else LABELS[name][1]
    assert description.labels == expected


def test_texts_may_be_inputs(tmp_path):
    module = write_module(
        tmp_path,
        "def load():\n"
        "    x = {'text': np.array(['a', 'b'] * 10), 'n': np.ones((20, 2))}\n"
        "    return (x, np.arange(20) % 2), None\n",
        "data_of_texts",
    )
    data = data_of(function=f"{module}:load", standardize=True)
    assert data.description.input_dtype == {"text": "string", "n": "float32"}
    assert set(data.x_train["text"]) == {"a", "b"}
