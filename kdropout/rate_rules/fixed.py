"""A rate that stays until somebody sets it."""

from kdropout import validation
from kdropout.rate_rules.base import RateRule, add_scalar, read, write

EXPECTED = "a number in [0, 1], a schedule or a LearnedRate"


class FixedRate(RateRule):
    """The rate is a number, and whoever holds the layer may move it."""

    decided_by = "you"
    settable = True

    def __init__(self, rate):
        self.rate = check_rate(rate)

    def build(self, layer):
        return {"rate": add_scalar(layer, "rate", self.rate)}

    def next_rate(self, layer):
        return layer.rate_variables["rate"].value

    def value(self, layer):
        return read(layer.rate_variables["rate"])

    def assign(self, layer, value):
        write(layer.rate_variables["rate"], check_rate(value, "a number in [0, 1]"))

    def argument(self):
        return self.rate


def check_rate(rate, expected=EXPECTED):
    """A rate as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not in [0, 1].
    """
    try:
        return validation.number("rate", rate, 0.0, 1.0)
    except (TypeError, ValueError) as error:
        message = validation.received("rate", expected, rate)
        raise type(error)(message) from None
