"""Data that cannot be trained on are refused before any training."""

import dataclasses
import gzip

import keras
import numpy as np
import pytest

from kdropout.tuning import JobError
from tests.tools import name_of

X, Y = np.ones((10, 2)), np.arange(10) % 2
WITH_NAN = np.where(np.arange(20).reshape(10, 2) == 7, np.nan, 1.0)


@dataclasses.dataclass(frozen=True)
class BadArrays:
    """Arrays that replace the good ones in an npz file, and parts of the message."""

    name: str
    arrays: dict
    says: list


ARRAYS = [
    BadArrays(
        "NaN",
        {"x_train": WITH_NAN},
        [
            "x_train must be finite",
            "1 NaN or infinite values of",
            "20, the first at [3, 1]",
            "Remove these samples",
        ],
    ),
    BadArrays(
        "infinite targets", {"y_train": np.full(10, np.inf)}, ["y_train must be finite"]
    ),
    BadArrays(
        "beyond float32", {"x_train": X * 1e300}, ["x_train must be finite in float32"]
    ),
    BadArrays(
        "another length",
        {"y_train": Y[:9]},
        [
            "x_train and y_train must have the same number of samples",
            "shapes (10, 2) and (9,)",
        ],
    ),
    BadArrays(
        "no samples",
        {"x_train": X[:0], "y_train": Y[:0]},
        ["x_train must contain at least one sample", "shape (0, 2)"],
    ),
    BadArrays(
        "dates",
        {"x_train": np.full((10, 2), "2026-01-01", "datetime64[D]")},
        ["x_train must be an array of numbers, or of texts", "datetime64"],
    ),
    BadArrays(
        "complex",
        {"x_train": X + 1j},
        ["x_train must be an array of numbers", "complex"],
    ),
    BadArrays(
        "a scalar", {"x_train": np.float32(3)}, ["at least one sample", "shape ()"]
    ),
    BadArrays(
        "negative labels",
        {"y_train": Y - 1},
        ["y_train must contain classes", "Received: -1"],
    ),
    BadArrays("one class", {"y_train": Y * 0}, ["at least two classes"]),
    BadArrays(
        "labels beyond int32", {"y_train": Y + 2**40}, ["y_train must fit into int32"]
    ),
    BadArrays(
        "validation of another shape",
        {"x_val": np.ones((4, 3)), "y_val": Y[:4]},
        [
            "x_train and x_val must have",
            "float32 of shape (2,) and float32 of shape (3,)",
        ],
    ),
    BadArrays(
        "validation with NaN",
        {"x_val": WITH_NAN, "y_val": Y},
        ["x_val must be finite in float32"],
    ),
    BadArrays("half a validation", {"x_val": X}, ["must contain 'y_val'", "'x_train'"]),
    BadArrays("objects", {"x_train": np.array([{}] * 10)}, ["which cannot be read"]),
]


def make(job_of, source, *overrides):
    job_of(f"data:\n  {source}\n", *overrides).make_data()


@pytest.mark.parametrize("bad", ARRAYS, ids=name_of)
def test_error_names_the_bad_arrays(bad, tmp_path, job_of):
    arrays = {"x_train": X, "y_train": Y} | bad.arrays
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(JobError) as raised:
        make(job_of, "npz: bad.npz")
    message = str(raised.value)
    assert "job.yaml cannot be used:\n  line 2, data.npz:" in message
    assert all(part in message for part in bad.says), message


@pytest.mark.parametrize(
    "overrides, says",
    [
        (["data.train_size=11"], ["data.train_size", "of the 10 samples", "11 for"]),
        (["data.train_size=9", "data.validation_size=2"], ["9 for training, 2"]),
        (["data.validation_size=10"], ["data.validation_size", "0 for training"]),
        (["data.train_size=0.01"], ["data.train_size", "0 for training"]),
        (["data.task=regression", "data.label_noise=0.5"], ["needs labels that"]),
    ],
)
def test_impossible_sizes_and_noise_are_refused(overrides, says, tmp_path, job_of):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y)
    with pytest.raises(JobError) as raised:
        make(job_of, "npz: a.npz", *overrides)
    assert all(part in str(raised.value) for part in says), str(raised.value)


def test_size_larger_than_a_separate_validation_set_is_refused(tmp_path, job_of):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_val=X[:4], y_val=Y[:4])
    with pytest.raises(JobError, match="data.validation_size: must be from 1 to 4"):
        make(job_of, "npz: a.npz", "data.validation_size=5")


def test_missing_or_damaged_files_are_refused(tmp_path, job_of):
    np.savez(tmp_path / "there.npz", x_train=X, y_train=Y)
    with pytest.raises(JobError, match="There is no file at.*Did you mean 'there.npz'"):
        make(job_of, "npz: three.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(JobError, match="must be a file of arrays.*text.npz"):
        make(job_of, "npz: text.npz")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(JobError, match="must be a file of arrays.*one.npy"):
        make(job_of, "npz: one.npy")
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(JobError, match="long enough for 10 sequences of 65 characters"):
        make(job_of, "text: short.txt")
    with pytest.raises(JobError, match="tinyshakespeare or the path of a text"):
        make(job_of, "text: none.txt")


def test_error_for_data_that_are_not_shipped_says_where_to_put_them(tmp_path, job_of):
    for source in ("uci: wine", "text: tinyshakespeare"):
        with pytest.raises(JobError, match="data.data_dir.*KDROPOUT_DATA.*diabetes"):
            make(job_of, source)
        with pytest.raises(
            JobError, match="data.data_dir to be an existing.*'nowhere'"
        ):
            make(job_of, source, "data.data_dir=nowhere")
    with pytest.raises(
        JobError, match="needs the file.*data.txt.*there is no such file"
    ):
        make(job_of, "uci: wine", f"data.data_dir={tmp_path}")
    folder = tmp_path / "uci" / "yacht"
    folder.mkdir(parents=True)
    for name in ("data", "index_features", "index_target"):
        (folder / f"{name}.txt").write_text("7 8\n9 10\n")
    with pytest.raises(JobError, match="refers to column 10 of a table with 2"):
        make(job_of, "uci: yacht", f"data.data_dir={tmp_path}")
    (folder / "index_target.txt").write_text("")
    with pytest.raises(JobError, match="index_target.txt' is not a table.*it is empty"):
        make(job_of, "uci: yacht", f"data.data_dir={tmp_path}")
    (folder / "index_target.txt").write_text("-3\n")
    (folder / "index_features.txt").write_text("0\n")
    with pytest.raises(JobError, match="refers to column -3 of a table with 2"):
        make(job_of, "uci: yacht", f"data.data_dir={tmp_path}")
    (folder / "data.txt").write_text("a b\n")
    with pytest.raises(JobError, match="is not a table of numbers"):
        make(job_of, "uci: yacht", f"data.data_dir={tmp_path}")


def test_error_of_a_failed_download_lists_alternatives(monkeypatch, job_of):
    def fail():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(JobError, match="cannot be downloaded.*URL fetch.*digits"):
        make(job_of, "keras: mnist")


def test_error_names_damaged_images(tmp_path, job_of):
    folder = tmp_path / "mnist"
    folder.mkdir()
    file = folder / "train-images-idx3-ubyte.gz"
    with pytest.raises(JobError, match="needs the file.*train-images.*To download it"):
        make(job_of, "keras: mnist", f"data.data_dir={tmp_path}")
    whole = gzip.compress(b"\0\0\x08\x03" + b"\0\0\0\x01" * 3 + b"\0")
    for content in (whole[:-9], b"no gzip", gzip.compress(b"\0\0"), whole[:12] + b"x"):
        file.write_bytes(content)
        with pytest.raises(JobError, match="train-images.*(damaged|cannot be read)"):
            make(job_of, "keras: mnist", f"data.data_dir={tmp_path}")


@dataclasses.dataclass(frozen=True)
class BadFunction:
    """The body of a function that returns no valid data, and parts of the message."""

    name: str
    body: str
    says: list


FUNCTIONS = [
    BadFunction(
        "fails",
        "    raise KeyError('x')",
        ["'bad_f:load' fails: KeyError: 'x'", "line 2"],
    ),
    BadFunction(
        "one", "    return 3", ["must return (train, validation)", "Received: int"]
    ),
    BadFunction(
        "four",
        "    return 1, 2, 3, 4",
        ["must return (train, validation)", "tuple of 4"],
    ),
    BadFunction(
        "numbers",
        "    return 3, 4",
        ["the train data must be a tuple (x, y) of arrays"],
    ),
    BadFunction(
        "no batch", "    return [], []", ["must contain at least one batch (x, y)"]
    ),
    BadFunction(
        "no validation",
        "    return [([[1.0]], [1.0])], None",
        ["datasets are not split"],
    ),
    BadFunction(
        "mixed",
        "    import numpy as np\n    return (np.ones((9, 2)), [0, 1] * 4 + [1]), [1]",
        ["the val data must be a tuple (x, y) of arrays"],
    ),
]


@pytest.mark.parametrize("bad", FUNCTIONS, ids=name_of)
def test_function_that_returns_no_data_is_refused(bad, tmp_path, job_of):
    module = f"bad_{bad.name.replace(' ', '_')}"
    (tmp_path / f"{module}.py").write_text(f"def load():\n{bad.body}\n")
    with pytest.raises(JobError) as raised:
        make(job_of, f"function: {module}:load")
    message = str(raised.value).replace(module, "bad_f")
    assert "data.function" in message
    assert all(part in message for part in bad.says), message


def test_settings_for_arrays_are_refused_for_datasets(tmp_path, job_of):
    body = "def load():\n    batch = [([[1.0]], [1.0])]\n    return batch, batch\n"
    (tmp_path / "batches_of_mine.py").write_text(body)
    with pytest.raises(
        JobError, match="--set data.label_noise=0.1.*only applies to arrays"
    ):
        make(job_of, "function: batches_of_mine:load", "data.label_noise=0.1")


def test_error_names_damaged_and_encrypted_arrays(tmp_path, job_of):
    x = np.random.default_rng(0).normal(size=(50, 4))
    np.savez_compressed(tmp_path / "whole.npz", x_train=x, y_train=np.arange(50) % 2)
    whole = (tmp_path / "whole.npz").read_bytes()
    contents = [whole[: len(whole) // 2], b"", b"PK"]
    for position in (100, 300, 700):
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        contents.append(bytes(flipped))
    encrypted = bytearray(whole)
    for head, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = encrypted.find(head)
        while at >= 0:
            encrypted[at + flags] |= 1
            at = encrypted.find(head, at + 4)
    for content in [*contents, bytes(encrypted)]:
        (tmp_path / "damaged.npz").write_bytes(content)
        with pytest.raises(JobError, match="line 2, data.npz: must be.*damaged.npz"):
            make(job_of, "npz: damaged.npz")
    with pytest.raises(JobError, match="is encrypted, password required"):
        make(job_of, "npz: damaged.npz")


def test_data_exhausted_by_one_training_are_refused(tmp_path, job_of):
    batches = "[([[1.0]], [1.0])]"
    body = f"def load():\n    return iter({batches}), {batches}\n"
    (tmp_path / "used_up.py").write_text(body)
    with pytest.raises(JobError, match="data.function: the train data.*exhausted"):
        make(job_of, "function: used_up:load")


def test_mixture_of_texts_and_numbers_is_refused(tmp_path, job_of):
    body = (
        "import numpy as np\n"
        "def load():\n"
        "    return (np.ones((9, 1)), [1, 'a', 2] * 3), None\n"
    )
    (tmp_path / "mixed_labels.py").write_text(body)
    with pytest.raises(JobError, match="y_train must be an array of numbers, or of te"):
        make(job_of, "function: mixed_labels:load")


def test_error_names_an_environment_folder_that_is_not_a_path(job_of, monkeypatch):
    for value in ("~nosuch/data", "x" * 300):
        monkeypatch.setenv("KDROPOUT_DATA", value)
        with pytest.raises(JobError, match="needs KDROPOUT_DATA to be an existing"):
            make(job_of, "uci: wine")
