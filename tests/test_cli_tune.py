"""The commands that run jobs: their output, where it goes, and their exit codes."""

import ast
import contextlib
import io
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import kdropout
import kdropout_cli as cli
from kdropout import tuning
from kdropout._requirements import SEARCH_PACKAGES
from kdropout.tuning.report import pictures
from kdropout.tuning.report.markdown import escape
from kdropout_cli.common import LATER_PACKAGES
from kdropout_cli.main import make_parser

# The commands do not depend on the backend.
pytestmark = pytest.mark.on_one_backend

JOB = """\
data: {sklearn: iris}
model: {architecture: mlp, units: [8]}
search: {max_trials: 3}
training: {epochs: 2, batch_size: 90}
confirm: {seeds: 2, top: 1}
output: results
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("KDROPOUT_DATA", "")  # so that pytest restores it
    monkeypatch.delenv("KDROPOUT_DATA")
    pathlib.Path("job.yaml").write_text(JOB)


def main(*arguments):
    """Return exit code, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(list(arguments))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.slow
def test_tune_prints_the_answer_and_report_prints_it_in_full():
    code, out, err = main("tune", "job.yaml", "--set", "confirm.top=2")
    assert code == 0
    *answer, written, commands = out.strip().split("\n\n")
    assert all(len(line) <= 88 for part in answer for line in part.splitlines())
    verdict, advice, call, next_step = (" ".join(part.split()) for part in answer)
    assert "no dropout" in verdict and advice.startswith("Use ")
    assert next_step.startswith("Next: ")
    rates = ast.literal_eval(
        call.removeprefix("kdropout.set_rates(model, ").removesuffix(")")
    )
    assert list(rates) == ["dense1_drop"] and 0 <= rates["dense1_drop"] <= 0.8
    assert (
        written == f"Written: {os.path.join('results', 'report.md')} and its pictures."
    )
    assert commands.splitlines() == [
        "Commands:",
        "  kdropout report results --html",
        f"  tensorboard --logdir {os.path.join('results', 'tensorboard')}",
        "  kdropout tune job.yaml --set confirm.top=2 --resume --set confirm.seeds=10",
    ]
    assert "Trial 2 (3/3): val_loss" in err and "Seed 1001 (2/2): no dropout" in err
    code, out, err = main("report", "results")
    assert (code, err) == (0, "")
    assert out.strip() == pathlib.Path("results", "report.md").read_text().strip()
    for part in (verdict, advice, call, next_step):
        assert escape(part) in out or part in out
    code, out, err = main("tune", "job.yaml")
    assert (code, out) == (1, "")
    assert err.startswith("kdropout tune: error: job.yaml cannot be used:\n  line 6, ")
    assert "--resume" in err
    code, again, err = main("tune", "job.yaml", "--resume", "--set", "confirm.top=2")
    assert code == 0 and " ".join(again.split()).startswith(verdict)


def test_check_shows_the_search_and_writes_nothing():
    pathlib.Path("job.yaml").write_text(JOB + "space: {'*': [0.1, 0.5]}\n")
    code, out, err = main("check", "job.yaml", "--set", "search.max_trials=7")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    y = tuning.load_job("job.yaml").make_data().y_train
    counts = [f"{n} {(y == n).sum()} ({(y == n).mean():.1%})" for n in range(3)]
    guess = lines.pop(3)
    assert guess[0] == "guess" and guess[1].startswith("always '")
    assert lines == [
        ["rows", "90 training, 30 validation, 30 test; samples of shape (4,)"],
        ["classes", f"{', '.join(counts)}, of the training labels"],
        [
            "task",
            "classification of 3 classes (labels are integers); "
            "loss sparse_categorical_crossentropy; metrics accuracy",
        ],
        ["model", f"{4 * 8 + 8 + 8 * 3 + 3} trainable parameters"],
        ["search", "RandomSearch, 7 trials, 2 epochs, objective val_loss"],
        ["output", "results"],
        ["searched:"],
        ["rate/dense1_drop:", "0.1 to 0.5"],
    ]
    assert [path.name for path in pathlib.Path().iterdir()] == ["job.yaml"]


