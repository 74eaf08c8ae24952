"""Where a dropout layer keeps its state in a file."""

import weakref

import keras


class SavedState(keras.layers.Layer):
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
