"""Digests of arrays, models and code, which are equal if the contents are equal."""

import ast
import dataclasses
import hashlib
import importlib.util
import json
import pathlib
import re
import sys

import keras
import numpy as np

from kdropout._data import iterate_batches
from kdropout.tuning.job.references import is_installed

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
    """Return digests of the user's modules that `references` import, by path."""
    digests, left = {}, [reference.partition(":")[0] for reference in references]
    seen = set()
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
