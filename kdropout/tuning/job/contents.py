"""What the trials of a job were made of: the contents of data, model and code."""

import ast
import dataclasses
import hashlib
import importlib
import importlib.util
import json
import pathlib
import platform
import re
import sys
import warnings

import keras
import numpy as np

from kdropout._data import iterate_batches
from kdropout._files import write_json
from kdropout.tuning.job.errors import InvalidSetting
from kdropout.tuning.job.references import blame_user_code, is_installed
from kdropout.tuning.job.schema import BuildModel, FunctionData
from kdropout.tuning.model_pool import begin_anew
from kdropout.version import __version__

CONTENTS_FILE = "contents.json"

_PARTS = {"train": "training", "val": "validation", "test": "test"}

# The model of the check is built without a seed. Nobody is likely to have set this one.
_OTHER_SEED = 1_713_907_321

# Bytes of a digest: enough that no two contents of one job share one by chance.
_SIZE = 16


@dataclasses.dataclass(frozen=True)
class Contents:
    """Digests of all that decides a score and is not in the settings of the job.

    What is drawn anew each time, such as a dataset that augments its samples or the
    weights that an initializer draws, cannot be compared and is left out.

    Args:
        data: Dict from "train", "val" and "test" to digest.
        variables: Dict from the path of a variable of the model to the digest of its
            value, for those that no seed decides: of a file, or constant.
        model: Digest of the configuration of the model, or None.
        code: Dict from the path of a module of the user's to the digest of its code.
        versions: Dict from package to version; "backend" is that of Keras.
    """

    data: dict
    variables: dict
    model: str | None
    code: dict
    versions: dict


@dataclasses.dataclass(frozen=True)
class ModelDigests:
    """Digests of one model: of its variables by path, and of its configuration."""

    variables: dict[str, str]
    config: str | None


def keep_contents(job, checked, folder, has_results):
    """Note the contents of a job in its folder, or compare them with those noted."""
    file = folder / CONTENTS_FILE
    earlier = _read(file) if has_results and file.exists() else None
    if earlier is not None:
        _compare(earlier, _contents(job, checked, earlier), job, file)
        return
    if has_results:
        warnings.warn(
            f"'{folder}' does not say which data and code its trials are of: kdropout "
            "0.1 wrote them, or the file was deleted. Changes since then cannot be "
            "found; from now on they can.",
            stacklevel=2,
        )
    write_json(file, dataclasses.asdict(_contents(job, checked)))


def digest_of_arrays(values):
    """Digest of a structure of arrays: of names, types, shapes and contents."""
    digest = hashlib.blake2b(digest_size=_SIZE)
    for path, array in keras.tree.flatten_with_path(values):
        array = np.asarray(array)
        is_text = array.dtype.kind in "OSU"
        head = [list(map(str, path)), "text" if is_text else array.dtype.str]
        digest.update(json.dumps([*head, array.shape]).encode())
        if is_text:
            digest.update(json.dumps(array.ravel().tolist(), default=str).encode())
        elif array.dtype.kind == "V":  # bfloat16, whose bytes NumPy does not lend
            digest.update(array.tobytes())
        else:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _contents(job, checked, earlier=None):
    """The `Contents` of a job as it is now."""
    data = dict(checked.data.digests)
    if checked.data.is_dataset:
        data = _digests_of_datasets(checked.data, earlier)
    variables, model = _not_random(checked, earlier)
    references = []
    if isinstance(job.model, BuildModel):
        references.append(job.model.build)
    # Of data that can be compared, it does not matter how they were made.
    is_random = None in data.values()
    if isinstance(job.data, FunctionData) and is_random:
        references.append(job.data.function)
    return Contents(data, variables, model, _digests_of_code(references), _versions())


def _read(file):
    try:
        contents = Contents(**json.loads(file.read_text()))
        parts = (contents.data, contents.variables, contents.code, contents.versions)
        if not all(isinstance(part, dict) for part in parts):
            raise TypeError("a part of it is not a mapping")
        return contents
    except (ValueError, TypeError) as error:
        raise InvalidSetting(
            "output",
            f"'{file}' is damaged ({error}), so nothing shows whether data and "
            f"code are still those of the trials. {_ways_out(file)}",
        ) from None


