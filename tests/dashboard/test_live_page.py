"""The page updates while data arrive from a server that is slow, silent or gone."""

import http.server
import json
import threading
import time
import urllib.parse

import pytest

from kdropout_dashboard.script import STATIC, one_module
from tests.dashboard import browser as browsers
from tests.dashboard.page_reader import PageReader
from tests.dashboard.payloads import metric, training

pytestmark = pytest.mark.slow

FOLDER = "/some/prefix/data/"
PATHS = ["first", "second", "third"]

# The page is at an address below the document, like in TensorBoard.
ENTRY = (
    '<!DOCTYPE html><head><base href="plugin/kdropout/" /></head><body>'
    '<script type="module">import("./index.js").then((m) => void m.render());'
    "</script></body>"
)
POLICY = "default-src 'self'; script-src 'self' 'unsafe-inline'"


class Plugin(http.server.ThreadingHTTPServer):
    """Serves the page, with payloads that a test may change."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.payloads = {}
        self.held = {}
        self.queries = []
        self.silent = False
        self.ahead = 0
        self.address = f"http://127.0.0.1:{self.server_port}{FOLDER}"

    def put(self, *payloads):
        """Serve these payloads, each under the name of its run."""
        self.payloads = {payload["run"]: payload for payload in payloads}

    def answer(self, route, query):
        """Return the answer of a route, or None for an unknown run."""
        if route == "runs":
            return {"runs": [{"name": n, "kind": "training"} for n in self.payloads]}
        if route != "training":
            return None  # for example the icon that a browser asks for
        self.queries.append(query)
        if query["run"] in self.held:
            self.held[query["run"]].wait(20)
        payload = self.payloads.get(query["run"])
        if payload and payload["version"] == query.get("version"):
            return {"version": payload["version"], "unchanged": True}
        return payload


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.silent:
            self.close_connection = True
            return
        address = urllib.parse.urlsplit(self.path)
        name = address.path.removeprefix(FOLDER)
        file = name.rpartition("/")[2]
        if name == "plugin_entry.html":
            self._send(200, "text/html; charset=utf-8", ENTRY.encode())
        elif file == "index.js":
            self._send(200, "text/javascript", one_module(file).encode())
        elif file == "style.css":
            self._send(200, "text/css", (STATIC / file).read_bytes())
        else:
            query = dict(urllib.parse.parse_qsl(address.query))
            answer = self.server.answer(file, query)
            status = 404 if answer is None else 200
            self._send(status, "application/json", json.dumps(answer).encode())

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.server.ahead)

    def _send(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Writes nothing, so that the output of the tests stays readable."""


@pytest.fixture
def plugin():
    with Plugin() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        for event in server.held.values():
            event.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def open_page(browser, plugin):
    """Return a function that opens the page of the plugin and returns its reader."""
    reader = PageReader(browser)

    def open_page():
        reader.open(f"{plugin.address}plugin_entry.html?name=kdropout")
        return reader

    yield open_page
    uncaught = [e for e in browsers.console_errors(browser) if "Uncaught" in e]
    assert uncaught == []
    browser.get("about:blank")


