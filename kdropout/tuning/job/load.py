"""Reads a job from its file."""

import os

from pydantic import ValidationError

from kdropout.tuning.job.errors import JobError
from kdropout.tuning.job.job import Job
from kdropout.tuning.job.overrides import apply_overrides
from kdropout.tuning.job.problems import explain
from kdropout.tuning.job.yaml_tree import read_tree


def load_job(path, overrides=()):
    """Read a job from a YAML file, and check all that can be known without data.

    Args:
        path: Path of the file. Its keys are documented in `tuner_configs/README.md`.
        overrides: Sequence of strings such as "training.epochs=5", which take the
            place of what the file says. The values are read as YAML.

    Returns:
        `kdropout.tuning.job.Job`.

    Raises:
        TypeError: If an argument is of the wrong type.
        JobError: If the file cannot be read, or anything in it is wrong. It lists
            everything that is, with file, line and key.

    Example:

    >>> import pathlib, tempfile
    >>> from kdropout import tuning
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "job.yaml"
    >>> size = path.write_text("model: {architecture: mlp, units: [64]}")
    >>> job = tuning.load_job(path, ["training.epochs=5"])
    >>> job.model.units, job.training.epochs, job.objective.metric
    ((64,), 5, 'val_loss')
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"'path' must be the path of a file. Received: path={path!r}")
    if not _are_strings(overrides):
        raise TypeError(
            "'overrides' must be a sequence of strings such as 'training.epochs=5'. "
            f"Received: overrides={overrides!r}"
        )
    tree, lines = read_tree(path)
    set_places, problems = apply_overrides(tree, overrides)
    places = {key: f"line {line}" for key, line in lines.items()}
    for key, place in set_places.items():
        places = {k: v for k, v in places.items() if k[: len(key)] != key}
        places[key] = place
    try:
        job = Job.model_validate(tree)
    except ValidationError as error:
        problems += explain(error, places, Job)
    if problems:
        raise JobError(path, problems)
    job._path, job._places = os.fspath(path), places
    own = os.path.dirname(os.path.abspath(path))
    job._folders = tuple(dict.fromkeys((own, os.getcwd())))
    return job


def _are_strings(values):
    return isinstance(values, (list, tuple)) and all(
        isinstance(value, str) for value in values
    )