def test_check_shows_what_it_understood_of_a_table(tmp_path):
    rows = [
        f"{row},{row % 5},{'' if row % 10 == 0 else row * 1.5},{'xyz'[row % 3]},7,"
        f"{row % 3},{'yes' if row % 4 == 0 else 'no'}"
        for row in range(60)
    ]
    header = "id,size,price,kind,same,weight,buys"
    pathlib.Path("t.csv").write_text("\n".join([header, *rows]))
    data = "csv: t.csv, target: buys, ignore: id, sample_weight: weight"
    pathlib.Path("job.yaml").write_text(
        f"data: {{{data}}}\ntraining: {{class_weight: {{yes: 5}}}}\n"
    )
    code, out, err = main("check", "job.yaml")
    assert (code, err) == (0, "")
    made = tuning.load_job("job.yaml").make_data()
    share = (made.y_train == 0).mean()
    accuracy = (made.y_test == 0).mean()
    logs = np.log([share, 1 - share])[made.y_test]
    mean = np.nanmean([float(row.split(",")[2] or "nan") for row in rows])
    lines = " ".join(out.split())
    for part in (
        "rows 36 training, 12 validation, 12 test; samples of shape (6,)",
        "columns 3 become 6 features",
        "size number 1 price number 2 6 missing: replaced by the mean",
        "and marked by a feature kind category 3 same not used - only the value 7.0",
        "id not used - in 'ignore'",
        f"classes no {(made.y_train == 0).sum()} ({share:.1%}), yes",
        "weights training samples 0 to 2; validation samples 0 to 2; test",
        "classes yes 5 (training loss only)",
        "classification of 2 classes (labels are texts: 'no', 'yes')",
        f"guess always 'no': test accuracy {accuracy:.4g}, crossentropy "
        f"{-(logs * made.w_test).mean():.4g}",
    ):
        assert part in lines, part
    assert 30.0 < mean < 60.0


def test_check_shows_the_error_of_the_mean_for_a_regression():
    pathlib.Path("job.yaml").write_text("data: {sklearn: diabetes}\n")
    code, out, _ = main("check", "job.yaml")
    made = tuning.load_job("job.yaml").make_data()
    error = np.sqrt(np.square(made.y_test).mean())
    assert code == 0 and "the mean of the training targets" in out
    assert f"root_mean_squared_error {error:.4g}" in out
    assert f"unit of the target {error * float(made.target_scale):.4g}" in out


