"""Prepares the docstrings of kdropout for the reference pages.

An extension of Griffe, the reader of docstrings that mkdocstrings uses. It marks
doctests as code, because Markdown would show them as quotations. It writes titles that
Griffe does not know as bold text, because they would become boxes. And it finds public
functions that have the same name as their module.
"""

import re

import griffe

DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
# For example "rate/<path>": Markdown would read the end as an HTML tag.
PLACEHOLDER = re.compile(r'"[^"`\n]*<\w[^"`\n]*"')
TITLES = re.compile(
    r"^(Input shape|Output shape|Reference|Returns):\n((?: {4}.*\n?)+)", re.MULTILINE
)


class Docstrings(griffe.Extension):
    """Rewrites docstrings, and resolves names that a module and a function share."""

    def on_package(self, *, pkg, **kwargs):
        """Rewrite all docstrings, and let `kdropout.convert` be the function.

        The docstrings come first, because the function then hides its module.
        """
        for obj in _objects(pkg):
            _rewrite(obj)
        hidden = [
            (module, name, pkg[path.removeprefix(f"{pkg.path}.")])
            for module in _objects(pkg)
            if module.is_module
            for name, path in module.imports.items()
            if path == f"{module.path}.{name}.{name}"
        ]
        for module, name, function in hidden:
            module.set_member(name, griffe.Alias(name, function, parent=module))


def _objects(obj):
    yield obj
    for member in obj.members.values():
        if not member.is_alias:
            yield from _objects(member)


def _rewrite(obj):
    if obj.is_attribute and str(obj.annotation) == "object":
        obj.annotation = None  # the docstring describes the type
    if obj.docstring is None:
        return
    text = DOCTEST.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
    text = PLACEHOLDER.sub(r"`\g<0>`", text)
    text = re.sub(r"^Example:$", "**Example:**", text, flags=re.MULTILINE)
    obj.docstring.value = TITLES.sub(_paragraph, text)


def _paragraph(match):
    title, indented = match.groups()
    lines = (line[4:] for line in indented.splitlines())
    return f"**{title}:** " + "\n".join(lines) + "\n"
