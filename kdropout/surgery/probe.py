"""Finds the dropout layers that a model calls, with a run without data."""

import contextlib
import functools
import inspect
import warnings

import keras
from keras import tree

from kdropout._model_kinds import (
    calls_of,
    has_call,
    is_functional,
    is_sequential,
)
from kdropout.inspection import sublayers, walk

# The size for unknown axes, if the code of a layer needs a number.
_SIZE = 2


def modes_of_calls(model, layers, training):
    """Dict from layer to the set of modes in which it is called (True in training)."""
    # A Functional or Sequential model calls all its layers, in its own mode. The code
    # of other layers and models runs once with symbols in place of data, which changes
    # no variable. The dict does not contain layers inside code that needs data.
    probe = _Probe(model, layers, training)
    probe.visit(model, None)
    return {
        layer: probe.modes[id(layer)]
        for layer in layers
        if id(layer) not in probe.unknown
    }


class _Probe:
    def __init__(self, model, layers, training):
        self._trained = model if is_trained_by_keras(model) else None
        self._layers = {id(layer): layer for layer in layers}
        self._training = training
        self.modes = {key: set() for key in self._layers}
        self.unknown = set()

    def visit(self, operation, arguments):
        """Note the layers in a call with some arguments, or None for unknown ones."""
        if id(operation) in self._layers:
            self.modes[id(operation)].add(self._training)
            return
        if not isinstance(operation, keras.layers.Layer):
            return
        inside = [layer for _, layer in walk(operation) if id(layer) in self._layers]
        if not inside:
            return
        if is_functional(operation) or is_sequential(operation):
            for inner, inner_arguments in calls_of(operation):
                self.visit(inner, inner_arguments)
        elif has_call(operation):
            self._run(operation, arguments, inside)
        if _trains_by_itself(operation):
            for part in sublayers(operation):
                if not self._is_known(part):
                    self.visit(part, None)

    def _is_known(self, part):
        """Return whether dropout in `part` is already known to be called."""
        inside = [part, *(layer for _, layer in walk(part))]
        return any(self.modes.get(id(layer)) for layer in inside)

    def _run(self, layer, arguments, inside):
        arguments = _specs(layer) if arguments is None else arguments
        call, mode = layer, {"training": self._training}
        if layer is self._trained:
            # `fit` passes the mode only to a `call` that takes it. On JAX, the layers
            # inside do not get it from the context, because there is none.
            if "training" not in inspect.signature(layer.call).parameters:
                mode = {}
            if keras.backend.backend() == "jax":
                call = layer.call

        def run(args, kwargs):
            return call(*args, **{**kwargs, **mode})

        for size in (None, _SIZE):
            try:
                with contextlib.ExitStack() as stack:
                    # The user has already seen the warnings of this code.
                    stack.enter_context(warnings.catch_warnings())
                    warnings.simplefilter("ignore")
                    for part in inside:
                        stack.enter_context(self._noting_calls(part))
                    symbol = functools.partial(_symbol, size=size)
                    symbols = tree.map_structure(symbol, arguments)
                    _Run(run).compute_output_spec(*symbols)
                return
            except Exception:  # the code of a layer may need real data
                continue
        self.unknown.update(map(id, inside))

    @contextlib.contextmanager
    def _noting_calls(self, layer):
        """Note the mode of each call of `layer`."""
        call, own = layer.call, vars(layer)
        has_mode = "training" in inspect.signature(call).parameters

        def noting_call(*args, **kwargs):
            mode = kwargs.get("training") if has_mode else self._training
            self.modes[id(layer)].add(bool(mode))
            return call(*args, **kwargs)

        # Not with `setattr`, because Keras would track it.
        before = own.get("call")
        own["call"] = noting_call
        try:
            yield
        finally:
            if before is None:
                del own["call"]
            else:
                own["call"] = before


class _Run(keras.Operation):
    """A function as an operation, so that Keras can run it with symbols."""

    def __init__(self, function):
        super().__init__()
        self.call = function


def is_trained_by_keras(model):
    """Return whether the training step of a model is that of Keras."""
    is_model = isinstance(model, keras.Model)
    return is_model and type(model).train_step is keras.Model.train_step


def _trains_by_itself(model):
    """Return whether a model has code other than `call` that calls its parts."""
    return isinstance(model, keras.Model) and not (
        is_trained_by_keras(model)
        and type(model).compute_loss is keras.Model.compute_loss
    )


def _specs(layer):
    """Arguments for a call of a built layer, with the shapes of its `build`."""
    config = layer.get_build_config() or {}
    shapes = config.get("shapes_dict") or {}
    names = {name.removesuffix("_shape"): shape for name, shape in shapes.items()}
    if "input_shape" in config:
        return [_symbols(config["input_shape"], layer)], {}
    return [], {name: _symbols(shape, layer) for name, shape in names.items()}


def _symbol(argument, size):
    """The argument, or for a symbol, a dense one with `size` for unknown sizes."""
    if not isinstance(argument, keras.KerasTensor):
        return argument
    shape = [size if length is None else length for length in argument.shape]
    return keras.KerasTensor(shape, dtype=argument.dtype)


def _symbols(shapes, layer):
    return tree.map_shape_structure(
        lambda shape: keras.KerasTensor(shape, dtype=layer.input_dtype), shapes
    )
