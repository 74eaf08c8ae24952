"""Invalid schedules and learned rates are refused, and the error names them."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate, layers
from tests.tools import (
    Case,
    arguments_without_case,
    assert_refused,
    dropout_model,
    name_of,
    runtime_error,
)

INF = float("inf")
X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


@keras.saving.register_keras_serializable(package="test_bad_rates")
def starts_above(step):
    return 1.5 - step


@keras.saving.register_keras_serializable(package="test_bad_rates")
def rises_above(step):
    return 0.6 + 0.6 * step


@keras.saving.register_keras_serializable(package="test_bad_rates")
def undefined(step):
    return step * float("nan")


@keras.saving.register_keras_serializable(package="test_bad_rates")
def vector(step):
    return ops.stack([step, step])


@keras.saving.register_keras_serializable(package="test_bad_rates")
def without_step():
    return 0.5


CASES = [
    # A rate that is a schedule
    Case(
        "schedule starts outside",
        lambda: layers.Dropout(starts_above),
        ValueError,
        [
            "'rate' must be a schedule with",
            "values in [0, 1]",
            "which is 1.5 at step 0",
        ],
    ),
    Case(
        "schedule of keras starts outside",
        lambda: layers.Dropout(keras.optimizers.schedules.CosineDecay(3.0, 9)),
        ValueError,
        ["'rate' must be a schedule with", "values in [0, 1]", "3 at step 0"],
    ),
    Case(
        "schedule is nan",
        lambda: layers.Dropout(undefined),
        ValueError,
        [
            "'rate' must be a schedule with",
            "values in [0, 1]",
            "which is nan at step 0",
        ],
    ),
    Case(
        "schedule of a vector",
        lambda: layers.Dropout(vector),
        TypeError,
        [
            "'rate' must be a schedule: a callable",
            "takes the step (a float32 scalar tensor) and returns a scalar in [0, 1]",
            "Received: rate=<function vector",
        ],
    ),
    Case(
        "schedule without a step",
        lambda: layers.Dropout(without_step),
        TypeError,
        [
            "'rate' must be a schedule",
            "takes the step",
            "whose call failed with TypeError",
        ],
    ),
    Case(
        "schedule leaves",
        lambda: dropout_model(rises_above).fit(X, Y, epochs=2, verbose=0),
        runtime_error(),
        ["The schedule of layer", "drop' left [0, 1]", "Bound the schedule, or train"],
    ),
    # LearnedRate
    Case(
        "initial 0",
        lambda: LearnedRate(initial_rate=0),
        ValueError,
        ["'initial_rate' must be a number in (0, 1)", "initial_rate=0.0"],
    ),
    Case(
        "initial 1",
        lambda: LearnedRate(1.0),
        ValueError,
        ["'initial_rate' must be a number in (0, 1)", "initial_rate=1.0"],
    ),
    Case(
        "initial text",
        lambda: LearnedRate("0.1"),
        TypeError,
        ["'initial_rate' must be a number in (0, 1)", "initial_rate='0.1'"],
    ),
    Case(
        "regularizer negative",
        lambda: LearnedRate(regularizer=-1),
        ValueError,
        ["'regularizer' must be", "a number in [0, 1e+20]", "regularizer=-1.0"],
    ),
    Case(
        "regularizer too large for float32",
        lambda: LearnedRate(regularizer=1e308),
        ValueError,
        ["'regularizer' must be", "a number in [0, 1e+20]", "regularizer=1e+308"],
    ),
    Case(
        "regularizer bool",
        lambda: LearnedRate(regularizer=False),
        TypeError,
        ["'regularizer' must be", "a number in [0, 1e+20]", "regularizer=False"],
    ),
    Case(
        "temperature 0",
        lambda: LearnedRate(temperature=0.0),
        ValueError,
        ["'temperature' must be", "a number in [1e-06, inf)", "temperature=0.0"],
    ),
    Case(
        "temperature too small for float32",
        lambda: LearnedRate(temperature=1e-46),
        ValueError,
        ["'temperature' must be", "a number in [1e-06, inf)", "temperature=1e-46"],
    ),
    Case(
        "temperature inf",
        lambda: LearnedRate(temperature=INF),
        ValueError,
        ["'temperature' must be", "a number in [1e-06, inf)", "temperature=inf"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_of_a_learned_rate_has_a_case():
    assert arguments_without_case([LearnedRate], CASES) == set()
