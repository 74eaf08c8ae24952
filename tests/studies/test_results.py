"""The pages of the studies agree with the files of results."""

import importlib

import numpy as np
import pytest

from benchmarks.studies import findings, ledger, pages
from benchmarks.studies.__main__ import STUDIES
from kdropout import _statistics

# The tables of 3,180 trainings take ten times as long as the others.
LARGE = pytest.param("one_run", marks=pytest.mark.slow)


@pytest.mark.on_one_backend
@pytest.mark.parametrize(
    "name", [LARGE if name == "one_run" else name for name in STUDIES]
)
def test_tables_of_a_page_equal_those_of_its_results(name):
    study = importlib.import_module(f"benchmarks.studies.{name}")
    rows = ledger.rows_of(study.jobs(study.SEEDS))
    text = (pages.FOLDER / f"{name}.md").read_text()
    assert pages.measured(study, rows) in text
    assert f"]({name}.png)" in text


def test_difference_is_called_better_only_if_its_interval_excludes_zero():
    generator = np.random.default_rng(0)
    baseline = generator.normal(10.0, 2.0, 10)
    for shift, word in ((-1.0, "better"), (1.0, "worse"), (0.0, "")):
        values = baseline + shift + generator.normal(0.0, 0.1, 10)
        text = findings.difference(values, baseline)
        interval = _statistics.paired(values, baseline)
        assert text.endswith(f"to {interval.high:+.2f})" + (f" {word}" if word else ""))
        flipped = findings.difference(values, baseline, more_is_better=True)
        words = {"better": "worse", "worse": "better"}
        assert flipped == (text.replace(word, words[word]) if word else text)


def test_simultaneous_intervals_are_wider():
    baseline, values = np.zeros(5), np.arange(5.0) - 1.0
    alone, together = (findings.difference(values, baseline, n) for n in (1, 10))
    low = [float(text.split("(")[1].split()[0]) for text in (alone, together)]
    assert low[1] < low[0]


def test_choice_by_validation_uses_one_seed_at_a_time():
    rows = [
        {"method": m, "seed": s, "validation_error": v, "test_error": t}
        for m, s, v, t in (
            ("a", 0, 5.0, 1.0),
            ("a", 1, 4.0, 2.0),
            ("b", 0, 4.0, 3.0),
            ("b", 1, 5.0, 4.0),
        )
    ]
    chosen = findings.best_by_validation(rows, [{"method": "a"}, {"method": "b"}])
    assert [row["test_error"] for row in chosen] == [3.0, 2.0]


def test_killed_study_resumes(tmp_path, monkeypatch):
    from benchmarks import reporting
    from benchmarks.studies.trainings import Training

    monkeypatch.setattr(reporting, "RESULTS", tmp_path)
    monkeypatch.setattr(ledger, "FOLDER", tmp_path / "studies")
    jobs = [Training("none", 100, seed) for seed in range(3)]
    header = "method,samples,seed,data,noise,updates,weight_decay,test_error\n"
    whole = "none,100,0,mnist,0.0,1500,0.0,12.5\n"
    torn = "none,100,1,mnist,0.0,1500,0.0,1"
    (tmp_path / "studies").mkdir()
    path = tmp_path / "studies" / "one.csv"
    path.write_text(header + whole + torn)
    done = []

    class Study:
        NAME = "one"

    def results(study, missing, data_dir, processes):
        for job in missing:
            done.append(job.seed)
            yield job, {"test_error": 10.0 + job.seed}

    monkeypatch.setattr(ledger, "_results", results)
    rows = ledger.complete(Study, jobs, None, 1)
    assert done == [1, 2]
    assert [row["test_error"] for row in rows] == [12.5, 11.0, 12.0]
    assert path.read_text().count("\n") == 2 + 1 + 3
    assert ledger.complete(Study, jobs, None, 1) == rows and done == [1, 2]
