"""Files that are either whole or not there."""

import contextlib
import json
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which takes the place of `path` once all is written."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value):
    """Write `value` as JSON, so that whoever reads `path` sees all of it or none."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value))
