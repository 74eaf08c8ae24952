"""Measures how long the Dropout tab of TensorBoard waits for its data.

A real TensorBoard on this machine loads twenty runs of 200 layers and 1,000 epochs, so
4,000,000 numbers. It does so with its default loader, and with the one in Python.

1. The list of runs.
2. A training: each run in turn, then one run repeatedly, then the request of a page
   that already has all data.
3. The first paint, in a browser without a screen: from the request of the page until
   the charts of a run are drawn. It measures only the page, and the page within
   TensorBoard.
4. The same until the charts of five runs are drawn, from a link that names them.

The times of 1 and 2 are those of the whole request, compressed as for a browser. The
requests follow one after the other. Needs Chromium and its chromedriver, and the
packages of the extra [test].

    python -m benchmarks.dashboard

About 3 to 8 minutes on 2 cores, half of which the Python loader takes to read all data.
Needs 150 MB of disk while it runs. Writes results/dashboard.csv.
"""

import argparse
import gzip
import json
import os
import statistics
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks import reporting
from kdropout import _event_log
from kdropout._event_log import RunLog
from tests.dashboard import browser as browsers
from tests.dashboard.board import start_tensorboard

RUNS = 20
LAYERS = 200
EPOCHS = 1_000
REQUESTS = 20  # of each kind
LOADERS = {"rust": "--load_fast=true", "python": "--load_fast=false"}
PAINTS = 10  # of each kind, after one that does not count
OVERLAID = 5  # runs in the same charts
PATIENCE = 900  # seconds, for the Python loader on a busy machine

# True when all layers are in the table, and a heat map is drawn and shown.
IS_PAINTED = f"""
const frame = document.querySelector("iframe[src*=kdropout]");
const page = frame ? frame.contentDocument : document;
const map = page && page.querySelector("[data-testid=heat-map] canvas");
return Boolean(map && map.width > 1
    && page.querySelectorAll("[data-testid=layer-row]").length === {LAYERS});
"""

