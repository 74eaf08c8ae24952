"""`convert`, `insert` and `strip` refuse bad arguments and name them."""

import keras
import pytest

import kdropout
from kdropout import LearnedRate, layers
from tests.tools import A_RATE, Case, arguments_without_case, assert_refused, name_of

NAN = float("nan")


def plain_model():
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(3, "relu", name="first"),
            keras.layers.Dense(1, name="last"),
        ],
        name="plain",
    )


def with_keras_dropout(kind=keras.layers.Dropout):
    return keras.Sequential(
        [keras.Input((3,)), kind(0.5, name="drop"), keras.layers.Dense(1)]
    )


CASES = [
    Case(
        "convert of no layers",
        lambda: kdropout.convert(with_keras_dropout(), {}),
        ValueError,
        ["'rate' must name at least one layer", "Received: an empty collection"],
    ),
    Case(
        "insert of no layers",
        lambda: kdropout.insert(plain_model(), {}),
        ValueError,
        ["'rate' must name at least one layer", "Received: an empty collection"],
    ),
    Case(
        "after of no layers",
        lambda: kdropout.insert(plain_model(), 0.1, []),
        ValueError,
        ["'after' must name at least one layer", "Received: an empty collection"],
    ),
    Case(
        "convert to a rate of 1.5",
        lambda: kdropout.convert(with_keras_dropout(), 1.5),
        ValueError,
        ["'rate' must be", A_RATE, "rate=1.5"],
    ),
    Case(
        "convert to a rate of [0.5]",
        lambda: kdropout.convert(with_keras_dropout(), [0.5]),
        TypeError,
        ["'rate' must be", A_RATE, "rate=[0.5]"],
    ),
    Case(
        "convert to a rate of {'drop': nan}",
        lambda: kdropout.convert(with_keras_dropout(), {"drop": NAN}),
        ValueError,
        ["'rate' must be", A_RATE, "rate=nan"],
    ),
    Case(
        "convert to a rate of {'drop': None}",
        lambda: kdropout.convert(with_keras_dropout(), {"drop": None}),
        TypeError,
        ["'rate' must be", A_RATE, "rate=None"],
    ),
    Case(
        "convert of no model",
        lambda: kdropout.convert(3),
        TypeError,
        ["'model' must be", "model=3", "a keras.Model or layer"],
    ),
    Case(
        "convert of a model that is not built",
        lambda: kdropout.convert(keras.Sequential([keras.layers.Dense(1)], name="new")),
        ValueError,
        ["'model' must be built", "Received: 'new'", "Call it on a batch of data"],
    ),
    Case(
        "convert without dropout",
        lambda: kdropout.convert(plain_model()),
        ValueError,
        ["'model' must hold", "Received: 'plain'", "Add some with kdropout.insert"],
    ),
    Case(
        "convert with an unknown path",
        lambda: kdropout.convert(with_keras_dropout(), {"dorp": 0.5}),
        ValueError,
        [
            "'rate' must name layers",
            "Received: 'dorp'",
            "Did you mean 'drop'?",
            "The model has: 'drop'",
        ],
    ),
    Case(
        "convert with a number as path",
        lambda: kdropout.convert(with_keras_dropout(), {3: 0.5}),
        TypeError,
        ["'rate' must be", "a dict from layer paths or globs", "rate={3: 0.5}"],
    ),
    Case(
        "convert to a learned rate where it cannot be",
        lambda: kdropout.convert(
            with_keras_dropout(keras.layers.GaussianDropout), LearnedRate()
        ),
        TypeError,
        ["'rate' of GaussianDropout must be", "rate=<kdropout", "Use"],
    ),
    Case(
        "insert into no model",
        lambda: kdropout.insert(keras.layers.Dense(1), 0.5),
        TypeError,
        ["'model' must be a keras.Model", "model=<Dense"],
    ),
    Case(
        "insert into a model that is not built",
        lambda: kdropout.insert(
            keras.Sequential([keras.layers.Dense(1)], name="new"), 0.5
        ),
        ValueError,
        ["'model' must be built", "Received: 'new'", "a keras.Input"],
    ),
    Case(
        "insert a rate",
        lambda: kdropout.insert(plain_model(), -0.1),
        ValueError,
        ["'rate' must be", A_RATE, "rate=-0.1"],
    ),
    Case(
        "insert no rate",
        lambda: kdropout.insert(plain_model(), None),
        TypeError,
        ["'rate' must be", A_RATE, "rate=None"],
    ),
    Case(
        "insert after no layer",
        lambda: kdropout.insert(plain_model(), 0.5, after="no_such"),
        ValueError,
        ["'after' must name layers", "'no_such'", "The model has: 'first', 'last'"],
    ),
    Case(
        "insert after one layer that exists and one that does not",
        lambda: kdropout.insert(plain_model(), 0.5, after=["first", "no_such"]),
        ValueError,
        ["'after' must name layers", "no_such"],
    ),
    Case(
        "insert after the output",
        lambda: kdropout.insert(plain_model(), 0.5, after="last"),
        ValueError,
        ["'after' must name layers that dropout can follow", "hidden layers", "'last'"],
    ),
    Case(
        "insert after a number",
        lambda: kdropout.insert(plain_model(), 0.5, after=3),
        TypeError,
        ["'after' must be", "a glob, a list of globs or a function", "after=3"],
    ),
    Case(
        "insert a rate for no layer",
        lambda: kdropout.insert(plain_model(), {"fisrt": 0.5}),
        ValueError,
        ["'rate' must name", "Received: 'fisrt'", "Did you mean 'first'?"],
    ),
    Case(
        "insert dropout of Keras",
        lambda: kdropout.insert(plain_model(), 0.5, make_layer=keras.layers.Dropout),
        TypeError,
        [
            "'make_layer' must be",
            "a function from a rate to a dropout layer of",
            "which returned <Dropout",
        ],
    ),
    Case(
        "insert something that is not a function",
        lambda: kdropout.insert(plain_model(), 0.5, make_layer=3),
        TypeError,
        ["'make_layer' must be", "a function from a rate", "make_layer=3"],
    ),
    Case(
        "strip of no model",
        lambda: kdropout.strip(layers.Dropout(0.5)),
        TypeError,
        ["'model' must be", "model=", "a keras.Model"],
    ),
    Case(
        "strip of a model that is not built",
        lambda: kdropout.strip(keras.Sequential([layers.Dropout(0.5)])),
        ValueError,
        ["'model' must be built", "Call it on a batch of data"],
    ),
    Case(
        "strip of a plain model",
        lambda: kdropout.strip(plain_model()),
        ValueError,
        ["'model' must hold", "Received: 'plain'", "It is already plain"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_has_a_case():
    public = [kdropout.convert, kdropout.insert, kdropout.strip]
    assert arguments_without_case(public, CASES) == set()
