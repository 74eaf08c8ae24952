"""Finds and seeds the random numbers in a pass that kdropout's layers do not draw."""

import contextlib
import dataclasses
import pickle
import random
import re
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from kdropout._sampling import active_scope
from kdropout.inspection import walk

_BACKEND = keras.backend.backend()

# Operations of TensorFlow with a random state: those of tf.random, and those of a
# tf.random.Generator. A source can seed the latter.
_TENSORFLOW_DRAW = re.compile(
    r"^(?!Stateless).*(Random|Normal$|Multinomial|NonDeterministicInts|^Rng|^Stateful)"
)
_TENSORFLOW_GENERATOR = re.compile(r"^(Rng|Stateful(?!PartitionedCall))")
_TENSORFLOW_CALL = "StatefulPartitionedCall"
# Python code that a compiled pass runs each time.
_TENSORFLOW_PYTHON = {"PyFunc", "EagerPyFunc"}

# Spreads the passes over the second word of a seed, because PyTorch adds the two words.
_PASS_STRIDE = 0x2545F491
# Spreads the draws within loops over that word. It is also an odd number.
_CALL_STRIDE = 0x5851F42D


class PassScope(keras.StatelessScope):
    """Keeps the writes of a pass away from the model, and seeds all draws of Keras."""

    # The pass decides the seed of each draw from a `keras.random.SeedGenerator`. So the
    # numbers differ between passes, are the same for the same seed, and no generator
    # advances.

    def __init__(self, watcher, state_mapping=None):
        super().__init__(state_mapping)
        self._watcher = watcher
        self._graph = _graph()
        self.seed_states = []  # the states after the draws

    def get_current_value(self, variable):
        sampling = active_scope()
        if sampling is None or not is_seed_state(variable):
            return super().get_current_value(variable)
        seed = sampling.next_seed(variable)
        second = seed[1] * _PASS_STRIDE + self._watcher.loop_count(self._graph)
        second = ops.bitwise_and(second, 2**31 - 1)
        return ops.cast(ops.stack([seed[0], second]), variable.dtype)

    def add_update(self, update):
        variable, value = update
        if is_seed_state(variable):
            self._watcher.num_draws += 1
            self.seed_states.append(value)
        else:
            self._watcher.writes_state = True
        super().add_update(update)


def is_seed_state(variable):
    """Return whether a variable is the state of a `keras.random.SeedGenerator`."""
    # A variable does not know its owner, and not every generator belongs to a layer.
    return variable.name == "seed_generator_state"


class Watcher:
    """Finds the operations that draw numbers, except the dropout layers of kdropout."""

    # TensorFlow and JAX watch a pass while it is traced, PyTorch until `is_done`.

    def __init__(self, model):
        self.num_draws = 0  # from generators of Keras
        self.writes_state = False  # True if a pass wrote another variable
        self.random_operations = []
        self.unseeded = set()  # paths of layers whose numbers no seed decides
        self.frozen = set()  # paths of layers that draw once, when the pass is compiled
        self.is_done = False
        self._python_operations = []
        self._counter = None
        self._states = None  # of the sources, after the last watched call
        self.sources = sources(model)
        # A graph shows the draws from a generator of TensorFlow.
        self._watched = [
            source for source in self.sources if not source.is_of_tensorflow
        ]
        self._has_generator = len(self._watched) < len(self.sources)
        self._paths = {id(layer): path for path, layer in walk(model)}

    @contextlib.contextmanager
    def watch(self, operation):
        """Watch one call of `operation`."""
        if self.is_done:
            yield
            return
        num_draws, num_nodes = self.num_draws, _num_graph_nodes()
        before = self._current_states()
        yield
        self._states = self._current_states()
        moved = [
            source
            for source, old, new in zip(
                self._watched, before, self._states, strict=True
            )
            if old != new
        ]
        path = self._paths.get(id(operation), operation.name)
        is_random = self.num_draws > num_draws
        if _BACKEND == "torch":
            is_random = is_random or bool(moved)
        else:
            # Keras's automatic names and seeds also move Python's generator.
            moved = [source for source in moved if not source.is_python]
            self.frozen.update(source.path or path for source in moved)
        for name, kind in _graph_draws(num_nodes):
            if kind in _TENSORFLOW_PYTHON:
                self._python_operations.append(operation)
                continue
            is_random = True
            if not (_TENSORFLOW_GENERATOR.match(kind) and self._has_generator):
                self.unseeded.add(self._path_of_node(name) or path)
        if is_random:
            self.random_operations.append(operation)

    def loop_count(self, graph):
        """A number to add to a seed, so that the steps of a loop draw other numbers."""
        # `graph` is TensorFlow's graph outside of all loops. Keras traces a step once.
        # PyTorch runs each step, and JAX raises an error.
        if graph is None or _graph() is graph:
            return 0
        if self._counter is None:
            self._counter = _Counter()
            self.sources.append(self._counter.source)
        return self._counter.next()

    def notice_python(self):
        """Find out whether Python code inside the last pass drew numbers."""
        if self._python_operations and self._current_states() != self._states:
            self.random_operations += self._python_operations

    def _current_states(self):
        return [pickle.dumps(source.get()) for source in self._watched]

    def _path_of_node(self, name):
        """The longest path of a layer whose names are in the name of a node."""
        parts = name.split("/")
        inside = [
            path for path in self._paths.values() if _is_part(path.split("/"), parts)
        ]
        return max(inside, key=lambda path: path.count("/"), default=None)


