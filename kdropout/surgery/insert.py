"""Adds dropout to an existing model, after its hidden layers or at other places."""

import warnings
from collections.abc import Callable, Sequence

import keras
from keras import tree

from kdropout import _validation, layers
from kdropout._model_kinds import has_call, is_functional, is_graph, require_built_model
from kdropout.inspection import choose_rates, matching
from kdropout.rate_rules import LearnedRate
from kdropout.surgery.keras_state import strategy_scope
from kdropout.surgery.placement import ModelGraph, Placement
from kdropout.surgery.rebuild import can_edit, configuration, copy_state, rebuild

# A convolutional network that gets more layers than this at its hidden layers is one
# like MobileNetV2, which usually has dropout at other places.
_MANY = 10
_MAX_LISTED = 4


def insert(
    model: keras.Model,
    rate: float | Callable | LearnedRate | dict,
    after: Placement
    | str
    | Sequence[Placement | str]
    | Callable[[keras.layers.Layer], bool] = Placement.HIDDEN,
    make_layer: Callable[..., layers.BaseDropout] = layers.Dropout,
    verbose: int = 1,
) -> keras.Model:
    """Return a copy of a model with dropout after its hidden layers.

    `after` selects other places: before the classifier, the ends of the blocks, or
    layers that you name. `kdropout.Placement` defines these places.

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
        after: A `kdropout.Placement`, a glob on the layer path such as "block*/conv", a
            list of placements and globs, or a function from a layer to a bool. The
            placements are `HEAD` (before the classifier), `BLOCKS` (the end of each
            block) and `HIDDEN` (all hidden dense and convolution layers). Defaults to
            `kdropout.Placement.HIDDEN`.
        make_layer: Function from a rate to a dropout layer of kdropout, such as
            `kdropout.layers.SpatialDropout2D`. Defaults to `kdropout.layers.Dropout`.
        verbose: 0 to print nothing, 1 to print what was added where. Defaults to 1.

    Returns:
        A new model with copied weights, under the same names. "<name>_dropout" follows
        the layer "<name>". `model` does not change. The copy is not compiled.

    Raises:
        TypeError: If an argument is of the wrong type, or if the model is a subclass
            with its own `call`, because only its code knows the order of its layers.
        ValueError: If the model is not built or has no such place, if a path or glob
            does not name a hidden layer, or if `make_layer` makes a `DropPath` for
            `HEAD`, or for `BLOCKS` in a model without residual blocks.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...     keras.layers.Dense(1)], name="mlp")
    >>> model = kdropout.insert(model, rate=0.2)
    Added 1 Dropout layer to 'mlp': 'hidden_dropout' after 'hidden'.
    >>> kdropout.rates(model)
    {'hidden_dropout': 0.2}
    """
    if not callable(make_layer):
        raise TypeError(_not_a_maker(make_layer))
    _check_verbose(verbose)
    after = _with_new_name(after)
    config = _checked_configuration(model)
    graph = ModelGraph(ModelConfig(config, model))
    places = _places(graph, after)
    if not places:
        raise _no_place(graph, after, model)
    added = []
    for path, chosen in choose_rates(list(places), rate).items():
        step, place = places[path]
        layer = make_layer(chosen)
        if not isinstance(layer, layers.BaseDropout):
            raise TypeError(f"{_not_a_maker(make_layer)}, which returned {layer!r}")
        if isinstance(layer, layers.DropPath):
            _check_branch(graph, after, place, make_layer)
        name = place.part.insert(place.name, layer, f"{step.name}_dropout")
        added.append((place.part.path_of(name), place.path, type(layer).__name__))
    with strategy_scope(model):
        copy = rebuild(config, model)
        copy_state(model, copy)
    if verbose:
        print(_report(model, added))
        if after is Placement.HIDDEN and len(added) > _MANY and graph.is_convolutional:
            print(_usual(graph), end="")
    return copy


