"""No page, docstring or message has a pattern of English that readers stop at."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.on_one_backend

english = runpy.run_path(str(ROOT / "docs" / "english.py"))

# A sentence for each pattern, and one that resembles it and is right.
SENTENCES = {
    "tells, told": ("The plan tells the layers.", "The plan shows the layers."),
    "is no X": ("It is no key.", "There is no key that is no longer used."),
    "of its own": ("It has a seed of its own.", "It has its own seed."),
    "such as a noun": (
        "It is saved as such.",
        "Layers such as Dense, and such a case.",
    ),
    "trailing too": ("Rates move, too.", "A rate that is too high."),
    "inverted order": ("What is kept is scaled.", "What is kept?"),
    "begins with Of": ("Done. Of wrappers as well.", "Of course it is."),
    "as X does": ("It counts, as Keras does.", "It does what Keras does."),
    "particular": ("The width is particular to it.", "In a particular layer."),
}


@pytest.mark.slow
def test_project_is_written_in_plain_english():
    places = [place for place in english["find"]() if place.pattern != "long sentence"]
    assert [":".join(map(str, place)) for place in places] == []


@pytest.mark.parametrize("name", english["PATTERNS"])
def test_pattern_is_found_and_nothing_else(name):
    found = []
    for text in SENTENCES[name]:
        places = english["_find_in"]("page.md", [(1, text)])
        found.append([place.pattern for place in places])
    assert found == [[name], []]


def test_code_is_not_read_in_markdown_and_messages_are_in_python():
    markdown = "A page.\n\n```python\nx = 1  # tells\n```\n\n- It tells\n  nothing.\n"
    assert list(english["_of_markdown"](markdown)) == [
        (1, "A page."),
        (7, "It tells nothing."),
    ]
    python = '"""It tells."""\n\nraise ValueError(f"It is no key: {x}")\n# A reason.\n'
    texts = [text for _, text in english["_of_python"](python)]
    assert texts == ["A reason.", "It tells.", "It is no key: X"]