@dataclasses.dataclass(frozen=True)
class Source:
    """A generator outside of Keras: of the process, or an attribute of a layer."""

    path: str | None  # of the layer that owns it
    get: Callable  # returns its state
    set: Callable
    seed: Callable
    is_python: bool = False
    is_of_tensorflow: bool = False


def sources(model):
    """The `Source`s of numbers that the layers of a model may use."""
    found = [
        Source(None, np.random.get_state, np.random.set_state, np.random.seed),
        Source(None, random.getstate, random.setstate, random.seed, is_python=True),
    ]
    if _BACKEND == "torch":
        found.append(_torch_source())
    for path, layer in [(model.name, model), *walk(model)]:
        found += [
            source
            for value in vars(layer).values()
            if (source := _source_of(path, value)) is not None
        ]
    return found


@contextlib.contextmanager
def seeded(sources, seed):
    """Seed sources with two 31-bit integers, and restore their states at the end."""
    sources = list(sources)  # a pass may add to it
    before = [source.get() for source in sources]
    words = np.random.SeedSequence([int(word) for word in seed])
    for source, word in zip(sources, words.generate_state(len(sources)), strict=True):
        source.seed(int(word))
    try:
        yield
    finally:
        for source, state in zip(sources, before, strict=True):
            source.set(state)


def _source_of(path, value):
    if isinstance(value, np.random.RandomState):
        return Source(path, value.get_state, value.set_state, value.seed)
    if isinstance(value, random.Random):
        return Source(path, value.getstate, value.setstate, value.seed)
    if isinstance(value, np.random.Generator):
        return _numpy_source(path, value.bit_generator)
    if _BACKEND == "torch":
        import torch

        if isinstance(value, torch.Generator):
            return Source(
                path,
                lambda: value.get_state().numpy(),
                lambda state: value.set_state(torch.from_numpy(state)),
                value.manual_seed,
            )
    if _BACKEND == "tensorflow":
        import tensorflow as tf

        if isinstance(value, tf.random.Generator):
            return _tensorflow_source(path, value)
    return None


def _numpy_source(path, bits):
    def put(state):
        bits.state = state

    return Source(
        path, lambda: bits.state, put, lambda seed: put(type(bits)(seed).state)
    )


def _tensorflow_source(path, generator):
    return Source(
        path,
        generator.state.numpy,
        generator.state.assign,
        generator.reset_from_seed,
        is_of_tensorflow=True,
    )


def _torch_source():
    import torch

    def get():
        on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        # As arrays, because pickles of equal tensors may differ.
        return [state.numpy() for state in (torch.random.get_rng_state(), *on_gpu)]

    def put(state):
        on_cpu, *on_gpu = map(torch.from_numpy, state)
        torch.random.set_rng_state(on_cpu)
        if on_gpu:
            torch.cuda.set_rng_state_all(on_gpu)

    return Source(None, get, put, torch.manual_seed)


class _Counter:
    """Counts draws within loops of TensorFlow, starting at a number from the seed."""

    def __init__(self):
        import tensorflow as tf

        with tf.init_scope():  # outside of the loop
            self._value = tf.Variable(0, trainable=False, dtype="int32")
        self.source = Source(
            None,
            self._value.numpy,
            self._value.assign,
            lambda seed: self._value.assign(seed % 2**31),
            is_of_tensorflow=True,
        )

    def next(self):
        return self._value.assign_add(1, read_value=True) * _CALL_STRIDE


def _graph():
    """The graph that TensorFlow is making, or None on other backends."""
    if _BACKEND != "tensorflow":
        return None
    import tensorflow as tf

    return tf.compat.v1.get_default_graph()


def _num_graph_nodes():
    graph = _graph()
    return 0 if graph is None else len(graph.get_operations())


def _graph_draws(start):
    """Names and kinds of the nodes after the first `start` that draw or may draw."""
    graph = _graph()
    if graph is None:
        return []
    nodes = graph.get_operations()[start:]
    functions = {}
    if any(_called(node.node_def) for node in nodes):  # loops, branches, functions
        library = graph.as_graph_def().library.function
        functions = {function.signature.name: function for function in library}
    return [
        (node.name, kind)
        for node in nodes
        for kind in _kinds(node.node_def, functions)
        if kind in _TENSORFLOW_PYTHON
        or (_TENSORFLOW_DRAW.match(kind) and kind != _TENSORFLOW_CALL)
    ]


def _kinds(node, functions):
    """The kinds of a node, and of all nodes of the functions that it calls."""
    yield node.op
    for name in _called(node):
        if name in functions:
            for inner in functions[name].node_def:
                yield from _kinds(inner, functions)


def _called(node):
    names = [value.func.name for value in node.attr.values() if value.func.name]
    lists = [function.name for v in node.attr.values() for function in v.list.func]
    return names + lists


def _is_part(names, scopes):
    """Return whether name scopes, maybe with numbers, contain `names` in this order."""
    left = iter(scopes)
    return all(
        any(re.fullmatch(rf"{re.escape(name)}(_\d+)?", scope) for scope in left)
        for name in names
    )
