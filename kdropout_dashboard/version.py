"""Tells whether anything new was written."""

import hashlib


def version_of(*written):
    """A short text that changes with what was written last.

    Args:
        *written: Dicts from name to (step, time).
    """
    state = repr([sorted(part.items()) for part in written])
    return hashlib.blake2b(state.encode("utf-8", "replace"), digest_size=8).hexdigest()


def unchanged(version):
    """The answer to who has it all."""
    return {"version": version, "unchanged": True}
