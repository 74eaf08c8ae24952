"""A snapshot of the structure of a model, for comparison with other models."""

import functools
import itertools
import os
import sys
import sysconfig
import types
import weakref

import keras
import numpy as np
from keras import ops

from kdropout.layers.base import BaseDropout
from kdropout.rate_rules.ramped import RampedRate
from kdropout.tuning.live_numbers import places_of

# Attributes that are left out: Keras creates them again when needed, or they are
# compiled functions, or leftovers of the last call or training.
_LEFT_OUT = [
    (
        keras.Model,
        {
            "_eval_epoch_iterator",
            "_jax_state",
            "_nodes",
            "history",
            "predict_function",
            "stop_evaluating",
            "stop_predicting",
            "stop_training",
            "test_function",
            "train_function",
        },
    ),
    (keras.layers.Layer, {"_called", "_loss_ids", "_losses", "_losses_override"}),
    (
        keras.optimizers.Optimizer,
        {"_exclude_from_weight_decay_cache", "_trainable_variables_indices"},
    ),
    # A layer that several models share also keeps the nodes of the other models. The
    # nodes of each model are in its `_nodes_by_depth`.
    (keras.Operation, {"_inbound_nodes", "_outbound_nodes"}),
    (keras.KerasTensor, {"_keras_history"}),
    (RampedRate, {"_first"}),  # its variables hold this value
    (BaseDropout, {"_memory_of_callbacks", "_mover"}),
]
# Prefixes of the attributes with which Keras and TensorFlow track variables.
_OF_TRACKING = ("_tracker", "_obj_reference_counts_dict", "_self_")

# Attributes that Keras derives from the arguments of `compile` at the first batch. The
# arguments themselves are kept in other attributes.
_MADE_AT_FIRST_BATCH = {
    "_flat_losses",
    "_flat_metrics",
    "_flat_weighted_metrics",
    "_metrics",
    "_resolved_output_names",
    "built",
}

# Plain attributes of these classes, such as a seed, affect the values of variables but
# not the compiled code.
_LIVE = (keras.initializers.Initializer, keras.random.SeedGenerator)
_PLAIN_KINDS = (bool, int, float, complex, str, bytes, type(None), type(...))
_PLAIN = frozenset(_PLAIN_KINDS)
_BACKENDS = ("tensorflow", "jax", "jaxlib")
# Packages that need not be installed as separate files.
_PACKAGES = ("builtins", "keras", "keras_tuner", "kdropout", *_BACKENDS)
_BY_IDENTITY = (type, types.ModuleType, types.BuiltinFunctionType)


