"""A job resumes only with the same data, model and code as in its trials."""

import json
import pathlib

import keras
import numpy as np
import pytest

from kdropout import tuning
from kdropout.tuning import Job, JobError
from kdropout.tuning import project_lock as lock_module
from kdropout.tuning.confirmation_run import ConfirmationRun
from tests.tuning.run.conftest import make_job

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]

MODEL = """
import keras
import {helper}

UNITS = 4

def build(data):
    return keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(UNITS, activation={helper}.activation, name="hidden"),
        keras.layers.Dropout(0.4, name="drop"),
        keras.layers.Dense(3, activation="softmax"),
    ])
"""

HELPER = """
import keras

def activation(x):
    return keras.ops.relu(x)
"""

BATCHES = """
import keras
import numpy as np

class Batches(keras.utils.PyDataset):
    def __init__(self, order, noise):
        super().__init__()
        self.x = np.loadtxt("{table}", dtype="float32")[order]
        self.noise = noise

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = self.x[index * 10:][:10]
        noise = np.random.default_rng().normal(size=rows.shape) * self.noise
        labels = (rows[:, 0] > 0).astype("int32")
        return (rows + noise).astype("float32"), labels

def load(noise=0.0):
    order = np.random.default_rng().permutation(20)
    return Batches(order, noise), Batches(order, 0.0)
"""


def run(resume=False, trials=1, **changes):
    changes = {"confirm": {"seeds": 0}, "training": {"epochs": 1}, **changes}
    search = {"max_trials": trials}
    job = make_job("results", search=search, **changes)
    return tuning.run_job(job, resume=resume, verbose=0)


def resume(**changes):
    return run(resume=True, trials=2, **changes)


def scores():
    state = json.loads(pathlib.Path("results/search/oracle.json").read_text())
    return [trial["score"] for trial in state["trials"]]


def write_npz(seed=0, name="d.npz", **changes):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(60, 4)), np.arange(60) % 3
    np.savez(name, **{"x_train": x, "y_train": y, **changes})


def write_code(tmp_path, helper=HELPER, model=MODEL):
    """Write modules of a user under names that no other test imports; return a job."""
    name = "mine_" + tmp_path.name.replace("-", "_")
    pathlib.Path(f"{name}.py").write_text(model.format(helper=f"{name}_helper"))
    pathlib.Path(f"{name}_helper.py").write_text(helper)
    return {"build": f"{name}:build"}


@pytest.fixture
def in_new_processes(monkeypatch):
    """Import the modules of a user again in each run, as in a new process."""
    import sys

    real = Job.check

    def check(job):
        for name in [name for name in sys.modules if name.startswith("mine_")]:
            monkeypatch.delitem(sys.modules, name)
        return real(job)

    monkeypatch.setattr(Job, "check", check)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_other_numbers_in_a_file_are_refused_before_training():
    write_npz()
    run(data={"npz": "d.npz"})
    before = scores()
    write_npz(seed=1)
    with pytest.raises(JobError) as raised:
        resume(data={"npz": "d.npz"})
    message = str(raised.value)
    for part in (
        "data.npz: differs from what the trials in 'results' used",
        "the training data, the validation data, the test data",
        "--set output=FOLDER",
        "delete 'results/contents.json'",
    ):
        assert part in message
    assert scores() == before
    write_npz(name="moved.npz")
    write_npz()  # the same contents in another file
    assert len(resume(data={"npz": "d.npz"}).trials) == 2


def test_changed_table_is_refused():
    rows = [
        f"{row % 7},{'ab'[row % 2]},{'no' if row % 3 else 'yes'}" for row in range(60)
    ]
    lines = ["size,kind,buys", *rows]
    pathlib.Path("t.csv").write_text("\n".join(lines))
    table = {"csv": "t.csv", "target": "buys"}
    run(data=table)
    pathlib.Path("t.csv").write_text("\n".join(lines) + "\n\n")  # the same rows
    assert len(resume(data=table).trials) == 2
    for column, value in ((0, "9"), (1, "c"), (2, "no")):
        cells = lines[1].split(",")
        cells[column] = value
        pathlib.Path("t.csv").write_text(
            "\n".join([lines[0], ",".join(cells), *rows[1:]])
        )
        with pytest.raises(JobError, match="data.csv: differs from what the trials"):
            run(resume=True, trials=3, data=table)
    pathlib.Path("t.csv").write_text("\n".join(lines))
    assert len(run(resume=True, trials=3, data=table).trials) == 3


