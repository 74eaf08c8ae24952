"""From the errors of pydantic to what a newcomer can act on."""

import itertools
import typing

from kdropout.tuning.job.errors import Problem
from kdropout.tuning.job.settings import KIND, MEMBERS
from kdropout.validation import nearest, shorten

# By pydantic's kind of error. What pydantic tells of it is filled in.
_EXPECTED = {
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of 'key: value'",
    "model_type": "must be a mapping of 'key: value'",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have no more than {max_length} entries",
}


def explain(error, places, root):
    """The `Problem`s of a pydantic `ValidationError`.

    Args:
        error: The error.
        places: Dict from key, a tuple, to the place where it was read.
        root: The subclass of `pydantic.BaseModel` that was to be made.

    Returns:
        List of `Problem`.
    """
    problems = []
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        key = _key(location)
        for inner, message in _messages(detail, location, key, root):
            whole = (*key, *inner)
            problems.append(Problem(_place(whole, places), dotted(whole), message))
    return problems


def _messages(detail, location, key, root):
    """Keys below `key` and messages, for one of the errors that pydantic lists."""
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "invalid":
        return context["parts"]
    if kind == "missing":
        return [((), "is required.")]
    if kind == "extra_forbidden":
        return [((), _unknown(key, location, root))]
    # Pydantic counts the entries that are right, and the wrong ones are listed.
    if kind == "too_short" and len(value) >= context["min_length"]:
        return []
    expected = _EXPECTED.get(kind, detail["msg"]).format(**context)
    message = f"{expected}. Received: {shorten(value)}"
    if kind == "literal_error":
        hint = nearest(value, _options(_annotation_at(location, root)))
        if hint:
            message = f"{message}.{hint}"
    return [((), message)]


def dotted(key):
    """A key as people write it."""
    return ".".join(map(str, key))


def place_of(key, places):
    """Where the value at a dotted key was read, or that around it."""
    parts = tuple(int(p) if p.isdecimal() else p for p in key.split("."))
    return _place(parts, places)


def _place(key, places):
    for length in range(len(key), -1, -1):
        if key[:length] in places:
            return places[key[:length]]
    return ""


def _key(location):
    """The location without the names of the members of unions."""
    return tuple(part for part in location if not str(part).startswith(KIND))


def _unknown(key, location, root):
    """What to say of a key that is not in the schema."""
    names = list(_annotation_at(location[:-1], root).model_fields)
    where = f" of '{dotted(key[:-1])}'" if key[:-1] else ""
    return (
        f"is not a known key{where}.{nearest(key[-1], names)} The keys are: "
        f"{', '.join(names)}"
    )


def _annotation_at(location, kind):
    """What the schema says of a location, in which tags name the members of unions."""
    for part in location:
        tag = str(part)
        if tag.startswith(KIND):
            kind = MEMBERS[tag]
        elif part in getattr(kind, "model_fields", ()):
            kind = kind.model_fields[part].annotation
    return kind


def _options(annotation):
    """The values of a `Literal`, also of one that may be None."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    inner = map(_options, typing.get_args(annotation))
    return tuple(itertools.chain.from_iterable(inner))
