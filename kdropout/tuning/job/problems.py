"""From the errors of pydantic to what a newcomer can act on."""

from kdropout.tuning.job.errors import Problem
from kdropout.tuning.job.settings import KIND, MEMBERS
from kdropout.tuning.job.yaml_tree import shorten
from kdropout.validation import nearest

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


def explain(error, tree, places, root):
    """The `Problem`s of a pydantic `ValidationError`.

    Args:
        error: The error.
        tree: The plain values that were validated.
        places: Dict from key, a tuple, to the place where it was read.
        root: The subclass of `pydantic.BaseModel` that `tree` was to become.

    Returns:
        List of `Problem`.
    """
    problems = []
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        # Pydantic counts the entries that are right, and the wrong ones are listed.
        if detail["type"] == "too_short" and (
            len(detail["input"]) >= context["min_length"]
        ):
            continue
        key = _key(detail["loc"], tree)
        if detail["type"] == "missing":
            message = "is required."
        elif detail["type"] == "extra_forbidden":
            message = _unknown(key, detail["loc"], root)
        elif detail["type"] == "invalid":
            message = context["text"]
            if context["key"]:
                key = (*key, context["key"])
        else:
            expected = _EXPECTED.get(detail["type"])
            expected = expected.format(**context) if expected else detail["msg"]
            value = detail["input"]
            message = f"{expected}. Received: {shorten(value)}"
            if detail["type"] == "literal_error":
                options = context["expected"].replace(" or ", ", ").split(", ")
                message += f".{nearest(value, [o.strip(chr(39)) for o in options])}"
                message = message.removesuffix(".")
        problems.append(Problem(_place(key, places), dotted(key), message))
    return problems


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


def _key(location, tree):
    """The location without the names of the members of unions."""
    return tuple(part for part in location if not str(part).startswith(KIND))


def _unknown(key, location, root):
    """What to say of a key that is not in the schema."""
    names = list(_kind_at(location[:-1], root).model_fields)
    where = f" of '{dotted(key[:-1])}'" if key[:-1] else ""
    return (
        f"is no key{where}.{nearest(key[-1], names)} The keys are: {', '.join(names)}"
    )


def _kind_at(location, kind):
    """The settings at a location, in which tags name the members of unions."""
    for part in location:
        tag = str(part)
        if tag.startswith(KIND):
            kind = MEMBERS[tag]
        elif part in getattr(kind, "model_fields", ()):
            kind = kind.model_fields[part].annotation
    return kind