def test_all_faults_are_reported_at_once_with_their_places():
    pathlib.Path("job.yaml").write_text(JOB.replace("units", "unit"))
    for command in ("check", "tune"):
        code, out, err = main(command, "job.yaml", "--set", "training.epochs=0")
        assert (code, out) == (1, "")
        assert err.startswith(f"kdropout {command}: error: job.yaml cannot be used:\n")
        assert "line 2, model.unit: " in err and "'units'" in err
        assert "--set training.epochs=0, training.epochs: " in err
        assert "Traceback" not in err and len(err.splitlines()) == 3
    assert not pathlib.Path("results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "jobs.yaml"], "jobs.yaml"),
        (["tune", "job.yaml", "--workers", "0"], "workers"),
        (["check", "job.yaml", "--set", "epochs"], "must be key=value"),
        (["report", "nowhere"], "must be a folder that 'kdropout tune' wrote to"),
        (["report", "."], "must be a folder that 'kdropout tune' wrote to"),
    ],
)
def test_error_is_one_block_on_standard_error(arguments, message):
    code, out, err = main(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"kdropout {arguments[0]}: error: ") and message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["tune"], ["report"], ["check", "a", "b"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: kdropout ")


@pytest.mark.parametrize("command", [[], ["demo"], ["tune"], ["check"], ["report"]])
def test_help_shows_examples_that_can_be_parsed(command, capsys, monkeypatch):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    _, _, epilog = capsys.readouterr().out.partition("\nexample")
    examples = [
        line.split("kdropout ", 1)[1]
        for line in epilog.splitlines()[:6]
        if "kdropout " in line and not line.startswith("'")
    ]
    assert examples
    for example in examples:
        words = shlex.split(example.split(" > ")[0])
        assert callable(make_parser().parse_args(words).command)


def test_data_are_read_from_data_dir():
    pathlib.Path("job.yaml").write_text(JOB.replace("sklearn: iris", "uci: yacht"))
    pathlib.Path("there").mkdir()
    code, _, err = main("check", "job.yaml", "--data-dir", "there")
    assert code == 1 and os.path.join("there", "uci", "yacht") in err


PACKAGES = {**SEARCH_PACKAGES, **LATER_PACKAGES}


@pytest.mark.parametrize("command", ["tune", "check", "report"])
@pytest.mark.parametrize("package", PACKAGES)
def test_missing_package_is_reported_at_once(package, command, monkeypatch):
    module = PACKAGES[package]

    class Blocker:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == module:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Blocker, *sys.meta_path])
    code, out, err = main(command, "job.yaml")
    assert (code, out) == (1, "")
    assert f"Not installed: {package}. Run: pip install {package}. " in err


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_shows_a_resume_command_that_works(monkeypatch):
    settings = ["training.epochs=300", "search.max_trials=12"]
    changes = [f"--set={setting}" for setting in settings] + ["--data-dir", "my data"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kdropout_cli", "tune", "job.yaml", *changes],
        env={
            **os.environ,
            "PYTHONPATH": str(pathlib.Path(kdropout.__file__).parents[1]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not completed():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    *_, told, command = err.rstrip().splitlines()
    assert told == (
        "kdropout tune: interrupted. All finished trainings are kept. Continue with:"
    )
    before = completed()
    assert 1 <= len(before) < 12  # it was in mid-search
    code, out, err = main("report", "results")
    assert code == 0 and "Not confirmed" in out
    assert "kdropout report: the job is not finished. Continue it with" in err
    program, *arguments = shlex.split(command)
    assert program == "kdropout" and "my data" in arguments
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])
    code, out, _ = main(*arguments)
    assert code == 0 and "no dropout" in out
    after = completed()
    assert len(after) == 12 and before.items() <= after.items()


def completed():
    """Return the scores of the completed trials."""
    try:
        state = json.loads(pathlib.Path("results/search/oracle.json").read_text())
    except FileNotFoundError:
        return {}
    return {
        trial["trial_id"]: trial["score"]
        for trial in state["trials"]
        if trial["status"] == "COMPLETED"
    }


@pytest.mark.parametrize("command", ["check", "tune"])
def test_module_that_exits_with_0_is_an_error(command, tmp_path):
    name = f"exiting_{command}"
    (tmp_path / f"{name}.py").write_text("import sys\nsys.exit(0)\n")
    pathlib.Path("job.yaml").write_text(f"model: {{build: '{name}:build'}}\n")
    code, out, err = main(command, "job.yaml")
    assert (code, out) == (1, "")
    assert "line 1, model.build: cannot be imported: SystemExit: 0" in err
    assert f"({name}.py, line 2)" in err and "__main__" in err


def test_layer_that_exits_in_training_is_an_error(tmp_path):
    (tmp_path / "exiting_layer.py").write_text(
        "import keras, sys\n"
        "class Exits(keras.layers.Layer):\n"
        "    def call(self, inputs, training=False):\n"
        "        if training:\n"
        "            sys.exit(0)\n"
        "        return inputs\n"
        "def build(data):\n"
        "    return keras.Sequential([keras.Input((4,)), Exits(),\n"
        "        keras.layers.Dropout(0.5, name='drop'),\n"
        "        keras.layers.Dense(3, 'softmax')])\n"
    )
    text = JOB.replace(
        "{architecture: mlp, units: [8]}", "{build: 'exiting_layer:build'}"
    )
    pathlib.Path("job.yaml").write_text(text)
    code, out, err = main("tune", "job.yaml")
    assert (code, out) == (1, "")
    assert "line 2, model.build: ends the search: SystemExit: 0" in err
    assert "(exiting_layer.py, line 5)" in err and "Traceback" not in err


def test_search_with_only_nan_scores_is_reported():
    optimizer = "model.optimizer={name: sgd, learning_rate: 1e30}"
    code, out, err = main("tune", "job.yaml", "--set", optimizer)
    assert (code, out) == (1, "")
    assert "val_loss, was NaN in all 3 trials" in err
    assert "Traceback" not in err


def test_tune_and_report_name_the_task():
    task = "classification of 3 classes (labels are integers)"
    code, _, err = main("tune", "job.yaml", "--set", "confirm.seeds=0")
    assert code == 0 and f"Task: {task}" in err
    assert f"Task: {task}" in main("report", "results")[1]


def test_retry_without_resume_is_a_wrong_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["tune", "job.yaml", "--retry-failed"])
    assert stop.value.code == 2
    assert "--retry-failed needs --resume" in capsys.readouterr().err


