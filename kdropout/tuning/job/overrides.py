"""Settings of the command line that take the place of those in the file."""

from kdropout.tuning.job.errors import Problem
from kdropout.tuning.job.yaml_tree import parse_value
from kdropout.validation import shorten


def apply_overrides(tree, overrides):
    """Put each "key.sub=value" of `overrides` into `tree`, which is changed.

    Args:
        tree: Mapping of plain values.
        overrides: Sequence of strings. The value is read as YAML.

    Returns:
        Tuple of a dict from key, a tuple of names, to the place for messages, and a
        list of `Problem`.
    """
    places, problems = {}, []
    for override in overrides:
        place = f"--set {override}"
        dotted, equals, text = override.partition("=")
        dotted = dotted.strip()
        if not equals or not all(dotted.split(".")):
            expected = "must be key=value, such as training.epochs=5."
            problems.append(
                Problem(place, "", f"{expected} Received: {shorten(override)}")
            )
            continue
        try:
            value = parse_value(text)
            path = _put(tree, dotted.split("."), value)
        except ValueError as error:
            problems.append(Problem(place, dotted, str(error)))
        else:
            places = {k: v for k, v in places.items() if k[: len(path)] != path}
            places[path] = place
    return places, problems


def _put(tree, names, value):
    """Set the value at `names`, with new mappings on the way; return the key."""
    path, inner = [], tree
    for number, name in enumerate(names):
        if isinstance(inner, list):
            if not name.isdecimal() or int(name) >= len(inner):
                raise ValueError(
                    f"'{'.'.join(map(str, path))}' is a list of {len(inner)}: name an "
                    f"entry of it, from 0. Received: {name!r}"
                )
            name = int(name)
        elif not isinstance(inner, dict):
            raise ValueError(
                f"'{'.'.join(map(str, path))}' is no mapping, so it has no "
                f"'{name}'. It is {shorten(inner)}."
            )
        path.append(name)
        if number == len(names) - 1:
            inner[name] = value
            break
        if isinstance(inner, dict) and inner.get(name) is None:
            inner[name] = {}
        inner = inner[name]
    return tuple(path)
