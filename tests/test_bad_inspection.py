"""`rates`, `summary` and `set_rates` refuse bad arguments and name them."""

import keras
import pytest

import kdropout
from kdropout import schedules
from tests.tools import (
    Case,
    arguments_without_case,
    assert_refused,
    dropout_model,
    name_of,
)

CASES = [
    Case(
        "rates of no model",
        lambda: kdropout.rates(3),
        TypeError,
        ["'model' must be", "model=3", "a keras.Model or layer"],
    ),
    Case(
        "summary of no model",
        lambda: kdropout.summary([0.5]),
        TypeError,
        ["'model' must be", "model=[0.5]", "a keras.Model or layer"],
    ),
    Case(
        "set_rates of no model",
        lambda: kdropout.set_rates(None, 0.5),
        TypeError,
        ["'model' must be", "model=None", "a keras.Model or layer"],
    ),
    Case(
        "set_rates without dropout",
        lambda: kdropout.set_rates(keras.Sequential(name="bare"), 0.5),
        ValueError,
        [
            "'model' must hold dropout layers of kdropout",
            "Received: 'bare'",
            "kdropout.convert(model) to make",
            "kdropout.insert(model, rate) to add some",
        ],
    ),
    Case(
        "set_rates above",
        lambda: kdropout.set_rates(dropout_model(), 1.5),
        ValueError,
        ["'rate' must be", "a number in [0, 1]", "rate=1.5"],
    ),
    Case(
        "set_rates text",
        lambda: kdropout.set_rates(dropout_model(), {"drop": "a"}),
        TypeError,
        ["'rate' must be", "a number in [0, 1]", "rate='a'"],
    ),
    Case(
        "set_rates list",
        lambda: kdropout.set_rates(dropout_model(), [0.5]),
        TypeError,
        ["'rate' must be", "a number in [0, 1]", "rate=[0.5]"],
    ),
    Case(
        "set_rates unknown path",
        lambda: kdropout.set_rates(dropout_model(), {"model/drop": 0.5}),
        ValueError,
        ["'rates' must name", "The model has: 'drop'", "Received: 'model/drop'"],
    ),
    Case(
        "set_rates scheduled",
        lambda: kdropout.set_rates(dropout_model(schedules.LateDropout(0.5, 2)), 0.1),
        TypeError,
        [
            "'model/drop' is decided by schedule LateDropout",
            "rate=0.1",
            "Pass a float 'rate'",
        ],
    ),
    Case(
        "set_rates with a number as path",
        lambda: kdropout.set_rates(dropout_model(), {3: 0.5}),
        TypeError,
        ["'rates' must", "3"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_has_a_case():
    public = [kdropout.rates, kdropout.set_rates, kdropout.summary]
    # Has no case: a 'print_fn' that cannot be called raises Python's own error.
    assert arguments_without_case(public, CASES) == {"print_fn"}