class Snapshot:
    """The structure of a model, and its live values.

    Two models with equal structures compile to the same code, unless their own code
    reads other things. They give the same results once one has the live values of the
    other.

    The structure contains all attributes of the model, its layers, optimizer, losses
    and metrics, and of all objects that these refer to: plain values, arrays and
    lookup tables by content, and functions by their code and closure. An object that
    cannot be inspected is compared by identity, so in doubt two models differ.

    Args:
        model: A compiled `keras.Model`.
        with_surroundings: Boolean, whether to fill `surroundings`. Defaults to False.

    Attributes:
        structure: List of comparable values.
        surroundings: List of comparable values of what the user's functions and classes
            in `structure` read: global names, and attributes of classes.
        variables: List of all Keras variables, including those that Keras does not
            track.
        live: List of initializers and seed generators.
        numbers: List of `Place`, the live numbers of optimizer, schedule and losses.
    """

    def __init__(self, model, with_surroundings=False):
        self.structure = [_settings_of_keras()]
        self.variables = []
        self.live = []
        self.numbers = []
        self._code = [] if with_surroundings else None  # functions and classes
        self._noted = set()  # their identities
        self._taken_out = {}  # by identity of a dict: the keys of live numbers
        self._places = {}  # by identity: where an object was first met
        self._left_out = {}  # by class, per snapshot because a trial may make classes
        self._alive = []  # otherwise Python could reuse an identity
        self._pending = []
        self._visit_all(model)
        self.surroundings = self._surroundings() if with_surroundings else []
        del self._places, self._left_out, self._alive, self._pending, self._code
        del self._noted, self._taken_out

    @staticmethod
    def plain_attributes(live):
        """Return a dict of the live values of one object of `live`."""
        return {
            name: value
            for name, value in vars(live).items()
            if isinstance(value, _PLAIN_KINDS)
        }

    def _visit_all(self, value):
        self._pending.append(value)
        # A loop, because recursion into a deep network would exceed Python's limit.
        while self._pending:
            value = self._pending.pop()
            kind = type(value)
            if kind in _PLAIN:  # most values are plain, so avoid a call here
                # Use `repr` because NaN differs from itself, and 1 equals True and 1.0.
                self.structure.append((kind, repr(value)))
            else:
                self._visit(value)

    def _surroundings(self):
        """The list `surroundings`, which grows while what it contains is visited."""
        structure, self.structure = self.structure, []
        while self._code:
            self._visit_all(surroundings_of(self._code.pop()))
        structure, self.structure = self.structure, structure
        return structure

    def _visit(self, value):
        if isinstance(value, _PLAIN_KINDS):  # a subclass, such as an enum
            self.structure.append((type(value), repr(value)))
            return
        if isinstance(value, _BY_IDENTITY):
            self.structure.append((value,))
            if isinstance(value, type):
                self._note_code(value)
            return
        if id(value) in self._places:
            self.structure.append(("again", self._places[id(value)]))
            return
        self._places[id(value)] = len(self._places)
        self._alive.append(value)
        if isinstance(value, keras.Variable):
            self._visit_variable(value)
        elif isinstance(value, np.ndarray | np.generic):
            self._visit_array(value)
        elif isinstance(value, dict):
            if id(value) in self._taken_out:
                left_out = self._taken_out[id(value)]
                value = {k: v for k, v in value.items() if k not in left_out}
            parts = list(itertools.chain.from_iterable(value.items()))
            self._visit_parts("dict", value, parts)
        elif isinstance(value, list | tuple):
            self._visit_parts("sequence", value, value)
        elif isinstance(value, set | frozenset):
            self._visit_parts("set", value, sorted(value, key=repr))
        elif isinstance(value, types.FunctionType):
            self._visit_function(value)
        elif isinstance(value, types.MethodType):
            self._visit_parts("method", value, [value.__func__, value.__self__])
        elif isinstance(value, types.CodeType):
            self.structure.append((value,))
        elif isinstance(value, functools.partial):
            parts = [value.func, value.args, value.keywords]
            self._visit_parts("partial", value, parts)
        elif isinstance(value, weakref.ref):
            self._visit_parts("reference", value, [value()])
        else:
            self._visit_object(value)

    def _visit_parts(self, kind, value, parts):
        self.structure.append((kind, type(value), len(parts)))
        self._pending.extend(parts)

    def _visit_variable(self, variable):
        self.variables.append(variable)
        self.structure.append(
            (
                "variable",
                variable.path,
                tuple(variable.shape),
                variable.dtype,
                variable.trainable,
            )
        )
        self._pending += [variable.regularizer, variable.constraint]

    def _visit_array(self, array):
        if array.dtype.hasobject:
            self._visit_parts("objects", array, [array.shape, *array.flat])
        else:
            self.structure.append(("array", *_content_of_array(array)))

    def _note_code(self, code):
        """Note a function or class whose surroundings belong to the model."""
        if self._code is not None and id(code) not in self._noted:
            self._noted.add(id(code))
            if is_of_user(code):
                self._code.append(code)

    def _visit_function(self, function):
        self._note_code(function)
        cells = function.__closure__ or ()
        enclosed = [part for cell in cells for part in _contents(cell)]
        parts = [
            function.__code__,
            function.__defaults__,
            function.__kwdefaults__,
            *enclosed,
            vars(function),
        ]
        self._visit_parts("function", function, parts)

    def _visit_object(self, value):
        if type(value).__module__.partition(".")[0] in _BACKENDS:
            self._visit_object_of_backend(value)
            return
        attributes = getattr(value, "__dict__", None)
        if attributes is None:
            self._visit_opaque(value)
            return
        is_live = isinstance(value, _LIVE)
        if is_live:
            self.live.append(value)
        live = self.plain_attributes(value) if is_live else {}
        kind = type(value)
        self._note_code(kind)
        if kind not in self._left_out:
            self._left_out[kind] = _left_out_of(kind)
        self._take_out(places_of(value))
        left_out = self._left_out[kind] | self._taken_out.get(id(attributes), set())
        names = [
            name
            for name in sorted(attributes)
            if not (name in live or name in left_out or name.startswith(_OF_TRACKING))
        ]
        self.structure.append(("object", kind, *names))
        self._pending += [attributes[name] for name in names]

    def _take_out(self, places):
        """Take live numbers out of the structure, except for what is compiled."""
        for place in places:
            self.numbers.append(place)
            self._taken_out.setdefault(id(place.holder), set()).add(place.key)
            self.structure.append(("number", *place.structure))

    def _visit_object_of_backend(self, value):
        if _is_lookup_table(value):
            content = _content_of_table(value)
            self.structure.append(content or (_Same(value),))
            return
        try:
            array = ops.convert_to_numpy(value)
        except Exception:  # graph, sparse and resource tensors raise various errors
            array = None
        if isinstance(array, np.ndarray) and _is_of_numbers_or_strings(array):
            self._visit_array(array)
        else:
            self.structure.append((_Same(value),))

    def _visit_opaque(self, value):
        """Visit the parts from which `copy` would rebuild an object."""
        try:
            made = value.__reduce_ex__(4)  # pickle and copy call this
        except Exception:
            made = None
        if isinstance(made, tuple):
            self._visit_parts("made", value, made)
        else:
            self.structure.append((_Same(value),))


