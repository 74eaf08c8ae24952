"""The tab in a real TensorBoard, with both of its ways to load logs."""

import contextlib
import http.client
import json
import math
import shutil
import urllib.parse

import pytest

from kdropout import _event_log
from kdropout._event_log import RunLog
from kdropout_dashboard import reader
from kdropout_dashboard.script import STATIC, one_module
from kdropout_dashboard.source import open_log
from tests.dashboard.board import eventually, start_tensorboard, write_training

NAMES = ("<b>&'\"", "bäckbone δrop 層", "100%25 #1?a=b&c", f"{'x' * 250}/{'y' * 250}")
LONG = 1_500

# The default loader, behind the prefix of a proxy; and the loader in Python.
WAYS = {
    "rust": ("--load_fast=true", "--path_prefix", "/a/b"),
    "python": ("--load_fast=false",),
}
EACH_WAY = ["rust", pytest.param("python", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Write a folder with all cases; return it with the data that the page gets."""
    folder = tmp_path_factory.mktemp("logs")
    gaps = [{"loss": epoch / 8, "naive_loss": -1.0} for epoch in range(4)]
    target = {"metric": "loss", "value": 0.4, "dead_band": 0.0}
    rates = {"b": [0.1, 0.2, 0.3, 0.4], "a": [0.5, math.nan, math.inf, 0.0]}
    write_training(folder / "plain", rates, gaps=gaps, target=target)
    for name in NAMES:
        layers = {f"{name}/drop": [0.25, 0.5]}
        write_training(folder / "names" / name, layers, gaps=[{name: 1.0}] * 2)
    write_training(folder / "resumed", {"a": [0.1, 0.2, 0.3, 0.4, 0.5]})
    write_training(folder / "resumed", {"a": [0.7, 0.8]}, first=2)
    write_training(folder / "truncated", {"a": [0.125, 0.25, 0.5]})
    (file,) = (folder / "truncated").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    write_training(folder / "growing", {"a": [0.5]})
    for name, tag, content in (
        ("broken", "kdropout/run", {"format": 1, "layers": {"path": []}}),
        ("search", "kdropout/search", {"format": 1, "objective": "val_loss"}),
        ("search", "kdropout/search", {"format": 1, "dimensions": [{"name": "x"}]}),
        ("search/0", "kdropout/trial", {"format": 1, "values": {"x": 0.5}}),
        ("search/1", "kdropout/trial", {"format": 1, "values": {"x": "?"}}),
    ):
        log = RunLog(folder / name)
        log.write(_event_log.description(tag, content), 0)
        log.write(_event_log.scalars({"dropout_rate/a": 0.5, "epoch_loss": 1.0}), 0)
        log.close()
    source = open_log(folder)
    listed = reader.runs(source)
    expected = {
        (run["kind"], run["name"]): getattr(reader, run["kind"])(source, run["name"])
        for run in listed["runs"]
    }
    # More steps than TensorBoard keeps, so the data that it serves differ.
    write_training(folder / "long", {"a": [0.5] * LONG, "b": [0.25] * LONG})
    return folder, expected


@pytest.fixture(scope="module", params=EACH_WAY)
def board(request, logs, tmp_path_factory):
    folder, expected = logs
    copy = tmp_path_factory.mktemp(request.param) / "logs"
    shutil.copytree(folder, copy)
    output = copy.parent / "output"
    with start_tensorboard(copy, output, *WAYS[request.param]) as board:
        board.folder = copy
        eventually(lambda: len(board.data("runs")["runs"]) > len(expected))
        yield board


def test_both_loaders_serve_the_data_of_the_folder(board, logs):
    _, expected = logs

    def served():
        return {
            (kind, name): board.data(kind, run=name, version="none")
            for kind, name in expected
        }

    assert eventually(served, lambda answer: answer == expected) == expected


def test_runs_are_listed_in_natural_order(board, logs):
    _, expected = logs
    listed = board.data("runs")["runs"]
    names = [(run["kind"], run["name"]) for run in listed]
    assert [name for name in names if name[1] != "long"] == list(expected)


def test_steps_omitted_by_tensorboard_are_reported(board):
    def served():
        return board.data("training", run="long")

    payload = eventually(served, lambda answer: answer["sampled"])
    epoch = payload["rates"]["epoch"]
    assert payload["sampled"]
    assert epoch["steps"][-1] == LONG - 1
    assert 900 < len(epoch["steps"]) <= 1_000
    assert epoch["values"] == [[rate] * len(epoch["steps"]) for rate in (0.5, 0.25)]


def test_new_data_arrive_once(board):
    first = board.data("training", run="growing")
    version = first["version"]
    again = {"version": version, "unchanged": True}
    assert board.data("training", run="growing", version=version) == again
    log = RunLog(board.folder / "growing")
    log.write(_event_log.scalars({"dropout_rate/a": 0.75}), 1)
    log.close()
    payload = eventually(
        lambda: board.data("training", run="growing", version=version),
        lambda answer: "unchanged" not in answer,
    )
    assert payload["rates"]["epoch"] == {"steps": [0, 1], "values": [[0.5, 0.75]]}
    assert payload["layers"][0]["rate"] == 0.75


def test_unknown_run_is_not_found(board):
    for route in ("training", "search"):
        for arguments in ({}, {"run": ""}, {"run": "nowhere"}, {"run": "\0\n'<b>"}):
            status, headers, body = board.get(
                f"data/plugin/kdropout/{route}", **arguments
            )
            assert status == 404
            assert headers.get_content_type() == "application/json"
            assert "'run' must be" in json.loads(body)["error"]


def test_invalid_requests_are_answered_in_json(board):
    address = urllib.parse.urlsplit(board.address)
    for method, path, expected in (
        ("GET", "training?run=%ff%fe", 404),
        ("GET", "training?run=plain&run=long&version=%00", 200),
        ("GET", "training?run=plain&shared_by=0", 200),
        ("GET", "training?run=plain&shared_by=-1.5", 200),
        ("GET", f"training?run=plain&shared_by={'9' * 5_000}", 200),
        ("GET", "training?run=plain&shared_by=%C2%B2", 200),
        ("GET", f"training?run={'x' * 10_000}", 404),
        ("POST", "runs", 405),
        ("DELETE", "training?run=plain", 405),
    ):
        with contextlib.closing(
            http.client.HTTPConnection(address.hostname, address.port)
        ) as connection:
            connection.request(method, f"{address.path}/data/plugin/kdropout/{path}")
            answer = connection.getresponse()
            assert answer.status == expected, path
            json.loads(answer.read())


def test_tab_and_its_page_are_served(board):
    tab = board.tab()
    assert tab["enabled"]
    assert tab["tab_name"] == "Dropout"
    prefix = urllib.parse.urlsplit(board.address).path
    module = tab["loading_mechanism"]["module_path"]
    assert module == f"{prefix}/data/plugin/kdropout/index.js"
    status, headers, body = board.get(module.removeprefix(f"{prefix}/"))
    assert status == 200
    assert headers.get_content_type() == "text/javascript"
    assert "no-cache" in headers["Cache-Control"]
    assert body == one_module("index.js").encode()
    status, headers, body = board.get("data/plugin/kdropout/style.css")
    assert status == 200
    assert headers["Content-Type"] == "text/css; charset=utf-8"
    assert body == (STATIC / "style.css").read_bytes()


def test_other_files_are_not_served(board):
    address = urllib.parse.urlsplit(board.address)
    for path in (
        "../plugin.py",
        "..%2fplugin.py",
        "%2e%2e/plugin.py",
        "index.js/../../plugin.py",
        "plugin.py",
        "app.js",
        "static/index.js",
        "/etc/passwd",
        "",
    ):
        with contextlib.closing(
            http.client.HTTPConnection(address.hostname, address.port)
        ) as connection:
            connection.request("GET", f"{address.path}/data/plugin/kdropout/{path}")
            answer = connection.getresponse()
            assert answer.status == 404, path
            assert b"import" not in answer.read()


@pytest.mark.parametrize("way", EACH_WAY)
def test_folder_without_our_data_gives_no_tab(way, tmp_path):
    log = RunLog(tmp_path / "logs" / "run")
    log.write(_event_log.scalars({"epoch_loss": 1.0, "dropout_rate/a": 0.5}), 0)
    log.close()
    option, *_ = WAYS[way]
    with start_tensorboard(tmp_path / "logs", tmp_path / "output", option) as board:
        eventually(lambda: b"epoch_loss" in board.get("data/plugin/scalars/tags")[2])
        assert board.tab()["enabled"] is False
        assert board.data("runs") == {"runs": []}
