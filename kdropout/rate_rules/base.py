"""The base class of the rules, and the two rules without a clock."""

from typing import Any

import keras
import numpy as np

from kdropout import _validation
from kdropout._reprs import call_text
from kdropout._types import RateLike, Tensor

EXPECTED = "a number in [0, 1], a schedule or a LearnedRate"


class RateRule:
    """Decides the rate of a layer. A rule has no state: the layer owns the variables.

    To add a rule, subclass this class, implement `build`, `next_rate` and `value`,
    register the class with `keras.saving.register_keras_serializable`, and pass an
    instance as `rate` to any layer. No layer needs to change.

    Attributes:
        decided_by: String that `kdropout.summary` shows in its last column.
        settable: Bool, True if `layer.rate = x` is allowed. Defaults to False.
        temperature: Float above 0, the softness of masks that are differentiable in
            the rate; or None for hard masks. Defaults to None.

    Reference:
        `docs/write_a_rule.md` has a complete example.
    """

    decided_by = ""
    settable = False
    temperature = None

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        """Add the variables of the rule to a layer.

        Args:
            layer: The layer that owns the variables.

        Returns:
            Dict from name to variable. The names are the keys in saved files.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement 'build'.")

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        """Return the rate of this training step.

        Args:
            layer: The layer that owns the variables, which this method may change.

        Returns:
            Float32 scalar tensor in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} must implement 'next_rate'.")

    def current_rate(self, layer: keras.layers.Layer) -> Tensor:
        """Return the rate in effect. Override it if `next_rate` changes variables.

        Args:
            layer: The layer that owns the variables.

        Returns:
            Float32 scalar tensor in [0, 1].
        """
        return self.next_rate(layer)

    def value(self, layer: keras.layers.Layer) -> float:
        """Return the rate in effect as a float.

        Args:
            layer: The layer that owns the variables.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement 'value'.")

    def penalty(
        self, layer: keras.layers.Layer, num_units: int | Tensor, training: bool
    ) -> Tensor | None:
        """Return a scalar to add to the loss at each call, or None.

        A layer calls this only for a rule with a `temperature`. For any other rule, a
        penalty would have no gradient in the rate.

        Args:
            layer: The layer that owns the variables.
            num_units: Integer or scalar tensor, the number of units that can be
                dropped per sample.
            training: Bool, True in a training step. Variables may change only then.

        Returns:
            Float32 scalar tensor, or None.
        """
        return None

    def log_values(self, layer: keras.layers.Layer) -> dict[str, float]:
        """Return the numbers that `kdropout.callbacks.RateLogger` logs.

        Args:
            layer: The layer that owns the variables.

        Returns:
            Dict from name to float.
        """
        return {"rate": self.value(layer)}

    def assign(self, layer: keras.layers.Layer, value: float) -> None:
        """Set the rate of a layer.

        Args:
            layer: The layer that owns the variables.
            value: Float in [0, 1], the rate to set.

        Raises:
            TypeError: Always, unless a subclass is settable.
        """
        raise TypeError(
            f"The rate of layer '{layer.path or layer.name}' is decided by "
            f"{self.decided_by}, so it cannot be set. Received: rate={value!r}. "
            f"{layer._how_to_set_rate}"
        )

    def argument(self, layer: keras.layers.Layer) -> Any:
        """Return the value that `get_config` of a layer stores for `rate`.

        Args:
            layer: The layer that owns the variables.

        Returns:
            A value that JSON can hold, and that a layer takes as its `rate`.
        """
        return keras.saving.serialize_keras_object(self)

    def __repr__(self) -> str:
        return call_text(self)


class FixedRate(RateRule):
    """The rate is a number that a user or a callback may set at any time."""

    decided_by = "you"
    settable = True

    def __init__(self, rate: RateLike):
        self.rate = _check_rate(rate)

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        return {"rate": add_scalar(layer, "rate", self.rate)}

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        return layer.rate_variables["rate"].value

    def value(self, layer: keras.layers.Layer) -> float:
        return read(layer.rate_variables["rate"])

    def assign(self, layer: keras.layers.Layer, value: float) -> None:
        write(layer.rate_variables["rate"], _check_assigned(layer, value))

    def argument(self, layer: keras.layers.Layer) -> Any:
        return self.rate


class ObservedRate(RateRule):
    """The inputs decide the rate, and the layer records its mean in each step."""

    decided_by = "inputs"

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        return {"rate": add_scalar(layer, "rate", 0.0)}

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        return layer.rate_variables["rate"].value

    def value(self, layer: keras.layers.Layer) -> float:
        return read(layer.rate_variables["rate"])

    def observe(self, layer: keras.layers.Layer, rate: Tensor) -> None:
        """Record a float32 scalar tensor as the rate in effect."""
        layer.rate_variables["rate"].assign(rate)

    def argument(self, layer: keras.layers.Layer) -> Any:
        return None  # the layer that uses this rule has no argument `rate`


def add_scalar(
    layer: keras.layers.Layer,
    name: str,
    value: float,
    dtype: str = "float32",
    trainable: bool = False,
) -> keras.Variable:
    """Add a scalar variable to a layer. It keeps its dtype under mixed precision.

    If there are several replicas, all of them take the value that the first one writes.

    Args:
        layer: The layer to add the variable to.
        name: Name of the variable.
        value: Number, the initial value.
        dtype: Dtype of the variable. Defaults to "float32".
        trainable: If True, gradients train the variable. Defaults to False.

    Returns:
        The variable.

    Example:

    >>> layer = keras.layers.Layer()
    >>> kdropout.rate_rules.read(kdropout.rate_rules.add_scalar(layer, "rate", 0.3))
    0.3
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
    """Return the value of a float32 variable as the shortest float that rounds to it.

    A rate of 0.3 reads back as 0.3, and assigning the value again changes no bit.

    Args:
        variable: Float32 scalar variable.

    Raises:
        RuntimeError: If Keras holds the value between two batches of a training on JAX.

    Example:

    >>> layer = kdropout.layers.Dropout(0.3)
    >>> kdropout.rate_rules.read(layer.rate_variables["rate"])
    0.3
    """
    _require_value(variable)
    try:
        value = float(variable.value)  # four times as fast as `convert_to_numpy`
    except TypeError:  # a variable of several replicas
        value = keras.ops.convert_to_numpy(variable)
    return float(str(np.float32(value)))