def ask_again(reader):
    """Simulate a return to the page, after which it asks at once."""
    reader.driver.execute_script(
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


def rates(reader):
    return [cell.text for cell in reader.all("layer-rate")]


def now(run, rate, version):
    payload = training(run, PATHS, 3, version=version, written_at=time.time())
    for layer in payload["layers"]:
        layer["rate"] = rate
    return payload


def test_new_data_appear_and_the_selection_is_kept(plugin, open_page):
    plugin.put(now("run", 0.1, "1"))
    reader = open_page()
    reader.wait(lambda: rates(reader) == ["0.1"] * 3)
    button = reader.all("layer-row", "button")[1]
    button.click()
    reader.one("filter").send_keys("s")
    reader.driver.execute_script("arguments[0].focus()", button)
    plugin.put(now("run", 0.2, "2"))
    ask_again(reader)
    reader.wait(lambda: rates(reader) == ["0.2"] * 2)
    assert button.get_dom_attribute("aria-pressed") == "true"
    assert reader.driver.switch_to.active_element == button
    assert reader.paths() == ["first", "second"]
    assert reader.text("state").startswith("Live, last write ")


def test_page_asks_for_new_data_by_itself(plugin, open_page):
    plugin.put(now("run", 0.1, "1"))
    reader = open_page()
    reader.wait(lambda: rates(reader) == ["0.1"] * 3)
    plugin.put(now("run", 0.3, "2"))
    reader.wait(lambda: rates(reader) == ["0.3"] * 3)


def test_unchanged_data_are_not_drawn_again(plugin, open_page):
    plugin.put(now("run", 0.1, "1"))
    reader = open_page()
    reader.wait(lambda: rates(reader))
    reader.driver.execute_script(
        "window.changes = 0;"
        "const count = (found) => { window.changes += found.length; };"
        "new MutationObserver(count).observe(document.body, "
        "  { subtree: true, childList: true, characterData: true });"
    )
    asked = []
    plugin.answer = lambda *question: (
        asked.append(question) or Plugin.answer(plugin, *question)
    )
    ask_again(reader)
    reader.wait(lambda: [route for route, _ in asked] == ["runs", "training"])
    ask_again(reader)
    reader.wait(lambda: len(asked) == 4)
    assert reader.driver.execute_script("return window.changes") == 0


def test_silent_server_is_reported_and_the_last_data_stay(plugin, open_page):
    plugin.put(now("run", 0.1, "1"))
    reader = open_page()
    reader.wait(lambda: rates(reader) == ["0.1"] * 3)
    plugin.silent = True
    ask_again(reader)
    reader.wait(lambda: reader.text("state").startswith("No answer since "))
    assert rates(reader) == ["0.1"] * 3
    plugin.silent = False
    plugin.put(now("run", 0.2, "2"))
    ask_again(reader)
    reader.wait(lambda: reader.text("state").startswith("Live"))
    assert rates(reader) == ["0.2"] * 3


def test_page_is_live_only_while_data_arrive(plugin, open_page):
    times = {"steps": [0, 1, 2], "values": [100.0, 200.0, 300.0]}
    plugin.put(now("run", 0.1, "1") | {"times": times})
    reader = open_page()
    reader.wait(lambda: reader.text("state").startswith("Live, last write "))
    moment = reader.text("state").removeprefix("Live, ")
    # An epoch takes 100 s, so nothing is late yet. The clock is that of the server.
    plugin.ahead = 300
    ask_again(reader)
    time.sleep(0.3)
    assert reader.text("state").startswith("Live, ")
    plugin.ahead = 400
    ask_again(reader)
    reader.wait(lambda: reader.text("state").startswith("Not live, last write "))
    assert reader.text("state").endswith(moment.split()[-1])
    plugin.put(now("run", 0.2, "2") | {"times": times, "written_at": time.time() + 400})
    ask_again(reader)
    reader.wait(lambda: reader.text("state").startswith("Live, last write "))


def test_old_run_has_the_date_of_its_last_write(plugin, open_page):
    plugin.put(now("run", 0.1, "1") | {"written_at": 1.7e9})
    reader = open_page()
    reader.wait(lambda: "Not live, last write 2023-11-1" in reader.text("state"))
    assert reader.one("state").get_dom_attribute("data-state") == "idle"


def test_compared_runs_are_kept_up_to_date(plugin, open_page):
    def pair(version, value):
        loss = metric("loss", "min", [0.5, value, value])
        return [
            now(name, 0.1, version) | {"metrics": [loss]} for name in ("one", "two")
        ]

    plugin.put(*pair("1", 0.25))
    reader = open_page()
    reader.wait(lambda: rates(reader))
    reader.one("compare", "summary").click()
    reader.one("compare", "input[value=two]").click()
    reader.wait(lambda: len(reader.all("run-row")) == 2)
    reader.press("score-chart", "END")
    assert reader.text("score-readout").count("val_loss 0.25") == 2
    plugin.put(*pair("2", 0.125))
    ask_again(reader)
    reader.wait(lambda: reader.text("score-readout").count("val_loss 0.125") == 2)
    plugin.put(pair("2", 0.125)[0])
    ask_again(reader)
    reader.wait(lambda: 'The run "two" is not in this' in reader.text("note"))


def test_other_runs_share_the_values_of_one(plugin, open_page):
    names = ["one", "two", "three"]
    runs = {name: now(name, 0.1, "1") for name in names}
    runs["three"] |= {"sampled": True, "shared": True}
    plugin.put(*runs.values())
    reader = open_page()
    reader.wait(lambda: rates(reader))
    assert "Choose a run" not in reader.text("note")
    reader.one("compare", "summary").click()
    for count, name in enumerate(names[1:], 2):
        reader.one("compare", f"input[value={name}]").click()
        reader.wait(lambda count=count: len(reader.all("run-row")) == count)
    asked = {query["run"]: query.get("shared_by") for query in plugin.queries}
    assert asked == {"one": None, "two": "2", "three": "2"}
    assert "Choose a run to see all of its rates" in reader.text("note")
    assert "at most 1,000 steps" in reader.text("note")
    runs["three"] |= {"version": "2", "sampled": False, "shared": False}
    reader.choose_run("three")
    reader.wait(lambda: "Choose a run" not in reader.text("note"))
    assert "at most 1,000 steps" not in reader.text("note")
    asked = {query["run"]: query.get("shared_by") for query in plugin.queries}
    assert asked == {"one": "2", "two": "2", "three": None}


def test_late_answer_of_a_deselected_run_does_not_appear(plugin, open_page):
    plugin.put(now("slow", 0.1, "1"), now("quick", 0.2, "1"))
    plugin.held["slow"] = threading.Event()
    reader = open_page()
    reader.wait(lambda: reader.text("message") == "Loading\u2026")
    reader.wait(lambda: reader.one("run-picker").is_enabled())
    reader.choose_run("quick")
    assert rates(reader) == ["0.2"] * 3
    reader.driver.execute_script(
        "window.seen = new Set();"
        "const look = () => document.querySelectorAll('[data-testid=layer-rate]')"
        "  .forEach((cell) => window.seen.add(cell.textContent));"
        "new MutationObserver(look).observe(document.body, "
        "  { subtree: true, childList: true, characterData: true });"
    )
    plugin.held["slow"].set()
    # Two more rounds give the late answer time to arrive.
    for rate, version in ((0.3, "2"), (0.4, "3")):
        plugin.put(now("slow", 0.1, "1"), now("quick", rate, version))
        ask_again(reader)
        reader.wait(lambda rate=rate: rates(reader) == [str(rate)] * 3)
    assert reader.driver.execute_script("return [...window.seen].sort()") == [
        "0.3",
        "0.4",
    ]


def test_deleted_run_stays_on_the_page(plugin, open_page):
    plugin.put(now("run", 0.1, "1"), now("other", 0.2, "1"))
    reader = open_page()
    reader.wait(lambda: rates(reader) == ["0.1"] * 3)
    plugin.put(now("other", 0.2, "1"))
    ask_again(reader)
    reader.wait(lambda: "is not in the log folder" in reader.text("state"))
    assert rates(reader) == ["0.1"] * 3
    reader.choose_run("other")
    assert rates(reader) == ["0.2"] * 3


def test_runs_appear_on_an_empty_page(plugin, open_page):
    reader = open_page()
    reader.wait(lambda: "No run with dropout rates" in reader.text("message"))
    plugin.put(now("run", 0.1, "1"))
    ask_again(reader)
    reader.wait(lambda: rates(reader) == ["0.1"] * 3)


def test_all_requests_go_to_the_plugin(plugin, open_page, browser):
    plugin.put(now("run", 0.1, "1"))
    browsers.requested_addresses(browser)
    reader = open_page()
    reader.wait(lambda: rates(reader))
    asked = browsers.requested_addresses(browser)
    beside = [a for a in asked if not a.startswith(f"{plugin.address}plugin")]
    # Chromium asks for this icon of any document.
    assert [a for a in beside if not a.endswith("/favicon.ico")] == []
    names = [urllib.parse.urlsplit(a).path.rpartition("/")[2] for a in asked]
    assert {"index.js", "style.css", "runs", "training"} <= {*names}
