"""Writes the results of a study into its page: a picture, and the part with the tables.

The rest of `docs/studies/<name>.md` is written by hand, and stays as it is.
"""

import pathlib
import re

from benchmarks.studies import figures
from kdropout._files import replacing

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "studies"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
MEASURED = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)


def write(study, rows):
    """Draw the picture, renew the tables of the page, and return its path."""
    path = FOLDER / f"{study.NAME}.md"
    figures.save(study.draw(rows), path.with_suffix(".png"))
    text = path.read_text() if path.exists() else f"{BEGIN}{END}\n"
    with replacing(path) as temporary:
        temporary.write_text(MEASURED.sub(lambda _: measured(study, rows), text))
    return path


def measured(study, rows):
    """The part of the page with the tables."""
    return f"{BEGIN}\n\n{study.tables(rows)}\n\n{END}"
