"""A rate that gradient descent trains with the weights."""

import math
from typing import Any

import keras
from keras import ops

from kdropout import _validation
from kdropout._renamed import renamed, with_new_names
from kdropout._types import Tensor
from kdropout.rate_rules.base import RateRule, add_scalar, read

# The smallest power of ten whose distance to 1 float32 can hold.
_EPSILON = 1e-7

# The gradient has the factors 1 / temperature and regularizer. Beyond these, it can
# overflow float32 within a step or two, and the rate would become NaN.
_LOWEST_TEMPERATURE = 1e-6
HIGHEST_REGULARIZER = 1e20


# The names that arguments had in version 0.1, and those they have now.
_OLD_NAMES = {"initial": "initial_rate"}


@keras.saving.register_keras_serializable(package="kdropout")
@renamed(_OLD_NAMES)
class LearnedRate(RateRule):
    r"""Learns a dropout rate by gradient descent, with the weights of the model.

    A concrete relaxation replaces the hard mask, so that the loss has a gradient in
    the rate $p$. The training loss by itself would drive the rate to 0, where noise
    disturbs the fit least. A penalty, the entropy term, pulls it to 0.5:

    $$
    \text{regularizer} \cdot K (p \log p + (1 - p) \log(1 - p))
    $$

    $K$ is the number of units that can be dropped per sample. The penalty is never
    positive, so a loss may become negative. `kdropout.callbacks.RateLogger` logs it as
    "entropy_term/<layer>". The losses of training and of evaluation both include the
    penalty, so it cancels in the clean gap. An optimizer with weight decay also pulls
    the rate to 0.5. To prevent this, call
    `optimizer.exclude_from_weight_decay(var_names=["rate_logit"])`.

    Args:
        initial_rate: Float in (0, 1), the rate to start from. Defaults to 0.1.
        regularizer: Float in [0, 1e20], the weight of the entropy term. For `N`
            training samples, the value of the paper is `1 / N` for cross-entropy and
            `2 / N` for squared loss (with a model precision of 1). Defaults to 1e-5.
        temperature: Float of at least 1e-6, the softness of the mask. The authors use
            0.1 for dense layers and 2/3 for convolutions. Defaults to 0.1.
        initial: Deprecated name of `initial_rate`.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is out of range.

    Example:

    >>> layer = kdropout.layers.Dropout(kdropout.LearnedRate(initial_rate=0.2))
    >>> layer.rate
    0.2
    >>> len(layer.trainable_variables)
    1

    Reference:
        Gal, Hron, Kendall 2017, "Concrete Dropout", arXiv:1705.07832. The form of
        the penalty is that of the authors' code.
    """

    decided_by = "gradient"

    def __init__(
        self,
        initial_rate: float = 0.1,
        regularizer: float = 1e-5,
        temperature: float = 0.1,
    ):
        self.initial_rate = _validation.number(
            "initial_rate", initial_rate, 0.0, 1.0, open_low=True, open_high=True
        )
        self.regularizer = _validation.number(
            "regularizer", regularizer, 0.0, HIGHEST_REGULARIZER
        )
        self.temperature = _validation.number(
            "temperature", temperature, _LOWEST_TEMPERATURE
        )

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        logit = math.log(self.initial_rate) - math.log1p(-self.initial_rate)
        return {
            "logit": add_scalar(layer, "rate_logit", logit, trainable=True),
            "entropy_term": add_scalar(layer, "entropy_term", 0.0),
        }

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        rate = ops.sigmoid(layer.rate_variables["logit"])
        # A rate of 0 or 1 would have an infinite logit, or divide by 0.
        return ops.clip(rate, _EPSILON, 1.0 - _EPSILON)

    def value(self, layer: keras.layers.Layer) -> float:
        logit = float(ops.convert_to_numpy(layer.rate_variables["logit"]))
        # A float32 logit determines seven digits.
        return float(f"{0.5 + 0.5 * math.tanh(0.5 * logit):.7g}")

    def penalty(
        self, layer: keras.layers.Layer, num_units: int | Tensor, training: bool
    ) -> Tensor | None:
        logit = ops.convert_to_tensor(layer.rate_variables["logit"])
        rate = ops.sigmoid(logit)
        # log p and log(1 - p) are computed from the logit, so they are always finite.
        negative_entropy = rate * ops.log_sigmoid(logit) + (
            1.0 - rate
        ) * ops.log_sigmoid(-logit)
        num_units = ops.cast(num_units, "float32")
        entropy_term = self.regularizer * num_units * negative_entropy
        if training:
            layer.rate_variables["entropy_term"].assign(entropy_term)
        return entropy_term

    def log_values(self, layer: keras.layers.Layer) -> dict[str, float]:
        entropy_term = read(layer.rate_variables["entropy_term"])
        return {**super().log_values(layer), "entropy_term": entropy_term}

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_rate": self.initial_rate,
            "regularizer": self.regularizer,
            "temperature": self.temperature,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LearnedRate":
        return cls(**with_new_names(config, _OLD_NAMES))
