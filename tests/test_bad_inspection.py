"""`rates`, `summary` and `set_rates` refuse bad arguments and name them."""

import keras
import pytest

import kdropout
from tests.tools import (
    A_RATE,
    Case,
    arguments_without_case,
    assert_refused,
    dropout_model,
    name_of,
)


@keras.saving.register_keras_serializable(package="test_bad_inspection")
def too_high(step):
    return 1.5 + 0.0 * step


@keras.saving.register_keras_serializable(package="test_bad_inspection")
def without_step():
    return 0.5


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
        "summary with no callbacks",
        lambda: kdropout.summary(dropout_model(), callbacks=[3]),
        TypeError,
        ["'callbacks' must be a list of keras.callbacks.Callback", "callbacks=[3]"],
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
        ["'rate' must be", A_RATE, "rate=1.5"],
    ),
    Case(
        "set_rates text",
        lambda: kdropout.set_rates(dropout_model(), {"drop": "a"}),
        TypeError,
        ["'rate' must be", A_RATE, "rate='a'"],
    ),
    Case(
        "set_rates list",
        lambda: kdropout.set_rates(dropout_model(), [0.5]),
        TypeError,
        ["'rate' must be", A_RATE, "rate=[0.5]"],
    ),
    Case(
        "set_rates unknown path",
        lambda: kdropout.set_rates(dropout_model(), {"model/drop": 0.5}),
        ValueError,
        ["'rates' must name", "The model has: 'drop'", "Received: 'model/drop'"],
    ),
    Case(
        "set_rates None",
        lambda: kdropout.set_rates(dropout_model(), None),
        TypeError,
        ["'rate' must be", A_RATE, "rate=None"],
    ),
    Case(
        "set_rates bool",
        lambda: kdropout.set_rates(dropout_model(), {"drop": True}),
        TypeError,
        ["'rate' must be", A_RATE, "rate=True"],
    ),
    Case(
        "set_rates class",
        lambda: kdropout.set_rates(dropout_model(), kdropout.LearnedRate),
        TypeError,
        ["'rate' must be", A_RATE, "LearnedRate"],
    ),
    Case(
        "set_rates dict within a dict",
        lambda: kdropout.set_rates(dropout_model(), {"drop": {"start": 0.1}}),
        TypeError,
        ["'rate' must be", A_RATE, "rate={'start': 0.1}"],
    ),
    Case(
        "set_rates schedule that starts outside",
        lambda: kdropout.set_rates(dropout_model(), too_high),
        ValueError,
        ["'rate' must be a schedule with values in [0, 1]", "which is 1.5 at step 0"],
    ),
    Case(
        "set_rates schedule that fails",
        lambda: kdropout.set_rates(dropout_model(), {"drop": without_step}),
        TypeError,
        ["'rate' must be a schedule", "without_step"],
    ),
    Case(
        "set_rates learned for Gaussian noise",
        lambda: kdropout.set_rates(
            keras.Sequential([kdropout.layers.GaussianDropout(0.5)]),
            kdropout.LearnedRate(),
        ),
        TypeError,
        ["'rate' of GaussianDropout must be a number in [0, 1] or a schedule"],
    ),
    Case(
        "set_rates unknown glob",
        lambda: kdropout.set_rates(dropout_model(), {"encoder/*": too_high}),
        ValueError,
        ["'rates' must name", "Received: 'encoder/*'"],
    ),
    Case(
        "set_rates with a number as path",
        lambda: kdropout.set_rates(dropout_model(), {3: 0.5}),
        TypeError,
        ["'rates' must be a rate, or a dict from layer paths or globs", "{3: 0.5}"],
    ),
    Case(
        "set_rates with a layer as path",
        lambda: kdropout.set_rates(dropout_model(), {kdropout.layers.Dropout(0.5): 1}),
        TypeError,
        ["'rates' must be a rate, or a dict from layer paths or globs"],
    ),
    Case(
        "set_rates empty",
        lambda: kdropout.set_rates(dropout_model(), {}),
        ValueError,
        ["'rates' must name at least one layer", "rates={}"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_has_a_case():
    public = [kdropout.rates, kdropout.set_rates, kdropout.summary]
    # Has no case: a 'print_fn' that cannot be called raises Python's own error.
    assert arguments_without_case(public, CASES) == {"print_fn"}
