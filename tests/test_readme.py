"""The code of the README runs, and its commands are marked for `.ci/run`."""

import re
from pathlib import Path

import pytest

import kdropout
from tests.tools import python_of

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_code_blocks_run_in_order(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = python_of(README)
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert len(blocks) == 6
    assert "rate/drop" in namespace["history"].history
    assert namespace["layer"].rate == 0.3
    assert namespace["prediction"].mutual_information.shape == (32,)
    assert list(kdropout.rates(namespace["best"])) == ["first", "second"]
    assert "decided by" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["demo", "test", "tune"])
def test_commands_are_marked(name):
    assert re.search(rf"<!-- command: {name} -->\n```sh\n.+\n```\n", README)


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    root = Path(__file__).parents[1]
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (root / link).exists()] == []
