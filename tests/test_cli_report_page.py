"""The page that `kdropout report --html` writes, for jobs and for log folders."""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import pathlib
import re
import shutil
import sys

import pytest

import kdropout_cli as cli
from kdropout import tuning
from kdropout.tuning.dropout_tab import gains_payload
from kdropout.tuning.report import pictures
from kdropout.tuning.report.markdown import escape
from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.dashboard.board import write_training
from tests.tuning.run.conftest import run

# The page does not depend on the backend.
pytestmark = pytest.mark.on_one_backend

page_module = importlib.import_module("kdropout_cli.report_page")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a finished job."""
    folder = tmp_path_factory.mktemp("jobs") / "iris <b>"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "draw_all", lambda report, folder: [])
        run(folder, confirm={"seeds": 0})
    return folder


@pytest.fixture
def output(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / finished.name)


@pytest.fixture
def logs(tmp_path):
    """A log folder with two trainings, one of them in the folder itself."""
    for run_name, rate in ((".", 0.25), ("a/b", 0.5)):
        write_training(tmp_path / "logs" / run_name, {"drop": [rate]})
    return tmp_path / "logs"


def main(*arguments):
    """Return exit code, standard output and standard error of `kdropout report`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(["report", *map(str, arguments)])
    return code, out.getvalue(), err.getvalue()


def payloads(folder, *more):
    """Return the data that the page of a folder shows."""
    code, out, err = main(folder, "--html", *more)
    assert (code, err) == (0, "")
    file = pathlib.Path(*more) if more else folder / "report.html"
    assert out == f"Written: {file}\n"
    kind = '<script type="application/json">'
    text = file.read_text(encoding="utf-8").partition(kind)[2].partition("</script>")[0]
    return json.loads(text)


def without_version(payload):
    # A report does not have the time of the last write.
    others = ("version", "written_at")
    return {key: value for key, value in payload.items() if key not in others}


def test_page_of_a_job_shows_the_data_of_the_tab(output):
    shown = payloads(output)
    assert shown["runs"] == [{"name": output.name, "kind": "search"}]
    assert shown["trainings"] == {} and list(shown["searches"]) == [output.name]
    search = shown["searches"][output.name]
    tab = reader.search(open_log(output / "tensorboard"), ".")
    assert search == {**tab, "run": output.name}
    report = json.loads((output / "report.json").read_text())
    assert [t["score"] for t in search["trials"]] == [
        trial["score"] for trial in report["trials"]
    ]
    (marginal,) = search["marginals"]
    assert marginal["name"] == "rate/dense1_drop"
    assert marginal["mean"] == report["marginals"][0]["mean"]


def test_page_takes_data_missing_from_the_log_from_the_report(output):
    expected = payloads(output)["searches"][output.name]
    (marginals,) = (output / "tensorboard").glob("*.marginals-*")
    marginals.unlink()
    again = payloads(output)
    shutil.rmtree(output / "tensorboard")  # as in an output of an older version
    for found in (again, payloads(output)):
        assert found["runs"] == [{"name": output.name, "kind": "search"}]
        search = found["searches"][output.name]
        assert without_version(search) == without_version(expected)


def test_page_needs_only_a_report(output, tmp_path):
    expected = payloads(output)["searches"][output.name]
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(output / "report.json", alone)
    search = payloads(alone)["searches"]["alone"]
    for key in ("trials", "marginals", "objective", "direction"):
        assert search[key] == expected[key]


def test_page_of_a_running_search_can_be_written_at_any_time(output):
    (output / "report.json").unlink()
    (output / "report.md").unlink()
    for path in (output / "tensorboard").glob("*.marginals-*"):
        path.unlink()
    search = payloads(output)["searches"][output.name]
    assert len(search["trials"]) == 3 and search["marginals"]
    state = json.loads((output / "search" / "oracle.json").read_text())
    state["trials"] = [
        {**t, "status": "RUNNING", "score": None} for t in state["trials"]
    ]
    (output / "search" / "oracle.json").write_text(json.dumps(state))
    for folder in (output / "tensorboard").glob("*/"):
        if folder.is_dir():
            shutil.rmtree(folder)
    search = payloads(output)["searches"][output.name]
    assert search["trials"] == search["marginals"] == []
    shutil.rmtree(output / "tensorboard")
    code, _, err = main(output, "--html")
    assert code == 1 and "none completed. Wait until a trial has completed" in err