def _compare(earlier, now, job, file):
    """Refuse contents that are not those of the trials in the folder of `file`."""
    folder = file.parent
    before, backend = earlier.versions.get("backend"), now.versions["backend"]
    if before != backend:
        raise InvalidSetting(
            "output",
            f"'{folder}' holds trials that ran on the Keras backend '{before}', with "
            f"other initial weights than on '{backend}'. Set KERAS_BACKEND={before}, "
            "or search in another folder, by --set output=FOLDER.",
        )
    changed = [
        f"the {name} data"
        for part, name in _PARTS.items()
        if _differ(earlier.data.get(part), now.data.get(part))
    ]
    if changed:
        raise _changed(f"data.{job.data.source}", changed, file)
    key = f"model.{job.model.source}"
    versions = {
        name: (earlier.versions.get(name, "unknown"), version)
        for name, version in now.versions.items()
        if earlier.versions.get(name) != version
    }
    if "python" not in versions:  # another Python may parse the same code otherwise
        names = sorted({*earlier.code, *now.code})
        changed = [f"'{n}'" for n in names if earlier.code.get(n) != now.code.get(n)]
        if changed:
            in_model = isinstance(job.model, BuildModel)
            raise _changed(key if in_model else "data.function", changed, file)
    changed = [
        f"the value of '{path}'"
        for path, digest in earlier.variables.items()
        # Other versions may have other variables, or give them other names.
        if (path in now.variables or not versions) and digest != now.variables.get(path)
    ]
    if not versions and _differ(earlier.model, now.model):
        changed.insert(0, "the configuration of the model")
    if changed:
        rest = len(changed) - 3
        more = [f"{rest} others"] if rest > 0 else []
        raise _changed(key, [*changed[:3], *more], file)
    if versions:
        described = ", ".join(f"{n} {a} to {b}" for n, (a, b) in versions.items())
        warnings.warn(
            f"Versions have changed since the trials in '{folder}': {described}. The "
            "same settings may get other scores.",
            stacklevel=2,
        )


def _differ(earlier, now):
    return earlier is not None and earlier != now


def _changed(key, changed, file):
    return InvalidSetting(
        key,
        f"is not what the trials in '{file.parent}' are of. Since then these have "
        f"changed: {', '.join(changed)}. {_ways_out(file)}",
    )


def _ways_out(file):
    return (
        "Put back what was there, or search in another folder, by --set output=FOLDER. "
        f"If the change decides no score, delete '{file}' and go on."
    )


def _digests_of_datasets(data, earlier):
    """Dict from part to the digest of its samples, None for samples that are random."""
    datasets = {"train": data.training, "val": data.validation, "test": data.test}
    digests = {}
    for part, dataset in datasets.items():
        if dataset is None or (earlier is not None and earlier.data.get(part) is None):
            digests[part] = None
            continue
        if isinstance(dataset, tuple):  # arrays beside datasets
            digests[part] = digest_of_arrays(dataset)
            continue
        with blame_user_code(
            "data.function", f"the {_PARTS[part]} data cannot be read"
        ):
            digests[part] = _digest_of_samples(dataset)
            # Whether samples are random shows in a second pass; once is enough.
            if earlier is None and _digest_of_samples(dataset) != digests[part]:
                digests[part] = None
    return {part: digests[part] for part in digests if datasets[part] is not None}


def _digest_of_samples(dataset):
    """Digest of the samples of a dataset, in whatever order they come."""
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
    """The `ModelDigests` of a model."""
    optimizer = model.optimizer.variables if model.compiled else []
    digests = {}
    for variable in [*model.variables, *optimizer]:
        if "seed_generator_state" in variable.path:
            continue
        path = variable.path
        while path in digests:  # nothing keeps two layers from having one name
            path += "'"
        digests[path] = digest_of_arrays(keras.ops.convert_to_numpy(variable))
    return ModelDigests(digests, _digest_of_config(model))


def _not_random(checked, earlier):
    """Digests of the variables that no seed decides, and of the configuration."""
    variables, config = checked.digests.variables, checked.digests.config
    if earlier is not None:
        return {p: d for p, d in variables.items() if p in earlier.variables}, config
    begin_anew()
    keras.utils.set_random_seed(_OTHER_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the check of the job has shown them
        other = digests_of_model(checked.build.build())
    same = {p: d for p, d in variables.items() if other.variables.get(p) == d}
    return same, config if config == other.config else None


def _digest_of_config(model):
    """Digest of the configuration of a model, or None if it has none."""
    try:
        config = keras.saving.serialize_keras_object(model)
    except Exception:  # of a layer of the user's; its code is compared
        return None
    text = json.dumps(_plain(config), sort_keys=True, default=lambda v: str(type(v)))
    text = re.sub(r" at 0x[0-9a-f]+", "", text)  # the address of a function
    return hashlib.blake2b(text.encode(), digest_size=_SIZE).hexdigest()


def _plain(config):
    if isinstance(config, dict):
        if config.get("class_name") == "__lambda__":
            return None  # bytes that hold line numbers; the code is compared
        return {str(name): _plain(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    return config


def _digests_of_code(references):
    """Digests of the user's modules that these import, by path in the folder."""
    digests, left = {}, [reference.partition(":")[0] for reference in references]
    seen = set()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        if "." in name:
            left.append(name.rpartition(".")[0])
        file = _own_file(name)
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


def _own_file(name):
    """The file of an imported module, unless it is Python's or an installed package's.

    What is installed is compared by version.
    """
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or name.partition(".")[0] == "kdropout":
        return None
    file = pathlib.Path(file).resolve()
    return file if file.is_file() and not is_installed(file) else None


def _imported(tree, name):
    """Names of the modules that a module imports, and of some that are none."""
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
                except ImportError:  # never executed, or it would have failed
                    continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _without_docstrings(tree):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


def _versions():
    backend = keras.backend.backend()
    return {
        "backend": backend,
        backend: getattr(importlib.import_module(backend), "__version__", "unknown"),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "kdropout": __version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
