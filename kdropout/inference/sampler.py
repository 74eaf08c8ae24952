"""Draws samples of a model with dropout on."""

import contextlib

import numpy as np
from keras import ops, tree

from kdropout import _validation
from kdropout._model_kinds import has_known_graph
from kdropout._sampling import PASSES
from kdropout.inference.passes import Passes
from kdropout.inference.randomness import Watcher, seeded
from kdropout.inference.split_model import SplitModel, UnsplitModel, input_keys
from kdropout.inspection import dropout_layers, walk

# The largest number of values that a step of a pass may return: 64 MiB in float32.
_MAX_NUMBERS = 2**24
# The largest number of rows in a pass of a model whose steps are not known.
_MAX_ROWS = 128


class Sampler:
    """Draws samples of a model, batch after batch."""

    # With `same_masks`, each pass draws one sample, and the passes of every batch have
    # the same seeds.

    def __init__(self, model, seed, same_masks=False):
        self._model = model
        self._seed = seed
        self._same_masks = same_masks
        self._num_passes = 0
        self._num_rows = 0
        self._compiled = None

    @property
    def has_drawn(self):
        """True if a batch has been drawn."""
        return self._num_passes > 0

    def draw(self, batch, num_samples):
        """Yield groups of samples: structures of arrays, `(group, rows, ...)`."""
        inputs = _inputs_of(self._model, batch)
        num_rows = len(inputs[0])
        # A smaller last batch is padded, because another shape would be compiled again.
        self._num_rows = max(self._num_rows, num_rows)
        self._compiled = compiled = self._current(batch, inputs)
        if self._same_masks:
            self._num_passes = 0
        while True:
            group_size = self._group_size(compiled, inputs, num_samples)
            passes = compiled.passes(group_size, self._same_masks)
            rows = _pad(inputs, self._num_rows) if compiled.may_pad else inputs
            passes.num_rows = len(rows[0]) if self._same_masks else None
            border = self._run_head(passes, rows)
            if compiled.has_learned():
                continue
            outputs = self._run_tail(passes, border)
            if not compiled.has_learned():
                break
        compiled.watcher.is_done = True
        if self._same_masks:
            compiled.refuse_other_draws()
        for left in range(num_samples, 0, -group_size):
            if left < num_samples:
                outputs = self._run_tail(passes, border)
            self._num_passes += 1
            yield tree.map_structure(
                lambda tensor, left=left: _unstack(tensor, group_size)[
                    :left, :num_rows
                ],
                outputs,
            )

    def _run_head(self, passes, rows):
        with self._compiled.seeded(self._next_seed()):
            return passes.head([ops.convert_to_tensor(array) for array in rows])

    def _run_tail(self, passes, border):
        seed = self._next_seed()
        with self._compiled.seeded(seed):
            return passes.tail(border, ops.convert_to_tensor(seed))

    def _next_seed(self):
        return np.array([self._seed, self._num_passes], "int32")

    @property
    def unseeded(self):
        """Paths of the layers whose numbers the seed does not decide."""
        return sorted(self._compiled.watcher.unseeded)

    @property
    def frozen(self):
        """Paths of the layers that drew only once, while the passes were compiled."""
        return sorted(self._compiled.watcher.frozen)

    def _current(self, batch, inputs):
        """The compiled passes of the model, kept until the model changes."""
        layers = [layer for _, layer in walk(self._model)]
        rules = [layer._rate_rule for layer in dropout_layers(self._model).values()]
        parts = [*layers, *rules, *self._model.variables]
        key = (
            [id(part) for part in parts],
            repr(tree.map_structure(lambda array: array.ndim, batch)),
        )
        cache = vars(self._model).get(PASSES)
        if cache is None or cache[0] != key:
            ranks = [array.ndim for array in inputs]
            known = has_known_graph(self._model) and ranks == [
                len(tensor.shape) for tensor in self._model.inputs
            ]
            cache = (key, _CompiledModel(self._model, None if known else batch))
            vars(self._model)[PASSES] = cache
        return cache[1]

    def _group_size(self, compiled, inputs, num_samples):
        """The number of samples that one pass draws. It bounds the memory."""
        layers = dropout_layers(self._model).values()
        apart = all(layer.has_noise_per_sample for layer in layers)
        split = compiled.split
        if self._same_masks or not apart or compiled.is_alone or not split.can_repeat:
            return 1
        size = split.tail_size(max(size for a in inputs for size in (1, *a.shape[1:])))
        max_rows = _MAX_ROWS if size is None else _MAX_NUMBERS // size
        most = min(num_samples, max(1, max_rows // self._num_rows))
        num_passes = -(-num_samples // most)
        return -(-num_samples // num_passes)


class _CompiledModel:
    """The compiled passes of a model, and the random operations that they showed."""

    # A pass shows which other operations are random. Then the model is split again, and
    # that pass is not used. `structure` is the structure of the inputs, or None for a
    # model whose graph is known.

    def __init__(self, model, structure):
        self._model = model
        self._structure = structure
        self._random_operations = []
        self._writes_state = False
        self.watcher = Watcher(model)
        self._num_sources = len(self.watcher.sources)
        self._split_anew()

    def _split_anew(self):
        self._passes = {}
        if self._structure is None:
            self.split = SplitModel(self._model, self._random_operations)
        else:
            self.split = UnsplitModel(self._model, self._structure)

    @property
    def is_alone(self):
        """True if a pass draws only one sample, because rows may share other noise."""
        return bool(self._random_operations) or self._writes_state

    @property
    def may_pad(self):
        """True if rows may be added. A state that is written may depend on all rows."""
        return self.split.has_fixed_batch or not self._writes_state

    def passes(self, group_size, same_masks):
        """The compiled passes that draw `group_size` samples at a time."""
        key = group_size, same_masks
        if key not in self._passes:
            self._passes[key] = Passes(
                self._model, self.split, group_size, self.watcher
            )
        return self._passes[key]

    def refuse_other_draws(self):
        """Raise an error if the model draws numbers that rows cannot share."""
        if self._random_operations:
            names = sorted({repr(layer.name) for layer in self._random_operations})
            raise _validation.argument_error(
                ValueError,
                "same_masks",
                "must be False for a model in which other layers than those of "
                "kdropout draw numbers, because these differ between the inputs. "
                f"Received: same_masks=True, and a model in which {', '.join(names)} "
                "draws. Put kdropout's layers in their place.",
            )

    def has_learned(self):
        """Return whether the last pass showed something new and must run again."""
        new = [
            operation
            for operation in self.watcher.random_operations
            if not any(operation is known for known in self._random_operations)
        ]
        writes_state = self.watcher.writes_state
        num_sources = len(self.watcher.sources)
        if (
            not new
            and writes_state == self._writes_state
            and num_sources == self._num_sources
        ):
            return False
        self._random_operations += new
        self._writes_state = writes_state
        self._num_sources = num_sources
        self._split_anew()
        return True

    @contextlib.contextmanager
    def seeded(self, seed):
        """A context in which `seed` decides the numbers of generators outside Keras."""
        if self._random_operations or not self.watcher.is_done:
            with seeded(self.watcher.sources, seed):
                yield
                if not self.watcher.is_done:
                    self.watcher.notice_python()
        else:
            yield


def _inputs_of(model, batch):
    """The arrays of a batch, in the order of the model's inputs."""
    if not has_known_graph(model):
        return tree.flatten(batch)
    names = [tensor.name for tensor in model.inputs]
    if isinstance(batch, dict):
        for keys in (names, input_keys(model)):
            if keys and set(keys) <= set(batch):
                return [batch[key] for key in keys]
    arrays = tree.flatten(batch)
    if isinstance(batch, dict) or len(arrays) != len(names):
        received = f"{sorted(batch)} as" if isinstance(batch, dict) else len(arrays)
        raise ValueError(
            f"'x' must hold the {len(names)} inputs of '{model.name}': "
            f"{', '.join(map(repr, names))}. Received: {received} arrays. If these are "
            "inputs and targets, pass only the inputs."
        )
    for array, tensor in zip(arrays, model.inputs, strict=True):
        if not _fits(array.shape, tensor.shape):
            raise ValueError(
                f"'x' must fit the inputs of '{model.name}'. Received: an array of "
                f"shape {array.shape} for '{tensor.name}' of shape {tensor.shape}."
            )
    return arrays


def _fits(shape, expected):
    """Return whether Keras takes an array of `shape`, with any number of rows."""
    # Keras adds or removes a last axis of 1.
    if len(shape) == len(expected) - 1:
        shape = (*shape, 1)
    elif len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    return len(shape) == len(expected) and all(
        wanted in (None, size)
        for size, wanted in zip(shape[1:], expected[1:], strict=True)
    )


def _pad(arrays, num_rows):
    """The arrays with their last row repeated up to `num_rows`."""
    missing = num_rows - len(arrays[0])
    if missing <= 0:
        return arrays
    return [
        np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
        for array in arrays
    ]


def _unstack(tensor, group_size):
    """`(group * rows, ...)` as a NumPy array of `(group, rows, ...)`."""
    array = ops.convert_to_numpy(tensor)
    return array.reshape((group_size, -1, *array.shape[1:]))
