"""Layers of Keras with live rates refuse bad arguments, and name them."""

import keras
import pytest

from kdropout import LearnedRate, layers, schedules
from tests.tools import A_RATE, Case, assert_refused, name_of

NAN = float("nan")


def set_attribute(layer, name, value):
    setattr(layer, name, value)


CASES = [
    Case(
        "dropout above 1",
        lambda: layers.LSTM(3, dropout=1.5),
        ValueError,
        ["'dropout' of LSTM", "'rate' must be", A_RATE, "rate=1.5"],
    ),
    Case(
        "recurrent_dropout below 0",
        lambda: layers.GRU(3, recurrent_dropout=-0.1),
        ValueError,
        ["'recurrent_dropout' of GRU", A_RATE, "rate=-0.1"],
    ),
    Case(
        "dropout nan",
        lambda: layers.SimpleRNN(3, dropout=NAN),
        ValueError,
        ["'dropout' of SimpleRNN", A_RATE, "rate=nan"],
    ),
    Case(
        "dropout a string",
        lambda: layers.ConvLSTM2D(3, 3, dropout="0.5"),
        TypeError,
        ["'dropout' of ConvLSTM2D", A_RATE, "rate='0.5'"],
    ),
    Case(
        "dropout a bool",
        lambda: layers.LSTMCell(3, dropout=True),
        TypeError,
        ["'dropout' of LSTMCell", A_RATE, "rate=True"],
    ),
    Case(
        "dropout a class",
        lambda: layers.GRUCell(3, dropout=LearnedRate),
        TypeError,
        ["'dropout' of GRUCell", A_RATE, "LearnedRate"],
    ),
    Case(
        "a schedule that starts above 1",
        lambda: layers.Attention(
            dropout=keras.optimizers.schedules.ExponentialDecay(2.0, 1, 0.5)
        ),
        ValueError,
        ["'dropout' of Attention", "values in [0, 1]", "which is 2 at step 0"],
    ),
    Case(
        "seed a string",
        lambda: layers.LSTM(3, dropout=0.5, seed="1"),
        TypeError,
        ["'seed' must be an integer", "seed='1'"],
    ),
    Case(
        "no units",
        lambda: layers.LSTM(dropout=0.5),
        TypeError,
        ["missing a required argument: 'units'"],
    ),
    Case(
        "an unknown argument",
        lambda: layers.LSTM(3, dropuot=0.5),
        ValueError,
        ["dropuot"],
    ),
    Case(
        "set dropout of a cell",
        lambda: set_attribute(layers.LSTMCell(3, dropout=0.5), "dropout", 0.3),
        AttributeError,
        ["'dropout' of layer", "dropout=0.3", "layer.dropout_layer.rate = 0.3"],
    ),
    Case(
        "set dropout of a cell without any",
        lambda: set_attribute(layers.LSTMCell(3), "recurrent_dropout", 0.3),
        AttributeError,
        ["'recurrent_dropout' of layer", "Pass recurrent_dropout=0.3 when you make"],
    ),
    Case(
        "set dropout of a recurrent layer",
        lambda: set_attribute(layers.GRU(3, dropout=0.5), "dropout", 0.3),
        AttributeError,
        ["'dropout' of layer", "layer.dropout_layer.rate = 0.3"],
    ),
    Case(
        "set dropout of attention",
        lambda: set_attribute(layers.Attention(), "dropout", 0.3),
        AttributeError,
        ["'dropout' of layer", "layer.dropout_layer.rate = 0.3"],
    ),
    Case(
        "set a rate that a schedule decides",
        lambda: set_attribute(
            layers.LSTM(3, dropout=schedules.Ramp(0.0, 0.5, 9)).dropout_layer,
            "rate",
            0.3,
        ),
        TypeError,
        ["is decided by schedule Ramp", "kdropout.set_rates"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_argument_is_refused(case):
    assert_refused(case)