class _Same:
    """Wraps an object so that it only equals itself."""

    def __init__(self, value):
        self._value = value

    def __eq__(self, other):
        return isinstance(other, _Same) and self._value is other._value

    __hash__ = None  # type: ignore[assignment]


def _is_of_numbers_or_strings(array):
    """Return False for the arrays of objects that TensorFlow does not make."""
    return not array.dtype.hasobject or all(isinstance(v, bytes) for v in array.flat)


def _is_lookup_table(value):
    """Return True for the tables of TensorFlow in which Keras keeps vocabularies."""
    if type(value).__module__.partition(".")[0] != "tensorflow":
        return False
    import tensorflow as tf

    # Exactly these classes, because a subclass may look up in another way.
    return type(value) in (
        tf.lookup.StaticHashTable,
        tf.lookup.experimental.MutableHashTable,
    )


def _content_of_table(table):
    """The sorted entries of a table and its default value, or None.

    A mutable table counts the words while a layer adapts. If a training changed it, the
    model has changed since it was prepared.
    """
    try:
        keys, values = (tensor.numpy() for tensor in table.export())
        # A mutable table has no public name for this.
        default = table._default_value.numpy()
    except Exception:  # a table of a graph
        return None
    order = np.argsort(keys, kind="stable")  # the order of a table is random
    arrays = [keys[order], values[order], np.array([default], values.dtype)]
    return ("table", type(table), *map(_content_of_array, arrays))


def _content_of_array(array):
    content = array.tolist() if array.dtype.hasobject else array.tobytes()
    return (array.shape, str(array.dtype), content)


def _settings_of_keras():
    """The settings of Keras that are read when a model is compiled."""
    config = keras.config
    return config.floatx(), config.epsilon(), config.image_data_format()


# Attributes of every class that are not code.
_OF_CLASSES = {"__annotations__", "__dict__", "__doc__", "__weakref__"}

# Folders of the standard library and of installed packages.
_INSTALLED = tuple(
    f"{path}{os.sep}"
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def is_of_user(code):
    """Return True for a function or class that is not part of an installed package.

    Two trials read the same from an installed package.
    """
    name = code.__module__
    if not isinstance(name, str) or name.partition(".")[0] in _PACKAGES:
        return False
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.origin in ("built-in", "frozen"):
        return False
    file = getattr(module, "__file__", None) or ""
    return not os.path.abspath(file).startswith(_INSTALLED)


def surroundings_of(code):
    """Return a dict of what a function reads by global names, or of a class."""
    if isinstance(code, types.FunctionType):
        names = sorted(_global_names(code.__code__))
        return {n: code.__globals__[n] for n in names if n in code.__globals__}
    attributes = {
        name: _function_in(vars(code)[name])
        for name in sorted({*vars(code)} - _OF_CLASSES)
    }
    return {"bases": code.__mro__[1:], **attributes}


def _function_in(value):
    if isinstance(value, property):
        return (value.fget, value.fset, value.fdel)
    return getattr(value, "__func__", value)


def _global_names(code):
    """The global names in a code object, and in the functions within it."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return {*code.co_names}.union(*map(_global_names, inner))


def _left_out_of(kind):
    """The names of the attributes of a class that are left out."""
    if kind.__name__ in ("CompileMetrics", "CompileLoss"):  # not public
        return _MADE_AT_FIRST_BATCH
    left_out = set()
    for base, names in _LEFT_OUT:
        if issubclass(kind, base):
            left_out |= names
    return left_out


def _contents(cell):
    try:
        return [cell.cell_contents]
    except ValueError:  # the name has no value yet
        return []
