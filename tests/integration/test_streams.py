"""A seed gives the same masks in every version: those of kdropout 0.1.

This file, run with kdropout 0.1 once for each backend, wrote
`files_of_0_1/streams.json`: `python -m tests.integration.test_streams`.
"""

import json
import pathlib
import zlib

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers, schedules

BACKEND = keras.backend.backend()
PATH = pathlib.Path(__file__).parent / "files_of_0_1" / "streams.json"
STEPS = 3

RATES = {
    "low": lambda: 0.02,
    "half": lambda: 0.5,
    "high": lambda: 0.8,
    "ramp": lambda: schedules.Ramp(0.7, 0.1, steps=3),
    "learned": lambda: kdropout.LearnedRate(0.3),
}
# A draw of bytes has stretches of 4072 units; some shapes are shorter, some longer.
LAYERS = {
    "Dropout": (layers.Dropout, {}, (3, 5)),
    "Dropout-long": (layers.Dropout, {}, (40, 300)),
    "Dropout-float16": (layers.Dropout, {"dtype": "mixed_float16"}, (40, 30)),
    "Dropout-noise_shape": (layers.Dropout, {"noise_shape": (None, 1, 4)}, (9, 5, 4)),
    "SpatialDropout2D": (layers.SpatialDropout2D, {}, (6, 3, 3, 20)),
    "AlphaDropout": (layers.AlphaDropout, {}, (30, 20)),
    "GaussianDropout": (layers.GaussianDropout, {}, (30, 20)),
    "DropPath": (layers.DropPath, {}, (90, 2)),
    "DropBlock2D": (layers.DropBlock2D, {"block_size": 3}, (4, 9, 9, 3)),
    "TokenDropout": (layers.TokenDropout, {}, (20, 9, 2)),
    "HeadDropout": (layers.HeadDropout, {}, (20, 8, 2)),
}
WRAPPERS = {
    "DropConnect": lambda rate: layers.DropConnect(dense(), rate, seed=3),
    "ConcreteDropout": lambda rate: layers.ConcreteDropout(dense(), seed=3),
    "Standout": lambda rate: layers.Standout(dense(), beta=0.5, seed=3),
}
CASES = [
    f"{layer}/{rate}"
    for layer, (kind, _, _) in LAYERS.items()
    for rate in RATES
    if rate != "learned" or kind.can_learn_rate
] + ["DropConnect/half", "DropConnect/learned", "ConcreteDropout/own", "Standout/own"]


def dense():
    return keras.layers.Dense(7, kernel_initializer="ones", bias_initializer="ones")


def outputs_of(case):
    """Return the outputs of the first training steps."""
    name, _, rate = case.partition("/")
    rate = RATES[rate]() if rate != "own" else None
    if name in WRAPPERS:
        layer, shape = WRAPPERS[name](rate), (8, 7)
    else:
        kind, arguments, shape = LAYERS[name]
        layer = kind(rate, seed=3, **arguments)
    ones = np.ones(shape, "float32")
    return [
        ops.convert_to_numpy(layer(ones, training=True)).astype("float64")
        for _ in range(STEPS)
    ]


def fingerprint(outputs):
    """Return a checksum of the dropped units, and moments of the outputs.

    Masks of zeros and ones are equal to the bit. Continuous values are not, because a
    logarithm is rounded by its library and processor.
    """
    values = np.concatenate([output.ravel() for output in outputs])
    dropped = np.packbits(values == 0.0).tobytes()
    return [zlib.crc32(dropped), float(np.mean(values)), float(np.mean(values**2))]


@pytest.mark.parametrize("case", CASES)
def test_seed_gives_the_masks_of_the_first_version(case):
    checksum, mean, square = json.loads(PATH.read_text())[BACKEND][case]
    found = fingerprint(outputs_of(case))
    assert found[0] == checksum
    assert found[1:] == pytest.approx([mean, square], rel=1e-5)


def write():
    known = json.loads(PATH.read_text()) if PATH.exists() else {}
    known[BACKEND] = {case: fingerprint(outputs_of(case)) for case in CASES}
    PATH.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    write()
