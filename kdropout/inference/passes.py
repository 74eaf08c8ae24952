"""Compiled passes through the head and the tail of a model."""

import functools

import keras
from keras import ops

from kdropout._sampling import SameMasksScope, SamplingScope, sampling
from kdropout.inference.randomness import PassScope


class Passes:
    """Runs the head once per batch, and the tail on several samples at a time."""

    # No write of a layer outlives its pass: in each pass, the states of a recurrent
    # layer begin at those of the model. TensorFlow and JAX compile the passes. On
    # PyTorch, compilation takes longer than most predictions, so they run eagerly.

    def __init__(self, model, split, samples_per_pass, watcher):
        self._split = split
        # The number of inputs if they share masks, otherwise None. It is read when a
        # pass is traced, which happens anew for each number.
        self.num_rows = None
        self._watcher = watcher
        self._samples_per_pass = samples_per_pass
        compile_function = _COMPILERS[keras.backend.backend()]
        variables = model.trainable_variables + model.non_trainable_variables
        self.head = compile_function(self._head, variables, watcher)
        self.tail = compile_function(self._tail, variables, watcher)

    def _head(self, inputs):
        """From the inputs to the values at the border, each with its Keras mask."""
        border = self._split.run_head(inputs, self._watcher)
        return [(value, _read_mask(value)) for value in border]

    def _tail(self, border, seed):
        """Outputs of shape `(samples_per_pass * batch, ...)`."""
        repeated = [
            self._repeat(*pair) if has_batch else _with_mask(*pair)
            for pair, has_batch in zip(border, self._split.has_batch, strict=True)
        ]
        with sampling(seed, self._scope):
            return self._split.run_tail(repeated, self._watcher)

    @property
    def _scope(self):
        """A function from a seed to the scope of a pass."""
        if self.num_rows is None:
            return SamplingScope
        return functools.partial(SameMasksScope, num_rows=self.num_rows)

    def _repeat(self, value, mask):
        times = self._samples_per_pass
        mask = None if mask is None else _tile(mask, times)
        return _with_mask(_tile(value, times), mask)


def _tile(tensor, times):
    return ops.tile(tensor, (times, *[1] * (len(tensor.shape) - 1)))


def _tensorflow(function, variables, watcher):
    import tensorflow as tf

    @tf.function(autograph=False)
    def compiled(*arguments):
        with PassScope(watcher):
            return function(*arguments)

    return compiled


def _jax(function, variables, watcher):
    import jax

    @jax.jit
    def compiled(values, *arguments):
        mapping = list(zip(variables, values, strict=True))
        with PassScope(watcher, mapping) as scope:
            outputs = function(*arguments)
        # JAX raises here if numbers were drawn inside a loop, where each step would
        # draw the same numbers. `predict` raises the same error.
        return outputs, scope.seed_states

    # Weights that are arguments stay live. In a closure, they would be constants.
    return lambda *arguments: compiled([v.value for v in variables], *arguments)[0]


def _torch(function, variables, watcher):
    import torch

    @torch.no_grad()
    def run(*arguments):
        with PassScope(watcher):
            return function(*arguments)

    return run


_COMPILERS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


def _read_mask(tensor):
    """The mask that Keras carries with a tensor, or None."""
    # Each backend stores the mask in another way. Layers are the public way to read and
    # to set it.
    return (MaskReader(autocast=False)(tensor) + [None])[1]


def _with_mask(tensor, mask):
    """The tensor with a mask for the layers after it."""
    return tensor if mask is None else MaskSetter(autocast=False)([tensor, mask])


class MaskReader(keras.layers.Layer):
    def call(self, inputs, mask=None):
        return [inputs] if mask is None else [inputs, mask]

    def compute_mask(self, inputs, previous_mask=None):
        return None


class MaskSetter(keras.layers.Layer):
    def call(self, inputs):
        return inputs[0]

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[1]
