"""What could not be trained is refused before anything is."""

import keras
import pytest

from kdropout.tuning.job import JobError

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

# Of a job on iris: what comes after "model:", and lines, to parts of the message.
CASES = {
    "no module": ("{build: no_such_module:f}", "model.build", "There is no 'no_such_"),
    "misspelt module": ("{build: checked_model:f}", "Did you mean 'checked_models'?"),
    "no function": ("{build: checked_models:plane}", "Did you mean 'plain'?"),
    "no callable": (
        "{build: checked_models:not_callable}",
        "must name a function",
        "3",
    ),
    "broken module": (
        *("{build: broken_module:f}", "cannot be imported: SyntaxError", "line 2"),
    ),
    "module without its own": (
        *("{build: importing_module:f}", "cannot be imported: ModuleNotFoundError"),
        "no_such_thing",
    ),
    "function that fails": (
        *(
            "{build: checked_models:fails}",
            "line 2, model.build: 'checked_models:fails'",
        ),
        *("ZeroDivisionError: division by zero (checked_models.py, line 8)",),
    ),
    "no model": ("{build: checked_models:none}", "must return a keras.Model", "None"),
    "unknown argument": (
        "{build: checked_models:plain, arguments: {unit: 3}}",
        *("model.arguments: do not fit", "'unit'", "It takes: 'units'"),
    ),
    "no dropout": (
        *("{build: checked_models:without_dropout}", "space: does not fit the model"),
        "kdropout.insert",
    ),
    "glob that matches nothing": (
        *('{architecture: mlp}\nspace: {"dence*": [0.0, 0.5]}', "line 3, space.dence*"),
        *("Received: 'dence*'", "'dense1_drop', 'dense2_drop'"),
    ),
    "learned rate": (
        '{build: checked_models:learned}\nspace: {"drop": [0.0, 0.5]}',
        *("line 3, space.drop: does not fit the model", "gradient"),
    ),
    "other inputs": (
        *("{build: checked_models:other_inputs}", "model: does not fit the data"),
        "inputs of shape (7, 4) and labels of shape (7,)",
    ),
    "loss of NaN": (
        *("{build: checked_models:without_end}", "model: must have a finite loss"),
    ),
    "no such file": ("{file: modle.keras}", "none at", "Did you mean 'model.keras'?"),
    "no model in the file": (
        *("{file: model.keras}", "line 2, model.file: must be a model that model.save"),
    ),
    "gap of a metric without direction": (
        "{build: checked_models:own_metric}\nobjective: gap_loss",
        *("line 3, objective: needs the overfitting gap", "a lower 'odd' is better"),
    ),
    "objective that is not logged": (
        "{architecture: mlp}\nobjective: val_mae",
        *("line 3, objective", "must be a name that is logged", "'val_mae'"),
        "There are: accuracy, loss, val_accuracy, val_loss",
    ),
}


@pytest.fixture
def modules(tmp_path):
    (tmp_path / "checked_models.py").write_text(MODELS)
    (tmp_path / "broken_module.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "importing_module.py").write_text("import no_such_thing\n")
    (tmp_path / "model.keras").write_text("no model")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("modules")
def test_a_job_that_cannot_be_trained_is_refused(name, job_of, monkeypatch):
    model, *parts = CASES[name]

    def train(*arguments, **settings):
        raise AssertionError("something was trained")

    monkeypatch.setattr(keras.Model, "fit", train)
    monkeypatch.setattr(keras.Model, "train_on_batch", train)
    job = job_of(f"data: {{sklearn: iris}}\nmodel: {model}\n")
    with pytest.raises(JobError) as raised:
        job.check()
    message = str(raised.value)
    missing = [part for part in parts if part not in message]
    assert not missing, message


@pytest.mark.usefixtures("modules")
def test_a_metric_of_ones_own_may_be_the_objective(job_of):
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


def test_a_checked_model_is_as_new(job_of):
    checked = job_of("data: {sklearn: iris}\nmodel: {architecture: mlp}\n").check()
    assert checked.model.run_eagerly is False
    assert checked.model.optimizer.iterations == 0
    history = checked.model.fit(
        *checked.data.training, validation_data=checked.data.validation, verbose=0
    )
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
