"""Reads values from files whose content cannot be trusted.

Values of a wrong type become None, a default or an empty list.
"""

import hashlib
import json
import math
import re

import numpy as np

from kdropout_dashboard import tags


def content(array):
    """Return the dict of a JSON text in a string tensor, or an empty dict."""
    try:
        value = json.loads(array.item())
    except (TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(value, dict) or value.get("format") != tags.FORMAT:
        return {}
    return value


def number(value):
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None


def rounded(values):
    """Round numbers to the precision of 32-bit floats, with None for NaN and inf."""
    # Send 0.3, as the user wrote it, and not 0.30000001192092896.
    values = np.asarray(values, float)
    sizes = np.abs(values)
    # Here 7 digits are a whole number, divided by a power of ten. Both are exact, so
    # the quotient is the float that is nearest to the decimal number.
    is_usual = (1e-14 < sizes) & (sizes < 1e6)
    usual = values[is_usual]
    scales = 10.0 ** (6 - np.floor(np.log10(sizes[is_usual])))
    result = values.astype(object)
    result[is_usual] = np.rint(usual * scales) / scales
    for index in np.flatnonzero(~is_usual):
        value = values[index]
        result[index] = float(f"{value:.7g}") if math.isfinite(value) else None
    return result.tolist()


def text(value, default=""):
    """Return a string, or the default."""
    return value if isinstance(value, str) else default


def texts(value):
    """Return the strings in a list."""
    return [item for item in items(value) if isinstance(item, str)]


def count(text):
    """Return the positive integer in a text, or 0."""
    is_short = isinstance(text, str) and len(text) < 10
    return int(text) if is_short and text.isascii() and text.isdigit() else 0


def numbers(value):
    """Return a list of finite numbers and None."""
    return [number(item) for item in items(value)]


def dicts(value):
    """Return the dicts in a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def items(value):
    """Return a list, which is empty if the value is not a list."""
    return value if isinstance(value, list) else []


def natural(name):
    """Return a sort key that puts "layer_10" after "layer_9"."""
    return [
        (1, len(part), part) if part.isdecimal() else (0, 0, part)
        for part in re.split(r"([0-9]+)", name)
    ], name


def version_of(*written):
    """Return a short text that changes when new data are written."""
    state = repr([sorted(part.items()) for part in written])
    return hashlib.blake2b(state.encode("utf-8", "replace"), digest_size=8).hexdigest()


def unchanged(version):
    """Return the payload for a page that already has this version."""
    return {"version": version, "unchanged": True}
