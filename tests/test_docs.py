"""The code of the guides runs, their jobs load, and their commands parse."""

import pathlib
import re
import shlex

import pytest

from kdropout import tuning
from kdropout.cli.main import make_parser
from kdropout.tuning.report import pictures

ROOT = pathlib.Path(__file__).parents[1]
# What the code of each guide ends with, and whether it has commands of kdropout.
ENDS_WITH = {
    "cluster.md": ("tuner", True),
    "cost.md": ("model", False),
    "tensorboard.md": ("tuner", True),
    "tuning.md": ("tuner", True),
}
GUIDES = list(ENDS_WITH)


def test_every_guide_is_tested():
    assert {path.name for path in (ROOT / "docs").glob("*.md")} == set(GUIDES)


def blocks(guide, language):
    text = (ROOT / "docs" / guide).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("guide", GUIDES)
def test_code_runs_in_order(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tuner_configs").symlink_to(ROOT / "tuner_configs")
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])
    namespace = {}
    for block in blocks(guide, "python"):
        exec(compile(block, guide, "exec"), namespace)
    name, _ = ENDS_WITH[guide]
    assert name in namespace


@pytest.mark.parametrize("guide", GUIDES)
def test_jobs_load(guide, tmp_path):
    for number, block in enumerate(blocks(guide, "yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        assert tuning.load_job(path).training.epochs >= 1


@pytest.mark.parametrize("guide", GUIDES)
def test_commands_are_those_of_the_command_line(guide):
    lines = [line for block in blocks(guide, "sh") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("kdropout ")]
    _, has_commands = ENDS_WITH[guide]
    assert bool(commands) == has_commands
    for _, *words in commands:
        options = make_parser().parse_args(words)
        config = getattr(options, "config", "job.yaml")
        assert config == "job.yaml" or (ROOT / config).is_file()


@pytest.mark.parametrize("guide", GUIDES)
def test_files_that_are_linked_exist(guide):
    text = (ROOT / "docs" / guide).read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / "docs" / link).exists()] == []


def test_the_job_in_the_guide_is_the_one_that_it_quotes():
    (block,) = blocks("tuning.md", "yaml")
    path = ROOT / "tuner_configs" / "digits_mlp.yaml"
    shipped = tuning.load_job(path).model_dump()
    assert tuning.Job.model_validate(_plain(block)).model_dump() == shipped


def _plain(text):
    import yaml

    return yaml.safe_load(text)
