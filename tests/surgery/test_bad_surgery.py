"""`convert`, `insert` and `strip` refuse bad arguments and name them."""

import keras
import pytest

import kdropout
from kdropout import LearnedRate, Placement, layers
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


def with_dropout_before_the_output():
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(3, "relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )


def live_dropout(layer):
    return layers.Dropout(0.5)


def with_sum():
    inputs = keras.Input((3,))
    outputs = keras.layers.Add(name="sum")([inputs, keras.layers.Dropout(0.5)(inputs)])
    return keras.Model(inputs, outputs)


def with_lstm(dropout=0.5):
    lstm = keras.layers.LSTM(3, dropout=dropout, name="lstm")
    return keras.Sequential([keras.Input((4, 3)), lstm])


CASES = [
    Case(
        "also a list",
        lambda: kdropout.convert(with_keras_dropout(), also=[keras.layers.Dropout]),
        TypeError,
        [
            "'also' must be a dict from classes of layers to functions",
            "Received: also=",
        ],
    ),
    Case(
        "also from a name",
        lambda: kdropout.convert(with_keras_dropout(), also={"drop": live_dropout}),
        TypeError,
        ["'also' must be a dict from classes of layers to functions", "'drop'"],
    ),
    Case(
        "also to a rate",
        lambda: kdropout.convert(
            with_keras_dropout(), also={keras.layers.Dropout: 0.5}
        ),
        TypeError,
        ["'also' must be a dict from classes of layers to functions", "0.5"],
    ),
    Case(
        "also to a class",
        lambda: kdropout.convert(
            with_keras_dropout(), also={keras.layers.Dropout: layers.Dropout}
        ),
        TypeError,
        ["'also' must be a dict from classes of layers to functions"],
    ),
    Case(
        "also to a layer of Keras",
        lambda: kdropout.convert(
            with_keras_dropout(), also={keras.layers.Dropout: lambda layer: layer}
        ),
        TypeError,
        [
            "'also' must map Dropout to a function that returns a dropout layer",
            "'drop'",
        ],
    ),
    Case(
        "also to a wrapper",
        lambda: kdropout.convert(
            with_keras_dropout(),
            also={
                keras.layers.Dropout: lambda layer: layers.DropConnect(
                    keras.layers.Dense(3), 0.5
                )
            },
        ),
        TypeError,
        ["'also' must map Dropout to a function that returns a dropout layer"],
    ),
    Case(
        "also of a class that is not there",
        lambda: kdropout.convert(
            with_keras_dropout(), also={keras.layers.GaussianDropout: live_dropout}
        ),
        ValueError,
        ["'also' must map classes of layers in the model", "GaussianDropout", "Dense"],
    ),
    Case(
        "also of a layer with weights",
        lambda: kdropout.convert(
            with_keras_dropout(), also={keras.layers.Dense: live_dropout}
        ),
        ValueError,
        ["'also' must map layers without weights", "Dense", "has 2"],
    ),
    Case(
        "also of a layer with two inputs",
        lambda: kdropout.convert(with_sum(), also={keras.layers.Add: live_dropout}),
        ValueError,
        ["'also' must map layers with one input", "Add", "'sum' has several"],
    ),
    Case(
        "rate of an argument that is not there",
        lambda: kdropout.convert(with_lstm(), {"lstm/recurent_dropout": 0.5}),
        ValueError,
        [
            "'rate' must name",
            "Did you mean 'lstm/recurrent_dropout'?",
            "'lstm/dropout', 'lstm/recurrent_dropout'",
        ],
    ),
    Case(
        "rate of an argument above 1",
        lambda: kdropout.convert(with_lstm(), {"lstm/recurrent_dropout": 1.5}),
        ValueError,
        ["'recurrent_dropout' of LSTM", A_RATE, "rate=1.5"],
    ),
    Case(
        "recurrent layers without dropout",
        lambda: kdropout.convert(with_lstm(dropout=0.0)),
        ValueError,
        [
            "'model' must hold dropout layers",
            "Rates of 0 become live if you name them: 'lstm/dropout'",
            "kdropout.convert(model, {'lstm/dropout': 0.2})",
        ],
    ),
    Case(
        "in_place a string",
        lambda: kdropout.strip(with_keras_dropout(layers.Dropout), in_place="yes"),
        TypeError,
        ["'in_place' must be True or False", "in_place='yes'"],
    ),
    Case(
        "in_place of a plain model",
        lambda: kdropout.strip(plain_model(), in_place=True),
        ValueError,
        ["'model' must hold dropout layers of kdropout", "already plain"],
    ),
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
        ["'rate' of GaussianDropout must be", "rate=LearnedRate(", "Use"],
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
        "insert after a placement and a number",
        lambda: kdropout.insert(plain_model(), 0.5, after=[Placement.HEAD, 3]),
        TypeError,
        ["'after' must be", "a kdropout.Placement", "after=[kdropout.Placement.HEAD"],
    ),
    Case(
        "insert after the name of a placement",
        lambda: kdropout.insert(plain_model(), 0.5, after="Head"),
        ValueError,
        ["'after' must name layers", "'Head'", "after=kdropout.Placement.HEAD"],
    ),
    Case(
        "insert after an unknown placement",
        lambda: kdropout.insert(plain_model(), 0.5, after=Placement("start")),
        ValueError,
        ["'placement' must be one of 'head', 'blocks', 'hidden'", "placement='start'"],
    ),
    Case(
        "insert at the ends of blocks in a model without blocks",
        lambda: kdropout.insert(plain_model(), 0.5, after=Placement.BLOCKS),
        ValueError,
        [
            "'after' must be a placement that finds a place",
            "after=kdropout.Placement.BLOCKS for 'plain'",
            "Use kdropout.Placement.HEAD (1 place) or kdropout.Placement.HIDDEN (1",
        ],
    ),
    Case(
        "insert at two placements of which one finds no place",
        lambda: kdropout.insert(
            plain_model(), 0.5, after=[Placement.HEAD, Placement.BLOCKS]
        ),
        ValueError,
        ["'after' must be a placement", "in which kdropout.Placement.BLOCKS finds"],
    ),
    Case(
        "insert into a head with dropout",
        lambda: kdropout.insert(with_dropout_before_the_output(), 0.5, Placement.HEAD),
        ValueError,
        ["'after' must be a placement", "already stands", "kdropout.convert"],
    ),
    Case(
        "insert stochastic depth without a residual branch",
        lambda: kdropout.insert(
            plain_model(), 0.5, after=Placement.HEAD, make_layer=layers.DropPath
        ),
        ValueError,
        ["'make_layer' must make a layer other than DropPath", "follows 'first'"],
    ),
    Case(
        "insert with a verbose of 2",
        lambda: kdropout.insert(plain_model(), 0.5, verbose=2),
        ValueError,
        ["'verbose' must be 0", "verbose=2"],
    ),
    Case(
        "insert with a verbose of 'auto'",
        lambda: kdropout.insert(plain_model(), 0.5, verbose="auto"),
        TypeError,
        ["'verbose' must be 0", "verbose='auto'"],
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
