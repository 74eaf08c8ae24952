"""The reference pages list every public name, and no other."""

import importlib
import pathlib
import re

import pytest

import kdropout
from kdropout.tuning import report

API = pathlib.Path(__file__).parents[2] / "docs" / "api"
NAMESPACES = (
    "callbacks",
    "inference",
    "layers",
    "rate_rules",
    "schedules",
    "testing",
    "tuning",
)
# Public names outside of an `__all__`.
OTHERS = {
    "kdropout.layers.identity_at_zero",
    "kdropout.layers.note_dropped",
    "kdropout.testing.check_layer",
    "kdropout.tuning.report.Confirmation",
    "kdropout.tuning.report.choose_candidates",
    "kdropout.tuning.report.confirm",
    "kdropout.tuning.trials.TrialEngine",
}


def listed():
    """The names in the directives of the pages, in order."""
    text = "".join(path.read_text() for path in sorted(API.glob("*.md")))
    return re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)


def value_of(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def public_names(namespace):
    module = importlib.import_module(namespace)
    return {
        f"{namespace}.{name}"
        for name in getattr(module, "__all__", ())
        if name not in (*NAMESPACES, "__version__")
    }


@pytest.mark.parametrize(
    "namespace", ["kdropout", *(f"kdropout.{name}" for name in NAMESPACES)]
)
def test_every_public_name_is_listed(namespace):
    # An object may have two public names, for example in kdropout.inference.
    values = [value_of(name) for name in listed()]
    missing = {
        name
        for name in public_names(namespace)
        if not any(value_of(name) is value for value in values)
    }
    assert not missing


def test_every_listed_name_is_public_and_listed_once():
    public = public_names("kdropout") | OTHERS
    for name in NAMESPACES:
        public |= public_names(f"kdropout.{name}")
    names = listed()
    assert set(names) <= public
    assert len(set(names)) == len(names)


def test_names_outside_of_all_exist_and_are_listed():
    assert set(listed()) >= OTHERS
    assert {name.rpartition(".")[2] for name in OTHERS if "report" in name} <= set(
        report.__all__
    )


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_namespace_can_be_reached(namespace):
    assert importlib.import_module(f"kdropout.{namespace}").__doc__
    assert namespace in dir(kdropout) or namespace in ("inference", "rate_rules")


@pytest.mark.parametrize("path", sorted(API.glob("*.md")), ids=lambda path: path.stem)
def test_every_page_has_a_table_of_summaries(path):
    assert path.read_text().count("<!-- summary -->") == 1
