"""The command line accepts its options and refuses bad values."""

import importlib.metadata
import os
import subprocess
import sys

import pytest

import kdropout
import kdropout_cli as cli
from kdropout.demo import experiment, training
from kdropout_cli import demo


@pytest.fixture
def calls(monkeypatch):
    """Records the arguments that the command line passes to the demo."""
    received = []
    monkeypatch.setattr(
        experiment, "run", lambda **arguments: received.append(arguments)
    )
    return received


def test_console_script_calls_the_command_line():
    (script,) = importlib.metadata.entry_points(
        group="console_scripts", name="kdropout"
    )
    assert script.load() is cli.main


def test_version_option_prints_the_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"kdropout {kdropout.__version__}\n"


def test_help_names_each_option_and_its_default(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo", "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option, default in (
        ("--seeds N", "4"),
        ("--noise SHARE", "0.3"),
        ("--epochs N", "40"),
        ("--output DIR", "kdropout-demo"),
    ):
        assert option in text
        assert f"(default: {default})" in text


def run_python(code, **environment):
    """Run code in a new process, and return its result."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "words",
    [["--version"], ["--help"], ["demo", "--help"], ["tun"], ["demo", "--seeds=1"]],
    ids=" ".join,
)
def test_help_version_and_wrong_usage_do_not_import_keras(words):
    result = run_python(
        "import sys\n"
        "import kdropout_cli\n"
        "try:\n"
        f"    kdropout_cli.main({words})\n"
        "finally:\n"
        "    assert 'kdropout' not in sys.modules and 'keras' not in sys.modules\n"
    )
    assert result.returncode == (2 if words[-1] in ("tun", "--seeds=1") else 0)
    assert "Assertion" not in result.stderr


def test_options_are_not_abbreviated_and_a_hint_shows_the_intended_one(capsys):
    for words, hint in (
        (["demo", "--seed", "2"], "unknown argument '--seed'. Did you mean '--seeds'?"),
        (["tune", "a.yaml", "--resum"], "Did you mean '--resume'?"),
        (["tune", "a.yaml", "--workrs=2"], "Did you mean '--workers'?"),
        (["dem"], "Received: 'dem'. Did you mean 'demo'?"),
        (["report", "a", "b"], "kdropout report: error: unknown argument 'b'."),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
        assert stop.value.code == 2
        assert hint in capsys.readouterr().err


# A package that writes to file descriptor 2 while it is imported, as C++ code does.
NOISY = """
import os, sys
os.write(2, b"line of C++\\n")
print("line of Python", file=sys.stderr)
"""


@pytest.mark.parametrize("fails", [False, True])
def test_lines_of_libraries_are_shown_only_if_loading_fails(fails, tmp_path):
    ending = "raise ImportError('no backend')" if fails else ""
    (tmp_path / "kdropout.py").write_text(f"{NOISY}\n{ending}\n")
    (tmp_path / "keras.py").write_text(
        "class backend:\n    backend = staticmethod(lambda: 'jax')\n"
    )
    result = run_python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import os\n"
        "from kdropout_cli.loading import load_kdropout\n"
        "load_kdropout()\n"
        "os.write(2, b'line after it\\n')\n",
    )
    assert "line of Python" in result.stderr  # such as a warning
    assert ("line of C++" in result.stderr) is fails
    assert ("line after it" in result.stderr) is not fails
    assert result.returncode == int(fails)


def test_defaults_of_the_demo_are_those_of_its_function():
    names = ("SEEDS", "NOISE", "EPOCHS", "OUTPUT")
    for name in names:
        assert getattr(demo, name) == getattr(experiment, name)


def test_defaults_and_values_reach_the_demo(calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo"]) == 0
    options = ["--seeds", "2", "--noise", "0", "--epochs", "3", "--output", "x"]
    assert cli.main(["demo", *options]) == 0
    first, second = ({**c, "output": str(c["output"])} for c in calls)
    assert first == {
        "seeds": 4,
        "noise": 0.3,
        "epochs": 40,
        "output": "kdropout-demo",
    }
    assert second == {"seeds": 2, "noise": 0.0, "epochs": 3, "output": "x"}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--seeds", "1", "an integer of at least 2. Received: seeds=1"),
        ("--seeds", "2.5", "an integer of at least 2. Received: seeds=2.5"),
        ("--seeds", "two", "an integer of at least 2. Received: seeds='two'"),
        ("--noise", "1.1", "a number in [0, 1]. Received: noise=1.1"),
        ("--noise", "-0.1", "a number in [0, 1]. Received: noise=-0.1"),
        ("--noise", "nan", "a number in [0, 1]. Received: noise=nan"),
        ("--epochs", "0", "an integer of at least 1. Received: epochs=0"),
        ("--epochs", "", "an integer of at least 1. Received: epochs=''"),
    ],
)
def test_bad_value_error_names_option_range_and_value(
    option, value, expected, calls, capsys
):
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo", f"{option}={value}"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert f"argument {option}: " in error
    assert expected in error
    assert calls == []


def test_file_as_output_folder_is_refused(calls, capsys, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo", "--output", str(path)])
    assert stop.value.code == 2
    assert "argument --output: 'output' must be a folder" in capsys.readouterr().err
    assert calls == []


@pytest.mark.parametrize("arguments", [[], ["dance"]])
def test_wrong_command_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("sklearn.datasets", "scikit-learn"),
        ("matplotlib", "matplotlib"),
        ("tensorboard", "tensorboard"),
    ],
)
def test_missing_package_is_reported_before_training(
    module, package, capsys, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("it trained"))
    output = tmp_path / "output"
    assert cli.main(["demo", "--output", str(output)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"Not installed: {package}. " in captured.err
    assert f"Run: pip install {package}. The extra 'demo'" in captured.err
    assert not output.exists()


def test_unwritable_folder_is_reported_without_a_traceback(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("it trained"))
    (tmp_path / "file").touch()
    assert cli.main(["demo", "--output", str(tmp_path / "file" / "below")]) == 1
    assert capsys.readouterr().err.startswith("kdropout demo: error: ")


def test_interrupt_ends_without_a_traceback(capsys, monkeypatch):
    def interrupt(**arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "run", interrupt)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "\nkdropout demo: interrupted\n"


@pytest.mark.slow
@pytest.mark.on_one_backend
def test_import_of_the_command_line_needs_no_optional_package():
    code = (
        "import sys\n"
        "for name in 'sklearn', 'matplotlib', 'tensorboard', 'keras_tuner', "
        "'pydantic', 'yaml', 'tqdm', 'ray':\n"
        "    sys.modules[name] = None\n"
        "import kdropout_cli\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-500:]
