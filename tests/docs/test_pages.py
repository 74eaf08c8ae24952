"""The code of every page runs, its commands parse, and what it links to exists."""

import pathlib
import re
import shlex
import shutil

import pytest
import yaml

from kdropout import tuning
from kdropout.tuning.job.summary import guess_of, summary_of
from kdropout.tuning.report import pictures
from kdropout_cli.main import make_parser
from tests.tools import linked_files, run_code_of

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))

each_page = pytest.mark.parametrize("page", PAGES)


def blocks(page, language):
    text = (DOCS / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    return text.partition("\nnav:")[2].partition("\nextra:")[0]


def test_navigation_has_every_page_once():
    in_navigation = re.findall(r"([\w/]+\.md)$", navigation(), re.MULTILINE)
    written = [page for page in in_navigation if not page.startswith("project/")]
    assert sorted(written) == PAGES


def test_navigation_has_at_most_seven_tabs():
    assert len(re.findall(r"^  - ", navigation(), re.MULTILINE)) <= 7


def test_search_words_belong_to_pages():
    text = (ROOT / "mkdocs.yml").read_text().partition("search_words:")[2]
    pages = re.findall(r"^    ([\w/]+\.md): \[", text, re.MULTILINE)
    assert pages
    assert set(pages) <= set(PAGES)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_code_runs_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tuner_configs").symlink_to(ROOT / "tuner_configs")
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])
    run_code_of(DOCS / page)


@each_page
def test_jobs_load(page, tmp_path):
    for number, block in enumerate(blocks(page, "yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        assert tuning.load_job(path).training.epochs >= 1


@each_page
def test_commands_are_those_of_the_command_line(page):
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    for _, *words in (shlex.split(x) for x in lines if x.startswith("kdropout ")):
        options = make_parser().parse_args(words)
        config = getattr(options, "config", "job.yaml")
        assert config == "job.yaml" or (ROOT / config).is_file()


@each_page
def test_files_that_are_linked_exist(page):
    assert [path for path in linked_files(DOCS / page) if not path.exists()] == []


def test_the_table_in_the_guide_is_understood_as_shown(tmp_path, monkeypatch):
    (tmp_path / "job.yaml").write_text(blocks("jobs.md", "yaml")[0])
    shutil.copy(ROOT / "tuner_configs" / "table.csv", tmp_path / "customers.csv")
    monkeypatch.chdir(tmp_path)
    checked = tuning.load_job("job.yaml").check()
    lines = [f"{title:9} {text}" for title, text in summary_of(checked.data)]
    (shown,) = [b for b in blocks("jobs.md", "text") if b.startswith("rows ")]
    *shown, task, guess = shown.splitlines()
    assert lines == shown
    assert task == f"task      {checked.task}"
    scores = guess_of(checked.data).scores
    assert all(f"{name} {value:.4g}" in guess for name, value in scores.items())


def test_the_job_in_the_guide_is_the_one_that_it_quotes():
    (block,) = [b for b in blocks("jobs.md", "yaml") if "sklearn: digits" in b]
    shipped = tuning.load_job(ROOT / "tuner_configs" / "digits_mlp.yaml").model_dump()
    assert tuning.Job.model_validate(yaml.safe_load(block)).model_dump() == shipped