def test_page_and_terminal_show_the_report_text(output):
    report = tuning.load_report(output)
    answer = dataclasses.asdict(report.answer)
    gains = gains_payload(report.confirmation)
    assert payloads(output)["answers"] == {output.name: {**answer, "gains": gains}}
    code, printed, _ = main(output)
    assert code == 0
    for text in (printed, (output / "report.md").read_text()):
        title, verdict, advice, _, code, next_step, *_ = text.split("\n\n")
        assert title == "# The best dropout rates"
        assert verdict == escape(answer["verdict"])
        assert advice == escape(answer["advice"])
        assert code == f"{answer['code']}\n```"
        assert next_step == f"Next: {escape(answer['next_step'])}"
    content = json.loads((output / "report.json").read_text())
    assert answer.items() <= content.items()


def test_page_has_the_report_text_of_each_of_several_jobs(output):
    shutil.copytree(output, output.with_name("other"))
    log = output.with_name("logged") / "tensorboard"  # a search without a job
    shutil.copytree(output / "tensorboard", log)
    answers = payloads(output.parent)["answers"]
    names = {f"{name}/tensorboard" for name in (output.name, "other")}
    assert answers.keys() == names
    verdicts = {answer["verdict"] for answer in answers.values()}
    assert verdicts == {tuning.load_report(output).verdict}


def test_search_with_only_nan_scores_is_reported_everywhere(output):
    (output / "report.json").unlink()
    file = output / "search" / "oracle.json"
    state = json.loads(file.read_text())
    nan = {"status": "INVALID", "score": float("nan"), "message": None}
    state["trials"] = [{**trial, **nan} for trial in state["trials"]]
    file.write_text(json.dumps(state))
    reason = "All 3 that ended failed with one error: The score was NaN."
    verdict = f"None of 3 trials has completed. {reason}"
    assert payloads(output)["answers"] == {output.name: {"verdict": verdict}}
    code, out, err = main(output)
    assert (code, out) == (1, "") and reason in err
    report = (output / "report.md").read_text()
    assert report.startswith(f"# The best dropout rates\n\n{verdict}\n\n## Failed")
    assert report.count("The score was NaN.") == 1 + 3  # and in the table, by trial


def test_page_of_a_log_folder_needs_no_package_of_the_tuner(
    logs, tmp_path, monkeypatch
):
    monkeypatch.setattr(page_module, "needs_tuner", pytest.fail)
    shown = payloads(logs, tmp_path / "page.html")
    names = ["logs", "a/b"]
    assert shown["runs"] == [{"name": n, "kind": "training"} for n in names]
    for name, rate in zip(names, (0.25, 0.5), strict=True):
        training = shown["trainings"][name]
        assert training["run"] == name
        assert [layer["rate"] for layer in training["layers"]] == [rate]
    assert not (logs / "report.html").exists()


def test_long_reading_is_reported(logs, monkeypatch):
    assert main(logs, "--html")[2] == ""
    monkeypatch.setattr(page_module._Progress, "PATIENCE", -1.0)
    lines = main(logs, "--html")[2].splitlines()
    assert lines == ["Reading run 1 of 2: .", "Reading run 2 of 2: a/b"]


def test_run_named_like_its_folder_keeps_its_name(logs):
    (logs / "a" / "b").rename(logs / "logs")
    assert list(payloads(logs)["trainings"]) == [".", "logs"]


def test_several_jobs_in_one_folder_are_several_searches(output):
    shutil.copytree(output, output.with_name("other"))
    found = payloads(output.parent)["runs"]
    names = {f"{name}/tensorboard" for name in (output.name, "other")}
    assert {run["name"] for run in found} == names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--html"], "'DIR' must be a folder. Received: DIR='nowhere'"),
        (["empty", "--html"], "DIR='empty'.*kdropout.callbacks.TensorBoardRates"),
        (["logs", "--html", "logs"], "'--html' must be a file in a folder that exists"),
        (["logs", "--html", "no/page.html"], "'--html' must be .*no/page.html"),
    ],
)
def test_failure_is_reported(arguments, message, logs, monkeypatch):
    monkeypatch.chdir(logs.parent)
    pathlib.Path("empty").mkdir()
    code, out, err = main(*arguments)
    assert (code, out) == (1, "")
    assert re.search(message, err) and err.startswith("kdropout report: error: ")
    assert not list(pathlib.Path().rglob("*.html"))


def test_message_names_the_extra_if_tensorboard_is_missing(logs, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    code, _, err = main(logs, "--html")
    assert code == 1 and "pip install tensorboard. " in err


def test_page_is_written_whole_or_not_at_all(logs, monkeypatch):
    before = payloads(logs)
    text = (logs / "report.html").read_bytes()

    def fail(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fail)
    code, _, err = main(logs, "--html")
    assert code == 1 and "report.html' cannot be written: Permission denied" in err
    assert "--html FILE" in err
    assert (logs / "report.html").read_bytes() == text and before
    assert sorted(path.suffix for path in logs.iterdir() if path.is_file()) == [
        ".html",
        ".kdropout",
    ]
