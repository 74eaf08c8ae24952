"""How a rate is decided: what all ways share, and the two that need no clock."""

from typing import Any

import keras
import numpy as np

from kdropout import _validation
from kdropout._types import RateLike, Tensor

EXPECTED = "a number in [0, 1], a schedule or a LearnedRate"


class RateRule:
    """A way of deciding the rate of a layer. Stateless: the layer owns the variables.

    To add a way of deciding, subclass this, implement `build`, `next_rate` and
    `value`, register the class with `keras.saving.register_keras_serializable`, and
    pass an instance as `rate` to any layer. No layer needs to change.

    Attributes:
        decided_by: What `kdropout.summary` shows in its last column.
        settable: Whether `layer.rate = x` is allowed.
        temperature: None for hard masks. A float above 0 asks the layer for masks
            that are differentiable in the rate.
    """

    decided_by = ""
    settable = False
    temperature = None

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        """Add the variables to `layer`; return them as a dict by name.

        The names are the keys under which the variables are saved.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement 'build'.")

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        """The rate of this training step: float32 scalar tensor in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} must implement 'next_rate'.")

    def current_rate(self, layer: keras.layers.Layer) -> Tensor:
        """The rate in effect, as a tensor. Override it if `next_rate` moves it."""
        return self.next_rate(layer)

    def value(self, layer: keras.layers.Layer) -> float:
        """The rate in effect, as a float."""
        raise NotImplementedError(f"{type(self).__name__} must implement 'value'.")

    def penalty(
        self, layer: keras.layers.Layer, num_units: int | Tensor, training: bool
    ) -> Tensor | None:
        """A scalar to add to the loss at each call, or None.

        Only a rule with a `temperature` is asked: without a gradient in the rate, a
        penalty would be a constant.

        Args:
            layer: The layer that owns the variables.
            num_units: Number of units dropped per sample, integer or scalar tensor.
            training: Whether this is a training step: only then variables change.
        """
        return None

    def log_values(self, layer: keras.layers.Layer) -> dict[str, float]:
        """What `kdropout.callbacks.RateLogger` logs: dict from name to float."""
        return {"rate": self.value(layer)}

    def assign(self, layer: keras.layers.Layer, value: float) -> None:
        """Set the rate.

        Raises:
            TypeError: Always, unless a subclass is settable.
        """
        raise TypeError(
            f"The rate of layer '{layer.path or layer.name}' is decided by "
            f"{self.decided_by}, so it cannot be set. {layer.how_to_set_rate} "
            f"Received: rate={value!r}"
        )

    def argument(self, layer: keras.layers.Layer) -> Any:
        """What `get_config` of a layer stores for the argument `rate`."""
        return keras.saving.serialize_keras_object(self)


class FixedRate(RateRule):
    """The rate is a number, and whoever holds the layer may move it."""

    decided_by = "you"
    settable = True

    def __init__(self, rate: RateLike):
        self.rate = check_rate(rate)

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        return {"rate": add_scalar(layer, "rate", self.rate)}

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        return layer.rate_variables["rate"].value

    def value(self, layer: keras.layers.Layer) -> float:
        return read(layer.rate_variables["rate"])

    def assign(self, layer: keras.layers.Layer, value: float) -> None:
        write(layer.rate_variables["rate"], check_rate(value, "a number in [0, 1]"))

    def argument(self, layer: keras.layers.Layer) -> Any:
        return self.rate


class ObservedRate(RateRule):
    """The inputs decide: the layer records the mean over the units of a step."""

    decided_by = "inputs"

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        return {"rate": add_scalar(layer, "rate", 0.0)}

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        return layer.rate_variables["rate"].value

    def value(self, layer: keras.layers.Layer) -> float:
        return read(layer.rate_variables["rate"])

    def observe(self, layer: keras.layers.Layer, rate: Tensor) -> None:
        """Record `rate`, a float32 scalar tensor, as the one in effect."""
        layer.rate_variables["rate"].assign(rate)

    def argument(self, layer: keras.layers.Layer) -> Any:
        return None  # no argument of a layer makes this rule


def add_scalar(
    layer: keras.layers.Layer,
    name: str,
    value: float,
    dtype: str = "float32",
    trainable: bool = False,
) -> keras.Variable:
    """A scalar variable of `layer`, kept in `dtype` under mixed precision.

    On several replicas, the first one's write counts, and reaches all.
    """
    return layer.add_weight(
        shape=(),
        initializer=keras.initializers.Constant(value),
        dtype=dtype,
        trainable=trainable,
        autocast=False,
        aggregation="mean" if trainable else "only_first_replica",
        name=name,
    )


def read(variable: keras.Variable) -> float:
    """A float32 variable as the shortest Python float that rounds to it.

    So 0.3 reads back as 0.3, and assigning what was read changes no bit.

    Raises:
        RuntimeError: If the variable has no value at present.
    """
    require_value(variable)
    return float(str(np.float32(keras.ops.convert_to_numpy(variable))))


def write(variable: keras.Variable, value: float) -> None:
    """Assign a value to a variable.

    Raises:
        RuntimeError: If the variable has no value at present.
    """
    require_value(variable)
    variable.assign(value)


def require_value(variable: keras.Variable) -> None:
    """Refuse a variable whose value Keras's training on JAX has taken away.

    What is written to it meanwhile would be lost without a word.

    Raises:
        RuntimeError: If it has no value at present.
    """
    try:
        variable.value  # noqa: B018
    except TypeError:
        raise RuntimeError(
            f"Variable '{variable.path}' has no value, because on JAX Keras holds the "
            "state of the model between two batches. In a callback, go through "
            "self.model, as in kdropout.set_rates(self.model, 0.3) or "
            "self.model.get_layer(...).rate = 0.3."
        ) from None


def check_rate(rate, expected=EXPECTED):
    """A rate as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not in [0, 1].
    """
    try:
        return _validation.number("rate", rate, 0.0, 1.0)
    except TypeError:
        raise _validation.type_error("rate", expected, rate) from None
    except ValueError:
        raise _validation.value_error("rate", expected, rate) from None
