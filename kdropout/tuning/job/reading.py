"""Reads a job from a YAML file and settings of the command line."""

import os
import pathlib
import re
import warnings
from collections.abc import Sequence
from typing import ClassVar

import yaml
from pydantic import ValidationError

from kdropout._validation import nearest, shorten
from kdropout.tuning.job.earlier_names import (
    other_name,
    text_about_names,
    with_current_names,
)
from kdropout.tuning.job.errors import JobError, Problem, dotted, place_of_path
from kdropout.tuning.job.fields import problems_of
from kdropout.tuning.job.job import Job
from kdropout.tuning.job.references import is_callable_text, problem_of_callable


def load_job(path: str | os.PathLike, overrides: Sequence[str] = ()) -> Job:
    """Read a job from a YAML file, and check everything that does not need the data.

    Args:
        path: Path of the file. Its keys are documented in `tuner_configs/README.md`.
        overrides: Sequence of strings such as "training.epochs=5", which replace the
            values in the file. The values are read as YAML.

    Returns:
        `kdropout.tuning.job.Job`.

    Raises:
        TypeError: If an argument is of the wrong type.
        JobError: If the file cannot be read, or a value in it is not valid. It lists
            all problems, with file, line and key.

    Example:

    >>> import pathlib, tempfile
    >>> from kdropout import tuning
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "job.yaml"
    >>> size = path.write_text("model: {architecture: mlp, units: [64]}")
    >>> job = tuning.load_job(path, ["training.epochs=5"])
    >>> job.model.units, job.training.epochs, job.objective.metric
    ((64,), 5, 'val_loss')
    """
    job, renamed = read_job(path, overrides)
    for key, settings in (("model", job.model), ("data", job.data)):
        function = getattr(settings, settings.source)
        if is_callable_text(function):
            raise job.error(f"{key}.{settings.source}", problem_of_callable(function))
    if renamed:
        text = text_about_names(path, renamed)
        warnings.warn(text, DeprecationWarning, stacklevel=2)
    return job


def read_job(path, overrides=()):
    """Return the job, and a list of `Problem` about deprecated names."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"'path' must be the path of a file. Received: path={path!r}")
    if not _are_strings(overrides):
        raise TypeError(
            "'overrides' must be a sequence of strings such as 'training.epochs=5'. "
            f"Received: overrides={overrides!r}"
        )
    tree, lines = read_tree(path)
    places = {key: f"line {line}" for key, line in lines.items()}
    problems = _apply_overrides(tree, places, overrides)
    tree, renamed = with_current_names(tree)
    notes = []
    for name in renamed:
        place = place_of_path(name.key, places)
        places[name.current_key] = place
        notes.append(Problem(place, dotted(name.key), name.message))
    old_names = {}
    try:
        job = Job.model_validate(tree, context=old_names)
    except ValidationError as error:
        problems += [
            Problem(place_of_path(key, places), dotted(key), message)
            for key, message in problems_of(error, Job)
        ]
    if problems:
        raise JobError(path, problems)
    job.read_from(path, places)
    for key, name in old_names.items():
        message = f"is now called '{dotted((*key[:-1], name))}'."
        notes.append(Problem(place_of_path(key, places), dotted(key), message))
    return job, notes


def _are_strings(values):
    return isinstance(values, (list, tuple)) and all(
        isinstance(value, str) for value in values
    )


def _apply_overrides(tree, places, overrides):
    """Put each "key.sub=value" into the tree and the places. Return the problems."""
    problems = []
    for override in overrides:
        place = f"--set {override}"
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            expected = "must be key=value, such as training.epochs=5."
            problems.append(
                Problem(place, "", f"{expected} Received: {shorten(override)}")
            )
            continue
        try:
            value = parse_value(text, tuple(key.split(".")))
            path = _put(tree, key.split("."), value)
        except ValueError as error:
            problems.append(Problem(place, key, str(error)))
        else:
            for inner in [inner for inner in places if inner[: len(path)] == path]:
                del places[inner]
            places[path] = place
    return problems


def _put(tree, names, value):
    """Set the value at `names`, with new mappings if needed, and return the key."""
    path, inner = [], tree
    for number, name in enumerate(names):
        if isinstance(inner, list):
            if not name.isdecimal() or int(name) >= len(inner):
                raise ValueError(
                    f"'{'.'.join(map(str, path))}' is a list of {len(inner)} entries, "
                    f"so the next part must be an index from 0. Received: {name!r}"
                )
            name = int(name)
        elif not isinstance(inner, dict):
            raise ValueError(
                f"'{'.'.join(map(str, path))}' is not a mapping, so it has no "
                f"'{name}'. It is {shorten(inner)}."
            )
        path.append(name)
        if number == len(names) - 1:
            inner[name] = value
            other = other_name(tuple(path))
            if other is not None:
                inner.pop(other[-1], None)
            break
        if isinstance(inner, dict) and inner.get(name) is None:
            inner[name] = {}
        inner = inner[name]
    return tuple(path)


# A job is about one page long. A larger file is probably not a job.
MAX_BYTES = 1_000_000

_CORE = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Loads YAML 1.2, without tags that build objects.

    PyYAML follows YAML 1.1, in which 1e-3 is a text, 1:30 is ninety and 010 is eight.
    From YAML 1.1, only yes, no, on and off are kept.
    """

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None,
                None,
                "aliases are not allowed in a job. Write the value again, or put a "
                'text that begins with * into quotes, such as "*"',
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
    """Read the mapping in a YAML file, and a dict from key (a tuple) to line."""
    text = _read_text(path)
    reader = _Reader()
    try:
        node = _Loader(text).get_single_node()
        if node is None:
            raise _failed(
                path,
                "",
                "is empty. A job must contain at least one key, such as model.",
            )
        tree = reader.value(node)
    except yaml.MarkedYAMLError as error:
        raise _failed(path, *_explain(error, text)) from None
    except yaml.YAMLError as error:
        raise _failed(path, "", f"is not valid YAML: {error}") from None
    except RecursionError:
        raise _failed(path, "", "is nested too deeply for a job.") from None
    if reader.problems:
        raise JobError(path, reader.problems)
    if not isinstance(tree, dict):
        expected = "must be a mapping: lines such as 'model: {architecture: mlp}'."
        raise _failed(path, "line 1", f"{expected} Received: {shorten(tree)}")
    return tree, reader.lines


