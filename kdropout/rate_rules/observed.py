"""A rate that is measured, because each unit has one of its own."""

from kdropout.rate_rules.base import RateRule, add_scalar, read


class ObservedRate(RateRule):
    """The inputs decide: the layer records the mean over the units of a step."""

    decided_by = "inputs"

    def build(self, layer):
        return {"rate": add_scalar(layer, "rate", 0.0)}

    def next_rate(self, layer):
        return layer.rate_variables["rate"].value

    def value(self, layer):
        return read(layer.rate_variables["rate"])

    def observe(self, layer, rate):
        """Record `rate`, a float32 scalar tensor, as the one in effect."""
        layer.rate_variables["rate"].assign(rate)

    def argument(self):
        return None  # no argument of a layer makes this rule
