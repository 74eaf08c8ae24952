"""What the reference pages need to show the docstrings of kdropout well.

An extension of Griffe, with which mkdocstrings reads them. Examples are doctests, which
Markdown would take for quotations; titles that Griffe does not know would become boxes;
and what is returned, which has no name here, would become a list of one.
"""

import re

import griffe

DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
# Such as "rate/<path>", of which Markdown would take the end for HTML.
PLACEHOLDER = re.compile(r'"[^"`\n]*<\w[^"`\n]*"')
TITLES = re.compile(
    r"^(Input shape|Output shape|Reference|Returns):\n((?: {4}.*\n?)+)", re.MULTILINE
)


class Docstrings(griffe.Extension):
    """Doctests become code, and such titles the beginning of a paragraph."""

    def on_object(self, *, obj, **kwargs):
        if obj.is_attribute and str(obj.annotation) == "object":
            obj.annotation = None  # a field of anything: the docstring says of what
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
