"""A job that cannot be trained is refused before anything is trained."""

import dataclasses

import keras
import numpy as np
import pytest

from kdropout.tuning import JobError
from tests.tools import name_of

MODELS = """\
import keras
import kdropout

def none():
    return None

def fails():
    return 1 / 0

def without_dropout():
    return sequential()

def plain(units=3):
    return sequential(kdropout.layers.Dropout(0.5, name="drop"), units=units)

def learned():
    return sequential(kdropout.layers.Dropout(kdropout.LearnedRate(), name="drop"))

def other_inputs():
    return sequential(kdropout.layers.Dropout(0.5, name="drop"), inputs=7)

def without_end():
    model = plain()
    model.compile("sgd", lambda y, p: keras.ops.mean(p) * float("nan"))
    return model

def own_metric():
    model = plain()
    def odd(y, p):
        return keras.ops.mean(p)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[odd])
    return model

def sequential(*layers, units=3, inputs=4):
    last = keras.layers.Dense(units, "softmax")
    return keras.Sequential([keras.Input((inputs,)), *layers, last])

not_callable = 3
"""


@dataclasses.dataclass(frozen=True)
class BadModel:
    """The lines after "model:" in a job on iris, and parts of the message."""

    name: str
    model: str
    says: list


CASES = [
    BadModel(
        "no module",
        "{build: no_such_module:f}",
        ["model.build", "The module 'no_such_"],
    ),
    BadModel(
        "misspelt module",
        "{build: checked_model:f}",
        ["Did you mean 'checked_models'?"],
    ),
    BadModel("no function", "{build: checked_models:plane}", ["Did you mean 'plain'?"]),
    BadModel(
        "no callable",
        "{build: checked_models:not_callable}",
        ["must name a function", "3"],
    ),
    BadModel(
        "broken module",
        "{build: broken_module:f}",
        ["cannot be imported: SyntaxError", "line 2"],
    ),
    BadModel(
        "module with a missing import",
        "{build: importing_module:f}",
        ["cannot be imported: ModuleNotFoundError", "no_such_thing"],
    ),
    BadModel(
        "function that fails",
        "{build: checked_models:fails}",
        [
            "line 2, model.build: 'checked_models:fails'",
            "ZeroDivisionError: division by zero (checked_models.py, line 8)",
        ],
    ),
    BadModel(
        "no model",
        "{build: checked_models:none}",
        ["must return a keras.Model", "None"],
    ),
    BadModel(
        "unknown argument",
        "{build: checked_models:plain, arguments: {unit: 3}}",
        ["model.arguments: do not fit", "'unit'", "It takes: 'units'"],
    ),
    BadModel(
        "no dropout",
        "{build: checked_models:without_dropout}",
        ["space: does not fit the model", "kdropout.insert"],
    ),
    BadModel(
        "glob that matches nothing",
        '{architecture: mlp}\nspace: {"dence*": [0.0, 0.5]}',
        ["line 3, space.dence*", "Received: 'dence*'", "'dense1_drop', 'dense2_drop'"],
    ),
    BadModel(
        "learned rate",
        '{build: checked_models:learned}\nspace: {"drop": [0.0, 0.5]}',
        ["line 3, space.drop: does not fit the model", "gradient"],
    ),
    BadModel(
        "other inputs",
        "{build: checked_models:other_inputs}",
        [
            "model: does not fit the data",
            "inputs of shape (7, 4) and labels of shape (7,)",
        ],
    ),
    BadModel(
        "loss of NaN",
        "{build: checked_models:without_end}",
        ["model: must have a finite loss"],
    ),
    BadModel(
        "no such file",
        "{file: modle.keras}",
        ["no file at", "Did you mean 'model.keras'?"],
    ),
    BadModel(
        "no model in the file",
        "{file: model.keras}",
        ["line 2, model.file: must be a model that model.save"],
    ),
    BadModel(
        "gap of a metric without direction",
        "{build: checked_models:own_metric}\nobjective: gap_loss",
        ["line 3, objective: needs the overfitting gap", "'odd' does not show whether"],
    ),
    BadModel(
        "settings that all become equal",
        "{architecture: mlp}\nspace: {'*': [0.7, 0.8]}\n"
        "search: {algorithm: SuccessiveHalving}",
        [
            "line 4, search.settings: must be at least 2 settings that differ",
            "'rate/dense1_drop' from 0.7 to 0.8",
        ],
    ),
    BadModel(
        "setting of an unknown layer",
        "{architecture: mlp}\nsearch:\n  algorithm: SuccessiveHalving\n"
        "  settings:\n  - 0.2\n  - {dense1_dorp: 0.5}",
        [
            "line 7, search.settings.1: must name hyperparameters",
            "Did you mean 'dense1_drop'?",
        ],
    ),
    BadModel(
        "initial trial of an unknown layer",
        "{architecture: mlp}\nsearch:\n  initial_trials:\n"
        "  - 0.2\n  - {dense1_dorp: 0.5}",
        [
            "line 6, search.initial_trials.1: must name hyperparameters",
            "Did you mean 'dense1_drop'?",
        ],
    ),
    BadModel(
        "initial trial outside of the grid",
        "{architecture: mlp}\nspace: {'*': {values: [0.1, 0.2]}}\n"
        "search:\n  algorithm: GridSearch\n  initial_trials: [{dense1_drop: 0.5}]",
        [
            "line 6, search.initial_trials.0: must contain allowed values",
            "'rate/dense1_drop': 0.5",
        ],
    ),
    BadModel(
        "rate for a schedule",
        "{architecture: mlp}\nsearch: {algorithm: SuccessiveHalving}\n"
        "space: {'*': {schedule: {start: 0.1, end: [0.2, 0.6], steps: 9}}}",
        ["line 3, search.settings.0: must be a dict", "'rate/dense1_drop/end'"],
    ),
    BadModel(
        "objective that is not logged",
        "{architecture: mlp}\nobjective: val_mae",
        [
            "line 3, objective",
            "must be a name in the logs",
            "'val_mae'",
            "The names are: accuracy, loss, val_accuracy, val_loss",
        ],
    ),
]


