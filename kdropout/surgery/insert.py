"""Adds dropout after the hidden layers of an existing model."""

from collections.abc import Callable, Sequence

import keras
from keras import tree

from kdropout import _compat, _validation, layers
from kdropout._keras_classes import is_keras_dropout
from kdropout._model_kinds import has_call, is_functional, require_built_model
from kdropout.inspection import choose_rates
from kdropout.rate_rules import LearnedRate
from kdropout.surgery.keras_state import strategy_scope
from kdropout.surgery.rebuild import can_edit, configuration, copy_state, rebuild

_KERNELS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)
_NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
    *_compat.NORMALIZATIONS,
)
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)


def insert(
    model: keras.Model,
    rate: float | Callable | LearnedRate | dict,
    after: str | Sequence[str] | Callable[[keras.layers.Layer], bool] = "hidden",
    make_layer: Callable[..., layers.BaseDropout] = layers.Dropout,
) -> keras.Model:
    """Return a copy of a model with dropout after its hidden layers.

    A layer is hidden if every path from it to an output passes another layer with
    weights. So no dropout follows an output layer, or the activation after it. If the
    normalisation and the activation of a layer are separate layers, dropout comes after
    them. Where a dropout layer already follows, this function adds none: call
    `kdropout.convert` to make it live. Nested Functional and Sequential models are
    treated in the same way.

    Args:
        model: A built Functional or Sequential model.
        rate: Float in [0, 1], schedule or `kdropout.LearnedRate`, for all places; or a
            dict from layer paths or globs to rates, to add dropout only after these
            layers.
        after: "hidden" for all hidden dense and convolution layers, a glob on the
            layer path such as "block*/conv", a list of globs, or a function from a
            layer to a bool. Defaults to "hidden".
        make_layer: Function from a rate to a dropout layer of kdropout, such as
            `kdropout.layers.SpatialDropout2D`. Defaults to `kdropout.layers.Dropout`.

    Returns:
        A new model with copied weights, under the same names. "<name>_dropout" follows
        the layer "<name>". `model` does not change. The copy is not compiled.

    Raises:
        TypeError: If an argument is of the wrong type, or if the model is a subclass
            with its own `call`, because only its code knows the order of its layers.
        ValueError: If the model is not built or has no hidden layer, or if a path or
            glob does not name a hidden layer.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...     keras.layers.Dense(1)])
    >>> model = kdropout.insert(model, rate=0.2)
    >>> kdropout.rates(model)
    {'hidden_dropout': 0.2}
    """
    if not callable(make_layer):
        raise TypeError(_not_a_maker(make_layer))
    config = _checked_configuration(model)
    parts = list(_all_parts(ModelConfig(config, model)))
    is_chosen = _chooser(after, parts)
    places = {
        part.path_of(name): (part, name, place)
        for part in parts
        for name, place in _places(part, is_chosen)
    }
    if not places:
        raise ValueError(
            "'after' must name layers that dropout can follow: hidden layers without "
            f"dropout after them. Received: after={after!r}, which names none of "
            f"'{model.name}'. To make existing dropout live, call kdropout.convert."
        )
    for path, chosen in choose_rates(list(places), rate).items():
        part, name, place = places[path]
        layer = make_layer(chosen)
        if not isinstance(layer, layers.BaseDropout):
            raise TypeError(f"{_not_a_maker(make_layer)}, which returned {layer!r}")
        part.insert(place, _named(layer, name, part.graph.operations))
    with strategy_scope(model):
        copy = rebuild(config, model)
        copy_state(model, copy)
    return copy


def _not_a_maker(make_layer):
    expected = "a function from a rate to a dropout layer of kdropout"
    return _validation.received("make_layer", expected, make_layer)


def _chooser(after, parts):
    """A function of a path and a layer: True if dropout follows the layer."""
    if isinstance(after, str) and after == "hidden":
        return lambda path, layer: _has_kernel(layer)
    if callable(after):
        return lambda path, layer: bool(after(layer))
    globs = [after] if isinstance(after, str) else after
    if not isinstance(globs, (list, tuple)) or not all(
        isinstance(glob, str) for glob in globs
    ):
        expected = '"hidden", a glob, a list of globs or a function of a layer'
        raise _validation.type_error("after", expected, after)
    paths = [part.path_of(name) for part in parts for name in part.graph.operations]
    chosen = choose_rates(paths, dict.fromkeys(globs), argument="after")
    return lambda path, layer: path in chosen


def _checked_configuration(model):
    require_built_model(model)
    if not has_call(model):
        raise TypeError(
            "'model' must be a Functional or Sequential model. Received: "
            f"'{model.name}', which has no call(). Use kdropout.insert on its parts, "
            "and make a model of the copies."
        )
    config = configuration(model)
    if not can_edit(model, config):
        raise TypeError(
            "'model' must be a Functional or Sequential model, because only the code "
            f"of {type(model).__name__} knows the order of its layers. Received: "
            f"'{model.name}'. Put layers of kdropout.layers into that code, or use "
            "kdropout.convert on the dropout that it has."
        )
    return config


def _all_parts(part):
    """A model and the models nested in it, outermost first."""
    yield part
    for nested in part.nested():
        yield from _all_parts(nested)


def _places(part, is_chosen):
    """The names of chosen layers, each with the operation that dropout follows."""
    taken = set()
    for name, operation in part.graph.operations.items():
        if not isinstance(operation, keras.layers.Layer) or isinstance(
            operation, keras.layers.InputLayer
        ):
            continue
        place = part.graph.place_after(name)
        if (
            is_chosen(part.path_of(name), operation)
            and part.graph.is_hidden(place)
            and not part.graph.is_dropped(place)
            and place not in taken
        ):
            taken.add(place)
            yield name, place


