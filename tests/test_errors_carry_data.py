"""No code reads the text of an exception, because errors carry data as attributes.

Code may show a text, shorten it or put it into another message. Code that searches a
text, with a regular expression or for a part of it, breaks when one word changes.
"""

import ast
import pathlib

import pytest

import kdropout
from kdropout import _validation
from kdropout.tuning import Rates, Schedules
from kdropout.tuning.space import parse

pytestmark = pytest.mark.on_one_backend

PACKAGE = pathlib.Path(kdropout.__file__).parent
FILES = [
    path
    for name in ("kdropout", "kdropout_cli", "kdropout_dashboard")
    for path in sorted((PACKAGE.parent / name).rglob("*.py"))
]

# Names of parameters that receive an exception.
PARAMETERS = {"error", "exception"}

# Methods of a string that only shorten it if they have no argument.
SHORTENING = {"split", "splitlines", "strip", "lower", "encode"}


def readings(source):
    """Return the line numbers at which code searches the text of an exception."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.name:
            found |= _Reader({node.name}).lines_of(node.body)
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            arguments = {argument.arg for argument in node.args.args}
            body = node.body if isinstance(node.body, list) else [node.body]
            found |= _Reader(arguments & PARAMETERS).lines_of(body)
    return sorted(found)


class _Reader(ast.NodeVisitor):
    """Follows exceptions, and texts made of them, through the simpler statements."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.texts = set()
        self.lines = set()

    def lines_of(self, statements):
        if self.exceptions:
            for statement in statements:
                self.visit(statement)
        return self.lines

    def is_text(self, node):
        if isinstance(node, ast.Name):
            return node.id in self.texts
        if isinstance(node, ast.JoinedStr):
            parts = [v for v in node.values if isinstance(v, ast.FormattedValue)]
            return any(self.is_exception(v.value) or self.is_text(v) for v in parts)
        if isinstance(node, ast.FormattedValue):
            return self.is_text(node.value)
        if isinstance(node, ast.BinOp):
            return self.is_text(node.left) or self.is_text(node.right)
        if isinstance(node, ast.Subscript):
            return self.is_arguments(node.value) or self.is_text(node.value)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in ("str", "repr"):
                return any(map(self.is_exception, node.args))
            if isinstance(node.func, ast.Attribute):
                inner = [node.func.value, *node.args]
                return any(map(self.is_text, inner))
        return False

    def is_exception(self, node):
        return isinstance(node, ast.Name) and node.id in self.exceptions

    def is_arguments(self, node):
        return (
            isinstance(node, ast.Attribute)
            and node.attr == "args"
            and self.is_exception(node.value)
        )

    def visit_Assign(self, node):
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name) and self.is_text(node.value):
                # A text joined with other words is a new message.
                if not isinstance(node.value, (ast.JoinedStr, ast.BinOp)):
                    self.texts.add(target.id)

    def visit_Compare(self, node):
        if any(map(self.is_text, [node.left, *node.comparators])):
            self.lines.add(node.lineno)
        self.generic_visit(node)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute):
            method, owner = node.func.attr, node.func.value
            reads = self.is_text(owner) and (method not in SHORTENING or node.args)
            by_pattern = isinstance(owner, ast.Name) and (
                owner.id == "re" or owner.id.isupper()
            )
            if reads or (by_pattern and any(map(self.is_text, node.args))):
                self.lines.add(node.lineno)
        self.generic_visit(node)


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: str(path.relative_to(PACKAGE.parent))
)
def test_no_code_reads_the_text_of_an_exception(path):
    assert readings(path.read_text()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "re.match('x', str(error))",
        "_PATTERN.search(str(error))",
        "'x' in str(error)",
        "f'{error}' == 'x'",
        "error.args[0].startswith('x')",
        "text = str(error); found = 'x' in text",
        "text = str(error).strip(); found = text.split(' or ')",
        "text = ' '.join(str(error).split()); found = re.sub('x', '', text)",
    ],
)
@pytest.mark.parametrize(
    "code", ["try: f()\nexcept ValueError as error: {}", "def g(error): {}"]
)
def test_code_that_reads_the_text_is_found(code, statement):
    assert readings(code.format(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "raise TypeError(f'No: {error}')",
        "text = ' '.join(str(error).split())[:300]",
        "found = error.argument == 'x'",
        "text = str(error).splitlines()[0]",
    ],
)
def test_code_that_only_shows_the_text_passes(statement):
    assert not readings(f"try: f()\nexcept ValueError as error: {statement}")


@pytest.mark.parametrize(
    "do, key",
    [
        (lambda: _validation.number("rate", "a"), ("rate",)),
        (lambda: _validation.integer("steps", 0, low=1), ("steps",)),
        (lambda: _validation.choice("shape", "x", ("y",)), ("shape",)),
        (lambda: _validation.optional_seed(2**31), ("seed",)),
        (lambda: Rates(0.5, 0.2), ("low",)),
        (lambda: Rates(step=0.3), ("step",)),
        (lambda: Rates(values=[0.1, 2]), ("values", 1)),
        (lambda: Schedules(0, (0.5, 0.1), 10), ("end", 0)),
        (lambda: parse({"drop": {"lo": 0.1}}), ("space", "drop", "lo")),
        (lambda: parse({"drop": [0.0, 1.5]}), ("space", "drop", 1)),
        (
            lambda: parse({"a": {"schedule": {"start": 0, "end": 1, "steps": 0}}}),
            ("space", "a", "schedule", "steps"),
        ),
    ],
)
def test_error_has_argument_and_path_of_the_value(do, key):
    with pytest.raises((TypeError, ValueError)) as raised:
        do()
    assert raised.value.argument == key[0]
    assert raised.value.key == key
    assert raised.value.problem in str(raised.value)