def test_changed_part_is_named():
    x, y = np.ones((6, 4)), np.arange(6) % 3
    write_npz(x_val=x, y_val=y)
    run(data={"npz": "d.npz"})
    write_npz(x_val=x, y_val=y[::-1])
    with pytest.raises(JobError, match="have changed: the validation data. Restore"):
        resume(data={"npz": "d.npz"})


def test_deleting_the_note_accepts_the_change():
    write_npz()
    run(data={"npz": "d.npz"})
    write_npz(seed=1)
    pathlib.Path("results/contents.json").unlink()
    with pytest.warns(UserWarning, match="has no record of the data and code"):
        assert len(resume(data={"npz": "d.npz"}).trials) == 2
    # The warning comes once; from then on the new data count.
    assert len(run(resume=True, trials=3, data={"npz": "d.npz"}).trials) == 3
    write_npz()
    with pytest.raises(JobError, match="have changed"):
        run(resume=True, trials=4, data={"npz": "d.npz"})


def test_damaged_note_is_named_with_a_remedy():
    run()
    for content in ("", "{", "[]", '{"data": 3}'):
        pathlib.Path("results/contents.json").write_text(content)
        with pytest.raises(JobError, match="contents.json' is damaged.*delete"):
            resume()


@pytest.mark.usefixtures("in_new_processes")
def test_other_code_is_refused_also_in_imported_modules(tmp_path):
    model = write_code(tmp_path)
    run(model=model)
    write_code(tmp_path, helper=HELPER.replace("relu", "sigmoid"))
    with pytest.raises(JobError, match="model.build: .*changed: 'mine_.*_helper.py'"):
        resume(model=model)
    write_code(tmp_path, model=MODEL + "\nprint('more')\n")
    with pytest.raises(JobError, match="model.build: .*changed: 'mine_.*0.py'"):
        resume(model=model)
    commented = "# Defines the activation.\n" + HELPER.replace("def ", "\n\ndef ")
    write_code(tmp_path, helper=commented)
    assert len(resume(model=model).trials) == 2


@pytest.mark.usefixtures("in_new_processes")
def test_other_values_that_the_code_reads_are_refused(tmp_path):
    """The code stays the same, but a file of weights or of settings changes."""
    reading = "import pathlib\n" + MODEL.replace(
        "UNITS = 4", "UNITS = int(pathlib.Path('units.txt').read_text())"
    )
    loading = reading.replace(
        "    return keras.Sequential([",
        "    import numpy as np\n    model = keras.Sequential([",
    ) + (
        "    weight = float(pathlib.Path('weight.txt').read_text())\n"
        "    weights = [np.full((4, UNITS), weight), np.zeros(UNITS)]\n"
        "    model.get_layer('hidden').set_weights(weights)\n"
        "    return model\n"
    )
    pathlib.Path("units.txt").write_text("4")
    pathlib.Path("weight.txt").write_text("0.5")
    model = write_code(tmp_path, model=loading)
    run(model=model)
    pathlib.Path("units.txt").write_text("5")
    with pytest.raises(JobError, match="changed: the configuration of the model"):
        resume(model=model)
    pathlib.Path("units.txt").write_text("4")
    pathlib.Path("weight.txt").write_text("0.25")
    with pytest.raises(JobError, match="changed: the value of '.*hidden/kernel'"):
        resume(model=model)
    pathlib.Path("weight.txt").write_text("0.5")
    assert len(resume(model=model).trials) == 2


@pytest.mark.slow
def test_another_saved_model_is_refused_and_the_same_one_is_accepted():
    def save(seed=0, activation="relu", learning_rate=0.1):
        keras.utils.set_random_seed(seed)
        keras.utils.clear_session()
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(5, activation=activation),
                keras.layers.Dropout(0.5, name="drop"),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
        optimizer = keras.optimizers.SGD(learning_rate)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.save("model.keras")

    model = {"file": "model.keras"}
    save()
    run(model=model)
    for change in ({"seed": 1}, {"activation": "tanh"}, {"learning_rate": 0.2}):
        save(**change)
        with pytest.raises(JobError, match="model.file: differs from what the trials"):
            resume(model=model)
    save()  # written at another time, with the same contents
    assert len(resume(model=model).trials) == 2


