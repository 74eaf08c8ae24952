"""Errors of arguments share one wording."""

import decimal
import fractions
import math

import numpy as np
import pytest

import kdropout
from kdropout import _validation


@pytest.mark.parametrize(
    "value", [0, 1, 0.25, np.float32(0.5), np.int64(1), fractions.Fraction(1, 4)]
)
def test_number_returns_a_plain_float(value):
    checked = _validation.number("rate", value, 0.0, 1.0)
    assert type(checked) is float
    assert checked == float(value)


@pytest.mark.parametrize("value", ["0.5", None, True, np.True_, 1j, [0.5], {}])
def test_value_that_is_not_a_number_raises_type_error(value):
    with pytest.raises(TypeError, match=r"'x' must be a number in \(-inf, inf\)") as e:
        _validation.number("x", value)
    assert str(e.value).endswith(f"Received: x={value!r}")


def test_other_kinds_of_numbers_raise_type_error():
    with pytest.raises(TypeError, match="'x' must be a number"):
        _validation.number("x", decimal.Decimal("0.5"))
    with pytest.raises(TypeError, match="'x' must be a number"):
        _validation.number("x", np.array(0.5))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_nonfinite_numbers_are_refused_even_without_bounds(value):
    with pytest.raises(ValueError, match=r"'x' must be a number .* Received: x="):
        _validation.number("x", value)


def test_integer_beyond_all_floats_raises_value_error():
    with pytest.raises(ValueError, match=r"'x' must be a number in \[0, 1\]"):
        _validation.number("x", 10**400, 0.0, 1.0)


@pytest.mark.parametrize(
    "open_low, open_high, inside, outside, interval",
    [
        (False, False, [0.0, 1.0, 0.5], [-1e-9, 1 + 1e-9], r"\[0, 1\]"),
        (True, False, [1e-9, 1.0], [0.0, -0.0], r"\(0, 1\]"),
        (False, True, [0.0, 1 - 1e-9], [1.0, 2], r"\[0, 1\)"),
        (True, True, [1e-9, 1 - 1e-9], [0, 1], r"\(0, 1\)"),
    ],
)
def test_bounds_are_open_or_closed_as_requested(
    open_low, open_high, inside, outside, interval
):
    def check(value):
        return _validation.number("x", value, 0.0, 1.0, open_low, open_high)

    assert [check(value) for value in inside] == inside
    for value in outside:
        with pytest.raises(ValueError, match=f"in {interval}. Received: x="):
            check(value)


def test_half_open_bounds_name_infinity():
    with pytest.raises(ValueError, match=r"a number in \(0, inf\). Received: x=0.0"):
        _validation.number("x", 0, 0.0, open_low=True)


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3)])
def test_integer_returns_a_plain_int(value):
    checked = _validation.integer("steps", value, low=3)
    assert type(checked) is int
    assert checked == 3


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.float64(3), [3]])
def test_value_that_is_not_an_integer_raises_type_error(value):
    with pytest.raises(TypeError, match="'steps' must be an integer of at least 1"):
        _validation.integer("steps", value, low=1)


def test_integer_below_its_bound_raises_value_error():
    with pytest.raises(ValueError, match="at least 2. Received: steps=1"):
        _validation.integer("steps", 1, low=2)
    with pytest.raises(ValueError, match="at least 0. Received: steps=-1"):
        _validation.integer("steps", -1)


def test_seed_is_none_or_an_integer_that_every_backend_can_hold():
    assert _validation.optional_seed(None) is None
    assert _validation.optional_seed(0) == 0
    assert _validation.optional_seed(2**31 - 1) == 2**31 - 1
    with pytest.raises(ValueError, match=r"'seed' must be an integer below 2\*\*31"):
        _validation.optional_seed(2**31)
    with pytest.raises(ValueError, match="'seed' must be an integer of at least 0"):
        _validation.optional_seed(-1)
    with pytest.raises(TypeError, match=r"'seed' must be .* Received: seed=1.5"):
        _validation.optional_seed(1.5)


def test_choice_error_lists_the_options():
    assert _validation.choice("shape", "linear", ("linear", "cosine")) == "linear"
    for bad in ("Linear", None, 0, ["linear"]):
        with pytest.raises(
            ValueError, match="one of 'linear', 'cosine'. Received"
        ) as e:
            _validation.choice("shape", bad, ("linear", "cosine"))
        assert f"shape={bad!r}" in str(e.value)


@pytest.mark.parametrize(
    ("rate", "kind"), [("0.5", TypeError), (1.5, ValueError), (None, TypeError)]
)
def test_error_of_a_rate_carries_its_argument(rate, kind):
    with pytest.raises(kind) as raised:
        kdropout.layers.Dropout(rate)
    assert raised.value.argument == "rate"
