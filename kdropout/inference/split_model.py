"""A model as a list of steps, split at the first random ones."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable

import keras
from keras import ops, tree

from kdropout._model_kinds import has_known_graph, is_sequential
from kdropout.inspection import dropout_layers
from kdropout.layers import BaseDropout


@dataclasses.dataclass(frozen=True)
class _Step:
    """One call of one operation."""

    operation: Callable
    arguments: Callable  # from the dict of all values to (args, kwargs)
    inputs: list  # keys of values
    outputs: list

    @functools.cached_property
    def parameters(self):
        """The names of the arguments of the operation."""
        return list(inspect.signature(self.operation.call).parameters)


class SplitModel:
    """A Functional or Sequential model, split into a head and a tail."""

    # The head does not depend on a dropout layer, or on one of `random_operations`.
    # Nested models are taken apart, so that the tail begins at the first dropout layer
    # of each path.

    def __init__(self, model, random_operations=()):
        drawing = set(map(id, random_operations))
        self._shapes = {}
        self._dtypes = [tensor.dtype for tensor in model.inputs]
        self._input_keys = [self._new_key(tensor.shape) for tensor in model.inputs]
        steps, self._output_keys = self._take_apart(model, self._input_keys)
        self._structure = _output_structure(model)
        random, self._head, self._tail = set(), [], []
        for step in steps:
            draws = id(step.operation) in drawing or is_random(step.operation)
            if draws or random.intersection(step.inputs):
                random.update(step.outputs)
                self._tail.append(step)
            else:
                self._head.append(step)
        used = [key for step in self._tail for key in step.inputs]
        self._border = [
            key
            for key in dict.fromkeys([*used, *self._output_keys])
            if key not in random
        ]
        shapes = [self._shapes[key] for key in self._border]
        # For each value at the border, True if its first axis is the batch. All sizes
        # of a constant are known.
        self.has_batch = [shape is None or shape[0] is None for shape in shapes]
        self.has_fixed_batch = any(
            tensor.shape[0] is not None for tensor in model.inputs
        )
        # A value with the batch on another axis cannot be repeated.
        self.can_repeat = not self.has_fixed_batch and all(
            batch or None not in shape
            for batch, shape in zip(self.has_batch, shapes, strict=True)
        )
        self._random = random

    def tail_size(self, unknown):
        """The largest number of values per row that a step of the tail returns."""
        # `unknown` is the size to assume where the model does not fix it.
        shapes = [self._shapes[key] for key in self._random]
        if None in shapes:
            return None
        return max(math.prod(n or unknown for n in shape[1:]) for shape in shapes)

    def run_head(self, inputs, watcher):
        """The values at the border, from inputs of shape `(batch, ...)`."""
        tensors = [
            ops.convert_to_tensor(array, dtype=dtype)
            for array, dtype in zip(inputs, self._dtypes, strict=True)
        ]
        values = dict(zip(self._input_keys, tensors, strict=True))
        _run(self._head, values, watcher)
        return [values[key] for key in self._border]

    def run_tail(self, border, watcher):
        """The outputs, from the values at the border, repeated if they `has_batch`."""
        values = dict(zip(self._border, border, strict=True))
        _run(self._tail, values, watcher)
        outputs = [values[key] for key in self._output_keys]
        return tree.pack_sequence_as(self._structure, outputs)

    def _new_key(self, shape):
        key = len(self._shapes)
        self._shapes[key] = None if shape is None else tuple(shape)
        return key

    def _take_apart(self, model, input_keys):
        """The steps of a model, and the keys of its outputs."""
        if is_sequential(model):
            return self._take_sequential_apart(model, input_keys)
        keys = dict(zip(map(id, model.inputs), input_keys, strict=True))
        steps = []
        for node in _nodes(model):
            inputs = [keys[id(tensor)] for tensor in node.input_tensors]
            outputs = [tensor.shape for tensor in node.outputs]
            inner, output_keys = self._call(
                node.operation, inputs, outputs, _arguments(node, dict(keys))
            )
            steps += inner
            keys.update(zip(map(id, node.outputs), output_keys, strict=True))
        return steps, [keys[id(tensor)] for tensor in model.outputs]

    def _take_sequential_apart(self, model, keys):
        steps = []
        for layer in model.layers:
            shape = _output_shape(layer, self._shapes[keys[0]])
            inner, keys = self._call(layer, keys, [shape], _first(keys[0]))
            steps += inner
        return steps, keys

    def _call(self, operation, input_keys, output_shapes, arguments):
        """The steps of one call, and the keys of its outputs."""
        one_input = len(input_keys) == 1
        if one_input and has_known_graph(operation) and is_random(operation):
            return self._take_apart(operation, input_keys)
        output_keys = [self._new_key(shape) for shape in output_shapes]
        return [_Step(operation, arguments, input_keys, output_keys)], output_keys


def is_random(operation):
    """Return whether an operation is, or contains, a dropout layer of kdropout."""
    if isinstance(operation, BaseDropout):
        return True
    return isinstance(operation, keras.layers.Layer) and bool(dropout_layers(operation))


def input_keys(model):
    """The keys of a Functional model that was made with a dict of inputs, or None."""
    structure = getattr(model, "_inputs_struct", None)
    return sorted(structure) if isinstance(structure, dict) else None


def _run(steps, values, watcher):
    for step in steps:
        args, kwargs = step.arguments(values)
        if "training" in step.parameters[len(args) :]:
            kwargs = {**kwargs, "training": False}  # for some, the default is True
        with watcher.watch(step.operation):
            outputs = tree.flatten(step.operation(*args, **kwargs))
        values.update(zip(step.outputs, outputs, strict=True))


def _output_shape(layer, shape):
    """The shape of a layer's outputs, or None if the layer cannot compute it."""
    if shape is None:
        return None
    try:
        return layer.compute_output_shape(shape)
    except NotImplementedError:
        return None


def _arguments(node, keys):
    """A function from all values to the arguments of a node of a Functional model."""

    def arguments(values):
        known = {id(t): values[keys[id(t)]] for t in node.input_tensors}
        return node.arguments.fill_in(known)

    return arguments


def _first(key):
    return lambda values: ((values[key],), {})


def _nodes(model):
    """The calls inside a Functional model, in the order of their execution."""
    # Keras has no public view of the graph it runs.
    depths = sorted(model._nodes_by_depth, reverse=True)
    nodes = [node for depth in depths for node in model._nodes_by_depth[depth]]
    return [node for node in nodes if not node.is_input]


def _output_structure(model):
    """The structure of the outputs, as the model returns it."""
    if is_sequential(model):
        return None
    structure = model._outputs_struct
    alone = isinstance(structure, (list, tuple)) and len(structure) == 1
    return structure[0] if alone else structure


class UnsplitModel:
    """A model with a user-defined `call`: all of it is the tail."""

    can_repeat = True
    has_fixed_batch = False

    def __init__(self, model, structure):
        self._model = model
        self._structure = structure
        self.has_batch = [True] * len(tree.flatten(structure))

    def tail_size(self, unknown):
        """None: the size is not known, so passes are kept small."""
        return None

    def run_head(self, inputs, watcher):
        """The inputs themselves, as tensors."""
        return [ops.convert_to_tensor(array) for array in inputs]

    def run_tail(self, border, watcher):
        """The outputs, in the model's structure."""
        inputs = tree.pack_sequence_as(self._structure, border)
        with watcher.watch(self._model):
            return self._model(inputs, training=False)
