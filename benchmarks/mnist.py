"""MNIST and Fashion-MNIST, from a folder or from Keras."""

import gzip
import os
from pathlib import Path

import keras
import numpy as np

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def add_data_argument(parser):
    """Add the option `--data-dir`. Its default is the variable KDROPOUT_DATA."""
    parser.add_argument(
        "--data-dir",
        default=os.environ.get("KDROPOUT_DATA"),
        help="folder with mnist/*.gz; without it, Keras downloads the data",
    )


def load(data_dir=None, name="mnist"):
    """`(x_train, y_train), (x_test, y_test)`: float32 rows in [0, 1], int labels."""
    if data_dir is None:
        parts = getattr(keras.datasets, name).load_data()
    else:
        folder = Path(data_dir) / name
        parts = [[_read(folder / file) for file in FILES[k]] for k in ("train", "test")]
    return tuple(
        (x.reshape(len(x), -1).astype("float32") / 255.0, y.astype("int64"))
        for x, y in parts
    )


def _read(path):
    with gzip.open(path) as file:
        data = file.read()
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
