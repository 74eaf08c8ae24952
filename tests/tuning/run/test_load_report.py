"""The report of a folder can be loaded with or without the model and the data."""

import json
import shutil

import pytest

from kdropout import tuning
from kdropout.tuning import Report
from tests.tuning.run.conftest import run

pytestmark = pytest.mark.on_one_backend

MODULE = """
import keras

def build(data):
    return keras.Sequential([
        keras.Input(data.input_shape),
        keras.layers.Dropout(0.4, name="drop"),
        keras.layers.Dense(3, activation="softmax"),
    ])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Run a part of a search over a user's model, and delete the model."""
    patched = pytest.MonkeyPatch()
    place = tmp_path_factory.mktemp("user")
    with patched.context() as patch:
        patch.chdir(place)
        patch.syspath_prepend(place)
        (place / "models_of_load_report.py").write_text(MODULE)
        patch.setattr(Report, "save", lambda report, folder: [])
        run("results", model={"build": "models_of_load_report:build"})
    return place / "results"


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_copy_elsewhere_needs_neither_model_nor_data(copy):
    report = tuning.load_report(str(copy))
    assert list(report.best_rates) == ["drop"]
    assert (report.objective, report.direction) == ("val_loss", "min")
    assert report.baseline == {"drop": 0.4}


def test_stopped_search_has_curves_and_an_older_one_has_none(copy):
    report = tuning.load_report(copy)
    assert {len(curve) for curve in report.curves.values()} == {2}
    assert len(report.curves) == len(report.trials)
    for file in copy.glob("search/trial_*/history.json"):
        file.unlink()
    assert tuning.load_report(copy).curves == {}


def test_files_of_trials_replace_a_damaged_file_of_the_search(copy):
    expected = tuning.load_report(copy)
    (copy / "search" / "oracle.json").write_text("{")
    assert tuning.load_report(copy).trials == expected.trials


def test_report_file_is_enough(copy, tmp_path):
    text = tuning.load_report(copy).to_json()
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "report.json").write_text(text)
    assert tuning.load_report(alone).to_json() == text


def test_folder_of_another_kind_is_refused(tmp_path):
    (tmp_path / "search").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(
            ValueError, match="'folder' must be a folder that 'kdropout"
        ):
            tuning.load_report(folder)
    with pytest.raises(TypeError, match="'folder' must be a path. Received: folder=3"):
        tuning.load_report(3)


def test_damaged_report_or_plan_is_named_with_a_remedy(copy):
    (copy / "plan.json").write_text("[]")
    with pytest.raises(
        ValueError, match="plan.json' must contain the layers.*--resume"
    ):
        tuning.load_report(copy)
    (copy / "report.json").write_text("{}")
    with pytest.raises(ValueError, match="report.json' cannot be read.*--resume"):
        tuning.load_report(copy)


def test_no_report_before_the_first_trial_ends(copy):
    file = copy / "search" / "oracle.json"
    state = json.loads(file.read_text())
    state["trials"] = [
        {**trial, "status": "RUNNING", "score": None} for trial in state["trials"]
    ]
    file.write_text(json.dumps(state))
    with pytest.raises(
        ValueError, match="none completed. Wait until a trial has completed"
    ):
        tuning.load_report(copy)
