"""Reads YAML into plain values, and tells the line of each."""

import os
import pathlib
import re

import yaml

from kdropout.tuning.job.errors import JobError, Problem
from kdropout.validation import nearest, shorten

# A job is a page long. What is larger was not meant to be one.
MAX_BYTES = 1_000_000

_CORE = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """YAML as people write it today, and nothing that builds objects.

    PyYAML reads by the rules of 2005: 1e-3 is a text, 1:30 is ninety, 010 is eight.
    """

    yaml_implicit_resolvers = {}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None,
                None,
                "aliases are not allowed in a job. Write the value again; put a text "
                'that begins with * into quotes, such as "*"',
                self.peek_event().start_mark,
            )
        return super().compose_node(parent, index)


for _kind, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:yes|no|true|false|on|off)$", list("yYnNtTfFoO")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:e[-+]?[0-9]+)?"
        r"|[-+]?\.inf|\.nan)$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(
        _CORE + _kind, re.compile(_pattern, re.IGNORECASE), _first
    )


def read_tree(path):
    """Read a YAML file that holds a mapping.

    Args:
        path: Path of the file.

    Returns:
        Tuple of the mapping, as plain values, and a dict from the key of each value,
        a tuple of names and indices, to the line where it begins, counted from 1.

    Raises:
        JobError: If the file cannot be read, or is not YAML of plain values.
    """
    text = _read_text(path)
    problems, lines = [], {}
    try:
        node = _Loader(text).get_single_node()
        if node is None:
            raise _failed(path, "", "is empty. A job names at least a model and data.")
        tree = _plain(node, (), lines, problems)
    except yaml.MarkedYAMLError as error:
        raise _failed(path, *_explain(error, text)) from None
    except yaml.YAMLError as error:
        raise _failed(path, "", f"is not text that YAML allows: {error}") from None
    except RecursionError:
        raise _failed(path, "", "is nested too deeply for a job.") from None
    if problems:
        raise JobError(path, problems)
    if not isinstance(tree, dict):
        expected = "must be a mapping: lines such as 'model: {architecture: mlp}'."
        raise _failed(path, "line 1", f"{expected} Received: {shorten(tree)}")
    return tree, lines


def parse_value(text):
    """The plain value that `text` is in YAML.

    Raises:
        ValueError: If it is not YAML of a plain value.
    """
    problems = []
    try:
        node = _Loader(text).get_single_node()
        value = None if node is None else _plain(node, (), {}, problems)
    except (yaml.YAMLError, RecursionError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"is not YAML: {problem}.") from None
    if problems:
        raise ValueError(problems[0].message)
    return value


def _failed(path, place, message):
    return JobError(path, [Problem(place, "", message)])


def _read_text(path):
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"cannot be read: {reason}.{_others(path)}"
        raise _failed(path, "", message) from None
    except ValueError:  # NUL
        raise _failed(path, "", "must be a path. It holds the character NUL.") from None
    if len(content) > MAX_BYTES:
        raise _failed(path, "", f"is larger than {MAX_BYTES:,} bytes: not a job.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = f"line {content[: error.start].count(10) + 1}"
        raise _failed(path, line, "is not UTF-8 text.") from None


def _others(path):
    path = pathlib.Path(path)
    if os.path.exists(path) or not os.path.isdir(path.parent):
        return " Expected: the path of a YAML file."
    names = [other.name for other in path.parent.iterdir() if other.is_file()]
    return nearest(path.name, names) or " Expected: the path of a YAML file."


def _explain(error, text):
    """Place and message of what the parser of YAML found."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}"
    line = [*text.split("\n"), ""][mark.line]
    if line[: mark.column + 1].endswith("\t"):
        return place, "begins with a tab. YAML allows spaces only for indentation."
    context = f"{error.context}, " if error.context else ""
    problem = f"{context}{error.problem or 'it cannot be parsed'}"
    hint = ""
    if error.context_mark and _char_at(text, error.context_mark) == "*":
        hint = ' Put a text that begins with * into quotes, such as "*".'
    return place, f"is not YAML: {problem}.{hint} Received: {shorten(line.strip())}"


def _char_at(text, mark):
    return text[mark.index : mark.index + 1]


def _plain(node, key, lines, problems):
    """The value of a node of the parsed tree; notes lines and problems."""
    line = node.start_mark.line + 1
    lines[key] = line

    def note(message, key=key, line=line):
        problems.append(Problem(f"line {line}", ".".join(map(str, key)), message))

    kind = node.tag.removeprefix(_CORE)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        mapping = {}
        for name_node, value_node in node.value:
            at = name_node.start_mark.line + 1
            name = name_node.value
            if isinstance(name, str) and not _is_text(name):
                note(_HALF_A_PAIR, line=at)
                continue
            if not isinstance(name_node, yaml.ScalarNode) or (
                name_node.tag != f"{_CORE}str"
            ):
                note(f"a key must be a text. Received: {shorten(name)}", line=at)
                continue
            if name in mapping:
                first = lines[(*key, name)]
                text = f"is given twice: first in line {first}. Remove one."
                note(text, (*key, name), at)
                continue
            mapping[name] = _plain(value_node, (*key, name), lines, problems)
            lines[(*key, name)] = at
        return mapping
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        items = enumerate(node.value)
        return [_plain(item, (*key, i), lines, problems) for i, item in items]
    if isinstance(node, yaml.ScalarNode) and not _is_text(node.value):
        note(_HALF_A_PAIR)
        return None
    if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
        try:
            return _SCALARS[kind](node.value)
        except ValueError:
            pass
    note(
        f"has the tag '{node.tag.replace(_CORE, '!!')}'. A job holds plain values "
        "only: texts, numbers, true, false, null, lists and mappings. Remove the tag."
    )
    return None


# YAML's escapes can write what no file can hold.
_HALF_A_PAIR = "holds half of a surrogate pair, which is not a character. Remove it."


def _is_text(value):
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _float(text):
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() in ("yes", "true", "on"),
    "int": int,
    "float": _float,
    "str": str,
}
