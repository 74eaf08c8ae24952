"""The one call, config and state of every dropout layer."""

import functools
import math
import weakref
import zlib
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kdropout import _replay, _validation, noise, rate_rules
from kdropout._sampling import active_scope, note_dropped
from kdropout._types import RateLike, Shape, Tensor


class BaseDropout(keras.layers.Layer):
    """Base class of all layers that drop something.

    To add a mask, subclass this and implement `get_noise_shape`; to add another
    kind of noise, override `apply_noise`. In training, a call asks the rule for the
    rate of this step and applies the noise; otherwise it returns its input, unless
    `kdropout.mc_predict` samples from the thinned networks.

    Args:
        rate: Float in [0, 1], the probability of dropping; or a schedule (a Keras
            `LearningRateSchedule`, one of `kdropout.schedules`, or a registered
            callable from the step to the rate); or a `kdropout.LearnedRate`.
        seed: Integer, or None for a random one. Defaults to None.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`.

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

    # Whether the noise is a mask of kept and dropped units, which can be relaxed.
    can_learn_rate = True

    # The way out, where the rate is decided elsewhere.
    how_to_set_rate = "Pass a float 'rate' to the layer to set it yourself."

    # Whether the noise of each sample of a batch is independent of the others.
    has_noise_per_sample = True

    def __init__(self, rate: RateLike, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.rate_rule = rate_rules.resolve(rate)
        if self.rate_rule.temperature is not None and not self.can_learn_rate:
            raise TypeError(
                f"'rate' of {type(self).__name__} must be a number in [0, 1] or a "
                "schedule: its noise is not a mask that could be relaxed. "
                f"Received: rate={rate!r}. Use kdropout.layers.Dropout to learn a rate."
            )
        self.seed = _validation.layer_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(_int32_seed(self.seed))
        # In a scope of this layer alone: layers in two blocks may have the same name,
        # and PyTorch finds variables by their paths.
        with keras.name_scope(self.seed_generator.name):
            self.rate_variables = self.rate_rule.build(self)
        self.supports_masking = True
        self._build_at_init()
        # A subclass may add to it, as before it is called.
        self._tracker.unlock()

    @property
    def weights(self) -> list[keras.Variable]:
        """As in Keras's dropout layers: without state, which `variables` has."""
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
        # What PyTorch moves between devices and puts into a `state_dict`: state apart
        # from the parameters, of which there are those of Keras's layer.
        import torch

        super()._track_variables()
        state, ids = torch.nn.ParameterDict(), self._ids_of_state()
        for variable in self.variables:
            if id(variable) in ids:
                state[variable.name] = self._torch_params.pop(variable.path)
        self.register_module("rate_state", state)

    def _trackable_children(self, save_type="checkpoint", **kwargs):
        # What `tf.train.Checkpoint` saves: it does not look into a dict of Keras's.
        children = super()._trackable_children(save_type, **kwargs)
        return {**children, **self._state()}

    @property
    def rate(self) -> float:
        """The rate in effect, a float. Settable if the layer was given a number."""
        return self.rate_rule.value(self)

    @rate.setter
    def rate(self, value: float) -> None:
        self.rate_rule.assign(self, value)

    def log_values(self) -> dict[str, float]:
        """What `kdropout.callbacks.RateLogger` logs: dict from name to float."""
        return self.rate_rule.log_values(self)

    def get_noise_shape(self, shape: Shape) -> Shape:
        """Shape of the mask, which broadcasts against the inputs.

        Args:
            shape: Shape of the inputs, a tuple of integers or scalar tensors.

        Returns:
            Tuple of as many entries; units along an entry of 1 share their fate.
        """
        return shape

    def undropped(self, inputs: Tensor) -> Tensor:
        """The outputs at inference."""
        return inputs

    def apply_noise(
        self, inputs: Tensor, shape: Shape, rate: Tensor, seed: Tensor
    ) -> Tensor:
        """Add noise to the inputs.

        Args:
            inputs: Floating tensor.
            shape: Shape of the noise, as `get_noise_shape` returns it.
            rate: Float32 scalar tensor in [0, 1].
            seed: Two integers, as a tensor.

        Returns:
            Tensor of the shape and dtype of the inputs; at rate 0, the inputs. See
            `identity_at_zero` for noise that is not exactly 0 there.
        """
        temperature = self.rate_rule.temperature
        if temperature is not None:
            keep = noise.concrete(shape, rate, seed, temperature)
            note_dropped(1.0 - keep)
            return inputs * ops.cast(keep / (1.0 - rate), inputs.dtype)
        if active_scope() is None:
            return noise.dropout(inputs, shape, rate, seed)
        keep, scale = noise.bernoulli(shape, rate, seed, inputs.dtype)
        note_dropped(ops.logical_not(keep))
        return noise.drop_units(inputs, keep, scale)

    def drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        """The outputs with something dropped at `rate`, a float32 scalar tensor."""
        shape = tuple(self.get_noise_shape(ops.shape(inputs)))
        return self.apply_noise(inputs, shape, rate, seed)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        draw = self._draw(inputs, training)
        if draw is None:
            return self.undropped(inputs)
        if not ops.is_tensor(inputs):  # but a list of them, or an array
            inputs = ops.convert_to_tensor(inputs)
        self._check_dtype(inputs)
        return self.drop(inputs, *draw)

    def _draw(self, inputs, training):
        """The rate and the seed of this call, or None if nothing is to be dropped."""
        scope = active_scope()
        if scope is not None:
            seed = scope.next_seed(self)
            return None if seed is None else (self.rate_rule.current_rate(self), seed)
        if self.rate_rule.temperature is not None:
            with _replay.moving_state():
                self.add_rate_penalty(inputs, training)
        return _replay.next_draw(self) if training else None

    @functools.cached_property
    def _recent_draws(self):
        """The `RecentDraws` of this layer."""
        return _replay.RecentDraws()

    def rematerialized_call(self, layer_call: Callable, *args, **kwargs) -> Callable:
        # The outputs of this layer alone cost less memory than what draws them anew.
        return layer_call

    def num_units(self, inputs: Tensor) -> int | Tensor:
        """How many units are dropped per sample: the weight of the entropy term."""
        return math.prod(self.get_noise_shape(ops.shape(inputs))[1:])

    def add_rate_penalty(self, inputs: Tensor, training: bool) -> None:
        """Add the penalty of a learned rate to the loss."""
        penalty = self.rate_rule.penalty(self, self.num_units(inputs), training)
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
        """All variables of the layer, by the names under which they are saved."""
        return {**self.rate_variables, "seed": self.seed_generator.state}

    def get_state(self) -> dict[str, Any]:
        """What is saved: dict from name to array."""
        return {name: ops.convert_to_numpy(v) for name, v in self._state().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what was saved, as far as it is there.

        A file from Keras's own Dropout has nothing; one from a layer whose rate was
        decided in another way has other names: then the rate starts anew.
        """
        if self.rate_variables.keys() <= state.keys():
            for name, variable in self.rate_variables.items():
                variable.assign(state[name])
        if "seed" in state:
            self.seed_generator.state.assign(state["seed"])

    @property
    def saved_state(self):
        """The part of the layer that Keras saves."""
        # Not an attribute, which Keras would take for a layer inside this one.
        return vars(self).setdefault("_saved_state", _SavedState(self))

    def save_own_variables(self, store: Any) -> None:
        pass  # see SavedState

    def load_own_variables(self, store: Any) -> None:
        pass

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate_rule.argument(self),
            "seed": self.seed,
        }


class _SavedState(keras.layers.Layer):
    """Saves and loads the state of a dropout layer, in a place of its own.

    Keras's Dropout saves nothing, and refuses a file with something in its place. This
    object stands beside it: so Keras loads the weights of a model with layers of
    kdropout into one with its own, and the other way round, and a model loads in which
    `kdropout.convert` made the dropout inside a layer of Keras live.

    Args:
        layer: The dropout layer, which owns the variables.
    """

    def __init__(self, layer):
        super().__init__(name="saved_state")
        self._layer = weakref.ref(layer)

    def save_own_variables(self, store):
        for name, value in self._layer().get_state().items():
            store[name] = value

    def load_own_variables(self, store):
        self._layer().set_state({name: store[name] for name in store.keys()})


def identity_at_zero(apply_noise: Callable) -> Callable:
    """Decorate an `apply_noise` so that it is not called at rate 0.

    There, the layer returns its inputs, on a CPU without computing anything. What is
    decorated is traced within a branch: it must not assign to variables.

    Args:
        apply_noise: A method as `BaseDropout.apply_noise`.
    """

    @functools.wraps(apply_noise)
    def wrapper(self, inputs, shape, rate, seed):
        def add_noise():
            return apply_noise(self, inputs, shape, rate, seed)

        # A learned rate is never 0, and a scope records each mask.
        if self.rate_rule.temperature is not None or active_scope() is not None:
            return add_noise()
        return noise.skip_at_zero(rate, inputs, add_noise)

    return wrapper


def _int32_seed(seed):
    """A seed that all backends hold, the same for the same integer."""
    if seed is None or 0 <= seed < 2**31:
        return seed
    num_bytes = seed.bit_length() // 8 + 1
    return zlib.crc32(seed.to_bytes(num_bytes, "little", signed=True)) & (2**31 - 1)
