"""Workflows, templates and the citation are valid, and name files that exist."""

import pathlib
import re

import pytest
import yaml

import kdropout

ROOT = pathlib.Path(__file__).parents[2]
GITHUB = ROOT / ".github"
FORMS = sorted(GITHUB.glob("ISSUE_TEMPLATE/*[a-z]_*.yml")) + [
    GITHUB / "ISSUE_TEMPLATE" / "question.yml"
]

pytestmark = pytest.mark.on_one_backend


def jobs():
    """The jobs of the workflow by name."""
    return yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())["jobs"]


def commands():
    """The commands of all jobs of the workflow."""
    return [
        step["run"] for job in jobs().values() for step in job["steps"] if "run" in step
    ]


@pytest.mark.parametrize(
    "path", sorted(GITHUB.rglob("*.yml")), ids=lambda path: path.name
)
def test_yaml_of_github_parses(path):
    assert yaml.safe_load(path.read_text())


def test_workflow_runs_files_that_exist():
    text = " ".join(commands())
    paths = re.findall(r"(?:tests/|\.ci/)[\w./]+", text)
    assert ".ci/run" in paths
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_workflow_installs_extras_that_exist():
    extras = re.findall(r"\.\[([\w,]+)\]", " ".join(commands()))
    declared = (ROOT / "setup.cfg").read_text().partition("extras_require]")[2]
    for extra in ",".join(extras).split(","):
        assert re.search(rf"^{extra} =$", declared, re.MULTILINE)


def test_workflow_tests_the_oldest_and_the_newest_python():
    classifiers = re.findall(
        r"Python :: (3\.\d+)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE
    )
    versions = jobs()["core"]["strategy"]["matrix"]["python"]
    assert versions == [classifiers[0], classifiers[-1]]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_form_has_what_github_needs(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"]
    assert form["description"]
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert ids
    assert len(set(ids)) == len(ids)
    for part in form["body"]:
        kind = "value" if part["type"] == "markdown" else "label"
        assert part["attributes"][kind]
        for page in re.findall(r"\b[\w/]+\.md\b", str(part["attributes"])):
            assert (ROOT / page).is_file()


def test_citation_names_the_version_and_the_authors():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == kdropout.__version__
    assert citation["authors"] == [{"name": "The kdropout authors"}]
    assert citation["license"] == "Apache-2.0"
