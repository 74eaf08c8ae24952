"""The folder of the results of a job, with a record of its data, model and code."""

import contextlib
import dataclasses
import importlib
import json
import pathlib
import platform
import warnings

import keras
import numpy as np

from kdropout._files import replacing, write_json
from kdropout.tuning.job.callbacks import references_of
from kdropout.tuning.job.digests import (
    digest_of_arrays,
    digest_of_samples,
    digests_of_code,
    digests_of_model,
)
from kdropout.tuning.job.earlier_names import with_current_names
from kdropout.tuning.job.errors import InvalidSetting, dotted
from kdropout.tuning.job.references import blame_user_code
from kdropout.tuning.job.schema import (
    BuildModel,
    FunctionData,
    plain_space,
)
from kdropout.tuning.model_pool import begin_anew
from kdropout.tuning.project_lock import ProjectInUse, ProjectLock
from kdropout.tuning.space.parsing import parse_all
from kdropout.version import __version__

JOB_FILE = "job.json"

# Name of the lock in the folder. The search has another lock.
_LOCK = "job"


@contextlib.contextmanager
def locked(job):
    """Prevent other processes from running a job in the same folder."""
    folder = pathlib.Path(job.output).expanduser()
    lock = ProjectLock(folder, _LOCK)
    try:
        with _reporting_write_errors(folder):
            lock.acquire()
    except ProjectInUse as error:
        raise InvalidSetting(
            "output",
            f"'{folder}' is in use: process {error.holder} runs this job in it. Wait "
            "until it ends, stop it, or choose another folder with --set "
            "output=FOLDER.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def claim(job):
    """Create the folder of a job, and record in it the job that it belongs to."""
    folder = pathlib.Path(job.output).expanduser()
    with _reporting_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / JOB_FILE
        earlier = _read_job(file) if file.exists() else None
    if earlier is None:
        _refuse_search_without_job(folder)
    else:
        _refuse_other(job, folder, earlier)
    content = {
        "kdropout": __version__,
        "settings": job.decisive(),
    }
    with _reporting_write_errors(folder), replacing(file) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return folder


@contextlib.contextmanager
def _reporting_write_errors(folder):
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidSetting(
            "output",
            f"must be a folder that can be written to. Received: '{folder}': {reason}. "
            "Choose another folder with --set output=FOLDER.",
        ) from None


def _read_job(file):
    try:
        return dict(json.loads(file.read_text())["settings"])
    except (ValueError, KeyError, TypeError):
        raise InvalidSetting(
            "output",
            f"'{file}' is damaged, so it is not known which job the results belong to. "
            "If they belong to this job, delete that file. Otherwise choose another "
            "folder with --set output=FOLDER.",
        ) from None


def _refuse_search_without_job(folder):
    found = [*folder.glob("oracle.json"), *folder.glob("*/oracle.json")]
    if found:
        raise InvalidSetting(
            "output",
            f"'{folder}' contains a search ('{found[0]}') but not the file "
            f"'{JOB_FILE}' that records its job. Choose another folder with --set "
            "output=FOLDER, or delete this one.",
        )


def _refuse_other(job, folder, earlier):
    before, now = _flat(_canonical(earlier)), _flat(job.decisive())
    missing = object()
    differing = [
        f"{dotted(key)} is {_shown(before.get(key, missing), missing)} there and "
        f"{_shown(now.get(key, missing), missing)} in this job"
        for key in dict.fromkeys([*before, *now])
        # A key that an earlier version did not know has its default, None.
        if before.get(key) != now.get(key)
    ]
    if differing:
        raise InvalidSetting(
            "output",
            f"'{folder}' contains the results of another job: {'; '.join(differing)}. "
            "Choose another folder with --set output=FOLDER, or delete this one.",
        )


def _canonical(settings):
    """Convert settings of 0.1, which had other names and wrote defaults."""
    settings, _ = with_current_names(settings)
    if settings.get("space") is None:
        return settings
    space, errors, _ = parse_all(settings["space"])
    if errors or not isinstance(space, dict):
        return settings  # these differ from the settings of any job
    return {**settings, "space": plain_space(space)}


def _shown(value, missing):
    return "not set" if value is missing else repr(value)


def _flat(settings, key=()):
    """Dict from key (a tuple of names) to plain value, where a list is one value."""
    if not isinstance(settings, dict) or not settings:
        return {key: settings}
    flat = {}
    for name, value in settings.items():
        flat.update(_flat(value, (*key, name)))
    return flat


CONTENTS_FILE = "contents.json"

_PARTS = {"train": "training", "val": "validation", "test": "test"}

# A user is unlikely to have set this seed before the check, which sets none.
_OTHER_SEED = 1_713_907_321


@dataclasses.dataclass(frozen=True)
class Contents:
    """Digests of everything that affects a score and is not in the job's settings.

    Values that are drawn again each time, such as augmented samples or initial weights,
    cannot be compared and are left out.

    Args:
        data: Dict from "train", "val" and "test" to digest.
        variables: Dict from the path of a variable of the model to the digest of its
            value. It contains variables without random values, which come from a file
            or are constant.
        model: String, digest of the configuration of the model, or None.
        code: Dict from the path of a module of the user to the digest of its code.
        versions: Dict from package to version, and from "backend" to the Keras backend.
    """

    data: dict
    variables: dict
    model: str | None
    code: dict
    versions: dict


def keep_contents(job, checked, folder, has_results):
    """Record the contents of a job in its folder, or compare them with the record."""
    file = folder / CONTENTS_FILE
    earlier = _read_contents(file) if has_results and file.exists() else None
    if earlier is not None:
        _compare(earlier, _contents_of(job, checked, earlier), job, file)
        return
    if has_results:
        warnings.warn(
            f"'{folder}' has no record of the data and code of its trials, because "
            "kdropout 0.1 wrote it or the record was deleted. Changes up to now are "
            "not detected. Later changes are detected.",
            stacklevel=2,
        )
    write_json(file, dataclasses.asdict(_contents_of(job, checked)))


def _contents_of(job, checked, earlier=None):
    """The current `Contents` of a job."""
    data = dict(checked.data.digests)
    if checked.data.is_dataset:
        data = _digests_of_datasets(checked.data, earlier)
    variables, model = _not_random(checked, earlier)
    references = []
    if isinstance(job.model, BuildModel):
        references.append(job.model.build)
    # If the data can be compared, the code that makes them need not be compared.
    is_random = None in data.values()
    if isinstance(job.data, FunctionData) and is_random:
        references.append(job.data.function)
    references += references_of(job)
    return Contents(data, variables, model, digests_of_code(references), _versions())


def _read_contents(file):
    try:
        contents = Contents(**json.loads(file.read_text()))
        parts = (contents.data, contents.variables, contents.code, contents.versions)
        if not all(isinstance(part, dict) for part in parts):
            raise TypeError("one of its parts is not a mapping")
        return contents
    except (ValueError, TypeError) as error:
        raise InvalidSetting(
            "output",
            f"'{file}' is damaged ({error}), so changes of data and code since the "
            f"trials cannot be detected. {_ways_out(file)}",
        ) from None


def _compare(earlier, now, job, file):
    """Raise if the contents differ from those of the trials in the folder of `file`."""
    folder = file.parent
    before, backend = earlier.versions.get("backend"), now.versions["backend"]
    if before != backend:
        raise InvalidSetting(
            "output",
            f"'{folder}' contains trials that ran on the Keras backend '{before}', "
            f"whose initial weights differ from those of '{backend}'. Set "
            f"KERAS_BACKEND={before}, or search in another folder with --set "
            "output=FOLDER.",
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
    if "python" not in versions:  # another Python may parse the code differently
        names = sorted({*earlier.code, *now.code})
        changed = [f"'{n}'" for n in names if earlier.code.get(n) != now.code.get(n)]
        if changed:
            raise _changed(_key_of_code(job), changed, file)
    changed = [
        f"the value of '{path}'"
        for path, digest in earlier.variables.items()
        # Other versions may have other variables, or other names for them.
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
            "scores of new trials may not be comparable with the earlier ones.",
            stacklevel=2,
        )


def _key_of_code(job):
    """The first key of the job that names code of the user."""
    if isinstance(job.model, BuildModel):
        return "model.build"
    in_callbacks = bool(references_of(job))
    return "training.callbacks" if in_callbacks else "data.function"


def _differ(earlier, now):
    return earlier is not None and earlier != now


def _changed(key, changed, file):
    return InvalidSetting(
        key,
        f"differs from what the trials in '{file.parent}' used. These parts have "
        f"changed: {', '.join(changed)}. {_ways_out(file)}",
    )


def _ways_out(file):
    return (
        "Restore them, or search in another folder with --set output=FOLDER. If the "
        f"change does not affect scores, delete '{file}' and resume."
    )


def _digests_of_datasets(data, earlier):
    """Dict from part to the digest of its samples, or None for random samples."""
    datasets = {"train": data.training, "val": data.validation, "test": data.test}
    digests = {}
    for part, dataset in datasets.items():
        if dataset is None or (earlier is not None and earlier.data.get(part) is None):
            digests[part] = None
            continue
        if isinstance(dataset, tuple):  # a part may consist of arrays
            digests[part] = digest_of_arrays(dataset)
            continue
        with blame_user_code(
            "data.function", f"the {_PARTS[part]} data cannot be read"
        ):
            digests[part] = digest_of_samples(dataset)
            # A second pass shows whether samples are random. It is needed only once.
            if earlier is None and digest_of_samples(dataset) != digests[part]:
                digests[part] = None
    return {part: digests[part] for part in digests if datasets[part] is not None}


def _not_random(checked, earlier):
    """Digests of the variables without random values, and of the configuration."""
    variables, config = checked.digests.variables, checked.digests.config
    if earlier is not None:
        return {p: d for p, d in variables.items() if p in earlier.variables}, config
    begin_anew()
    keras.utils.set_random_seed(_OTHER_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the check of the job has shown the warnings
        other = digests_of_model(checked.build.build())
    same = {p: d for p, d in variables.items() if other.variables.get(p) == d}
    return same, config if config == other.config else None


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
