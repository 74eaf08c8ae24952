"""Writes files that are either complete or absent."""

import contextlib
import json
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """A context with a path to write to, which replaces `path` at the end."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value, is_durable=False):
    """Write `value` as JSON, so that a reader of `path` sees all of it or nothing.

    Args:
        path: Path of the file.
        value: Value that JSON can hold.
        is_durable: If True, wait until the disk has the data, so that a power cut does
            not lose them. Defaults to False.
    """
    write_text(path, json.dumps(value), is_durable)


def write_text(path, text, is_durable=False):
    """Write a text, so that a reader of `path` sees all of it or nothing.

    Args:
        path: Path of the file.
        text: String.
        is_durable: If True, wait until the disk has the data. Defaults to False.
    """
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
