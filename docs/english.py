"""Counts patterns of English that readers stop at, in prose, docstrings and messages.

    python docs/english.py             # a table of counts, and each place
    python docs/english.py kdropout/layers docs/tuning.md

Exits with 1 if there is a place that is not among the `EXCEPTIONS`, each of which was
read and is right as it stands. Long sentences are counted, but not listed.
"""

import argparse
import ast
import collections
import io
import pathlib
import re
import sys
import tokenize
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[1]
READ = (
    "*.md",
    ".github",
    "benchmarks",
    "docs",
    "examples",
    "kdropout",
    "kdropout_dashboard",
    "tests",
    "tuner_configs",
)
LONG = 32  # words

START = r"(?:^|(?<=[.!?:] ))"
COMPARISON = r"(?!longer\b|more\b|less\b|fewer\b|better\b|worse\b|one\b|\w+er than\b)"
PATTERNS = {
    "tells, told": r"\b(?:tells?|told|telling)\b",
    "is no X": rf"(?<![Tt]here )\b(?:is|are|was|were|be|been) no {COMPARISON}",
    "of its own": r"\bof (?:its|their|his|my|our|your|one's) own\b",
    "such as a noun": r"\bsuch(?=[.,;:)]|$| (?:is|are|was|were|has|have|do|does)\b)",
    "trailing too": r"\btoo(?=[.,;:)]|$)",
    "inverted order": START + r"(?:What|Which|How|Whether)\b[^.?!]*\.(?: |$)",
    "begins with Of": START + r"Of (?!course)",
    "as X does": r"\b(?:as|than|like) (?:[\w`.()'-]+ ){1,3}(?:does|did|do)(?=[.,;:)])",
    "particular": r"\bparticular\b(?= (?:to|about)\b|[.,;])",
}
# Code and comments in Markdown, and the lines that begin a paragraph or an item.
NOT_PROSE = re.compile(r"```.*?```|<!--.*?-->", re.DOTALL)
MARKDOWN_BLOCK = re.compile(r"\s*(?:$|#|[-*] |\d+\. |\|)")
TEXT_BLOCK = re.compile(r"\s*(?:$|[-*] |\d+\. |\w[\w, *]*:(?: |$)|>>>|\.\.\. |\|)")
# Comments and texts of a line of JavaScript.
IN_SCRIPT = re.compile(r"""(?:^\s*\*|//|/\*\*|^\s*#)\s(.*)|(["'`][^"'`]* .*?["'`])""")
# Files of a user with version 0.1, and examples of the patterns.
NOT_READ = (
    "docs/english.py",
    "tests/docs/test_english.py",
    "tests/integration/files_of",
)
# Pairs of a file and a part of a sentence that was read and may stay.
EXCEPTIONS: tuple[tuple[str, str], ...] = ()


class Place(NamedTuple):
    path: str
    line: int
    pattern: str
    sentence: str


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="files or folders; default: all")
    names = parser.parse_args().paths
    places = find(map(pathlib.Path, names) if names else None)
    for place in places:
        if place.pattern != "long sentence":
            print(f"{place.path}:{place.line}: {place.pattern}: {place.sentence}")
    counts = collections.Counter(place.pattern for place in places)
    for pattern in (*PATTERNS, "long sentence"):
        print(f"{counts[pattern]:6}  {pattern}")
    sys.exit(any(pattern in PATTERNS for pattern in counts))


def find(paths=None):
    """A list of `Place`s in files and folders; in those of the project by default."""
    if paths is None:
        paths = [path for name in READ for path in sorted(ROOT.glob(name))]
    places = []
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            read = READERS.get(file.suffix)
            relative = file.resolve().relative_to(ROOT).as_posix()
            if read is not None and not relative.startswith(NOT_READ):
                places += _find_in(relative, read(file.read_text()))
    return places


def _find_in(path, passages):
    for line, text in passages:
        text = " ".join(text.split())
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z`*])", text):
            if len(sentence.split()) > LONG:
                yield Place(path, line, "long sentence", sentence)
        for name, pattern in PATTERNS.items():
            for match in re.finditer(pattern, text):
                around = text[max(0, match.start() - 50) : match.end() + 40]
                if not any(file == path and part in text for file, part in EXCEPTIONS):
                    yield Place(path, line, name, around)


def _of_markdown(text):
    """Paragraphs, items and cells of tables, without code."""
    text = NOT_PROSE.sub(lambda match: "\n" * match[0].count("\n"), text)
    yield from _of_lines(text.splitlines(), MARKDOWN_BLOCK)


def _of_lines(lines, new):
    """Runs of lines; one that matches `new` begins another one."""
    start, run = 1, []
    for number, line in enumerate([*lines, ""], start=1):
        if new.match(line):
            yield from ((start, cell) for cell in _cells(" ".join(run)))
            start, run = number, []
        run.append(line.strip() if run else line.strip().lstrip("#-*> "))


def _cells(text):
    cells = text.strip("|").split("|") if text.startswith("|") else [text]
    return [cell for cell in cells if cell.strip()]


def _of_python(text):
    """Comments, and texts with a space in them: docstrings and messages."""
    comments, last = [], 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                comments.append((token.start[0], ""))
            last = token.start[0]
            number, words = comments[-1]
            comments[-1] = (number, f"{words} {token.string.lstrip('# ')}".strip())
    yield from comments
    nodes = list(ast.walk(ast.parse(text)))
    texts = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {part for node in texts for part in node.values}
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.lineno, node.name.replace("_", " ")
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(map(_part, node.values))
        elif isinstance(node, ast.Constant) and node not in parts:
            if isinstance(node.value, str) and " " in node.value:
                for number, paragraph in _of_lines(node.value.splitlines(), TEXT_BLOCK):
                    yield node.lineno + number - 1, paragraph


def _part(value):
    return str(value.value) if isinstance(value, ast.Constant) else "X"


def _of_script(text):
    """Comments and texts of JavaScript; comments of YAML."""
    for number, line in enumerate(text.splitlines(), start=1):
        for groups in IN_SCRIPT.findall(line):
            yield number, " ".join(groups)


READERS = {
    ".md": _of_markdown,
    ".py": _of_python,
    ".js": _of_script,
    ".html": _of_script,
    ".yaml": _of_script,
    ".yml": _of_script,
}

if __name__ == "__main__":
    main()
