"""Fixtures for the tests of the tab."""

import pytest

from tests.dashboard import browser as browsers


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests of a file, because its start takes seconds."""
    with browsers.chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver
