"""Checks of models: whether one is built, can be called, and has a known graph."""

import os

import keras


def check_layer(model, kind=keras.layers.Layer, expected="a keras.Model or layer"):
    """Check that `model` is an instance of `kind`.

    Raises:
        TypeError: If it is not.
    """
    if isinstance(model, kind):
        return
    hint = ""
    if isinstance(model, (str, os.PathLike)):
        hint = ". Load it with keras.saving.load_model first"
    elif isinstance(model, type) and issubclass(model, keras.layers.Layer):
        hint = ". Make an object of this class first"
    elif isinstance(model, keras.layers.Layer):
        hint = ". Put it into a model: keras.Sequential([keras.Input(shape), layer])"
    raise TypeError(f"'model' must be {expected}. Received: model={model!r}{hint}")


def require_built_model(model):
    """Check that `model` is a `keras.Model` and, if it can be called, built.

    Raises:
        TypeError: If it is not a `keras.Model`.
        ValueError: If it is not built.
    """
    check_layer(model, keras.Model, "a keras.Model")
    if has_call(model):
        require_built(model)


def require_built(model):
    """Check that a model or layer is built.

    Raises:
        ValueError: If it is not.
    """
    if not model.built:
        raise ValueError(
            f"'model' must be built, so that all its layers exist. Received: "
            f"'{model.name}', which is not built. Call it on a batch of data first, or "
            "give a Sequential model a keras.Input."
        )


def is_sequential(model):
    """Return whether a model is a chain of layers that uses the `call` of Keras."""
    kind = keras.Sequential
    return isinstance(model, kind) and type(model).call is kind.call


def is_functional(model):
    """Return whether a model is a graph of layers that uses the `call` of Keras."""
    kinds = _graph_classes(model)
    return bool(kinds) and type(model).call is kinds[0].call


def is_graph(model):
    """Return whether a model is a graph of layers, also if it has its own `call`."""
    return bool(_graph_classes(model))


def _graph_classes(model):
    # Keras does not publish the class that `keras.Model(inputs, outputs)` makes.
    return [kind for kind in type(model).__mro__ if kind.__name__ == "Functional"]


def has_known_graph(model):
    """Return whether the order of the layers of a model is known."""
    return is_functional(model) or (is_sequential(model) and model.built)


def has_named_layers(model):
    """Return whether a model consists of named layers, whose names its copies keep."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    return isinstance(model, keras.Model) and bool(kinds & {"Functional", "Sequential"})


def has_call(model):
    """Return whether a model can be called. One with only a `train_step` cannot."""
    return type(model).call is not keras.Model.call


def calls_of(model):
    """The calls inside a Functional or Sequential model.

    Returns:
        List of pairs of an operation and its arguments. The arguments are a list and a
        dict that hold symbolic tensors, or None if they are not known.
    """
    if is_sequential(model):
        return [(layer, _input_of(layer)) for layer in model.layers]
    # Keras has no public view of the graph it runs.
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    return [
        (node.operation, (node.arguments.args, node.arguments.kwargs))
        for node in nodes
        if not node.is_input
    ]


def _input_of(layer):
    """The arguments of a layer's only call, or None if there are more or none."""
    try:
        return [layer.input], {}
    except (AttributeError, ValueError):
        return None
