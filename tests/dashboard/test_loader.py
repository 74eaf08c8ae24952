"""TensorBoard finds the tab, and an error in our code does not stop it."""

import importlib.metadata
import logging
import pathlib
import shutil
import subprocess
import sys
import types

import pytest
from tensorboard.backend.application import make_plugin_loader
from tensorboard.plugins.base_plugin import TBContext

import kdropout_dashboard
from kdropout_dashboard import plugin, script
from kdropout_dashboard.loader import DropoutLoader
from kdropout_dashboard.source import open_log
from tests.dashboard.board import start_tensorboard, write_training

PACKAGE = pathlib.Path(kdropout_dashboard.__file__).parent

# Runs where Keras, a backend and our package cannot be imported. Finds the entry point
# in the way of TensorBoard, makes its application, and sends it a request.
WITHOUT_KERAS = """
import importlib.metadata, json, sys
absent = ("keras", "tensorflow", "jax", "torch", "kdropout")
sys.modules.update(dict.fromkeys(absent))
from tensorboard.backend.application import TensorBoardWSGI, make_plugin_loader
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client
from kdropout_dashboard.source import open_log

(point,) = importlib.metadata.entry_points(
    group="tensorboard_plugins", name="kdropout"
)
provider = open_log(sys.argv[1]).provider
plugin = make_plugin_loader(point.load()).load(TBContext(data_provider=provider))
client = Client(TensorBoardWSGI([plugin], data_provider=provider))
tab = client.get("/data/plugins_listing").json["kdropout"]
assert tab["enabled"] and tab["tab_name"] == "Dropout"
answer = client.get("/data/plugin/kdropout/training?run=run").json
assert answer["rates"]["epoch"]["values"] == [[0.5, 0.25]]
assert client.get("/data/plugin/kdropout/index.js").status_code == 200
assert not [name for name in absent if sys.modules[name]]
"""


@pytest.fixture
def context(tmp_path):
    return TBContext(data_provider=open_log(tmp_path).provider)


@pytest.fixture
def warnings(monkeypatch):
    """Return the lines that TensorBoard's logger prints."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("tensorboard")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_tensorboard_finds_the_loader():
    (point,) = importlib.metadata.entry_points(
        group="tensorboard_plugins", name="kdropout"
    )
    assert point.load() is DropoutLoader
    assert isinstance(make_plugin_loader(point.load()), DropoutLoader)


def test_tab_needs_neither_keras_nor_a_backend(tmp_path):
    write_training(tmp_path / "run", {"a": [0.5, 0.25]})
    subprocess.run([sys.executable, "-c", WITHOUT_KERAS, tmp_path], check=True)


def test_loader_imports_no_module_of_kdropout():
    script = (
        "import sys, kdropout_dashboard.loader\n"
        "ours = [name for name in sys.modules if name.startswith('kdropout')]\n"
        "assert ours == ['kdropout_dashboard', 'kdropout_dashboard.loader'], ours\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_plugin_is_loaded(context, warnings):
    assert isinstance(DropoutLoader().load(context), plugin.DropoutPlugin)
    assert not warnings


def test_missing_page_gives_no_tab(context, warnings, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "STATIC", tmp_path)
    assert DropoutLoader().load(context) is None
    (record,) = warnings
    assert record.levelno == logging.WARNING
    assert "FileNotFoundError" in record.getMessage()
    assert str(tmp_path) in record.getMessage()


def test_missing_data_provider_gives_no_tab(warnings):
    assert DropoutLoader().load(TBContext()) is None
    assert "no data provider" in warnings[0].getMessage()


@pytest.mark.parametrize("error", [ImportError, AttributeError, RuntimeError])
def test_failing_plugin_gives_no_tab_and_one_line(
    context, warnings, monkeypatch, error
):
    def fail(context):
        raise error("first\nsecond")

    broken = types.ModuleType("broken")
    broken.DropoutPlugin = fail
    monkeypatch.setitem(sys.modules, "kdropout_dashboard.plugin", broken)
    assert DropoutLoader().load(context) is None
    assert [record.getMessage() for record in warnings] == [
        f"TensorBoard starts without the tab 'Dropout'. {error.__name__}: first second"
    ]


@pytest.mark.slow
def test_broken_installation_does_not_stop_tensorboard(tmp_path):
    write_training(tmp_path / "logs" / "run", {"a": [0.5]})
    copy = tmp_path / "path" / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "plugin.py").write_text("def broken(:\n")
    with start_tensorboard(
        tmp_path / "logs",
        tmp_path / "output",
        "--load_fast=true",
        python_path=copy.parent,
    ) as board:
        assert board.tab() is None
        assert board.get("")[0] == 200
    lines = board.output.read_text().splitlines()
    (line,) = [line for line in lines if "kdropout" in line or "'Dropout'" in line]
    assert "TensorBoard starts without the tab 'Dropout'. SyntaxError" in line
