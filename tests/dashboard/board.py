"""Starts a real TensorBoard, and writes logs for it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from kdropout import _event_log
from kdropout._event_log import RunLog

# A start takes three seconds; a busy machine needs many times that.
PATIENCE = 90


class Board:
    """A running TensorBoard that answers requests in the way of a browser."""

    def __init__(self, process, output, address):
        self.process = process
        self.output = output
        self.address = address

    def get(self, path, **arguments):
        """Return status, headers and body of the response for a path."""
        query = urllib.parse.urlencode(arguments)
        try:
            url = f"{self.address}/{path}?{query}"
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def data(self, route, **arguments):
        """Return the answer of a route of our plugin."""
        status, _, body = self.get(f"data/plugin/kdropout/{route}", **arguments)
        assert status == 200, body
        return json.loads(body)

    def tab(self):
        """Return the data that TensorBoard sends about our tab, or None."""
        return json.loads(self.get("data/plugins_listing")[2]).get("kdropout")


@contextlib.contextmanager
def start_tensorboard(folder, output, *options, python_path=None):
    """Start TensorBoard on a free port, and end it.

    Args:
        folder: Folder of the logs.
        output: Path of the file for its output.
        *options: Further command-line arguments.
        python_path: Folder that Python searches first for packages.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    command += ["--port", "0", "--host", "127.0.0.1", "--reload_interval", "1"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    if python_path is not None:
        environment["PYTHONPATH"] = str(python_path)
    with open(output, "w") as file:
        process = subprocess.Popen(
            [*command, *options],
            stdout=file,
            stderr=file,
            env=environment,
            cwd=output.parent,  # Python imports from here first
        )
    try:
        pattern = r"TensorBoard \S+ at (http://\S+?)/? \("
        found = eventually(
            lambda: re.search(pattern, output.read_text()) or process.poll()
        )
        assert isinstance(found, re.Match), output.read_text()
        yield Board(process, output, found[1])
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(question, is_answer=lambda value: value not in (None, False)):
    """Return the result of `question` once it is true, or after a long time."""
    deadline = time.monotonic() + PATIENCE
    while not is_answer(value := question()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def write_training(
    folder, rates, layers=None, gaps=(), target=None, first=0, metrics=()
):
    """Write a run with the rates, dict from path to list by epoch.

    Args:
        folder: Folder of the run.
        rates: Dict from path of a layer to its rates, one per epoch.
        layers: The paths in the order of the model; those of `rates` by default.
        gaps: Sequence by epoch of dicts from the name of a gap to its value.
        target: Target of a controller, or None.
        first: Number of the first epoch.
        metrics: Sequence by epoch of dicts from the name of a metric to its value.
    """
    paths = list(rates) if layers is None else layers
    described = [{"path": p, "kind": "Dropout", "decided_by": "you"} for p in paths]
    content = {"format": 1, "layers": described, "target": target}
    log = RunLog(folder)
    log.write(_event_log.description("kdropout/run", content), 0)
    for index, values in enumerate(zip(*rates.values(), strict=True)):
        tags = {f"dropout_rate/{p}": v for p, v in zip(rates, values, strict=True)}
        if gaps:
            tags |= {f"overfitting_gap/{k}": v for k, v in gaps[index].items()}
        if metrics:
            tags |= {f"metric/{k}": v for k, v in metrics[index].items()}
        log.write(_event_log.scalars(tags), first + index)
    log.close()