def _not_a_maker(make_layer):
    expected = "a function from a rate to a dropout layer of kdropout"
    return _validation.received("make_layer", expected, make_layer)


def _check_verbose(verbose):
    expected = "0 to print nothing, or 1 to print what was added"
    if not isinstance(verbose, int):
        raise _validation.type_error("verbose", expected, verbose)
    if verbose not in (0, 1):
        raise _validation.value_error("verbose", expected, verbose)


def _with_new_name(after):
    """The argument `after`, with the placement in place of its name in version 0.1."""
    if not isinstance(after, str) or after != "hidden":
        return after
    warnings.warn(
        "after='hidden' is deprecated: pass after=kdropout.Placement.HIDDEN, which is "
        "the default. For a layer that is called 'hidden', pass after=['hidden'].",
        DeprecationWarning,
        stacklevel=3,
    )
    return Placement.HIDDEN


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


def _places(graph, after):
    """Dict from the path that names a place to the steps: the named, the followed."""
    if isinstance(after, Placement):
        return _placed(graph, after)
    if callable(after):
        return _free(_chosen(graph, lambda path, layer: bool(after(layer))))
    items = [after] if isinstance(after, str) else after
    if not isinstance(items, (list, tuple)) or not all(
        isinstance(item, (str, Placement)) for item in items
    ):
        expected = "a kdropout.Placement, a glob, a list of globs or a function of "
        raise _validation.type_error("after", f"{expected}a layer", after)
    if not items:
        choose_rates([], {}, argument="after")  # raises
    found = {}
    for item in items:
        if isinstance(item, Placement):
            places = _placed(graph, item)
            if not places:
                return {}
        else:
            paths = _matching(graph, item)
            places = _chosen(graph, lambda path, layer, paths=paths: path in paths)
            places = _free(places)
        found |= places
    return _free(dict(found.values()))


def _matching(graph, glob):
    """The paths of operations that a glob matches."""
    paths = list(graph.steps)
    names = [placement.value for placement in Placement]
    if glob.lower() in names and not matching(paths, glob):
        placement = Placement(glob.lower())
        raise _validation.argument_error(
            ValueError,
            "after",
            f"must name layers that can have dropout. Received: after={glob!r}, which "
            f"no layer is called. For the placement, pass after={placement!r}",
        )
    return set(choose_rates(paths, {glob: None}, argument="after"))


def _chosen(graph, is_chosen):
    """The steps of chosen layers, each with the step that dropout follows."""
    return {
        step: step.place
        for step in graph.steps.values()
        if isinstance(step.operation, keras.layers.Layer)
        and not isinstance(step.operation, keras.layers.InputLayer)
        and is_chosen(step.path, step.operation)
    }


def _placed(graph, placement):
    """Dict by path of the free places of a placement."""
    places = graph.places(placement)
    return _free(
        {step: place for step, place in places.items() if not place.follows_dropout}
    )


def _free(places):
    """Dict by path of those places that are hidden and have no dropout, each once."""
    taken = set()
    free = {}
    for step, place in places.items():
        if place.is_hidden and not place.is_dropped and place not in taken:
            taken.add(place)
            free[step.path] = (step, place)
    return free


def _no_place(graph, after, model):
    """The error for a model in which `after` names no place."""
    items = after if isinstance(after, (list, tuple)) else [after]
    empty = [
        item
        for item in items
        if isinstance(item, Placement) and not _placed(graph, item)
    ]
    if not empty:
        return ValueError(
            "'after' must name layers that dropout can follow: hidden layers without "
            f"dropout after them. Received: after={after!r}, which names none of "
            f"'{model.name}'. To make existing dropout live, call kdropout.convert."
        )
    others = {placement: _placed(graph, placement) for placement in Placement}
    others = [
        f"{placement!r} ({_count(len(places), 'place')})"
        for placement, places in others.items()
        if places
    ]
    hint = f"Use {' or '.join(others)}" if others else "Pass the paths of layers"
    places = graph.places(empty[0]).values()
    if any(place.is_dropped or place.follows_dropout for place in places):
        hint = (
            "Dropout already stands at these places: call kdropout.convert to make it "
            f"live. {hint} to add some elsewhere"
        )
    return _validation.argument_error(
        ValueError,
        "after",
        f"must be a placement that finds a place in the model. Received: "
        f"after={after!r} for '{model.name}', in which {empty[0]!r} finds none. "
        f"{hint}.",
    )


