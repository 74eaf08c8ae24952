"""`mc_predict` refuses bad arguments, names them and says what to do."""

from functools import partial

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers
from tests.tools import (
    Case,
    arguments_without_case,
    assert_refused,
    dropout_model,
    name_of,
)

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")

# Parts of the errors that say what is right.
A_COUNT = "an integer of at least 1"
A_SEED = "an integer of at least 0"
AN_INPUT = "an array, a list or dict of arrays, or a dataset"


def generator():
    yield X, Y


class NoBatches(keras.utils.PyDataset):
    def __len__(self):
        return 0

    def __getitem__(self, index):
        raise IndexError(index)


def predict(model=None, x=X, num_samples=10, batch_size=32, seed=None, verbose=0):
    model = dropout_model() if model is None else model
    return kdropout.mc_predict(
        model, x, num_samples, batch_size, seed=seed, verbose=verbose
    )


def sequential(*stack):
    return keras.Sequential([keras.Input((3,)), *stack], name="net")


def two_inputs():
    inputs = [keras.Input((3,), name="a"), keras.Input((1,), name="b")]
    outputs = layers.Dropout(0.5)(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, outputs, name="net")


NUMBERS_OF_SAMPLES = [
    Case(
        f"predict num_samples {value!r}",
        partial(predict, num_samples=value),
        error,
        ["'num_samples' must be", A_COUNT, f"num_samples={value!r}"],
    )
    for value, error in [
        (0, ValueError),
        (-1, ValueError),
        (2.5, TypeError),
        (True, TypeError),
        ("a", TypeError),
        (None, TypeError),
    ]
]

BATCH_SIZES = [
    Case(
        f"predict batch_size {value!r}",
        partial(predict, batch_size=value),
        error,
        ["'batch_size' must be", A_COUNT, f"batch_size={value!r}"],
    )
    for value, error in [(0, ValueError), (2.0, TypeError)]
]

SEEDS = [
    Case(
        f"predict seed {value!r}",
        partial(predict, seed=value),
        error,
        ["'seed' must be", expected, f"seed={value!r}"],
    )
    for value, error, expected in [
        (-1, ValueError, A_SEED),
        (2**31, ValueError, "an integer below 2**31"),
        (0.5, TypeError, A_SEED),
    ]
]

NO_INPUTS = [
    Case(
        f"predict x {value!r}",
        partial(predict, x=value),
        TypeError,
        ["'x' must be", AN_INPUT, f"x={value!r}"],
    )
    for value in (None, "images", 3)
]

VERBOSE = [
    Case(
        f"predict verbose {value!r}",
        partial(predict, verbose=value),
        ValueError,
        ["'verbose' must be", '"auto", 0 or 1', f"verbose={value!r}"],
    )
    for value in (7, None, "0")
]

MODELS_AND_INPUTS = [
    Case(
        "predict with a layer as model",
        lambda: predict(layers.Dropout(0.5)),
        TypeError,
        ["'model' must be a keras.Model", "model=<Dropout"],
    ),
    Case(
        "predict with a function as model",
        lambda: predict(max),
        TypeError,
        ["'model' must be a keras.Model", "model=<built-in function max>"],
    ),
    Case(
        "predict with no dropout",
        lambda: predict(sequential(keras.layers.Dense(1))),
        ValueError,
        [
            "'model' must hold dropout layers of kdropout",
            "Received: 'net'",
            "pass kdropout.convert(model)",
        ],
    ),
    Case(
        "predict with dropout of Keras",
        lambda: predict(sequential(keras.layers.Dropout(0.5))),
        ValueError,
        [
            "'model' must hold dropout layers of kdropout",
            "Received: 'net'",
            "pass kdropout.convert(model)",
        ],
    ),
    Case(
        "predict unbuilt",
        lambda: predict(keras.Sequential([layers.Dropout(0.5)], name="net")),
        ValueError,
        ["'model' must be built", "Received: 'net'", "Call it on a batch of data"],
    ),
    Case(
        "predict at rate 0",
        lambda: predict(sequential(layers.Dropout(0.0), layers.Dropout(0.0))),
        ValueError,
        [
            "'model' must have a rate above 0",
            "Received: 'net', whose rates are all 0",
            "kdropout.set_rates(model,",
        ],
    ),
    Case(
        "predict generator",
        lambda: predict(x=generator()),
        TypeError,
        ["'x' must be an array", "<generator object", "a dataset of batches"],
    ),
    Case(
        "predict nested list",
        lambda: predict(x=X.tolist()),
        TypeError,
        [
            "'x' must be",
            "Received: 1.0 inside it",
            "For one input, pass an array and not a nested list",
        ],
    ),
    Case(
        "predict no rows",
        lambda: predict(x=X[:0]),
        ValueError,
        ["'x' must hold arrays", "at least one row", "Received: [0] rows"],
    ),
    Case(
        "predict no arrays",
        lambda: predict(x=[]),
        ValueError,
        ["'x' must hold arrays", "Received: [] rows"],
    ),
    Case(
        "predict unequal rows",
        lambda: predict(two_inputs(), [X, Y[:3]]),
        ValueError,
        ["'x' must hold arrays", "the same number of rows", "Received: [3, 4] rows"],
    ),
    Case(
        "predict dataset without batches",
        lambda: predict(x=NoBatches()),
        ValueError,
        ["'x' must hold", "at least one"],
    ),
]

