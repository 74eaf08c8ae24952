"""Files that are either whole or not there."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which takes the place of `path` once all is written."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_logs(folder):
    """Remove the event files of an earlier demo, which would mix with the new ones.

    Only those: whatever else lies in the folder stays.
    """
    for path in folder.glob("*/seed-*/*/events.out.tfevents.*"):
        path.unlink()
