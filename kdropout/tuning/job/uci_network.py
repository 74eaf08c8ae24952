"""The network of the published search over dropout rates on tables of UCI."""

import keras
from keras import ops

from kdropout.layers import Dropout
from kdropout.layers.base import BaseDropout
from kdropout.tuning.job.data import Description

UNITS = 50
LENGTH_SCALE = 1e-2
LEARNING_RATE = 1e-3


def build(
    data: Description,
    tau: float = 1.0,
    units: int = UNITS,
    length_scale: float = LENGTH_SCALE,
) -> keras.Model:
    """Build a compiled model with one hidden layer and dropout before each dense layer.

    A dense layer whose inputs are dropped at the rate `p` has the weight decay

        L2 = length_scale^2 * (1 - p) / (2 * N * tau)

    with `N` training samples. The dropout network then approximates a Gaussian process.
    The decay changes with the rate.

    Args:
        data: `kdropout.tuning.job.Description` of a regression.
        tau: Float above 0, precision of the noise of the targets, in the inverse
            square of their unit. Defaults to 1.0.
        units: Integer of at least 1, units of the hidden layer. Defaults to 50.
        length_scale: Float of at least 0, prior length scale. Defaults to 0.01.

    Returns:
        `keras.Model` with the rate 0.05 in both dropout layers, `input_drop` and
        `hidden_drop`.

    Raises:
        ValueError: If the number of training samples is not known.

    Example:

    >>> from kdropout.tuning.job import Job, uci_network
    >>> data = Job(data={"sklearn": "diabetes"}).make_data()
    >>> kdropout.rates(uci_network.build(data.description))
    {'input_drop': 0.05, 'hidden_drop': 0.05}

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation", ICML, section 5.
    """
    if data.num_samples is None:
        raise ValueError(
            "'data' must have a known number of training samples, because the weight "
            "decay depends on it. Received: num_samples=None. Use arrays, or a dataset "
            "with a known cardinality."
        )
    inputs = keras.Input(data.input_shape, name="features")
    scale = length_scale**2 / (2.0 * data.num_samples * tau)
    x = inputs
    for name, size, activation in (
        ("input", units, "relu"),
        ("hidden", data.target_shape[0] if data.target_shape else 1, None),
    ):
        drop = Dropout(0.05, name=f"{name}_drop")
        x = keras.layers.Dense(
            size,
            activation=activation,
            kernel_regularizer=LiveWeightDecay(scale, drop),
            name=f"{name}_dense",
        )(drop(x))
    model = keras.Model(inputs, x, name="uci")
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        loss="mean_squared_error",
        metrics=["root_mean_squared_error"],
    )
    return model


@keras.saving.register_keras_serializable(package="kdropout")
class LiveWeightDecay(keras.regularizers.Regularizer):
    """Adds `scale * (1 - rate) * sum(weights^2)` to the loss, with a live rate.

    Args:
        scale: Float of at least 0.
        rate: Float in [0, 1], or a dropout layer of kdropout, whose current rate is
            used.

    Example:

    >>> from kdropout.tuning.job.uci_network import LiveWeightDecay
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
        # Save the current rate, because a regularizer cannot refer to a layer.
        rate = self.rate
        return {
            "scale": self.scale,
            "rate": rate.rate if isinstance(rate, BaseDropout) else rate,
        }
