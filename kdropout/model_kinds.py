"""What is known about the order of the layers of a model."""

import keras


def is_sequential(model):
    """Whether a model is a chain of layers, with no `call` of its own."""
    kind = keras.Sequential
    return isinstance(model, kind) and type(model).call is kind.call


def is_functional(model):
    """Whether a model is a graph of layers, with no `call` of its own."""
    # Keras does not publish the class that `keras.Model(inputs, outputs)` makes.
    kinds = [kind for kind in type(model).__mro__ if kind.__name__ == "Functional"]
    return bool(kinds) and type(model).call is kinds[0].call


def has_known_graph(model):
    """Whether the order of the layers of a model is known."""
    return is_functional(model) or (is_sequential(model) and model.built)


def has_named_layers(model):
    """Whether a model is made of layers with unique names, which its copies keep."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    return isinstance(model, keras.Model) and bool(kinds & {"Functional", "Sequential"})