STRUCTURES = [
    Case(
        f"predict {name}",
        lambda make_model=make_model, x=x: predict(make_model(), x),
        ValueError,
        ["'x' must", "Received:"],
    )
    for name, make_model, x in [
        ("inputs and targets", dropout_model, (X, Y)),
        ("one input of two", two_inputs, X),
        ("three inputs of two", two_inputs, [X, Y, Y]),
        ("dict without an input", two_inputs, {"a": X}),
        ("dict of another name", two_inputs, {"a": X, "c": Y}),
    ]
]

SHAPES = [
    Case(
        f"predict with inputs of shape {shape}",
        partial(predict, x=np.ones(shape)),
        ValueError,
        [
            "'x' must fit the inputs of 'model'",
            f"an array of shape {shape}",
            "of shape (None, 3)",
        ],
    )
    for shape in [(4, 5), (4, 3, 2), (4,)]
]


def two_outputs():
    inputs = keras.Input((3,))
    dropped = layers.Dropout(0.5)(inputs)
    return keras.Model(inputs, [dropped, keras.ops.sum(dropped, axis=1)], name="net")


CLASS_AXES = [
    Case(
        f"predict class_axis {value!r}",
        lambda make_model=make_model, value=value: kdropout.mc_predict(
            make_model(), X, verbose=0, class_axis=value
        ),
        error,
        ["'class_axis' must be", expected, "Received: class_axis="],
    )
    for make_model, value, error, expected in [
        (dropout_model, 0, ValueError, "an axis other than 0, which is the batch"),
        (dropout_model, 2, ValueError, "an axis of the outputs other than the batch"),
        (dropout_model, -2, ValueError, "has the shape ('batch', 1)"),
        (dropout_model, 1.0, TypeError, "an integer, or a list or dict of integers"),
        (dropout_model, True, TypeError, "an integer, or a list or dict"),
        (dropout_model, None, TypeError, "an integer, or a list or dict"),
        (dropout_model, "last", TypeError, "an integer, or a list or dict"),
        (dropout_model, {"a": 1}, ValueError, "because the model has one output"),
        (two_outputs, 1, ValueError, "has the shape ('batch',)"),
        (two_outputs, [1], ValueError, "a list with a value or None for each"),
        (two_outputs, [0, None], ValueError, "an axis other than 0"),
        (two_outputs, ["a", None], TypeError, "an integer, or a list or dict"),
    ]
]

CASES = (
    CLASS_AXES
    + NUMBERS_OF_SAMPLES
    + BATCH_SIZES
    + SEEDS
    + NO_INPUTS
    + VERBOSE
    + MODELS_AND_INPUTS
    + STRUCTURES
    + SHAPES
)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_has_a_case():
    # 'return_samples' is a flag, which accepts any truth value. The cases of the others
    # are in test_noise.py and test_same_masks.py.
    unchecked = {"return_samples", "noise_std", "log_variance", "same_masks"}
    assert arguments_without_case([kdropout.mc_predict], CASES) == unchecked