def _check_branch(graph, after, place, make_layer):
    """Check that a `DropPath` at one of the placements ends a residual branch."""
    items = after if isinstance(after, (list, tuple)) else [after]
    for item in items:
        if item not in (Placement.HEAD, Placement.BLOCKS) or place in graph.branches:
            continue
        if place in graph.places(item).values():
            raise _validation.argument_error(
                ValueError,
                "make_layer",
                "must make a layer other than DropPath at this place, because DropPath "
                "drops a whole residual branch, and no addition follows "
                f"'{place.path}'. Received: make_layer={make_layer!r} with "
                f"after={after!r}. Use kdropout.layers.Dropout, or "
                "kdropout.Placement.BLOCKS in a model with residual blocks.",
            )


def _report(model, added):
    """A sentence about the layers that were added: path, place and kind of each."""
    kinds = {kind for _, _, kind in added}
    kind = f"{kinds.pop()} layer" if len(kinds) == 1 else "dropout layer"
    pairs = [f"'{path}' after '{place}'" for path, place, _ in added]
    if len(pairs) > _MAX_LISTED:
        pairs = [*pairs[: _MAX_LISTED - 2], "...", pairs[-1]]
    return f"Added {_count(len(added), kind)} to '{model.name}': {', '.join(pairs)}."


