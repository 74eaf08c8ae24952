"""Rates that are functions of the training step."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kdropout._types import Tensor
from kdropout.rate_rules.base import RateRule, add_scalar, read

# Packages whose frames lie between the user's line and a warning.
_LIBRARIES = ("kdropout", "keras")


class ClockedRate(RateRule):
    """Base class of rules whose rate is a function of the training step.

    A subclass implements `rate_at`, and its `build` adds the variables "rate" and
    "step", an integer: the number of training calls of the layer before this one.

    Reference:
        `docs/write_a_rule.md`.
    """

    def rate_at(self, layer: keras.layers.Layer, step: Tensor) -> Tensor:
        """Return the rate of a step.

        Args:
            layer: The layer that owns the variables.
            step: Integer scalar tensor.

        Returns:
            Float32 scalar tensor in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} must implement 'rate_at'.")

    def next_rate(self, layer: keras.layers.Layer) -> Tensor:
        variables = layer.rate_variables
        step = ops.convert_to_tensor(variables["step"])
        rate = self.rate_at(layer, step)
        variables["step"].assign(step + 1)
        variables["rate"].assign(rate)
        return rate

    def current_rate(self, layer: keras.layers.Layer) -> Tensor:
        return layer.rate_variables["rate"].value

    def value(self, layer: keras.layers.Layer) -> float:
        return read(layer.rate_variables["rate"])


class ScheduledRate(ClockedRate):
    """The rate is `schedule(step)`, computed in the graph at each training call."""

    # The step is a float32 scalar tensor. The count is a variable of the layer, so it
    # is exact with any `steps_per_execution`, and loading a model restores it.

    def __init__(self, schedule: Callable[[Tensor], Tensor]):
        _warn_if_not_loadable(schedule)
        self.schedule = schedule
        name = getattr(schedule, "__name__", type(schedule).__name__)
        self.decided_by = f"schedule {name}"
        with _outside_trace():
            start = self._at(ops.convert_to_tensor(0, "float32"))
            self.start = float(ops.convert_to_numpy(start))
        if not 0.0 <= self.start <= 1.0:
            raise ValueError(
                "'rate' must be a schedule with values in [0, 1]. "
                f"Received: rate={schedule!r}, which is {self.start:g} at step 0."
            )

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        return {
            "rate": add_scalar(layer, "rate", self.start),
            "step": add_scalar(layer, "step", 0, dtype="int"),
        }

    def rate_at(self, layer: keras.layers.Layer, step: Tensor) -> Tensor:
        rate = self._at(ops.cast(step, "float32"))
        if getattr(self.schedule, "stays_in_unit_interval", False):
            return rate
        return self._stop_outside_unit_interval(rate, step, layer)

    def argument(self, layer: keras.layers.Layer) -> Any:
        return keras.saving.serialize_keras_object(self.schedule)

    def _at(self, step):
        try:
            rate = self.schedule(step)
            return ops.reshape(ops.cast(rate, "float32"), ())
        except Exception as error:
            raise TypeError(
                "'rate' must be a schedule: a callable that takes the step (a float32 "
                "scalar tensor) and returns a scalar in [0, 1], written with "
                f"keras.ops. Received: rate={self.schedule!r}, whose call failed with "
                f"{type(error).__name__}: {error}"
            ) from error

    def _stop_outside_unit_interval(self, rate, step, layer):
        inside = ops.logical_and(rate >= 0.0, rate <= 1.0)
        stop_unless(
            inside,
            f"The schedule of layer '{layer.path or layer.name}' left [0, 1]. Bound "
            "the schedule, or train for fewer steps. Received rate, at step:",
            rate,
            step,
        )
        # TensorFlow compiled by XLA cannot raise. A NaN rate makes the loss NaN.
        return ops.where(inside, rate, float("nan"))


def _warn_if_not_loadable(schedule):
    """Warn early that a saved model with this schedule will not load."""
    name = getattr(schedule, "__name__", None)
    if name is None:  # Keras serialises an object, or raises an error
        return
    if (
        keras.saving.get_registered_object(keras.saving.get_registered_name(schedule))
        is not schedule
    ):
        warnings.warn(
            f"The schedule '{name}' works in training, but a model saved with it will "
            "not load. Decorate a named function with "
            "@keras.saving.register_keras_serializable() to save the model.",
            stacklevel=_level_of_the_caller(),
        )


def _level_of_the_caller():
    """The `stacklevel` of the line that made the layer, counted from our caller."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals["__name__"].split(".")[0] in _LIBRARIES:
        level, frame = level + 1, frame.f_back
    return level


def stop_unless(condition: Tensor, message: str, *values) -> None:
    """Raise an error when a condition is false at run time.

    TensorFlow compiled by XLA drops the check.

    Args:
        condition: Boolean scalar tensor.
        message: String, the text of the error.
        *values: Scalar tensors to append to the message.

    Raises:
        tf.errors.InvalidArgumentError: On TensorFlow.
        Exception: On JAX, its runtime error.
        ValueError: On PyTorch.
    """
    _GUARDS[keras.backend.backend()](condition, message, values)


def _outside_trace():
    """A context in which tensors have values, even while a graph is being traced."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.init_scope()
    if backend == "jax":
        import jax

        return jax.ensure_compile_time_eval()
    return keras.device("cpu")  # not "meta", on which shapes are inferred


def _tensorflow(condition, message, values):
    import tensorflow as tf

    tf.debugging.Assert(condition, [message, *values])


def _jax(condition, message, values):
    import jax

    def stop(*values):
        raise ValueError(_text(message, values))

    jax.lax.cond(condition, lambda: None, lambda: jax.debug.callback(stop, *values))


def _torch(condition, message, values):
    if condition.device.type == "meta":  # shape inference has no values
        return
    if not bool(condition):
        raise ValueError(_text(message, [value.item() for value in values]))


def _text(message, values):
    return " ".join([message, *map(str, values)])


_GUARDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
