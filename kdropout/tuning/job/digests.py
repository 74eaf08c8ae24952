"""Digests of arrays, models and code, which are equal if the contents are equal."""

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import json
import pathlib
import re
import sys
import types

import keras
import numpy as np

from kdropout._data import iterate_batches
from kdropout.tuning.job.references import MAIN, is_installed, reference_text

# Bytes of a digest. With this many, a collision by chance is practically impossible.
_SIZE = 16


@dataclasses.dataclass(frozen=True)
class ModelDigests:
    """The digests of a model's variables by path, and of its configuration."""

    variables: dict[str, str]
    config: str | None


def digest_of_arrays(values):
    """Return the digest of a structure of arrays: names, types, shapes and contents."""
    digest = hashlib.blake2b(digest_size=_SIZE)
    for path, array in keras.tree.flatten_with_path(values):
        array = np.asarray(array)
        is_text = array.dtype.kind in "OSU"
        head = [list(map(str, path)), "text" if is_text else array.dtype.str]
        digest.update(json.dumps([*head, array.shape]).encode())
        if is_text:
            digest.update(json.dumps(array.ravel().tolist(), default=str).encode())
        elif array.dtype.kind == "V":  # bfloat16, which has no buffer in NumPy
            digest.update(array.tobytes())
        else:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def digest_of_samples(dataset):
    """Return the digest of the samples of a dataset, which ignores their order."""
    total = 0
    for batch in iterate_batches(dataset):
        parts = [part for part in keras.tree.flatten(batch) if part is not None]
        arrays = [keras.ops.convert_to_numpy(part) for part in parts]
        lengths = {len(array) if array.ndim else 0 for array in arrays}
        rows = zip(*arrays, strict=True) if len(lengths) == 1 else [arrays]
        for row in rows:
            total += int(digest_of_arrays(list(row)), 16)
    return f"{total % 2 ** (8 * _SIZE):0{2 * _SIZE}x}"


def digests_of_model(model):
    """Return the `ModelDigests` of a model."""
    optimizer = model.optimizer.variables if model.compiled else []
    digests = {}
    for variable in [*model.variables, *optimizer]:
        if "seed_generator_state" in variable.path:
            continue
        path = variable.path
        while path in digests:  # two layers may have the same name
            path += "'"
        digests[path] = digest_of_arrays(keras.ops.convert_to_numpy(variable))
    return ModelDigests(digests, _digest_of_config(model))


def _digest_of_config(model):
    """Digest of the configuration of a model, or None if it has none."""
    try:
        config = keras.saving.serialize_keras_object(model)
    except Exception:  # from a custom layer, whose code is compared instead
        return None
    text = json.dumps(_plain(config), sort_keys=True, default=lambda v: str(type(v)))
    text = re.sub(r" at 0x[0-9a-f]+", "", text)  # the address of a function
    return hashlib.blake2b(text.encode(), digest_size=_SIZE).hexdigest()


def _plain(config):
    if isinstance(config, dict):
        if config.get("class_name") == "__lambda__":
            return None  # its bytes contain line numbers; the code is compared instead
        return {str(name): _plain(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    return config


def digests_of_code(references):
    """Return digests of the user's modules that `references` import, by path.

    A function that cannot be imported has a digest of its code as well.
    """
    digests, left, seen = {}, [], set()
    for reference in references:
        if callable(reference):
            code = _CodeDigest(reference)
            digests[reference_text(reference)] = code.digest()
            left += code.modules
        else:
            left.append(reference.partition(":")[0])
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        if "." in name:
            left.append(name.rpartition(".")[0])
        file = _user_file(name)
        if file is None:
            continue
        content = file.read_bytes()
        if file.suffix == ".py":
            tree = ast.parse(content)
            left += _imported(tree, name)
            content = ast.dump(_without_docstrings(tree)).encode()
        label = name.replace(".", "/") + file.suffix
        digests[label] = hashlib.blake2b(content, digest_size=_SIZE).hexdigest()
    return digests


class _CodeDigest:
    """The digest of a function: its code, defaults and closure, and what it refers to.

    `modules` lists the modules whose files have further parts of the code. The module
    of a script or notebook is not one of them, because it also has other code. There,
    the functions, classes and constants that the function refers to count.
    """

    def __init__(self, function):
        self.modules = []
        self._hash = hashlib.blake2b(digest_size=_SIZE)
        self._seen = set()
        self._add(function, is_root=True)

    def digest(self):
        return self._hash.hexdigest()

    def _add(self, value, is_root=False):
        if isinstance(value, functools.partial):
            self._add(value.func, is_root)
            self._add((value.args, tuple(sorted(value.keywords.items()))))
        elif isinstance(value, types.MethodType):
            self._add(value.__func__, is_root)
        elif isinstance(value, types.ModuleType):
            self.modules.append(value.__name__)
        elif isinstance(value, types.FunctionType):
            self._add_function(value, is_root)
        elif isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, tuple):
            for entry in value:
                self._add(entry)
        elif value is None or isinstance(value, (bool, int, float, str, bytes)):
            self._write(repr(value))
        elif callable(value):
            self._add(type(value))

    def _add_function(self, function, is_root=False):
        is_of_main = function.__module__ in MAIN
        if not is_of_main:
            self.modules.append(function.__module__)
        if id(function) in self._seen or not (is_of_main or is_root):
            return
        self._seen.add(id(function))
        names = self._add_code(function.__code__)
        self._add(function.__defaults__)
        self._add(tuple(sorted((function.__kwdefaults__ or {}).items())))
        for cell in function.__closure__ or ():
            try:
                self._add(cell.cell_contents, is_root)
            except ValueError:  # the variable has no value yet
                continue
        if is_of_main:
            for name in names:
                self._add(function.__globals__.get(name))

    def _add_class(self, kind):
        if kind.__module__ not in MAIN:
            self.modules.append(kind.__module__)
        elif id(kind) not in self._seen:
            self._seen.add(id(kind))
            self._add(kind.__bases__)
            for name, member in vars(kind).items():
                if isinstance(member, (types.FunctionType, int, float, str)):
                    if name not in ("__doc__", "__module__", "__firstlineno__"):
                        self._write(name)
                        self._add(member)

    def _add_code(self, code):
        """Add code without its lines, and return the names that it refers to."""
        names = list(code.co_names)
        self._hash.update(code.co_code)
        self._write(repr((code.co_names, code.co_varnames, code.co_freevars)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                names += self._add_code(constant)
            elif isinstance(constant, frozenset):
                self._write(repr(sorted(map(repr, constant))))
            else:
                self._write(repr(constant))
        return names

    def _write(self, text):
        self._hash.update(text.encode("utf-8", "backslashreplace") + b"\0")


def _user_file(name):
    """The file of an imported module, or None if it is part of Python or installed.

    Installed packages are compared by version.
    """
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or name.partition(".")[0] == "kdropout":
        return None
    file = pathlib.Path(file).resolve()
    return file if file.is_file() and not is_installed(file) else None


def _imported(tree, name):
    """The names that a module imports: modules and members of modules."""
    module = sys.modules[name]
    package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                relative = "." * node.level + base
                try:
                    base = importlib.util.resolve_name(relative, package)
                except ImportError:  # the statement was not executed
                    continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _without_docstrings(tree):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree
