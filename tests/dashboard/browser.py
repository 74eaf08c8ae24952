"""A Chromium without a screen, and a record of its requests."""

import contextlib
import json
import os
import shutil

import pytest
from selenium import webdriver

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")
REQUIRED = "KDROPOUT_REQUIRE_BROWSER"

# Root may not use the sandbox. The others keep the browser from sending requests.
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--force-device-scale-factor=1",
    "--window-size=1440,1000",
)


@contextlib.contextmanager
def chromium(folder):
    """Start a browser with a new profile below `folder`, and end it.

    Without a browser, the test is skipped, or fails if the environment variable
    KDROPOUT_REQUIRE_BROWSER is 1.
    """
    browser, driver = _first_of(BROWSERS), _first_of(DRIVERS)
    if browser is None or driver is None:
        _do_without("no Chromium with its chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in (*OPTIONS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(option)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    service = webdriver.ChromeService(driver, log_output=str(folder / "driver.log"))
    started = webdriver.Chrome(options, service)
    try:
        yield started
    finally:
        started.quit()


def console_errors(driver):
    """Return the errors in the console since the last call."""
    entries = driver.get_log("browser")
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def requested_addresses(driver):
    """Return the addresses requested since the last call.

    Data in the page itself and the browser's new tab page do not count.
    """
    events = [
        json.loads(e["message"])["message"] for e in driver.get_log("performance")
    ]
    addresses = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [a for a in addresses if not a.startswith(("data:", "blob:", "chrome:"))]


def set_dark(driver, dark):
    """Set whether the system of the browser prefers dark or light."""
    value = "dark" if dark else "light"
    features = [{"name": "prefers-color-scheme", "value": value}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def set_width(driver, width):
    """Set the width of the page, or None for that of the window."""
    if width is None:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        return
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _first_of(names):
    return next(filter(None, map(shutil.which, names)), None)


def _do_without(reason):
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED} is 1, but {reason}")
    pytest.skip(reason)
