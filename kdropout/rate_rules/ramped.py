"""A ramp that a search can change in a compiled model."""

from typing import Any

import keras
from keras import ops

from kdropout import _validation
from kdropout._types import Tensor
from kdropout.rate_rules.base import add_scalar, read, write
from kdropout.rate_rules.scheduled import ClockedRate
from kdropout.schedules import CURVES, FORMULAS, Ramp

# The largest integer that a variable holds on all backends.
MOST_STEPS = 2**31 - 1


class RampedRate(ClockedRate):
    """The rate is a `Ramp` of the step, whose ends, length and curve are variables."""

    # A search sets the variables in a compiled model, without another trace.
    # `get_config` of the layer stores an ordinary `Ramp` with the values in effect, so
    # saved models do not depend on this class.

    decided_by = "schedule Ramp"

    def __init__(self, ramp: Ramp):
        self._first = _check(ramp)

    def ramp_of(self, layer: keras.layers.Layer) -> Ramp:
        """The `Ramp` in effect in a layer."""
        variables = layer.rate_variables
        steps, begin, shape = (
            int(ops.convert_to_numpy(variables[name]))
            for name in ("steps", "begin", "shape")
        )
        start, end = read(variables["start"]), read(variables["end"])
        return Ramp(start, end, steps, begin, CURVES[shape])

    def set_ramp(self, layer: keras.layers.Layer, ramp: Ramp) -> None:
        """Continue with `ramp`, from the current step of the layer."""
        variables = layer.rate_variables
        for name, value in _values(_check(ramp)).items():
            write(variables[name], value)
        # The rate in effect is that of the last training call.
        step = ops.cast(ops.convert_to_tensor(variables["step"]), "float32")
        write(variables["rate"], self._at(layer, ops.maximum(step - 1.0, 0.0)))

    def build(self, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
        variables = {
            "rate": add_scalar(layer, "rate", self._first.start),
            "step": add_scalar(layer, "step", 0, dtype="int"),
        }
        for name, value in _values(self._first).items():
            dtype = "float32" if name in ("start", "end") else "int"
            variables[name] = add_scalar(layer, f"ramp_{name}", value, dtype=dtype)
        return variables

    def rate_at(self, layer: keras.layers.Layer, step: Tensor) -> Tensor:
        return self._at(layer, ops.cast(step, "float32"))

    def argument(self, layer: keras.layers.Layer) -> Any:
        return keras.saving.serialize_keras_object(self.ramp_of(layer))

    def _at(self, layer, step):
        start, end, steps, begin, shape = (
            ops.convert_to_tensor(layer.rate_variables[name])
            for name in ("start", "end", "steps", "begin", "shape")
        )
        elapsed = step - ops.cast(begin, "float32")
        share = ops.clip(elapsed / ops.cast(steps, "float32"), 0.0, 1.0)
        # A variable chooses among all curves: a Python branch would need a trace.
        rates = [formula(start, end, share) for formula in FORMULAS.values()]
        return ops.take(ops.stack(rates), shape)


def _values(ramp):
    shape = CURVES.index(ramp.curve)
    config = ramp.get_config()
    del config["curve"]
    return {**config, "shape": shape}


def _check(ramp):
    if not isinstance(ramp, Ramp):
        expected = "a kdropout.schedules.Ramp"
        raise _validation.type_error("ramp", expected, ramp)
    if max(ramp.steps, ramp.begin) > MOST_STEPS:
        expected = f"a ramp of at most {MOST_STEPS} steps"
        raise _validation.value_error("ramp", expected, ramp)
    return ramp