# True when the losses, gaps and rates of several runs are drawn.
IS_OVERLAID = f"""
const frame = document.querySelector("iframe[src*=kdropout]");
const page = frame ? frame.contentDocument : document;
const count = (chart) =>
  page ? page.querySelectorAll(`[data-testid=${{chart}}] .line`).length : 0;
return count("score-chart") >= {OVERLAID} && count("rate-chart") === {OVERLAID}
    && count("gap-chart") === 2 * {OVERLAID};
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        runs = [write_run(folder / "logs", number) for number in range(RUNS)]
        for loader, option in LOADERS.items():
            output = folder / f"{loader}.txt"
            with start_tensorboard(folder / "logs", output, option) as board:
                seconds = wait_until_loaded(board.address, runs)
                print(f"{loader}: loaded after {seconds:.0f} s", flush=True)
                found = route_rows(board.address, runs)
                found += paint_rows(board.address, folder, runs)
                for row in found:
                    rows.append({"loader": loader} | row)
                    print(rows[-1], flush=True)
    print(reporting.write_csv("dashboard", rows))


def route_rows(address, runs):
    """Times of the routes that serve data."""
    version = ask(address, "training", run=runs[0])[1]["version"]
    again = {"run": runs[0]}
    return [
        _row("runs", [ask(address, "runs") for _ in range(REQUESTS)]),
        _row("training, each run", [ask(address, "training", run=run) for run in runs]),
        _row(
            "training, one run",
            [ask(address, "training", **again) for _ in range(REQUESTS)],
        ),
        _row(
            "training, unchanged",
            [
                ask(address, "training", version=version, **again)
                for _ in range(REQUESTS)
            ],
        ),
    ]


def ask(address, route, **arguments):
    """The seconds that an answer took, the answer, and its compressed size."""
    url = f"{address}/data/plugin/kdropout/{route}?{urllib.parse.urlencode(arguments)}"
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    begin = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        body = response.read()
    seconds = time.perf_counter() - begin
    return seconds, json.loads(gzip.decompress(body)), len(body)


def write_run(folder, number):
    """Write a run in which each rate is a random walk, and return its name."""
    name = f"run_{number}"
    paths = [f"encoder/block_{layer}/dropout" for layer in range(LAYERS)]
    layers = [{"path": p, "kind": "Dropout", "decided_by": "you"} for p in paths]
    content = {"format": 1, "layers": layers, "target": None}
    log = RunLog(folder / name)
    log.write(_event_log.description("kdropout/run", content), 0)
    steps = np.random.default_rng(number).normal(0.0, 0.01, (EPOCHS, LAYERS))
    rates = np.abs(0.3 + steps.cumsum(axis=0)) % 1.0
    tags = [f"dropout_rate/{path}" for path in paths]
    names = ["loss", "val_loss", "clean_loss", "accuracy", "val_accuracy"]
    for epoch, values in enumerate(rates.tolist()):
        scalars = dict(zip(tags, values, strict=True))
        scalars |= {f"metric/{name}": values[i] for i, name in enumerate(names)}
        scalars |= {"overfitting_gap/loss": values[0], "progress/training_steps": epoch}
        log.write(_event_log.scalars(scalars), epoch)
    log.close()
    return name


def paint_rows(address, folder, runs):
    """Times until the charts of the first run, and of several runs, are drawn."""
    tab, alone = f"{address}/#kdropout", f"{address}/data/plugin_entry.html"
    rows = []
    with browsers.chromium(folder) as driver:
        paint(driver, tab)  # the browser starts cold
        for what, url in {
            "first paint, the page alone": f"{alone}?name=kdropout",
            "first paint, with all of TensorBoard": tab,
        }.items():
            rows.append(_row(what, [paint(driver, url) for _ in range(PAINTS)]))
        shown = ",".join(
            f"{slot}%253A{run}" for slot, run in enumerate(runs[:OVERLAID])
        )
        for what, url in {
            "five runs, the page alone": f"{alone}?name=kdropout#runs={shown}",
            "five runs, with all of TensorBoard": f"{tab}&p.kdropout.runs={shown}",
        }.items():
            times = [paint(driver, url, IS_OVERLAID) for _ in range(PAINTS)]
            rows.append(_row(what, times))
    return rows


def paint(driver, address, is_painted=IS_PAINTED):
    """Seconds from the request of a page until it shows a picture of all layers."""
    driver.switch_to.default_content()
    driver.get("about:blank")
    begin = time.perf_counter()
    driver.get(address)
    while not driver.execute_script(is_painted):
        if time.perf_counter() - begin > PATIENCE:
            raise RuntimeError(f"The page was not painted within {PATIENCE} s.")
    return time.perf_counter() - begin, None, 0


def wait_until_loaded(address, runs):
    """Seconds until TensorBoard has all epochs of all runs."""
    begin = time.perf_counter()
    while len(ask(address, "runs")[1]["runs"]) < len(runs):
        _be_patient(begin)
    for run in runs:
        while not _is_whole(ask(address, "training", run=run)[1]):
            _be_patient(begin)
    return time.perf_counter() - begin


def _is_whole(payload):
    epoch = payload["rates"]["epoch"]
    return epoch is not None and len(epoch["steps"]) == EPOCHS


def _be_patient(begin):
    if time.perf_counter() - begin > PATIENCE:
        raise RuntimeError(f"TensorBoard did not load all runs within {PATIENCE} s.")
    time.sleep(1)


def _row(what, answers):
    seconds = [answer[0] for answer in answers]
    return {
        "what": what,
        "requests": len(answers),
        "median_ms": round(1000 * statistics.median(seconds), 1),
        "min_ms": round(1000 * min(seconds), 1),
        "max_ms": round(1000 * max(seconds), 1),
        "kilobytes": round(answers[-1][2] / 1000, 1),
    }


if __name__ == "__main__":
    main()