def _usual(graph):
    """A line about the usual place in a convolutional network, or an empty string."""
    head = _placed(graph, Placement.HEAD)
    branches = _placed(graph, Placement.BLOCKS) if graph.branches else {}
    usual = []
    if head:
        count = _count(len(head), "place")
        usual.append(f"before the classifier: after={Placement.HEAD!r} ({count})")
    if branches:
        usual.append(
            f"at the ends of residual branches: after={Placement.BLOCKS!r} with "
            f"make_layer=kdropout.layers.DropPath ({_count(len(branches), 'place')})"
        )
    if not usual:
        return ""
    return (
        "In a convolutional network of this depth, dropout usually stands "
        f"{', or '.join(usual)}.\n"
    )


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class ModelConfig:
    """A model with its configuration, which `insert` changes."""

    # `operations` and `nested` are dicts by name, of all operations and of the
    # `ModelConfig` of nested models. `calls` is a dict from each call, a name and a
    # number, to the tensors that it takes. A tensor is a tuple of a name, the number of
    # a call and the number of an output. `out` lists the tensors that the model
    # returns, and `inputs` the names of its inputs. `first` is the call that takes the
    # input of a Sequential model.
    def __init__(self, config, model, path=""):
        self.path = path
        self._model = model
        self._config = config["config"]
        self._entries = self._config["layers"]
        self._is_functional = is_functional(model)
        known = model.operations if self._is_functional else model.layers
        self.operations = {operation.name: operation for operation in known}
        self._names = set(self.operations)
        self.nested = {}
        for entry in self._entries:
            name = entry["config"].get("name")
            inner = self.operations.get(name)
            if can_edit(inner, entry):
                self.nested[name] = ModelConfig(entry, inner, self.path_of(name))
        self.first = None
        if self._is_functional:
            self.inputs = [name for name, _, _ in _triples(self._config, "input")]
            self.out = self._outputs()
            self.calls = {(name, 0): [] for name in self.inputs}
            for entry in self._entries:
                for number, arguments in enumerate(entry["inbound_nodes"]):
                    tensors = _tensors(arguments)
                    tensors = [tuple(tensor["keras_history"]) for tensor in tensors]
                    self.calls[entry["name"], number] = tensors
        else:
            names = list(self.operations)
            self.inputs = [None]
            self.out = [(names[-1], 0, 0)]
            self.first = (names[0], 0)
            self.calls = {self.first: []}
            for name, follower in zip(names, names[1:], strict=False):
                self.calls[follower, 0] = [(name, 0, 0)]

    def path_of(self, name):
        """The path of the layer `name`."""
        return f"{self.path}/{name}" if self.path else name

    def insert(self, place, layer, wanted):
        """Put `layer` between the operation `place` and its consumers.

        Return its name, which is `wanted` or, if a layer has this name, numbered.
        """
        layer = _named(layer, wanted, self._names)
        self._names.add(layer.name)
        entry = keras.saving.serialize_keras_object(layer)
        names = [entry["config"].get("name") for entry in self._entries]
        index = names.index(place)
        if self._is_functional:
            entry["name"] = layer.name
            entry["inbound_nodes"] = self._rewire(place, layer.name)
        self._entries.insert(index + 1, entry)
        return layer.name

    def _outputs(self):
        """The tensors that a Functional model returns, as in `calls`."""
        return [
            (name, node - self._first_number(name), output)
            for name, node, output in _triples(self._config, "output")
        ]

    def _first_number(self, name):
        """The number of the first call in the list of outputs."""
        # Here, but not in the calls, Keras counts how a Functional model was made.
        return int(is_graph(self.operations.get(name)))

    def _rewire(self, place, name):
        """Point the consumers of `place` to `name`; return the calls for `name`."""
        taken = {}  # by the number of a call: its tensor in each consumer
        for entry in self._entries:
            for tensor in _tensors(entry["inbound_nodes"]):
                source, node, output = tensor["keras_history"]
                if source == place and output == 0:
                    taken.setdefault(node, []).append(tensor)
        # The outputs of a nested model may come from `place`.
        for (source, node, output), tensor in zip(
            self._outputs(), tree.flatten(self._model.outputs), strict=True
        ):
            if source == place and output == 0:
                argument = {"shape": list(tensor.shape), "dtype": tensor.dtype}
                argument["keras_history"] = [source, node, output]
                taken.setdefault(node, []).append(argument)
        calls, numbers = [], {}
        for index, node in enumerate(sorted(taken)):
            argument = dict(taken[node][0])
            calls.append({"class_name": "__keras_tensor__", "config": argument})
            numbers[node + self._first_number(place)] = index
            for tensor in taken[node]:
                tensor["keras_history"] = [name, index, 0]
        self._config["output_layers"] = _renamed(
            self._config["output_layers"], place, name, numbers
        )
        return [{"args": [argument], "kwargs": {}} for argument in calls]


def _named(layer, wanted, taken):
    """The layer, under the name `wanted` or, if it is taken, a numbered one."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return type(layer).from_config({**layer.get_config(), "name": name})


def _tensors(structure):
    """The configurations of all symbolic tensors among the arguments of a layer."""
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            yield structure["config"]
            return
        # In the order of `keras.tree`, which is that of the inputs of a nested model.
        structure = [structure[key] for key in sorted(structure)]
    if isinstance(structure, (list, tuple)):
        for part in structure:
            yield from _tensors(part)


def _triples(config, side):
    """The tensors, as tuples, in the inputs or outputs of a Functional model."""
    leaves = tree.flatten(config[f"{side}_layers"])
    return [tuple(leaves[i : i + 3]) for i in range(0, len(leaves), 3)]


def _renamed(outputs, place, name, numbers):
    """The structure of outputs, with those of `place` under the name `name`."""
    if isinstance(outputs, dict):
        return {
            key: _renamed(part, place, name, numbers) for key, part in outputs.items()
        }
    if not outputs or not isinstance(outputs[0], str):
        return [_renamed(part, place, name, numbers) for part in outputs]
    source, node, output = outputs
    if source == place and output == 0:
        return [name, numbers[node], 0]
    return outputs
