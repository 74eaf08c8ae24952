"""Layers refuse bad arguments and inputs, name them and say what to do."""

from functools import partial

import keras
import numpy as np
import pytest

from kdropout import LearnedRate, layers, schedules
from tests.tools import (
    A_RATE,
    DROPOUT_LAYERS,
    Case,
    arguments_without_case,
    assert_refused,
    call_in_training,
    dropout_model,
    name_of,
)

NAN, INF = float("nan"), float("inf")
X = np.ones((4, 3), "float32")
INTEGERS = np.ones((4, 3), "int32")
TOKENS = np.ones((2, 4, 3), "float32")
MAPS = np.ones((2, 4, 3, 5), "float32")

# Parts of errors that many layers raise.
A_FLOAT32 = "a number in [-3.40282e+38, 3.40282e+38]"
LINEAR_LAYER = "'layer' must be one of Dense, EinsumDense, Conv1D, Conv2D, Conv3D"
A_SIZE = "an integer of at least 1"


class OwnCall(keras.layers.Dense):
    """A layer that is not linear, although its base is."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def dense():
    return keras.layers.Dense(3)


def quantized():
    layer = dense()
    layer.build((None, 3))
    layer.quantize("int8")
    return layer


def dropout_in_model(rate):
    return dropout_model(rate).get_layer("drop")


RATES_AND_SHAPES = [
    Case(
        "rate above",
        lambda: layers.Dropout(1.5),
        ValueError,
        ["'rate' must be", A_RATE, "rate=1.5"],
    ),
    Case(
        "rate below",
        lambda: layers.Dropout(-0.1),
        ValueError,
        ["'rate' must be", A_RATE, "rate=-0.1"],
    ),
    Case(
        "rate nan",
        lambda: layers.Dropout(NAN),
        ValueError,
        ["'rate' must be", A_RATE, "rate=nan"],
    ),
    Case(
        "rate inf",
        lambda: layers.GaussianDropout(INF),
        ValueError,
        ["'rate' must be", A_RATE, "rate=inf"],
    ),
    Case(
        "rate text",
        lambda: layers.Dropout("0.5"),
        TypeError,
        ["'rate' must be", A_RATE, "rate='0.5'"],
    ),
    Case(
        "rate bool",
        lambda: layers.AlphaDropout(True),
        TypeError,
        ["'rate' must be", A_RATE, "rate=True"],
    ),
    Case(
        "rate none",
        lambda: layers.SpatialDropout1D(None),
        TypeError,
        ["'rate' must be", A_RATE, "rate=None"],
    ),
    Case(
        "rate list",
        lambda: layers.SpatialDropout2D([0.5]),
        TypeError,
        ["'rate' must be", A_RATE, "rate=[0.5]"],
    ),
    Case(
        "rate dict",
        lambda: layers.Dropout({"a": 1}),
        TypeError,
        ["'rate' must be", A_RATE, "rate={'a': 1}"],
    ),
    Case(
        "rate array",
        lambda: layers.Dropout(np.array(0.5)),
        TypeError,
        ["'rate' must be", A_RATE, "rate=array(0.5)"],
    ),
    Case(
        "rate class",
        lambda: layers.Dropout(schedules.Ramp),
        TypeError,
        ["'rate' must be", A_RATE, "rate=<class"],
    ),
    Case(
        "seed float",
        lambda: layers.Dropout(0.5, seed=1.5),
        TypeError,
        ["'seed' must be", "an integer", "seed=1.5"],
    ),
    Case(
        "seed text",
        lambda: layers.GaussianDropout(0.5, seed="-1"),
        TypeError,
        ["'seed' must be", "an integer", "seed='-1'"],
    ),
    Case(
        "seed bool",
        lambda: layers.SpatialDropout3D(0.5, seed=True),
        TypeError,
        ["'seed' must be", "an integer", "seed=True"],
    ),
    Case(
        "data_format in the place of the seed",
        lambda: layers.SpatialDropout1D(0.5, "channels_last"),
        TypeError,
        ["'seed' must be", "an integer", "seed='channels_last'"],
    ),
    Case(
        "noise_shape number",
        lambda: layers.Dropout(0.5, noise_shape=3),
        TypeError,
        [
            "'noise_shape' must be",
            "a sequence of positive integers and None",
            "noise_shape=3",
        ],
    ),
    Case(
        "noise_shape text",
        lambda: layers.Dropout(0.5, noise_shape=(None, "1")),
        TypeError,
        [
            "'noise_shape'",
            "a sequence of positive integers and None",
            "noise_shape=(None, '1')",
        ],
    ),
    Case(
        "noise_shape bool",
        lambda: layers.AlphaDropout(0.5, noise_shape=(True,)),
        TypeError,
        [
            "'noise_shape'",
            "a sequence of positive integers and None",
            "noise_shape=(True,)",
        ],
    ),
    Case(
        "noise_shape zero",
        lambda: layers.Dropout(0.5, noise_shape=(None, 0)),
        ValueError,
        [
            "'noise_shape'",
            "a sequence of positive integers and None",
            "noise_shape=(None, 0)",
        ],
    ),
    Case(
        "noise_shape of another size",
        lambda: call_in_training(layers.Dropout(0.5, noise_shape=(None, 2)), X),
        ValueError,
        [
            "'noise_shape' of layer",
            "1, None or the size of the inputs",
            "noise_shape=(None, 2), inputs of shape (4, 3)",
        ],
    ),
    Case(
        "noise_shape of another rank",
        lambda: call_in_training(layers.Dropout(0.5, noise_shape=(None, 1, 1)), X),
        ValueError,
        [
            "'noise_shape' of layer",
            "at most one entry for each dimension of the",
            "noise_shape=(None, 1, 1), inputs of shape (4, 3)",
        ],
    ),
    Case(
        "data_format unknown",
        lambda: layers.SpatialDropout2D(0.5, data_format="last"),
        ValueError,
        [
            "'data_format' must be",
            "one of 'channels_last', 'channels_first'",
            "data_format='last'",
        ],
    ),
    Case(
        "data_format number",
        lambda: layers.SpatialDropout1D(0.5, data_format=1),
        ValueError,
        [
            "'data_format' must",
            "one of 'channels_last', 'channels_first'",
            "data_format=1",
        ],
    ),
    Case(
        "rank too low",
        lambda: call_in_training(layers.SpatialDropout2D(0.5), X),
        ValueError,
        ["Input 0", "expected ndim=4, found ndim=2", "(4, 3)"],
    ),
    Case(
        "rank too high",
        lambda: call_in_training(layers.SpatialDropout1D(0.5), np.ones((2, 3, 3, 3))),
        ValueError,
        ["Input 0", "expected ndim=3, found ndim=4", "(2, 3, 3, 3)"],
    ),
    Case(
        "integers",
        lambda: call_in_training(layers.Dropout(0.5), INTEGERS),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=int32"],
    ),
    Case(
        "integers into alpha dropout",
        lambda: call_in_training(layers.AlphaDropout(0.5), INTEGERS),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=int32"],
    ),
    Case(
        "integers of another kind",
        lambda: call_in_training(layers.GaussianDropout(0.5), INTEGERS > 0),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=bool"],
    ),
    Case(
        "learned gaussian",
        lambda: layers.GaussianDropout(LearnedRate()),
        TypeError,
        [
            "'rate' of GaussianDropout",
            "Use kdropout.layers.Dropout to learn a rate",
            "Received: rate=",
        ],
    ),
]

RATES_OF_KINDS = [
    Case(
        f"rate {value!r} of {layer.__name__}",
        partial(layer, value),
        error,
        ["'rate' must be", A_RATE, f"rate={value!r}"],
    )
    for layer, value, error in [
        (layers.DropPath, 1.5, ValueError),
        (layers.DropBlock1D, -0.1, ValueError),
        (layers.DropBlock2D, "0.5", TypeError),
        (layers.DropBlock3D, True, TypeError),
        (layers.TokenDropout, NAN, ValueError),
        (layers.HeadDropout, None, TypeError),
    ]
]

SEEDS_OF_KINDS = [
    Case(
        f"seed {value!r} of {layer.__name__}",
        partial(layer, 0.1, seed=value),
        TypeError,
        ["'seed' must be", "an integer", f"seed={value!r}"],
    )
    for layer, value in [
        (layers.DropPath, [1]),
        (layers.DropBlock2D, 1.5),
        (layers.TokenDropout, "1"),
        (layers.HeadDropout, True),
    ]
]

INTEGERS_INTO_KINDS = [
    Case(
        f"integers into {layer.__name__}",
        partial(call_in_training, layer(0.1), np.ones(shape, "int32")),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=int32"],
    )
    for layer, shape in [
        (layers.DropPath, (4, 3)),
        (layers.HeadDropout, (4, 3)),
        (layers.TokenDropout, (2, 4, 3)),
        (layers.DropBlock1D, (2, 9, 3)),
    ]
]

RANKS = [
    Case(
        f"{x.ndim} dimensions into {layer.__name__}",
        partial(call_in_training, layer(0.1), x),
        ValueError,
        ["Input 0", f"expected ndim={ndim}, found ndim={x.ndim}", str(x.shape)],
    )
    for layer, ndim, x in [
        (layers.DropBlock1D, 3, X),
        (layers.DropBlock1D, 3, MAPS),
        (layers.DropBlock2D, 4, X),
        (layers.DropBlock3D, 5, MAPS),
        (layers.TokenDropout, 3, X),
        (layers.TokenDropout, 3, MAPS),
    ]
]

# Blocks, tokens and heads
BLOCK_SIZES = [
    Case(
        f"block_size {value!r}",
        partial(layers.DropBlock2D, 0.1, block_size=value),
        error,
        ["'block_size' must be", expected, f"block_size={received!r}"],
    )
    for value, error, received, expected in [
        (0, ValueError, 0, A_SIZE),
        (-1, ValueError, -1, A_SIZE),
        (7.0, TypeError, 7.0, A_SIZE),
        (True, TypeError, True, A_SIZE),
        ("7", TypeError, "7", A_SIZE),
        (None, TypeError, None, A_SIZE),
        ((3, 0), ValueError, 0, A_SIZE),
        ((3, 3.0), TypeError, 3.0, A_SIZE),
        ((3,), ValueError, (3,), "an integer or a sequence of 2"),
        ([3, 3, 3], ValueError, [3, 3, 3], "an integer or a sequence of 2"),
        ((), ValueError, (), "an integer or a sequence of 2"),
    ]
]

LARGE_BLOCKS = [
    Case(
        "block larger than the map",
        lambda: call_in_training(layers.DropBlock2D(0.1, (2, 5)), MAPS),
        UserWarning,
        [
            "'block_size' of layer",
            "is larger than the map",
            "a smaller block_size",
            "block_size=(2, 5), inputs of shape (2, 4, 3, 5)",
        ],
    ),
    Case(
        "block larger than the map with channels first",
        lambda: call_in_training(
            layers.DropBlock2D(0.1, 4, False, "channels_first"), MAPS
        ),
        UserWarning,
        [
            "'block_size' of layer",
            "a smaller block_size",
            "block_size=(4, 4), inputs of shape (2, 4, 3, 5)",
        ],
    ),
]

SYNC_CHANNELS = [
    Case(
        f"sync_channels {value!r}",
        partial(layers.DropBlock1D, 0.1, sync_channels=value),
        TypeError,
        ["'sync_channels' must be", "a bool", f"sync_channels={value!r}"],
    )
    for value in (1, None, "yes")
]

DATA_FORMATS = [
    Case(
        f"data_format of blocks {value!r}",
        partial(layers.DropBlock3D, 0.1, data_format=value),
        ValueError,
        [
            "'data_format' must be",
            "one of 'channels_last', 'channels_first'",
            f"data_format={value!r}",
        ],
    )
    for value in ("last", 1, ["channels_last"])
]

PREFIXES = [
    Case(
        f"num_prefix_tokens {value!r}",
        partial(layers.TokenDropout, 0.1, num_prefix_tokens=value),
        error,
        [
            "'num_prefix_tokens' must be",
            "an integer of at least 0",
            f"num_prefix_tokens={value!r}",
        ],
    )
    for value, error in [
        (-1, ValueError),
        (1.0, TypeError),
        (True, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ]
]

LONG_PREFIXES = [
    Case(
        f"num_prefix_tokens {value} of 4",
        partial(call_in_training, layers.TokenDropout(0.1, value), TOKENS),
        ValueError,
        [
            "'num_prefix_tokens' of layer",
            "smaller than the number of tokens",
            f"num_prefix_tokens={value}, inputs of shape (2, 4, 3)",
        ],
    )
    for value in (4, 5)
]

AXES = [
    Case(
        f"axis {value!r}",
        partial(layers.HeadDropout, 0.1, axis=value),
        error,
        [
            "'axis' must be",
            "an integer other than 0, which is the batch",
            f"axis={value!r}",
        ],
    )
    for value, error in [
        (0, ValueError),
        (1.0, TypeError),
        (True, TypeError),
        ("1", TypeError),
        ((1,), TypeError),
    ]
]

AXES_OF_INPUTS = [
    Case(
        f"axis {value} of rank 4",
        partial(call_in_training, layers.HeadDropout(0.1, axis=value), MAPS),
        ValueError,
        [
            "'axis' of layer",
            "an axis of the inputs other than the batch",
            f"axis={value}, inputs of rank 4",
        ],
    )
    for value in (4, -4, -5)
]

WRAPPERS = [
    Case(
        "wrap no layer",
        lambda: layers.DropConnect(0.5, 0.5),
        TypeError,
        [LINEAR_LAYER, "layer=0.5"],
    ),
    Case(
        "wrap a class",
        lambda: layers.Standout(keras.layers.Dense),
        TypeError,
        [LINEAR_LAYER, "layer=<class"],
    ),
    Case(
        "wrap none",
        lambda: layers.ConcreteDropout(None),
        TypeError,
        [LINEAR_LAYER, "layer=None"],
    ),
    Case(
        "wrap an unsupported layer",
        lambda: layers.ConcreteDropout(keras.layers.LSTM(3)),
        TypeError,
        [LINEAR_LAYER, "layer=<LSTM", "put a kdropout.layers.Dropout before it"],
    ),
    Case(
        "wrap a layer that overrides call",
        lambda: layers.DropConnect(OwnCall(3), 0.5),
        TypeError,
        [LINEAR_LAYER, "layer=<OwnCall"],
    ),
    Case(
        "wrap a wrapper",
        lambda: layers.Standout(layers.DropConnect(dense(), 0.5)),
        TypeError,
        [LINEAR_LAYER, "layer=<DropConnect"],
    ),
    Case(
        "wrap a quantized layer",
        lambda: layers.DropConnect(quantized(), 0.5),
        ValueError,
        ["'layer' must not be", "layer=<Dense", "Quantize after kdropout.strip"],
    ),
    Case(
        "wrap a layer with an activity_regularizer",
        lambda: layers.Standout(keras.layers.Dense(3, activity_regularizer="l2")),
        ValueError,
        [
            "'layer' must not have an activity_regularizer",
            "layer=<Dense",
            "Pass the regularizer to the wrapper instead",
        ],
    ),
    Case(
        "drop connect rate",
        lambda: layers.DropConnect(dense(), 1.5),
        ValueError,
        ["'rate' must be", A_RATE, "rate=1.5"],
    ),
    Case(
        "drop connect rate text",
        lambda: layers.DropConnect(dense(), "0.5"),
        TypeError,
        ["'rate' must be", A_RATE, "rate='0.5'"],
    ),
    Case(
        "drop connect seed",
        lambda: layers.DropConnect(dense(), 0.5, seed=0.5),
        TypeError,
        ["'seed' must be", "an integer", "seed=0.5"],
    ),
    Case(
        "integers into a wrapper",
        lambda: call_in_training(layers.DropConnect(dense(), 0.5), INTEGERS),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=int32"],
    ),
    Case(
        "integers into concrete dropout",
        lambda: call_in_training(layers.ConcreteDropout(dense()), INTEGERS),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=int32"],
    ),
    Case(
        "integers into a wrapper in a model",
        lambda: layers.Standout(dense())(keras.Input((3,), dtype="int64")),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them", "dtype=int64"],
    ),
    Case(
        "initial_rate learned",
        lambda: layers.ConcreteDropout(dense(), LearnedRate()),
        TypeError,
        ["'initial_rate' must be", "a number in (0, 1)", "initial_rate=LearnedRate("],
    ),
    Case(
        "set concrete",
        lambda: setattr(layers.ConcreteDropout(dense()), "rate", 0.3),
        TypeError,
        ["rate of layer 'concrete_dropout", "decided by gradient", "rate=0.3"],
    ),
    Case(
        "set alpha",
        lambda: setattr(layers.Standout(dense()), "alpha", "1"),
        TypeError,
        ["'alpha' must be", A_FLOAT32, "alpha='1'"],
    ),
    Case(
        "set beta",
        lambda: setattr(layers.Standout(dense()), "beta", NAN),
        ValueError,
        ["'beta' must be", A_FLOAT32, "beta=nan"],
    ),
    Case(
        "set standout",
        lambda: setattr(layers.Standout(dense()), "rate", 0.3),
        TypeError,
        ["rate of layer 'standout", "decided by inputs", "rate=0.3"],
    ),
]

INITIAL_RATES = [
    Case(
        f"initial_rate {value!r}",
        partial(layers.ConcreteDropout, dense(), value),
        error,
        ["'initial_rate' must be", "a number in (0, 1)", f"initial_rate={received}"],
    )
    for value, error, received in [
        (0, ValueError, "0.0"),
        (1, ValueError, "1.0"),
        (2, ValueError, "2.0"),
        (NAN, ValueError, "nan"),
        ("a", TypeError, "'a'"),
        (None, TypeError, "None"),
        (True, TypeError, "True"),
    ]
]

BAD_REGULARIZERS = [
    (-1.0, ValueError),
    (NAN, ValueError),
    (INF, ValueError),
    (1e308, ValueError),
    ("l2", TypeError),
]

WEIGHT_REGULARIZERS = [
    Case(
        f"weight_regularizer {value!r}",
        partial(layers.ConcreteDropout, dense(), weight_regularizer=value),
        error,
        [
            "'weight_regularizer' must be",
            "a number in [0, 1e+20]",
            f"weight_regularizer={value!r}",
        ],
    )
    for value, error in BAD_REGULARIZERS
]

DROPOUT_REGULARIZERS = [
    Case(
        f"dropout_regularizer {value!r}",
        partial(layers.ConcreteDropout, dense(), dropout_regularizer=value),
        error,
        [
            "'dropout_regularizer' must be",
            "a number in [0, 1e+20]",
            f"dropout_regularizer={value!r}",
        ],
    )
    for value, error in BAD_REGULARIZERS
]

TEMPERATURES = [
    Case(
        f"temperature of concrete dropout {value!r}",
        partial(layers.ConcreteDropout, dense(), temperature=value),
        error,
        ["'temperature' must be", "a number in [1e-06, inf)", f"temperature={value}"],
    )
    for value, error in [
        (0.0, ValueError),
        (1e-46, ValueError),
        (-1.0, ValueError),
        (NAN, ValueError),
        ([1], TypeError),
    ]
]

NOT_FLOAT32 = [
    (NAN, ValueError),
    (INF, ValueError),
    (1e308, ValueError),
    ("1", TypeError),
    (None, TypeError),
    (False, TypeError),
]

ALPHAS = [
    Case(
        f"alpha {value!r}",
        partial(layers.Standout, dense(), alpha=value),
        error,
        ["'alpha' must be", A_FLOAT32, f"alpha={value!r}"],
    )
    for value, error in NOT_FLOAT32
]

BETAS = [
    Case(
        f"beta {value!r}",
        partial(layers.Standout, dense(), beta=value),
        error,
        ["'beta' must be", A_FLOAT32, f"beta={value!r}"],
    )
    for value, error in NOT_FLOAT32
]

ASSIGNED_RATES = [
    Case(
        "set above",
        lambda: setattr(dropout_in_model(0.5), "rate", 2),
        ValueError,
        ["'rate' must be", "a number in [0, 1]", "rate=2"],
    ),
    Case(
        "set nan",
        lambda: setattr(dropout_in_model(0.5), "rate", NAN),
        ValueError,
        ["'rate' must be", "a number in [0, 1]", "rate=nan"],
    ),
    Case(
        "set text",
        lambda: setattr(dropout_in_model(0.5), "rate", "1"),
        TypeError,
        ["'rate' must be", "a number in [0, 1]", "rate='1'"],
    ),
    Case(
        "set schedule",
        lambda: setattr(dropout_in_model(0.5), "rate", schedules.LateDropout(0.5, 2)),
        TypeError,
        [
            "'rate' must be a number in [0, 1]",
            "rate=LateDropout(rate=0.5, steps=2)",
            "Call kdropout.set_rates(model, {path: rate}) to replace what decides it",
        ],
    ),
    Case(
        "set scheduled",
        lambda: setattr(dropout_in_model(schedules.LateDropout(0.5, 2)), "rate", 0.3),
        TypeError,
        [
            "rate of layer 'model/drop' is decided by schedule LateDropout",
            "rate=0.3",
            "Call kdropout.set_rates(model, {path: rate}) to replace what decides it",
        ],
    ),
    Case(
        "set learned",
        lambda: setattr(dropout_in_model(LearnedRate()), "rate", 0.3),
        TypeError,
        [
            "rate of layer 'model/drop' is decided by gradient",
            "rate=0.3",
            "Call kdropout.set_rates(model, {path: rate}) to replace what decides it",
        ],
    ),
    Case(
        "rate beyond floats",
        lambda: layers.Dropout(10**400),
        ValueError,
        ["'rate' must be", A_RATE],
    ),
    Case(
        "integers into a model",
        lambda: layers.Dropout(0.5)(keras.Input((3,), dtype="int32")),
        TypeError,
        ["'inputs' of layer", "must be floating point", "Cast them"],
    ),
]

CASES = (
    RATES_AND_SHAPES
    + RATES_OF_KINDS
    + SEEDS_OF_KINDS
    + INTEGERS_INTO_KINDS
    + RANKS
    + BLOCK_SIZES
    + LARGE_BLOCKS
    + SYNC_CHANNELS
    + DATA_FORMATS
    + PREFIXES
    + LONG_PREFIXES
    + AXES
    + AXES_OF_INPUTS
    + WRAPPERS
    + INITIAL_RATES
    + WEIGHT_REGULARIZERS
    + DROPOUT_REGULARIZERS
    + TEMPERATURES
    + ALPHAS
    + BETAS
    + ASSIGNED_RATES
)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_of_every_layer_has_a_case():
    public = [getattr(layers, name) for name in DROPOUT_LAYERS]
    unchecked = {"name", "dtype", "kwargs"}  # Keras checks these
    assert arguments_without_case(public, CASES) == unchecked
