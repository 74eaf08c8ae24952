"""The built site: search, formulas, links to the reference and to a repository."""

import functools
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.dashboard import browser

ROOT = pathlib.Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.on_one_backend]

# Queries of readers. One of the pages must be among the first three results.
QUERIES = {
    "anneal": ["scheduling"],
    "overfit": ["overfitting"],
    "p": ["from_keras", "api/rates"],
    "fine-tune": ["existing_models"],
    "uncertainty": ["uncertainty"],
    "tuner": ["tuning", "api/tuning"],
    "mc dropout": ["uncertainty"],
    "stochastic depth": ["methods/drop_path"],
    "hyperparameter": ["tuning"],
    "pytorch": ["backends"],
    "pretrained": ["existing_models"],
    "checkpoint": ["resuming"],
    "install": ["install"],
    "AutoRate": ["auto_rate", "api/callbacks"],
    "onnx": ["deployment"],
    "selu": ["methods/alpha_dropout"],
    "bayesian": ["uncertainty", "tuning"],
    "slow": ["cost"],
}


def build(folder, **environment):
    """The output of a build of the site into a folder."""
    pytest.importorskip("material", reason="needs the extra docs")
    pytest.importorskip("latex2mathml", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return build(tmp_path_factory.mktemp("site"), KDROPOUT_REPOSITORY="")


@pytest.fixture(scope="module")
def address(site):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


def pages(site):
    return {path: path.read_text() for path in site.rglob("*.html")}


@pytest.mark.parametrize("query", QUERIES)
def test_search_finds_what_readers_type(address, driver, query):
    driver.get("about:blank")  # so that the next page is not the same one
    driver.get(f"{address}?q={query.replace(' ', '+')}")
    script = (
        "return [...document.querySelectorAll("
        "'.md-search-result__item > a')].map(a => a.href)"
    )
    links = WebDriverWait(driver, 20).until(
        lambda driver: driver.execute_script(script)
    )
    found = [link.removeprefix(address).partition("?")[0] for link in links[:3]]
    assert any(f"{page}/" in found for page in QUERIES[query]), found


def test_page_asks_for_nothing_from_other_sites(address, driver):
    browser.requested_addresses(driver)
    driver.get(f"{address}api/layers/")
    requested = browser.requested_addresses(driver)
    assert requested
    assert all(request.startswith(address) for request in requested)


def test_formulas_are_mathml(site):
    texts = pages(site).values()
    assert any("<math " in text for text in texts)
    assert not any('class="arithmatex"' in text for text in texts)


def test_types_in_signatures_link_to_the_reference(site):
    text = (site / "api" / "layers" / "index.html").read_text()
    signature = text[text.index('id="kdropout.layers.Dropout"') :]
    assert 'href="../rates/#kdropout._types.RateLike"' in signature[:3000]


def test_table_of_summaries_links_to_each_entry(site):
    text = (site / "api" / "callbacks" / "index.html").read_text()
    rows = re.findall(r'<tr><td><a href="#([\w.]+)">.*?</td><td>(.*?)</td></tr>', text)
    entries = re.findall(r'<h3 [^>]*class="doc doc-heading"', text)  # methods are <h4>
    assert len(rows) == len(entries) > 1
    assert all(f'id="{name}"' in text and summary for name, summary in rows)


def test_guides_link_names_to_the_reference(site):
    text = (site / "overfitting" / "index.html").read_text()
    link = re.search(r'<a[^>]*href="([^"]*)"[^>]*><code>OverfittingGap</code>', text)
    assert link[1] == "../api/callbacks/#kdropout.callbacks.OverfittingGap"


def test_no_mark_of_markdown_is_left(site):
    """Markdown joins a list or code that is indented wrongly to the text before."""
    marks = r"[-*] |\d\. |```|(?:>|&gt;){3} |git tag |pip install |rm "
    mark = re.compile(rf"^(?:<p>)?(?:{marks}).*", re.MULTILINE)
    left = {
        str(path.relative_to(site)): mark.findall(
            re.sub(r"<pre\b.*?</pre>", "", text, flags=re.DOTALL)
        )
        for path, text in pages(site).items()
    }
    assert {page: marks for page, marks in left.items() if marks} == {}


def test_examples_in_the_reference_are_code(site):
    for path in (site / "api").glob("*/index.html"):
        text = path.read_text()
        assert "<blockquote>" not in text
        # Griffe makes these of titles in docstrings that it does not know.
        assert "<details" not in text


def test_hidden_code_is_not_on_the_pages(site):
    assert not any("<!-- hidden" in text for text in pages(site).values())


def test_without_a_repository_no_page_links_to_one(site):
    for text in pages(site).values():
        assert 'rel="edit"' not in text
        assert 'class="md-source"' not in text


def test_with_a_repository_pages_can_be_edited(tmp_path):
    home = "https://example.org/us/kdropout"
    build(tmp_path, KDROPOUT_REPOSITORY=home)
    text = (tmp_path / "install" / "index.html").read_text()
    assert f'href="{home}/edit/main/docs/install.md"' in text
    assert f'href="{home}" title=' in text


def test_search_index_has_the_words_of_the_pages(site):
    index = json.loads((site / "search" / "search_index.json").read_text())
    words = {entry["location"]: entry.get("tags", []) for entry in index["docs"]}
    assert "anneal" in words["scheduling/"]
