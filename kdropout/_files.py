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


def write_json(path, value, is_durable=False):
    """Write `value` as JSON, so that whoever reads `path` sees all of it or none.

    Args:
        path: Path of the file.
        value: What JSON can hold.
        is_durable: Whether to wait until the disk has it, so that a power cut does not
            lose it. Defaults to False.
    """
    write_text(path, json.dumps(value), is_durable)


def write_text(path, text, is_durable=False):
    """Write a text, so that whoever reads `path` sees all of it or none.

    Args:
        path: Path of the file.
        text: String.
        is_durable: Whether to wait until the disk has it. Defaults to False.
    """
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
