"""A rate that moves with the training steps."""

from keras import ops

from kdropout.rate_rules.base import RateRule, read


class ClockedRate(RateRule):
    """Base class of rules whose rate is a function of the training step.

    A subclass adds the variables "rate" and "step", an integer, and implements
    `rate_at`. The step is the number of training calls of the layer before this one.
    """

    def rate_at(self, layer, step):
        """The rate of a step, an integer scalar tensor: float32 scalar tensor."""
        raise NotImplementedError(f"{type(self).__name__} must implement 'rate_at'.")

    def next_rate(self, layer):
        variables = layer.rate_variables
        step = ops.convert_to_tensor(variables["step"])
        rate = self.rate_at(layer, step)
        variables["step"].assign(step + 1)
        variables["rate"].assign(rate)
        return rate

    def current_rate(self, layer):
        return layer.rate_variables["rate"].value

    def value(self, layer):
        return read(layer.rate_variables["rate"])