def _named(layer, name, operations):
    """The layer, named after the one that it follows."""
    wanted, number = f"{name}_dropout", 1
    while wanted in operations:
        number += 1
        wanted = f"{name}_dropout_{number}"
    return type(layer).from_config({**layer.get_config(), "name": wanted})


def _has_kernel(layer):
    """Return whether `layer` is dense or a convolution."""
    return isinstance(layer, _KERNELS)


class LayerGraph:
    """The operations of one Functional or Sequential model, and their consumers."""

    # `operations` and `consumers` are dicts by the name of an operation. `outputs` are
    # the names of the operations whose outputs the model returns. `is_followed` is True
    # for a nested model before layers with weights.
    def __init__(self, operations, consumers, outputs, is_followed):
        self.operations = operations
        self.consumers = consumers
        self.outputs = set(outputs)
        self.is_followed = is_followed
        self._hidden = {}

    def place_after(self, name):
        """The operation that dropout for the layer `name` follows."""
        # For a dense or convolution layer, this is its activation, also after a
        # normalisation. For any other layer, it is the layer itself.
        if not _has_kernel(self.operations[name]) or self._is_active(name):
            return name
        place = name
        while len(self.consumers[place]) == 1 and place not in self.outputs:
            follower = self.consumers[place][0]
            operation = self.operations[follower]
            if isinstance(operation, _ACTIVATIONS):
                return follower
            if not isinstance(operation, _NORMALIZATIONS):
                break
            place = follower
        return place

    def is_hidden(self, name):
        """True if each path from `name` to an output passes a layer with weights."""
        if name not in self._hidden:
            ends_here = name in self.outputs and not self.is_followed
            self._hidden[name] = not ends_here and all(
                self._has_weights(follower) or self.is_hidden(follower)
                for follower in self.consumers[name]
            )
        return self._hidden[name]

    def is_dropped(self, name):
        """Return whether dropout already follows `name`."""
        followers = [self.operations[follower] for follower in self.consumers[name]]
        return any(
            isinstance(follower, layers.BaseDropout) or is_keras_dropout(follower)
            for follower in followers
        )

    def _is_active(self, name):
        activation = getattr(self.operations[name], "activation", None)
        return activation not in (None, keras.activations.linear)

    def _has_weights(self, name):
        operation = self.operations[name]
        passive = (*_NORMALIZATIONS, *_ACTIVATIONS)
        return (
            isinstance(operation, keras.layers.Layer)
            and not isinstance(operation, passive)
            and bool(operation.weights)
        )


class ModelConfig:
    """A model with its configuration, which `insert` changes."""

    def __init__(self, config, model, path="", is_followed=False):
        self.path = path
        self._entries = config["config"]["layers"]
        self._is_functional = is_functional(model)
        known = model.operations if self._is_functional else model.layers
        operations = {operation.name: operation for operation in known}
        consumers = {name: [] for name in operations}
        if self._is_functional:
            for entry in self._entries:
                for tensor in _tensors(entry["inbound_nodes"]):
                    source = tensor["keras_history"][0]
                    if entry["name"] not in consumers[source]:
                        consumers[source].append(entry["name"])
            outputs = _names(config["config"]["output_layers"])
        else:
            names = list(operations)
            for name, follower in zip(names, names[1:], strict=False):
                consumers[name].append(follower)
            outputs = names[-1:]
        self.graph = LayerGraph(operations, consumers, outputs, is_followed)

    def nested(self):
        """The models directly inside, as `ModelConfig`."""
        for entry in self._entries:
            name = entry["config"].get("name")
            model = self.graph.operations.get(name)
            if can_edit(model, entry):
                followed = self.graph.is_followed or self.graph.is_hidden(name)
                yield ModelConfig(entry, model, self.path_of(name), followed)

    def path_of(self, name):
        """The path of the layer `name`."""
        return f"{self.path}/{name}" if self.path else name

    def insert(self, place, layer):
        """Put `layer` between the operation `place` and its consumers."""
        entry = keras.saving.serialize_keras_object(layer)
        names = [entry["config"].get("name") for entry in self._entries]
        index = names.index(place)
        if self._is_functional:
            entry["name"] = layer.name
            entry["inbound_nodes"] = self._rewire(place, layer.name)
        self._entries.insert(index + 1, entry)

    def _rewire(self, place, name):
        """Point the consumers of `place` to `name`; return the calls for `name`."""
        taken = {}  # by the number of a call: its tensor in each consumer
        for entry in self._entries:
            for tensor in _tensors(entry["inbound_nodes"]):
                source, node, output = tensor["keras_history"]
                if source == place and output == 0:
                    taken.setdefault(node, []).append(tensor)
        calls = []
        for index, node in enumerate(sorted(taken)):
            argument = dict(taken[node][0])
            calls.append({"class_name": "__keras_tensor__", "config": argument})
            for tensor in taken[node]:
                tensor["keras_history"] = [name, index, 0]
        return [{"args": [argument], "kwargs": {}} for argument in calls]


def _tensors(structure):
    """The configurations of all symbolic tensors among the arguments of a layer."""
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            yield structure["config"]
            return
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for part in structure:
            yield from _tensors(part)


def _names(output_layers):
    """The names in a structure of `[name, node, output]`."""
    return [leaf for leaf in tree.flatten(output_layers) if isinstance(leaf, str)]
