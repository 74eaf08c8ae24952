"""A job in Python takes functions, also those that no other process can import."""

import functools
import json
import pathlib
import sys

import cloudpickle
import keras
import numpy as np
import pytest
from pydantic import ValidationError

from kdropout import tuning
from kdropout.tuning import Job, JobError, Report
from kdropout.tuning.job import uci_network
from kdropout.tuning.job.digests import digests_of_code
from tests.tuning.run.conftest import make_job

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]

NOTEBOOK = """
import keras

RATE = 0.4

class Scale(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2.0

def make_layers(units):
    return [keras.layers.Dense(units), Scale()]

def build(data, units=4):
    return keras.Sequential([
        keras.Input(data.input_shape),
        *make_layers(units),
        keras.layers.Dropout(RATE, name="drop"),
        keras.layers.Dense(3, activation="softmax"),
    ])
"""


def in_notebook(source=NOTEBOOK, name="build"):
    """Return a function of a module that has no file and cannot be imported."""
    names = {"__name__": "__main__"}
    exec(source, names)  # noqa: S102 - a cell of a notebook
    return names[name]


def load_data():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int32") + (x[:, 1] > 0)
    return (x[:40], y[:40]), (x[40:50], y[40:50]), (x[50:], y[50:])


def make(build, data=None, trials=1, **changes):
    data = {"sklearn": "iris"} if data is None else {"function": data}
    return make_job(
        "results",
        model={"build": build},
        data=data,
        search={"max_trials": trials},
        training={"epochs": 1},
        confirm={"seeds": 0},
        **changes,
    )


def test_functions_of_a_notebook_are_searched_and_resumed():
    build, load = in_notebook(), lambda: load_data()
    numbers = {"model.arguments.units": [4, 8]}
    report = tuning.run_job(make(build, load, hyperparameters=numbers), verbose=0)
    job = make(build, load, trials=2, hyperparameters=numbers)
    more = tuning.run_job(job, resume=True, verbose=0)
    assert more.trials[:1] == report.trials and len(more.trials) == 2
    assert set(more.best_other_values) == {"model.arguments.units"}


def test_job_of_a_notebook_has_a_report_but_cannot_be_loaded(monkeypatch):
    monkeypatch.setattr(Report, "save", lambda report, folder: [])
    job = make(in_notebook(), lambda: load_data())
    report = tuning.run_job(job, verbose=0)
    assert tuning.load_report("results").trials == report.trials
    with pytest.raises(JobError) as caught:
        tuning.load_job("results/job.yaml")
    (problem,) = caught.value.problems
    assert (problem.place, problem.key) == ("line 2", "model.build")
    assert "'<callable __main__:build>'. To resume, make the job in" in problem.message
    with pytest.raises(JobError) as caught:
        tuning.load_job("results/job.yaml", ["model={architecture: mlp}"])
    assert caught.value.problems[0].key == "data.function"
    with pytest.raises(JobError, match="cannot be imported"):
        Job(model={"build": "<callable __main__:build>"}).check()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("units=4", "units=5"),
        ("Scale()]", "Scale(), Scale()]"),
        ("* 2.0", "* 3.0"),
        ("RATE = 0.4", "RATE = 0.5"),
    ],
)
def test_changed_function_of_a_notebook_is_not_resumed(old, new):
    tuning.run_job(make(in_notebook()), verbose=0)
    changed = in_notebook(NOTEBOOK.replace(old, new))
    with pytest.raises(JobError) as caught:
        tuning.run_job(make(changed, trials=2), resume=True, verbose=0)
    (problem,) = caught.value.problems
    assert problem.key == "model.build"
    assert "have changed: '<callable __main__:build>'" in problem.message
    moved = in_notebook("# A comment\n\n" + NOTEBOOK + "\nother = 3\n")
    tuning.run_job(make(moved, trials=2), resume=True, verbose=0)


def test_importable_function_is_the_same_as_its_name():
    job, named = (
        make(build)
        for build in (uci_network.build, "kdropout.tuning.job.uci_network:build")
    )
    assert job.model.build == named.model.build
    assert job.decisive() == named.decisive() and job.to_yaml() == named.to_yaml()


def test_code_of_a_function_covers_its_module_closure_and_defaults():
    pathlib.Path("models_of_functions.py").write_text(
        "import helper_of_functions\n"
        "def make(units, more=1):\n"
        "    def build():\n"
        "        return helper_of_functions.model(units, more)\n"
        "    return build\n"
        "first = lambda: 1\n"
    )
    pathlib.Path("helper_of_functions.py").write_text("def model(*units): ...\n")
    sys.path.insert(0, str(pathlib.Path.cwd()))  # the fixture restores it
    import models_of_functions as models

    files = {"models_of_functions.py", "helper_of_functions.py"}
    name = "<callable models_of_functions:make.<locals>.build>"
    digests = digests_of_code([models.make(3)])
    assert set(digests) == {name, *files}
    assert digests == digests_of_code([models.make(3)])
    assert digests[name] != digests_of_code([models.make(4)])[name]
    assert set(digests_of_code([models.first])) == {
        "<callable models_of_functions:<lambda>>",
        *files,
    }
    (three,), (four,) = (
        [
            digest
            for text, digest in digests_of_code([partial]).items()
            if text == "<callable functools:partial>"
        ]
        for partial in (functools.partial(models.make, n) for n in (3, 4))
    )
    assert three != four


def test_code_without_a_module_counts_as_that_of_a_notebook():
    names = {}
    exec("def other(): ...\ndef build(): return other()", names)  # noqa: S102
    assert list(digests_of_code([names["build"]])) == ["<callable __main__:build>"]


class Build:
    """A callable object."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, data):
        layers = [keras.layers.Dropout(self.rate, name="drop"), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input(data.input_shape), *layers])

    def method(self, data):
        return self(data)


@pytest.mark.parametrize(
    "build",
    [
        Build(0.3),
        Build(0.3).method,
        functools.partial(Build.method, Build(0.3)),
        lambda data: Build(0.3)(data),
    ],
    ids=["object", "method", "partial", "lambda"],
)
def test_any_callable_builds_in_another_process(build):
    job = make(build)
    assert json.loads(json.dumps(job.decisive()))["model"]["build"].startswith("<call")
    assert "<callable " in repr(job)
    builder = job.make_hypermodel(job.make_data())
    model = cloudpickle.loads(cloudpickle.dumps(builder)).build()
    assert [layer.name for layer in model.layers][0] == "drop"
    assert digests_of_code([build]) == digests_of_code([build])


@pytest.mark.parametrize("value", [3, None, ["a:b"], "build", keras.Sequential()])
def test_what_is_neither_a_name_nor_a_function_is_refused(value):
    with pytest.raises(ValidationError, match="build: must be "):
        Job(model={"build": value})


def test_wrong_arguments_and_results_of_a_function_are_reported():
    with pytest.raises(JobError, match="do not fit '<callable .*It takes: 'units'"):
        make(lambda units: None).check()
    with pytest.raises(JobError, match="must return a keras.Model. Received: 3 of '<c"):
        make(lambda: 3).check()
    with pytest.raises(JobError, match="'<callable .*' fails: ZeroDivisionError"):
        make(lambda: 1 / 0).check()
