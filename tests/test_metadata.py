"""What the package index shows, and the versions that `setup.cfg` promises."""

import configparser
import re
import runpy
from pathlib import Path

import pytest

from kdropout import _compat

ROOT = Path(__file__).parents[1]
HOME = "https://example.org/kdropout"
LINK = re.compile(r"\]\(([^)]*)\)")

pytestmark = pytest.mark.on_one_backend


@pytest.fixture(scope="module")
def metadata():
    return runpy.run_path(str(ROOT / "setup.py"))


@pytest.fixture(scope="module")
def options():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_links_of_the_description_lead_to_the_tag(metadata):
    readme = (ROOT / "README.md").read_text()
    links = LINK.findall(metadata["description"](readme, HOME, "1.2.3"))
    assert len(links) == len(LINK.findall(metadata["COMMENT"].sub("", readme)))
    assert f"{HOME}/raw/v1.2.3/docs/overfitting_gap.png" in links
    assert f"{HOME}/blob/v1.2.3/docs/install.md" in links
    assert all(link.startswith(("https://", "#")) for link in links)


def test_description_without_a_repository_has_no_broken_link(metadata):
    text = metadata["description"]((ROOT / "README.md").read_text(), "", "1.2.3")
    assert all(link.startswith(("https://", "#")) for link in LINK.findall(text))
    assert "[guide]" not in text
    assert "import kdropout" in text


@pytest.mark.parametrize(
    ("text", "with_home", "without"),
    [
        ("[a](docs/a.md#b)", f"[a]({HOME}/blob/v1/docs/a.md#b)", "a"),
        ("![a](a.png)", f"![a]({HOME}/raw/v1/a.png)", ""),
        (
            "[![a](a.svg)](docs/a.md)",
            f"[![a]({HOME}/raw/v1/a.svg)]({HOME}/blob/v1/docs/a.md)",
            "",
        ),
        ("[a](https://b.org/c)", "[a](https://b.org/c)", "[a](https://b.org/c)"),
        ("[a](#b)", "[a](#b)", "[a](#b)"),
        ("a <!-- hidden\nx = 1\n-->\nb", "a b", "a b"),
    ],
)
def test_links_become_absolute_or_go(metadata, text, with_home, without):
    assert metadata["description"](text, HOME, "1") == with_home
    assert metadata["description"](text, "", "1") == without


def test_addresses_are_known_only_with_a_repository(metadata):
    assert metadata["project_urls"]("", "1") == {}
    urls = metadata["project_urls"](HOME, "1")
    assert urls["Source"] == HOME
    assert urls["Changelog"] == f"{HOME}/blob/v1/CHANGELOG.md"


def test_lower_bound_of_keras_is_the_one_that_import_checks(options):
    least = ".".join(map(str, _compat._LEAST_KERAS))
    assert f"keras>={least}" in options["options"]["install_requires"].split()


def test_core_tests_exist(options):
    paths = options["testenv"]["core"].split()
    assert paths
    assert all((ROOT / path).exists() for path in paths)
