"""What the tests of the tab share."""

import pytest

from tests.dashboard import browser as browsers


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser for all tests of a file, since its start takes seconds."""
    with browsers.chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver
