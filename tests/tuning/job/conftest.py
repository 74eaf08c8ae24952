"""Fixtures for the tests of jobs."""

import gzip
import pathlib
import struct
import sys
import textwrap

import numpy as np
import pytest

from kdropout.tuning import load_job

CONFIGS = pathlib.Path(__file__).parents[3] / "tuner_configs"


@pytest.fixture
def configs():
    """The folder of the shipped jobs."""
    return CONFIGS


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    """Jobs count paths from the current folder, so this hides data on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("KDROPOUT_DATA", raising=False)


def write_idx(path, array):
    """Write an array of bytes as an idx file: type, sizes, values."""
    path.parent.mkdir(exist_ok=True, parents=True)
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(head + array.astype("uint8").tobytes()))


@pytest.fixture
def write_images(tmp_path):
    """Return a function that writes 30 and 10 images like MNIST and returns them."""

    def write(name):
        generator, sets = np.random.default_rng(0), {}
        for prefix, count in (("train", 30), ("t10k", 10)):
            images = generator.integers(0, 256, (count, 28, 28))
            labels = np.arange(count) % 10
            write_idx(tmp_path / name / f"{prefix}-images-idx3-ubyte.gz", images)
            write_idx(tmp_path / name / f"{prefix}-labels-idx1-ubyte.gz", labels)
            sets[prefix] = (images, labels)
        return sets

    return write


@pytest.fixture
def write_table(tmp_path):
    """Return a function that writes a table of 50 rows like UCI's and returns it."""

    def write(name, features, target):
        folder = tmp_path / "uci" / name
        folder.mkdir(parents=True)
        size = (50, len(features) + 1)
        table = np.random.default_rng(0).normal(size=size)
        np.savetxt(folder / "data.txt", table)
        np.savetxt(folder / "index_features.txt", features, fmt="%d")
        np.savetxt(folder / "index_target.txt", [target], fmt="%d")
        return table

    return write


@pytest.fixture
def job_of(tmp_path):
    """Return a function from the text of a job file, and overrides, to the job."""

    def make(text, *overrides):
        path = tmp_path / "job.yaml"
        path.write_text(textwrap.dedent(text))
        return load_job(path, overrides)

    return make
