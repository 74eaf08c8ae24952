"""Fixtures for the tests of the tab."""

import pytest

from kdropout_dashboard import page
from tests.dashboard import browser as browsers
from tests.dashboard.page_reader import PageReader
from tests.dashboard.payloads import page_of


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests of a file, because its start takes seconds."""
    with browsers.chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture(scope="module")
def open_page(browser, tmp_path_factory):
    """Return a function that opens a page with payloads and returns its reader.

    At the end, no error may be in the console.
    """
    folder = tmp_path_factory.mktemp("page")
    reader = PageReader(browser)

    def open_with(trainings=(), searches=(), payloads=None, choices=""):
        file = folder / "page.html"
        payloads = payloads or page_of(trainings, searches)
        file.write_text(page.render(payloads), encoding="utf-8")
        browser.get("about:blank")  # an address that differs by '#' loads nothing
        browsers.requested_addresses(browser)
        reader.open(f"{file.as_uri()}{choices}")
        return reader

    yield open_with
    assert browsers.console_errors(browser) == []