def write(variable: keras.Variable, value: float) -> None:
    """Assign a value to a variable.

    Args:
        variable: Scalar variable.
        value: Number to assign.

    Raises:
        RuntimeError: If Keras holds the value between two batches of a training on JAX.

    Example:

    >>> layer = kdropout.layers.Dropout(0.3)
    >>> kdropout.rate_rules.write(layer.rate_variables["rate"], 0.4)
    >>> layer.rate
    0.4
    """
    _require_value(variable)
    variable.assign(value)


def _require_value(variable: keras.Variable) -> None:
    """Refuse a variable whose value Keras's training on JAX holds at present."""
    # Keras would overwrite a value that is written in the meantime.
    try:
        variable.value  # noqa: B018
    except TypeError:
        raise RuntimeError(
            f"Variable '{variable.path}' has no value, because on JAX Keras holds the "
            "state of the model between two batches. In a callback, go through "
            "self.model: kdropout.set_rates(self.model, 0.3) or "
            "self.model.get_layer(...).rate = 0.3."
        ) from None


def _check_assigned(layer, value):
    """The number that is assigned to `layer.rate`, as a float."""
    if callable(value) or isinstance(value, RateRule):
        problem = (
            f"must be a number in [0, 1]. Received: rate={value!r}. "
            f"{layer._how_to_set_rate}"
        )
        raise _validation.argument_error(TypeError, "rate", problem)
    return _check_rate(value, "a number in [0, 1]")


def _check_rate(rate, expected=EXPECTED):
    """The argument `rate` as a float."""
    try:
        return _validation.number("rate", rate, 0.0, 1.0)
    except TypeError:
        raise _validation.type_error("rate", expected, rate) from None
    except ValueError:
        raise _validation.value_error("rate", expected, rate) from None
