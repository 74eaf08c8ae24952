"""Weight decay that follows the rate of a dropout layer."""

import keras
from keras import ops

from kdropout.layers.base import BaseDropout


@keras.saving.register_keras_serializable(package="kdropout")
class LiveWeightDecay(keras.regularizers.Regularizer):
    """Adds `scale * (1 - rate) * sum(weights^2)` to the loss, with a live rate.

    Args:
        scale: Float of at least 0.
        rate: The dropout layer of kdropout whose rate in effect is taken, or a float
            in [0, 1].

    Example:

    >>> from kdropout.tuning.job.live_weight_decay import LiveWeightDecay
    >>> drop = kdropout.layers.Dropout(0.5)
    >>> decay = LiveWeightDecay(0.1, drop)
    >>> drop.rate = 0.2
    >>> round(float(decay(np.ones((2, 5), "float32"))), 6)
    0.8

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation", ICML.
    """

    def __init__(self, scale, rate):
        self.scale = scale
        self.rate = rate

    def __call__(self, x):
        rate = self.rate
        if isinstance(rate, BaseDropout):
            rate = rate._rate_rule.current_rate(rate)
        return self.scale * (1.0 - rate) * ops.sum(ops.square(x))

    def get_config(self):
        # A saved model has the rate in effect: a regulariser cannot name a layer.
        rate = self.rate
        return {
            "scale": self.scale,
            "rate": rate.rate if isinstance(rate, BaseDropout) else rate,
        }
