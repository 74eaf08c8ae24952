"""A model whose order of layers is not known."""

from keras import ops, tree


class Whole:
    """A model with a `call` of its own: all of it is the tail.

    Args:
        model: A built model.
        structure: Structure of its inputs.
    """

    can_repeat = True
    has_fixed_batch = False

    def __init__(self, model, structure):
        self._model = model
        self._structure = structure
        self.has_batch = [True] * len(tree.flatten(structure))

    def tail_size(self, unknown):
        """Not known, so that passes are kept small."""
        return None

    def run_head(self, inputs, watcher):
        """The inputs themselves, as tensors."""
        return [ops.convert_to_tensor(array) for array in inputs]

    def run_tail(self, border, watcher):
        """The outputs, in the model's structure."""
        inputs = tree.pack_sequence_as(self._structure, border)
        with watcher.watch(self._model):
            return self._model(inputs, training=False)
