"""The configuration of a Functional or Sequential model, to add layers to."""

import keras
from keras import tree

from kdropout.model_kinds import has_known_graph, is_functional
from kdropout.surgery.chart import Chart


class ModelConfig:
    """A model beside its configuration, which `insert` changes.

    Args:
        config: Configuration as Keras saves it.
        model: The model itself.
        path: Path of the model, "" for the outermost one.
        is_followed: Whether layers with weights follow the model.
    """

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
        self.chart = Chart(operations, consumers, outputs, is_followed)

    def nested(self):
        """The models directly inside, as `ModelConfig`."""
        for entry in self._entries:
            name = entry["config"].get("name")
            model = self.chart.operations.get(name)
            if can_edit(model, entry):
                followed = self.chart.is_followed or self.chart.is_hidden(name)
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
        taken = {}  # by the number of a call: the tensor, and those who take it
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


def can_edit(model, config):
    """Whether `config` lists the layers of `model`, whose order is known."""
    return (
        isinstance(model, keras.Model)
        and has_known_graph(model)
        and "layers" in config["config"]
    )


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
