"""The folder of the results belongs to one job."""

import contextlib
import json
import pathlib

from kdropout._files import replacing
from kdropout.tuning.job.errors import InvalidSetting, dotted
from kdropout.tuning.job.schema import plain_space
from kdropout.tuning.project_lock import ProjectInUse, ProjectLock
from kdropout.tuning.space.parsing import parse_all
from kdropout.version import __version__

JOB_FILE = "job.json"


# Name of the lock in the folder, beside that of the search.
_LOCK = "job"


@contextlib.contextmanager
def locked(job):
    """Keep other processes from running the same job, up to its report."""
    folder = pathlib.Path(job.output).expanduser()
    lock = ProjectLock(folder, _LOCK)
    try:
        with _told(folder):
            lock.acquire()
    except ProjectInUse as error:
        raise InvalidSetting(
            "output",
            f"'{folder}' is being written by process {error.holder}, which runs this "
            "job. Wait for it to end, stop it, or choose another folder, by --set "
            "output=FOLDER.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def claim(job):
    """Make the folder of a job, and write into it which job it belongs to."""
    folder = pathlib.Path(job.output).expanduser()
    with _told(folder):
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
    with _told(folder), replacing(file) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return folder


@contextlib.contextmanager
def _told(folder):
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidSetting(
            "output",
            f"must be a folder that can be written to. Received: '{folder}': {reason}. "
            "Choose another, by --set output=FOLDER.",
        ) from None


def _read_job(file):
    try:
        return dict(json.loads(file.read_text())["settings"])
    except (ValueError, KeyError, TypeError):
        raise InvalidSetting(
            "output",
            f"'{file}' is damaged, so nothing shows which job the results are of. If "
            "they are of this one, delete that file; else choose another folder, by "
            "--set output=FOLDER.",
        ) from None


def _refuse_search_without_job(folder):
    found = [*folder.glob("oracle.json"), *folder.glob("*/oracle.json")]
    if found:
        raise InvalidSetting(
            "output",
            f"'{folder}' holds a search ('{found[0]}') but no '{JOB_FILE}', which "
            "names the job. Choose another folder, by --set output=FOLDER, or delete "
            "it.",
        )


def _refuse_other(job, folder, earlier):
    before, now = _flat(_canonical(earlier)), _flat(job.decisive())
    missing = object()
    differing = [
        f"{dotted(key)} is {_shown(before.get(key, missing), missing)} there and "
        f"{_shown(now.get(key, missing), missing)} here"
        for key in dict.fromkeys([*before, *now])
        if before.get(key, missing) != now.get(key, missing)
    ]
    if differing:
        raise InvalidSetting(
            "output",
            f"'{folder}' holds the results of another job: {'; '.join(differing)}. "
            "Choose another folder, by --set output=FOLDER, or delete it.",
        )


def _canonical(settings):
    """Settings with the space as this version writes it; 0.1 wrote all defaults."""
    if settings.get("space") is None:
        return settings
    space, errors, _ = parse_all(settings["space"])
    if errors or not isinstance(space, dict):
        return settings  # which differs from that of any job
    return {**settings, "space": plain_space(space)}


def _shown(value, missing):
    return "not set" if value is missing else repr(value)


def _flat(settings, key=()):
    """Dict from key, a tuple of names, to plain value. A list is one value."""
    if not isinstance(settings, dict) or not settings:
        return {key: settings}
    flat = {}
    for name, value in settings.items():
        flat.update(_flat(value, (*key, name)))
    return flat