def write_batches(tmp_path, seed=0):
    pathlib.Path("table.txt").write_text("")
    np.savetxt("table.txt", np.random.default_rng(seed).normal(size=(20, 4)))
    name = "mine_" + tmp_path.name.replace("-", "_")
    pathlib.Path(f"{name}.py").write_text(BATCHES.format(table="table.txt"))
    return name


@pytest.mark.usefixtures("in_new_processes")
def test_samples_of_a_dataset_are_compared_in_any_order(tmp_path):
    name = write_batches(tmp_path)
    changes = {"data": {"function": f"{name}:load"}, **_model_for_batches(tmp_path)}
    run(**changes)
    assert len(resume(**changes).trials) == 2
    write_batches(tmp_path, seed=1)
    with pytest.raises(JobError, match="data.function: .*training data, the valid"):
        run(resume=True, trials=3, **changes)


@pytest.mark.usefixtures("in_new_processes")
def test_code_of_random_samples_is_compared(tmp_path):
    name = write_batches(tmp_path)
    data = {"function": f"{name}:load", "arguments": {"noise": 0.1}}
    changes = {"data": data, **_model_for_batches(tmp_path)}
    run(**changes)
    assert len(resume(**changes).trials) == 2
    code = BATCHES.format(table="table.txt").replace("* self.noise", "* 2 * self.noise")
    pathlib.Path(f"{name}.py").write_text(code)
    with pytest.raises(JobError, match=f"changed: '{name}.py'"):
        run(resume=True, trials=3, **changes)


def _model_for_batches(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dropout(0.5, name="drop"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.save("batches.keras")
    return {"model": {"file": "batches.keras"}}


def test_other_versions_are_reported_and_another_backend_is_refused():
    run()
    file = pathlib.Path("results/contents.json")
    content = json.loads(file.read_text())
    for name, value in (("keras", "3.0.0"), ("backend", "theano")):
        changed = {**content, "versions": {**content["versions"], name: value}}
        file.write_text(json.dumps(changed))
        if name == "keras":
            with pytest.warns(UserWarning, match="have changed.*keras 3.0.0 to"):
                resume()
        else:
            with pytest.raises(JobError, match="backend 'theano'.*KERAS_BACKEND"):
                resume()


def test_results_of_version_0_1_are_resumed_with_a_report():
    run()
    folder = pathlib.Path("results")
    (folder / "contents.json").unlink()
    note = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(
        json.dumps({**note, "kdropout": "0.1.0", "fingerprint": "1234"})
    )
    with pytest.warns(UserWarning, match="kdropout 0.1 wrote it"):
        assert len(resume().trials) == 2


@pytest.mark.skipif(lock_module.fcntl is None, reason="nothing is locked here")
def test_job_is_locked_during_its_confirmation(monkeypatch):
    confirm = {"seeds": 2, "top": 1}
    seen = []

    def train(self, setting, seed):
        with pytest.raises(JobError) as raised:
            run(resume=True, confirm=confirm)
        seen.append(str(raised.value))
        return 0.5 + seed / 1e4

    monkeypatch.setattr(ConfirmationRun, "_train", train)
    report = run(confirm=confirm)
    assert len(seen) == len(report.confirmation.scores) == 4
    assert "output: 'results' is in use: process" in seen[0]
    assert "--set output=FOLDER" in seen[0]
    assert run(resume=True, confirm=confirm).to_json() == report.to_json()


@pytest.mark.slow
def test_finished_trainings_of_the_confirmation_are_kept(trainings):
    confirm = {"seeds": 2, "top": 1}
    run(confirm=confirm)
    count = len(trainings)
    changes = ({"metric": "accuracy"}, {"seeds": 3}, {})
    for change in changes:
        run(resume=True, trials=2, confirm={**confirm, **change})
    written = json.loads(pathlib.Path("results/confirmation.json").read_text())
    assert len(written["scores"]) == len(trainings) - 2  # the others are the trials
    assert len(trainings) > count
    trainings.clear()
    for change in changes:
        run(resume=True, trials=2, confirm={**confirm, **change})
    assert trainings == []


def test_damaged_confirmation_is_named_with_a_remedy():
    run(confirm={"seeds": 2, "top": 1})
    for content in ("{", "[]", '{"scores": [{"seed": 3}]}'):
        pathlib.Path("results/confirmation.json").write_text(content)
        with pytest.raises(ValueError, match="confirmation.json' must contain.*Delete"):
            run(resume=True, confirm={"seeds": 2, "top": 1})