@pytest.fixture
def modules(tmp_path):
    (tmp_path / "checked_models.py").write_text(MODELS)
    (tmp_path / "broken_module.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "importing_module.py").write_text("import no_such_thing\n")
    (tmp_path / "model.keras").write_text("no model")


@pytest.mark.parametrize("bad", CASES, ids=name_of)
@pytest.mark.usefixtures("modules")
def test_job_that_cannot_be_trained_is_refused(bad, job_of, monkeypatch):
    def train(*arguments, **settings):
        raise AssertionError("something was trained")

    monkeypatch.setattr(keras.Model, "fit", train)
    monkeypatch.setattr(keras.Model, "train_on_batch", train)
    job = job_of(f"data: {{sklearn: iris}}\nmodel: {bad.model}\n")
    with pytest.raises(JobError) as raised:
        job.check()
    message = str(raised.value)
    missing = [part for part in bad.says if part not in message]
    assert not missing, message


@pytest.mark.usefixtures("modules")
def test_metric_of_a_user_may_be_the_objective(job_of):
    text = "data: {sklearn: iris}\nmodel: {build: checked_models:own_metric}\n"
    objective = "objective: {metric: val_odd, direction: max, gap_limit: 0.5}\n"
    job = job_of(text + objective)
    checked = job.check()
    history = checked.model.fit(
        *checked.data.training,
        validation_data=checked.data.validation,
        callbacks=job.make_callbacks(checked.data),
        verbose=0,
    )
    assert {"limited_val_odd", "gap_odd"} <= set(history.history)


def test_checked_model_is_unchanged(job_of):
    checked = job_of("data: {sklearn: iris}\nmodel: {architecture: mlp}\n").check()
    assert checked.model.run_eagerly is False
    assert checked.model.optimizer.iterations == 0
    history = checked.model.fit(
        *checked.data.training, validation_data=checked.data.validation, verbose=0
    )
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


# Code that ends a process, which must not end the check with a success.
ENDINGS = ["sys.exit(0)", "sys.exit('no')", "raise GeneratorExit"]

ENDING = """
import sys
import keras

{at_import}

class Ends(keras.layers.Layer):
    def call(self, inputs):
        {in_call}
        return inputs

def build(data):
    {in_build}
    layers = [keras.Input((4,)), keras.layers.Dropout(0.5, name="drop"), Ends()]
    return keras.Sequential([*layers, keras.layers.Dense(3, "softmax")])

def batches():
    {in_batches}
    yield 1

class Data:
    def __iter__(self):
        return batches()

def load():
    {in_load}
    return Data(), Data()
"""


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("at_import", "model.build: cannot be imported"),
        ("in_build", "model.build: 'ends_"),
        ("in_call", "model"),
        ("in_load", "data.function: 'ends_"),
        ("in_batches", "data.function: the train data cannot be read"),
    ],
)
def test_code_that_ends_the_process_is_an_error_of_its_key(
    place, key, ending, tmp_path, job_of
):
    places = dict.fromkeys(
        ["at_import", "in_build", "in_call", "in_load", "in_batches"], "pass"
    )
    name = f"ends_{place}_{ENDINGS.index(ending)}"
    code = ENDING.format(**{**places, place: ending})
    (tmp_path / f"{name}.py").write_text(code)
    data = (
        f"function: {name}:load"
        if place in ("in_load", "in_batches")
        else "sklearn: iris"
    )
    job = job_of(f"model: {{build: '{name}:build'}}\ndata: {{{data}}}\n")
    with pytest.raises(JobError) as raised:
        job.check()
    message = str(raised.value)
    assert f"{key}" in message and "line " in message
    kind = "GeneratorExit" if "Generator" in ending else "SystemExit"
    assert kind in message
    if place != "in_call":
        assert f"({name}.py, line " in message


