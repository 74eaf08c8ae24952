"""The code of the README runs, and its commands are marked for `.ci/run`."""

import re
import runpy
from pathlib import Path

import pytest

from tests.tools import linked_files, run_code_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
badges = runpy.run_path(str(ROOT / "docs" / "badges.py"))["badges"]

# Tasks of a reader, and what the block of at most ten lines that does each has in it.
TASKS = {
    "anneal an existing model": "convert(model, kdropout.schedules.Ramp",
    "automate the rate": "AutoRate()",
    "hold the gap": "GapController(target=",
    "best rate per layer": "tuning.tune_rates(hp, model",
    "watch it": "TensorBoardRates(",
    "uncertainty": "mc_predict(model",
}


def test_code_runs_in_order(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_code_of(ROOT / "README.md")
    assert {"drop1", "drop2"} == set(names["kdropout"].rates(names["best"]))
    assert "decided by" in capsys.readouterr().out


def test_first_code_is_on_the_first_screen():
    assert shown(README)[:25].count("```python") == 1


def test_prose_is_short():
    prose = re.sub(r"```.*?```", "", "\n".join(shown(README)), flags=re.DOTALL)
    assert len(re.sub(r"\]\([^)]*\)", "]", prose).split()) <= 800


@pytest.mark.parametrize("words", TASKS.values(), ids=TASKS)
def test_each_task_has_a_block_of_at_most_ten_lines(words):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lines = [block.splitlines() for block in blocks if words in block]
    assert [len([line for line in block if line]) <= 10 for block in lines] == [True]


@pytest.mark.parametrize("name", badges())
def test_badges_are_those_of_the_package(name):
    assert (ROOT / "docs" / "badges" / name).read_text() == badges()[name]


def shown(text):
    """The lines that a reader sees."""
    return re.sub(r"<!--.*?-->\n", "", text, flags=re.DOTALL).splitlines()


@pytest.mark.parametrize("name", ["demo", "test", "tune"])
def test_commands_are_marked(name):
    assert re.search(rf"<!-- command: {name} -->\n```sh\n.+\n```\n", README)


def test_linked_files_exist():
    paths = linked_files(ROOT / "README.md")
    assert paths
    assert [path for path in paths if not path.exists()] == []
