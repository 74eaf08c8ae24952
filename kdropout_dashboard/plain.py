"""What is taken from a file that anybody may have written."""

import hashlib
import json
import math
import re

from kdropout_dashboard import tags


def content(array):
    """The dict of a JSON text in a string tensor, or an empty one."""
    try:
        value = json.loads(array.item())
    except (TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(value, dict) or value.get("format") != tags.FORMAT:
        return {}
    return value


def number(value):
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None


def rounded(values):
    """Numbers as they were before they became 32-bit floats, None for NaN and inf."""
    # 0.3, not 0.30000001192092896: half the text, and what the user wrote.
    return [float(f"{v:.7g}") if math.isfinite(v) else None for v in values]


def text(value, default=""):
    """A string."""
    return value if isinstance(value, str) else default


def texts(value):
    """The strings of a list."""
    return [item for item in items(value) if isinstance(item, str)]


def numbers(value):
    """A list of finite numbers and None."""
    return [number(item) for item in items(value)]


def dicts(value):
    """The dicts of a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def items(value):
    """A list."""
    return value if isinstance(value, list) else []


def natural(name):
    """Key to sort by, in which "layer_10" comes after "layer_9"."""
    return [
        (1, len(part), part) if part.isdecimal() else (0, 0, part)
        for part in re.split(r"([0-9]+)", name)
    ], name


def version_of(*written):
    """A short text that changes with the (step, time) that was written last."""
    state = repr([sorted(part.items()) for part in written])
    return hashlib.blake2b(state.encode("utf-8", "replace"), digest_size=8).hexdigest()


def unchanged(version):
    """The answer if nothing was written since `version`."""
    return {"version": version, "unchanged": True}