def test_failed_trials_run_again_with_retry_failed(monkeypatch):
    from kdropout.tuning.trials import TrialEngine

    train, failing = TrialEngine._train, [True]

    def train_or_fail(self, hp, pooled, args, kwargs):
        if failing and hp.values["rate/dense1_drop"] == 0.5:
            raise ValueError("no training today")
        return train(self, hp, pooled, args, kwargs)

    monkeypatch.setattr(TrialEngine, "_train", train_or_fail)
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])
    settings = ["--set=search.initial_trials=[0.5]", "--set=confirm.seeds=0"]
    assert main("tune", "job.yaml", *settings)[0] == 0
    assert sorted(completed()) == ["1", "2"]
    failing.clear()
    assert main("tune", "job.yaml", *settings, "--resume")[0] == 0
    assert sorted(completed()) == ["1", "2"]
    code, out, _ = main("tune", "job.yaml", *settings, "--resume", "--retry-failed")
    assert code == 0 and sorted(completed()) == ["0", "1", "2"]
    again = "--set search.retry_failed=true --resume --set confirm.seeds=10"
    assert out.strip().endswith(again)


def test_search_that_ran_out_of_time_ends_with_the_command_to_go_on(monkeypatch):
    from kdropout.tuning.trials import TrialEngine

    train = TrialEngine._train

    def train_slowly(self, hp, pooled, args, kwargs):
        result = train(self, hp, pooled, args, kwargs)
        self.budget.begin(0.0)  # the time is over after the first trial
        return result

    monkeypatch.setattr(TrialEngine, "_train", train_slowly)
    monkeypatch.setattr(pictures, "draw_all", lambda report, folder: [])
    settings = ["--set", "search.timeout=10min", "--set", "confirm.seeds=0"]
    code, out, err = main("tune", "job.yaml", *settings)
    assert code == 0 and list(completed()) == ["0"]
    assert "The search stopped after its timeout of 10 min, with 1 trials." in err
    assert out.strip().endswith(f"kdropout tune job.yaml {' '.join(settings)} --resume")
    _, out, _ = main("check", "job.yaml", *settings)
    assert "3 trials, 2 epochs, at most 10 min, objective val_loss" in out


def test_help_of_check_warns_that_a_job_is_code(capsys):
    with pytest.raises(SystemExit):
        cli.main(["check", "--help"])
    assert "A job is code" in " ".join(capsys.readouterr().out.split())


def test_names_of_0_1_are_reported_with_their_lines():
    pathlib.Path("job.yaml").write_text(JOB + "ray: auto\n")
    code, out, err = main("check", "job.yaml")
    assert (code, "RandomSearch, 3 trials" in out) == (0, True)
    assert "kdropout check: warning: job.yaml uses names of kdropout 0.1" in err
    assert "line 7, ray: is now called 'ray_address'." in err
