"""Checks arguments, with one wording for all errors.

The errors are TypeError and ValueError with three attributes, for code that shows where
a value was read. `argument` is the name of the argument. `key` is the path of the
setting within it, a tuple that begins with the name. `problem` is the message without
the name. No code parses the text of an error.
"""

import difflib
import math
import numbers

# The largest finite number of float32, the dtype in which rates are computed.
FLOAT32_MAX = 3.4028234663852886e38


def number(name, value, low=-math.inf, high=math.inf, open_low=False, open_high=False):
    """Return `value` as a float, or raise an error with the argument and its bounds.

    Args:
        name: Name of the argument, for the message.
        value: The value that the user passed.
        low: Smallest value allowed.
        high: Largest value allowed.
        open_low: If True, `low` itself is refused. Defaults to False.
        open_high: If True, `high` itself is refused. Defaults to False.

    Raises:
        TypeError: If `value` is not a real number (a bool is not one).
        ValueError: If `value` is NaN or out of bounds.
    """
    expected = f"a number in {_interval(low, high, open_low, open_high)}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise type_error(name, expected, value)
    try:
        value = float(value)
    except OverflowError:
        raise value_error(name, expected, value) from None
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if math.isnan(value) or math.isinf(value) or not (above and below):
        raise value_error(name, expected, value)
    return value


def integer(name, value, low=0):
    """Return `value` as an int of at least `low`, or raise an error.

    Raises:
        TypeError: If `value` is not an integer.
        ValueError: If `value` is smaller than `low`.
    """
    expected = "an integer" if low == -math.inf else f"an integer of at least {low}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise type_error(name, expected, value)
    if value < low:
        raise value_error(name, expected, value)
    return int(value)


def boolean(name, value):
    """Return `value` if it is True or False, or raise a TypeError."""
    if not isinstance(value, bool):
        raise type_error(name, "True or False", value)
    return value


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
        raise value_error("seed", "an integer below 2**31", value)
    return seed


def layer_seed(value):
    """Return the seed of a layer as an int, or None. As in Keras, any integer is valid.

    Raises:
        TypeError: If it is neither an integer nor None.
    """
    if value is None:
        return None
    return integer("seed", value, low=-math.inf)


def choice(name, value, options):
    """Return `value` if it is one of `options`, or raise an error that lists them.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, str) or value not in options:
        problem = _problem(name, "one of " + ", ".join(map(repr, options)), value)
        hint = nearest(value, options) if isinstance(value, str) else ""
        if hint:
            problem = f"{problem}.{hint}"
        raise argument_error(ValueError, name, problem)
    return value


def argument_error(kind, argument, problem):
    """Make the error of an argument from the problem with it.

    Args:
        kind: TypeError or ValueError.
        argument: Name of the argument.
        problem: String such as "must be above 0. Received: low=0".
    """
    error = kind(f"'{argument}' {problem}")
    error.argument, error.key, error.problem = argument, (argument,), problem
    return error


def type_error(argument, expected, value):
    """Make the error of an argument whose value is of the wrong type."""
    return argument_error(TypeError, argument, _problem(argument, expected, value))


def value_error(argument, expected, value):
    """Make the error of an argument whose value is out of range."""
    return argument_error(ValueError, argument, _problem(argument, expected, value))


def error_within(error, key, where):
    """Make the same error for a value inside a larger setting.

    Args:
        error: The error of an argument.
        key: Path of the larger setting, a tuple.
        where: The path as the message shows it.
    """
    larger = type(error)(f"{where}: {error}")
    larger.argument, larger.key = key[0], (*key, *getattr(error, "key", ()))
    larger.problem = getattr(error, "problem", str(error))
    return larger


def nearest(name, names):
    """A hint at the most similar of `names`, or an empty string."""
    close = difflib.get_close_matches(str(name), list(map(str, names)), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def shorten(value, width=80):
    """`value` as Python writes it, cut to `width` characters."""
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def received(name, expected, value):
    """The message of an error: the argument, the expected value, the received value."""
    return f"'{name}' {_problem(name, expected, value)}"


def _problem(name, expected, value):
    return f"must be {expected}. Received: {name}={value!r}"


def _interval(low, high, open_low, open_high):
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if open_high or high == math.inf else "]"
    return f"{left}{low:g}, {high:g}{right}"
