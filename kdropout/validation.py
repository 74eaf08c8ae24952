"""Checks of arguments, with the one wording of their errors."""

import difflib
import math
import numbers

# The largest number of float32, in which rates are computed: beyond it is infinity.
FLOAT32_MAX = 3.4028234663852886e38


def number(name, value, low=-math.inf, high=math.inf, open_low=False, open_high=False):
    """Return `value` as a float, or raise naming the argument and its bounds.

    Args:
        name: Name of the argument, for the message.
        value: What the user passed.
        low: Smallest value allowed.
        high: Largest value allowed.
        open_low: Whether `low` itself is refused.
        open_high: Whether `high` itself is refused.

    Raises:
        TypeError: If `value` is not a real number (a bool is not one).
        ValueError: If `value` is NaN or out of bounds.
    """
    expected = f"a number in {_interval(low, high, open_low, open_high)}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(received(name, expected, value))
    try:
        value = float(value)
    except OverflowError:
        raise ValueError(received(name, expected, value)) from None
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if math.isnan(value) or math.isinf(value) or not (above and below):
        raise ValueError(received(name, expected, value))
    return value


def integer(name, value, low=0):
    """Return `value` as an int of at least `low`, or raise naming the argument.

    Raises:
        TypeError: If `value` is not an integer.
        ValueError: If `value` is smaller than `low`.
    """
    expected = "an integer" if low == -math.inf else f"an integer of at least {low}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(received(name, expected, value))
    if value < low:
        raise ValueError(received(name, expected, value))
    return int(value)


def optional_seed(value):
    """Return a seed as an int below 2^31, or None.

    Raises:
        TypeError: If it is neither an integer nor None.
        ValueError: If it is negative, or larger than all backends can hold.
    """
    if value is None:
        return None
    seed = integer("seed", value)
    if seed >= 2**31:
        raise ValueError(received("seed", "an integer below 2**31", value))
    return seed


def layer_seed(value):
    """Return the seed of a layer as an int, or None. Any integer is one, as in Keras.

    Raises:
        TypeError: If it is neither an integer nor None.
    """
    if value is None:
        return None
    return integer("seed", value, low=-math.inf)


def choice(name, value, options):
    """Return `value` if it is one of `options`, or raise listing them.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, str) or value not in options:
        raise ValueError(
            received(name, "one of " + ", ".join(map(repr, options)), value)
        )
    return value


def nearest(name, names):
    """A hint at the one of `names` that `name` resembles, or an empty string."""
    close = difflib.get_close_matches(str(name), list(map(str, names)), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def received(name, expected, value):
    """The message: what is wrong, what is expected, what was received."""
    return f"'{name}' must be {expected}. Received: {name}={value!r}"


def _interval(low, high, open_low, open_high):
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if open_high or high == math.inf else "]"
    return f"{left}{low:g}, {high:g}{right}"
