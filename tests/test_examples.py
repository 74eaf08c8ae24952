"""The examples run without arguments and reach their test errors."""

import inspect
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

import kdropout.demo

# Each example is one program for every backend.
pytestmark = pytest.mark.on_one_backend

FOLDER = pathlib.Path(__file__).parents[1] / "examples"
NOTEBOOK = FOLDER / "notebook.ipynb"

# Upper bounds that hold on each backend. The docstrings give one run on TensorFlow.
LARGEST_TEST_ERROR = {
    "01_schedule.py": 0.06,
    "02_gap_controller.py": 0.09,
    "03_learned_rate.py": 0.06,
    "04_existing_model.py": 0.12,
    "05_uncertainty.py": 0.04,
    "06_tune.py": 0.1,
    "07_tensorboard.py": 0.12,
    "08_auto_rate.py": 0.09,
    "09_fine_tuning.py": 0.2,
    "10_tabular.py": 1.1,
    "11_text.py": 0.4,
    "12_custom_loop.py": 0.09,
}
# The paths that an example writes, cut at this depth; other examples write nothing.
WRITTEN_DEPTH = 3
WRITTEN = {
    "05_uncertainty.py": {"kdropout-demo/uncertainty.png"},
    "07_tensorboard.py": {
        f"kdropout-demo/logs/{run}"
        for run in ("controlled", "fixed", "scheduled", "search")
    },
}


def test_every_example_is_tested():
    files = {path.name for path in FOLDER.glob("*.py")}
    assert files == {*LARGEST_TEST_ERROR, "quickstart.py"}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGEST_TEST_ERROR)
def test_example_runs_and_reaches_its_test_error(name, tmp_path):
    result = subprocess.run(
        [sys.executable, str(FOLDER / name)],
        cwd=tmp_path,
        # On a busy machine, PyTorch's threads wait longer for each other than they
        # compute.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    errors = re.findall(r"^Test error.*: ([\d.]+)%$", result.stdout, re.MULTILINE)
    assert errors
    assert max(map(float, errors)) / 100 < LARGEST_TEST_ERROR[name]
    written = {
        path.relative_to(tmp_path).parts[:WRITTEN_DEPTH]
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert {"/".join(parts) for parts in written} == WRITTEN.get(name, set())
    for auroc in re.findall(r"^AUROC.*: ([\d.]+)$", result.stdout, re.MULTILINE):
        assert float(auroc) > 0.95


def cells_of(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_outputs_of_the_notebook_are_kept_and_small():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 500_000
    cells = cells_of(json.loads(text), "code")
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    # Pictures are letters without a meaning.
    words = re.sub(r'"image/png": "[^"]*"', "", text)
    for trace in ("/home/", "/tmp/", "/root", "/Users/", "object at 0x", "Traceback"):
        assert trace not in words


@pytest.mark.slow
def test_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    root = str(FOLDER.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in cells_of(notebook, "code"):
        cell.outputs = []
    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in cells_of(notebook, "code") for output in cell.outputs]
    data = [output.data for output in outputs if "data" in output]
    assert sum("image/png" in one for one in data) == 3
    markdown = [one["text/markdown"] for one in data if "text/markdown" in one]
    assert markdown[0].startswith("# The best dropout rates")
    assert markdown[1].startswith("Prediction of shape (497, 10), 50 samples")
    printed = "".join(output.text for output in outputs if "text" in output)
    errors = re.findall(r"^Test error with .*: ([\d.]+)%$", printed, re.MULTILINE)
    fixed, live = map(float, errors)
    assert live < 9.0 < fixed
    assert {path.name for path in tmp_path.iterdir()} == {"kdropout-demo"}


def test_quickstart_runs_the_demo_with_arguments_it_takes(monkeypatch):
    calls = []
    signature = inspect.signature(kdropout.demo.run)
    monkeypatch.setattr(
        kdropout.demo, "run", lambda *args, **kw: calls.append((args, kw))
    )
    runpy.run_path(str(FOLDER / "quickstart.py"), run_name="__main__")
    ((args, kw),) = calls
    signature.bind(*args, **kw)
