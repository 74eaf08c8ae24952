"""Jobs on tables, texts and images, from the file to the report."""

import pathlib

import keras
import numpy as np
import pytest

from kdropout import tuning
from kdropout.tuning.job.run import ConfirmationRun
from tests.tuning.run.conftest import make_job, run

ROOT = pathlib.Path(__file__).parents[3]

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]

IN_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="layers of texts need TensorFlow"
)

TEXT_MODEL = """
import keras

def build(data):
    vectorize = keras.layers.TextVectorization(output_sequence_length=4)
    vectorize.adapt(data.texts)
    return keras.Sequential([
        keras.Input((), dtype="string"),
        vectorize,
        keras.layers.Embedding(vectorize.vocabulary_size(), 4, name="embedding"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dropout(0.3, name="drop"),
        keras.layers.Dense(data.num_classes, activation="softmax"),
    ])
"""


def write_table():
    rows = [
        f"{row % 7},{'ab'[row % 2]},{row % 3},{'yes' if row % 5 == 0 else 'no'}"
        for row in range(120)
    ]
    pathlib.Path("t.csv").write_text("\n".join(["size,kind,w,buys", *rows]))
    return {"csv": "t.csv", "target": "buys"}


def test_weighted_table_trains_without_fit_and_reports_its_metric(tmp_path, capsys):
    job = make_job(
        tmp_path / "results",
        data={**write_table(), "sample_weight": "w"},
        model={
            "architecture": "mlp",
            "units": (4,),
            "metrics": [{"class_name": "AUC", "config": {"curve": "PR", "name": "pr"}}],
        },
        objective="val_pr",
        training={"class_weight": {"yes": 4.0}},
    )
    report = tuning.run_job(job)
    if keras.backend.backend() in ("tensorflow", "jax"):
        assert "Trials train with fit" not in capsys.readouterr().err
    assert (report.objective, report.direction) == ("val_pr", "max")
    assert report.confirmation.measure == "test pr"
    assert all(0.0 <= trial.score <= 1.0 for trial in report.trials)
    again = tuning.load_report(tmp_path / "results")
    assert again.direction == "max"


def scores_of(tmp_path, name, monkeypatch, **changes):
    """The score of the first trial, and those of `evaluate` in the confirmation."""
    measured = []
    evaluate = keras.Model.evaluate

    def recorded(model, x=None, y=None, sample_weight=None, **kwargs):
        if y is not None:
            measured.append(sample_weight)
        return evaluate(model, x, y, sample_weight=sample_weight, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "evaluate", recorded)
        patch.setattr(
            ConfirmationRun,
            "_train",
            _without_search(ConfirmationRun._train, measured),
        )
        report = run(tmp_path / name, search={"max_trials": 1}, **changes)
    return report, measured


def _without_search(train, measured):
    def wrapped(self, setting, seed):
        measured.clear()  # drop what the training measured
        return train(self, setting, seed)

    return wrapped


def test_confirmation_uses_given_weights_and_no_weights_of_classes(
    tmp_path, monkeypatch
):
    table = write_table()
    training = {"class_weight": "balanced"}
    _, measured = scores_of(tmp_path, "a", monkeypatch, data=table, training=training)
    assert len(measured) >= 1 and measured[-1] is None
    weighted = {**table, "sample_weight": "w"}
    _, measured = scores_of(
        tmp_path, "b", monkeypatch, data=weighted, training=training
    )
    assert set(np.unique(measured[-1])) == {0.0, 1.0, 2.0}


def test_weights_of_classes_change_the_training_only(tmp_path):
    table = write_table()
    reports = [
        run(
            tmp_path / str(weight),
            data=table,
            search={"max_trials": 1},
            training={"class_weight": {"yes": weight, "no": weight}},
            confirm={"seeds": 0},
            model={"architecture": "mlp", "units": (4,), "optimizer": "sgd"},
        )
        for weight in (0.0001, 1.0)
    ]
    small, usual = (report.trials[0].metrics for report in reports)
    # The training loss has the weight as a factor, the validation loss does not.
    assert small["loss"] < 0.001 * usual["loss"]
    assert small["val_loss"] > 0.3 * usual["val_loss"]


@IN_TENSORFLOW
def test_texts_train_a_model_that_begins_with_a_text_layer(tmp_path):
    name = f"texts_{tmp_path.name.replace('-', '_')}"
    pathlib.Path(f"{name}.py").write_text(TEXT_MODEL)
    words = {"good": ("great", "fine"), "bad": ("awful", "poor")}
    rows = [
        f"a {words[label][row % 2]} film,{label}"
        for row in range(40)
        for label in ("good", "bad")
    ]
    pathlib.Path("t.csv").write_text("\n".join(["review,label", *rows]))
    settings = {
        "data": {"csv": "t.csv", "target": "label", "text": "review"},
        "model": {"build": f"{name}:build"},
        "objective": "val_accuracy",
        "training": {"epochs": 8, "batch_size": 8, "class_weight": "balanced"},
        "search": {"max_trials": 1},
    }
    report = run(tmp_path / "results", **settings)
    assert report.trials[0].score == 1.0
    build = make_job(tmp_path, **settings).check().build
    layer = build.build().layers[0]
    assert {"great", "awful"} <= {*layer.get_vocabulary()}


@IN_TENSORFLOW
@pytest.mark.slow
def test_texts_reach_workers_on_ray(tmp_path):
    pytest.importorskip("ray")
    name = f"texts_{tmp_path.name.replace('-', '_')}"
    pathlib.Path(f"{name}.py").write_text(TEXT_MODEL)
    rows = [f"a {word} film,{word}" for word in ("good", "bad") * 20]
    pathlib.Path("t.csv").write_text("\n".join(["review,label", *rows]))
    report = run(
        tmp_path / "results",
        data={"csv": "t.csv", "target": "label", "text": "review"},
        model={"build": f"{name}:build"},
        workers=2,
        confirm={"seeds": 0},
    )
    assert all(trial.completed for trial in report.trials)


def test_shipped_table_is_that_of_its_script_and_passes_its_check(monkeypatch):
    import subprocess
    import sys

    monkeypatch.chdir(ROOT)
    script = ROOT / "tuner_configs" / "table.py"
    written = subprocess.run(
        [sys.executable, str(script)], capture_output=True, check=True, text=True
    ).stdout
    table = ROOT / "tuner_configs" / "table.csv"
    assert table.read_text() == written and table.stat().st_size < 60_000
    checked = tuning.load_job("tuner_configs/table.yaml").check()
    data = checked.data
    sizes = [len(y) for y in (data.y_train, data.y_val, data.y_test)]
    assert sizes == [600, 200, 200]
    assert checked.metrics == ("auc_pr",) and checked.model.output_shape == (None, 1)
    assert set(data.class_weight) == {0, 1}
    assert sum("missing" in column.note for column in data.table.columns) == 2


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow takes texts"
)
def test_other_backends_refuse_texts_with_the_way_out(tmp_path):
    name = f"texts_{tmp_path.name.replace('-', '_')}"
    pathlib.Path(f"{name}.py").write_text(TEXT_MODEL)
    rows = [f"a {word} film,{word}" for word in ("good", "bad") * 20]
    pathlib.Path("t.csv").write_text("\n".join(["review,label", *rows]))
    data = {"csv": "t.csv", "target": "label", "text": "review"}
    job = make_job(tmp_path, data=data, model={"build": f"{name}:build"})
    with pytest.raises(tuning.JobError, match="inputs are texts.*KERAS_BACKEND=tens"):
        job.check()