def test_interrupt_is_not_an_error_of_the_code(tmp_path, job_of):
    (tmp_path / "interrupted_module.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        job_of("model: {build: interrupted_module:build}\n").check()


LOGITS = """
import keras

def build(data, activation=None, compiled=False):
    units = 3 if activation != "sigmoid" else 1
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dropout(0.5, name="drop"),
        keras.layers.Dense(units, activation=activation, kernel_initializer="ones"),
    ])
    if compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss)
    return model
"""


def test_loss_of_probabilities_is_not_set_for_other_outputs(tmp_path, job_of):
    (tmp_path / "logits_module.py").write_text(LOGITS)
    text = "model: {build: logits_module:build}\ndata: {sklearn: iris}\n"
    with pytest.raises(JobError, match="model: must end with probabilities.*softmax"):
        job_of(text).check()
    job_of(text, "model.arguments.activation=softmax").check()
    compiled = job_of(text, "model.arguments.compiled=true").check()
    assert "loss sparse_categorical_crossentropy" in compiled.task


def test_one_output_for_two_classes_has_the_binary_loss(tmp_path, job_of):
    (tmp_path / "sigmoid_module.py").write_text(LOGITS)
    text = "model: {build: sigmoid_module:build, arguments: {activation: sigmoid}}\n"
    np.savez(tmp_path / "two.npz", x_train=np.ones((30, 4)), y_train=np.arange(30) % 2)
    checked = job_of(text + "data: {npz: two.npz}\n").check()
    assert checked.model.loss == "binary_crossentropy"


def test_error_names_a_folder_in_place_of_a_file(tmp_path, job_of):
    (tmp_path / "folder").mkdir()
    for text, key in (
        ("model: {file: folder}\ndata: {sklearn: iris}\n", "model.file"),
        ("data: {npz: folder}\n", "data.npz"),
        ("data: {text: folder}\n", "data.text"),
    ):
        with pytest.raises(JobError, match=f"line 1, {key}: .*folder'"):
            job_of(text).check()
