"""The base of every dropout layer: its call, its config and its state."""

import functools
import math
import weakref
import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kdropout import _compat, _replay, _validation, noise, rate_rules
from kdropout._renamed import Alias
from kdropout._sampling import active_scope, noise_shape, note_dropped
from kdropout._types import RateLike, Shape, Tensor

# Methods that a subclass could override in version 0.1. They are not called any more.
_HOOKS_OF_0_1 = (
    "add_rate_penalty",
    "get_state",
    "next_rate",
    "next_seed",
    "set_state",
    "thin_out",
)

# In a saved file, the prefix of the numbers that a callback keeps in a layer.
_MEMORY = "memory_"


class BaseDropout(keras.layers.Layer):
    """Base class of all dropout layers.

    To add a mask, subclass this class and implement `get_noise_shape`. To add another
    kind of noise, override `apply_noise`. In training, a call takes the rate of this
    step from the rule of the layer and applies the noise. Otherwise it returns its
    inputs, unless `kdropout.mc_predict` samples predictions with dropout on.

    A subclass may override:

    | name | meaning |
    |---|---|
    | `get_noise_shape(shape)` | the shape of the mask |
    | `apply_noise(inputs, shape, rate, seed)` | noise other than a mask |
    | `undropped(inputs)` | the outputs at inference |
    | `log_values()` | the numbers that `RateLogger` logs |
    | `can_learn_rate` | False if the noise has no mask to relax |
    | `has_noise_per_sample` | False if samples of a batch share their noise |

    The attribute `rate_variables` is a dict from name to `keras.Variable`. Rules use
    it, and so can code that restarts a schedule.

    Args:
        rate: Float in [0, 1], the probability of dropping; or a schedule (a Keras
            `LearningRateSchedule`, one of `kdropout.schedules`, or a registered
            callable from the step to the rate); or a `kdropout.LearnedRate`.
        seed: Integer seed of the masks, or None for a random seed. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Raises:
        TypeError: If an argument is of the wrong type, or inputs are not floating
            point.
        ValueError: If an argument is out of range.

    Example:

    >>> @keras.saving.register_keras_serializable()
    ... class RowDropout(kdropout.layers.BaseDropout):
    ...     def get_noise_shape(self, shape):
    ...         return (shape[0], *[1] * (len(shape) - 1))
    >>> RowDropout(0.5, seed=1)(np.ones((4, 2)), training=True).shape[0]
    4
    """

    # True if the noise is a mask of kept and dropped units, which can be relaxed.
    can_learn_rate = True

    # True if each sample of a batch has noise that is independent of the others.
    has_noise_per_sample = True

    # The last sentence of the error when the rate of this layer cannot be set.
    _how_to_set_rate = (
        "Call kdropout.set_rates(model, {path: rate}) to replace what decides it."
    )

    get_state = Alias(
        "_get_state",
        "'get_state' of a dropout layer is deprecated. Save the model: its files hold "
        "the state of its layers.",
    )
    rate_rule = Alias(
        "_rate_rule",
        "'rate_rule' of a dropout layer is deprecated. Read layer.get_config()['rate'] "
        "for the rate that was passed, or call kdropout.summary(model) to see what "
        "decides it.",
    )
    set_state = Alias(
        "_set_state",
        "'set_state' of a dropout layer is deprecated. Load the model or its weights, "
        "which restores the state.",
    )

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in _HOOKS_OF_0_1:
            if name in vars(cls):
                raise TypeError(
                    f"Class '{cls.__name__}' must not define '{name}', which "
                    "BaseDropout called in version 0.1 and does not call any more. "
                    "Override 'get_noise_shape', 'apply_noise' or 'undropped', or "
                    "give the method another name."
                )

    def __init__(self, rate: RateLike, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self._rate_rule = rate_rules.resolve(rate)
        self._check_can_learn(self._rate_rule, rate)
        self.seed = _validation.layer_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(_int32_seed(self.seed))
        # The scope is unique to this layer: layers in two blocks may have the same
        # name, and PyTorch finds variables by their paths.
        with keras.name_scope(self.seed_generator.name):
            self.rate_variables = self._rate_rule.build(self)
        self.supports_masking = True
        _compat.build_at_init(self)
        # A subclass may still add weights and layers after this constructor.
        self._tracker.unlock()

    def __dir__(self):
        # Keras reads every name that is listed here when it saves the layer.
        return [
            name
            for name in super().__dir__()
            if not isinstance(vars(BaseDropout).get(name), Alias)
        ]

    def _check_can_learn(self, rule, rate):
        """Raise if a rule needs a mask that is differentiable in the rate."""
        if rule.temperature is not None and not self.can_learn_rate:
            raise TypeError(
                f"'rate' of {type(self).__name__} must be a number in [0, 1] or a "
                "schedule: its noise is not a mask that could be relaxed. "
                f"Received: rate={rate!r}. Use kdropout.layers.Dropout to learn a rate."
            )

    @property
    def weights(self) -> list[keras.Variable]:
        """The weights of the layer, without its state, which is in `variables`."""
        state = self._ids_of_state()
        return [weight for weight in super().weights if id(weight) not in state]

    @property
    def path(self) -> str:
        # Keras sets it in `build`, which it does not call for a layer without weights.
        if self._path is None and self._parent_path is not None:
            return f"{self._parent_path}/{self.name}".lstrip("/")
        return self._path

    def _ids_of_state(self):
        variables = self.rate_variables.values()
        return {id(variable) for variable in variables if not variable.trainable}

    def _track_variables(self):
        # PyTorch moves these between devices and puts them into a `state_dict`. State
        # is kept apart, so that the parameters are those of Keras's layer.
        import torch

        super()._track_variables()
        state, ids = torch.nn.ParameterDict(), self._ids_of_state()
        for variable in self.variables:
            if id(variable) in ids:
                state[variable.name] = self._torch_params.pop(variable.path)
        self.register_module("rate_state", state)

    def _trackable_children(self, save_type="checkpoint", **kwargs):
        # `tf.train.Checkpoint` saves these. It does not look into a dict of Keras's.
        children = super()._trackable_children(save_type, **kwargs)
        return {**children, **self._state()}

    @property
    def rate(self) -> float:
        """The rate in effect. You can set it if the argument `rate` was a number."""
        return self._rate_rule.value(self)

    @rate.setter
    def rate(self, value: float) -> None:
        self._rate_rule.assign(self, value)
        self._is_moved_by(None)

    @property
    def _decided_by(self):
        """The text in the last column of `kdropout.summary`."""
        return vars(self).get("_mover") or self._rate_rule.decided_by

    def _is_moved_by(self, callback):
        """Record the name of the callback that decides the rate, or None."""
        vars(self)["_mover"] = callback  # much faster than by `__setattr__` of Keras

    def __setattr__(self, name, value):
        # On TensorFlow, the method of Keras would first read the rate twice. Without
        # it, setting a rate takes 75 us instead of 140.
        if name == "rate":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def log_values(self) -> dict[str, float]:
        """Return the numbers that `kdropout.callbacks.RateLogger` logs.

        Returns:
            Dict from name, such as "rate", to float.
        """
        return self._rate_rule.log_values(self)

    def get_noise_shape(self, shape: Shape) -> Shape:
        """Return the shape of the mask, which broadcasts against the inputs.

        Args:
            shape: Tuple of integers or scalar tensors, the shape of the inputs.

        Returns:
            Tuple of the same length. Units along an axis of size 1 are dropped
            together.
        """
        return shape

    def undropped(self, inputs: Tensor) -> Tensor:
        """Return the outputs at inference.

        Args:
            inputs: Tensor, the inputs of the layer.

        Returns:
            Tensor of the shape of the outputs in training.
        """
        return inputs

    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        """Return the inputs with noise.

        Args:
            inputs: Floating-point tensor.
            shape: Tuple, the shape of the noise that `get_noise_shape` returns.
            rate: Float32 scalar tensor in [0, 1], the probability of dropping.
            seed: Tensor of two integers.

        Returns:
            Tensor of the shape and dtype of the inputs. At rate 0, it must be equal to
            the inputs. If the formula is not exact there, decorate the method with
            `kdropout.layers.identity_at_zero`.
        """
        temperature = self._rate_rule.temperature
        if temperature is not None:
            keep = noise.concrete(shape, rate, seed, temperature)
            note_dropped(1.0 - keep)
            return inputs * ops.cast(keep / (1.0 - rate), inputs.dtype)
        if active_scope() is None:
            return noise.dropout(inputs, shape, rate, seed)
        keep, scale = noise.bernoulli(shape, rate, seed, inputs.dtype)
        note_dropped(ops.logical_not(keep))
        return noise.drop_units(inputs, keep, scale)

    def _drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        """The outputs in training."""
        return self.apply_noise(inputs, self._noise_shape(inputs), rate, seed)

    def _noise_shape(self, inputs: Tensor) -> Shape:
        """The shape of the noise of this call."""
        shape = ops.shape(inputs)
        return noise_shape(self, self.get_noise_shape(shape), shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        draw = self._draw(inputs, training)
        if draw is None:
            return self.undropped(inputs)
        if not ops.is_tensor(inputs):  # a list of tensors, or an array
            inputs = ops.convert_to_tensor(inputs)
        self._check_dtype(inputs)
        return self._drop(inputs, *draw)

    def _draw(self, inputs, training):
        """The rate and the seed of this call, or None if nothing is dropped."""
        scope = active_scope()
        if scope is not None:
            seed = scope.next_seed(self)
            return None if seed is None else (self._rate_rule.current_rate(self), seed)
        if self._rate_rule.temperature is not None:
            with _replay.moving_state():
                self._add_rate_penalty(inputs, training)
        return _replay.next_draw(self) if training else None

    @functools.cached_property
    def _recent_draws(self):
        return _replay.RecentDraws()

    def rematerialized_call(self, layer_call: Callable, *args, **kwargs) -> Callable:
        # Keeping the outputs of this layer takes less memory than drawing them again.
        return layer_call

    def _num_units(self, inputs: Tensor) -> int | Tensor:
        """The number of units that can be dropped, per sample."""
        return math.prod(self.get_noise_shape(ops.shape(inputs))[1:])

    def _add_rate_penalty(self, inputs: Tensor, training: bool) -> None:
        """Add the penalty of a learned rate to the loss."""
        penalty = self._rate_rule.penalty(self, self._num_units(inputs), training)
        if penalty is not None:
            self.add_loss(penalty)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def compute_output_spec(self, inputs: Tensor, training: bool = False) -> Any:
        if isinstance(inputs, (list, tuple)):
            return [self.compute_output_spec(tensor, training) for tensor in inputs]
        self._check_dtype(inputs)
        if None not in inputs.shape[1:]:
            # Raises here, before the graph is built, if the shape does not fit.
            self.get_noise_shape(inputs.shape)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def _check_dtype(self, inputs):
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise TypeError(
                f"'inputs' of layer '{self.name}' must be floating point. Received: "
                f"dtype={dtype}. Cast them, or drop after the embedding."
            )

    def _state(self):
        """Dict from the name in a file to the variable."""
        return {**self.rate_variables, "seed": self.seed_generator.state}

    def _get_state(self) -> dict[str, Any]:
        """Dict from the name in a file to an array."""
        state = {name: ops.convert_to_numpy(v) for name, v in self._state().items()}
        for name, value in self._memory.items():
            state[f"{_MEMORY}{name}"] = np.asarray(value)
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        """Load what `_get_state` returned."""
        # A file from Keras's Dropout has no state. One from a layer whose rate is
        # decided in another way has other names. In both cases, the rate stays.
        if self.rate_variables.keys() <= state.keys():
            for name, variable in self.rate_variables.items():
                variable.assign(state[name])
        if "seed" in state:
            self.seed_generator.state.assign(state["seed"])
        self._memory.clear()
        for name, value in state.items():
            if name.startswith(_MEMORY):
                self._memory[name.removeprefix(_MEMORY)] = float(np.asarray(value))

    @property
    def _memory(self):
        """Dict from name to a number that a callback keeps from epoch to epoch."""
        # It is saved with the layer, so that a resumed training continues exactly.
        return vars(self).setdefault("_memory_of_callbacks", {})

    @property
    def saved_state(self):
        """The part of the layer that Keras saves. Its name is a part of the file."""
        # Keras would track it as an inner layer if it were assigned as an attribute.
        return vars(self).setdefault("_saved_state", _SavedState(self))

    def save_own_variables(self, store: Any) -> None:
        pass  # see `_SavedState`

    def load_own_variables(self, store: Any) -> None:
        pass

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self._rate_rule.argument(self),
            "seed": self.seed,
        }


class _SavedState(keras.layers.Layer):
    """Saves and loads the state of a dropout layer, beside the place of the layer."""

    # Keras's Dropout saves nothing, and refuses a file with variables in its place.
    # With the state beside it, weights load from layers of kdropout into those of Keras
    # and back, also where `kdropout.convert` made the dropout inside a layer live.

    def __init__(self, layer):
        super().__init__(name="saved_state")
        self._layer = weakref.ref(layer)

    def save_own_variables(self, store):
        for name, value in self._layer()._get_state().items():
            store[name] = value

    def load_own_variables(self, store):
        self._layer()._set_state({name: store[name] for name in store.keys()})


def identity_at_zero(apply_noise: Callable) -> Callable:
    """Decorate an `apply_noise` so that the layer returns its inputs at rate 0.

    On a CPU, the method is not called at rate 0. It is traced within a branch, so it
    must not assign to variables.

    Args:
        apply_noise: A method with the arguments of `BaseDropout.apply_noise`.

    Returns:
        The decorated method.

    Example:

    >>> from kdropout import noise
    >>> class UniformNoise(kdropout.layers.BaseDropout):
    ...     can_learn_rate = False
    ...
    ...     @kdropout.layers.identity_at_zero
    ...     def apply_noise(self, inputs, shape, rate, seed):
    ...         return inputs * (1.0 + rate * (noise.uniform(shape, seed) - 0.5))
    >>> x = np.ones((2, 3), "float32")
    >>> bool((np.asarray(UniformNoise(0.0)(x, training=True)) == x).all())
    True
    """

    @functools.wraps(apply_noise)
    def wrapper(self, inputs, shape, rate, seed):
        def add_noise():
            return apply_noise(self, inputs, shape, rate, seed)

        # A learned rate is never exactly 0. A scope records each mask.
        if self._rate_rule.temperature is not None or active_scope() is not None:
            return add_noise()
        return noise.skip_at_zero(rate, inputs, add_noise)

    return wrapper


def _int32_seed(seed):
    """The seed itself if it fits into 31 bits, else 31 bits of its checksum."""
    if seed is None or 0 <= seed < 2**31:
        return seed
    num_bytes = seed.bit_length() // 8 + 1
    return zlib.crc32(seed.to_bytes(num_bytes, "little", signed=True)) & (2**31 - 1)