def parse_value(text, key=()):
    """Return the plain value of a text in YAML, the value of a key (a tuple)."""
    reader = _Reader()
    try:
        node = _Loader(text).get_single_node()
        value = None if node is None else reader.value(node, key)
    except (yaml.YAMLError, RecursionError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"is not YAML: {problem}.") from None
    if reader.problems:
        raise ValueError(reader.problems[0].message)
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
        raise _failed(path, "", "must not contain the character NUL.") from None
    if len(content) > MAX_BYTES:
        message = f"is larger than {MAX_BYTES:,} bytes, so it is not a job."
        raise _failed(path, "", message)
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
    """Return the place and the message for an error of the parser."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}"
    line = [*text.split("\n"), ""][mark.line]
    if line[: mark.column + 1].endswith("\t"):
        return place, "begins with a tab. YAML allows only spaces for indentation."
    context = f"{error.context}, " if error.context else ""
    problem = f"{context}{error.problem or 'it cannot be parsed'}"
    hint = ""
    if error.context_mark and _char_at(text, error.context_mark) == "*":
        hint = ' Put a text that begins with * into quotes, such as "*".'
    return place, f"is not YAML: {problem}.{hint} Received: {shorten(line.strip())}"


def _char_at(text, mark):
    return text[mark.index : mark.index + 1]


class _Reader:
    """Converts parsed YAML to plain values, and collects their lines and problems."""

    def __init__(self):
        self.lines, self.problems = {}, []

    def value(self, node, key=()):
        """Return the plain value of a node, or None after a problem."""
        line = self.lines[key] = node.start_mark.line + 1
        kind = node.tag.removeprefix(_CORE)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [
                self.value(item, (*key, index)) for index, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.ScalarNode) and not _is_text(node.value):
            return self._note(line, key, _HALF_A_PAIR)
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            try:
                return _SCALARS[kind](node.value)
            except ValueError:  # such as !!int x
                pass
        tag = node.tag.replace(_CORE, "!!")
        return self._note(
            line,
            key,
            f"has the tag '{tag}'. A job may only contain plain values: texts, "
            "numbers, true, false, null, lists and mappings. Remove the tag.",
        )

    def _mapping(self, node, key):
        mapping = {}
        for name_node, value_node in node.value:
            line, name = name_node.start_mark.line + 1, name_node.value
            kind = name_node.tag.removeprefix(_CORE)
            if isinstance(name, str) and not _is_text(name):
                self._note(line, key, _HALF_A_PAIR)
            elif not isinstance(name_node, yaml.ScalarNode) or (
                kind != "str" and key != _LABELS
            ):
                problem = f"a key must be a text. Received: {shorten(name)}"
                self._note(line, key, problem)
            elif name in mapping:
                first = self.lines[(*key, name)]
                problem = f"is given twice, first in line {first}. Remove one of them."
                self._note(line, (*key, name), problem)
            else:
                mapping[name] = self.value(value_node, (*key, name))
                self.lines[(*key, name)] = line
        return mapping

    def _note(self, line, key, message):
        self.problems.append(Problem(f"line {line}", dotted(key), message))


# The keys of this mapping are labels, which count as they are written: 0, yes, null.
_LABELS = ("training", "class_weight")

# An escape of YAML can write half a surrogate pair, which a file cannot store.
_HALF_A_PAIR = "contains half of a surrogate pair, which is not a character. Remove it."


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
