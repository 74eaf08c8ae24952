"""Searches, jobs and reports that version 0.1 wrote can be used."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning.job import uci_network  # noqa: F401 (registers its class)

FILES = pathlib.Path(__file__).parent / "files_of_0_1"
SEARCHES = json.loads((FILES / "searches" / "values.json").read_text())
RATES = {"*": tuning.Rates(0, 0.5, step=0.25)}
RAMP = tuning.Schedules((0.0, 0.2), (0.3, 0.6), steps=10)
SPACES = {"RandomSearch": {"drop_a": tuning.Rates(0, 0.5), "drop_b": RAMP}}

pytestmark = pytest.mark.on_one_backend


def data():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4)).astype("float32")
    return x, random.integers(0, 3, 60)


def reopened(algorithm, folder, max_trials=3):
    """Reopen the search of version 0.1 in a copy of its folder."""
    project = FILES / "searches" / algorithm
    shutil.copytree(project, folder / algorithm, dirs_exist_ok=True)

    def build(hp):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(8, "relu"),
                kdropout.layers.Dropout(0.3, name="drop_a"),
                keras.layers.Dense(8, "relu"),
                kdropout.layers.Dropout(0.2, name="drop_b"),
                keras.layers.Dense(3, "softmax"),
            ]
        )
        loss = "sparse_categorical_crossentropy"
        model.compile("adam", loss, metrics=["accuracy"])
        return tuning.tune_rates(hp, model, SPACES.get(algorithm, RATES))

    length = {"max_trials": max_trials}
    if algorithm == "Hyperband":
        length = {"max_epochs": 2, "factor": 2}
    return getattr(tuning, algorithm)(
        build,
        objective="val_loss",
        seed=1,
        directory=str(folder),
        project_name=algorithm,
        **length,
    )


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_search_is_reopened_with_its_scores_and_weights(algorithm, tmp_path):
    expected = SEARCHES[algorithm]
    tuner = reopened(algorithm, tmp_path)
    trials = tuner.oracle.trials
    assert {name: trial.score for name, trial in trials.items()} == expected["scores"]
    [model] = tuner.get_best_models()
    outputs = model.predict(data()[0][:2], verbose=0)
    assert np.allclose(outputs, expected["outputs"], atol=1e-6)
    assert kdropout.rates(model) == pytest.approx(expected["rates"], abs=1e-7)


@pytest.mark.parametrize("algorithm", sorted(SEARCHES.keys() - {"Hyperband"}))
def test_search_continues_after_its_last_trial(algorithm, tmp_path):
    tuner = reopened(algorithm, tmp_path, max_trials=4)
    x, y = data()
    tuner.search(x, y, validation_data=(x, y), epochs=2, verbose=0)
    scores = {name: trial.score for name, trial in tuner.oracle.trials.items()}
    assert scores.items() > SEARCHES[algorithm]["scores"].items()
    assert len(scores) == 4


def test_finished_job_gives_its_report(tmp_path):
    folder = tmp_path / "job"
    shutil.copytree(FILES / "job", folder)
    stored = json.loads((folder / "report.json").read_text())
    report = tuning.load_report(folder)
    assert report.best_trial.trial_id == stored["best_trial"]
    assert len(report.trials) == len(stored["trials"]) == 3
    report.save(tmp_path / "again")
    assert (tmp_path / "again" / "report.md").read_text().startswith("# ")


def test_unfinished_job_gives_a_report_of_its_trials(tmp_path):
    folder = tmp_path / "job"
    shutil.copytree(FILES / "job", folder)
    stored = json.loads((folder / "report.json").read_text())
    (folder / "report.json").unlink()
    report = tuning.load_report(folder)
    scores = [trial["score"] for trial in stored["trials"]]
    assert [trial.score for trial in report.trials] == pytest.approx(scores)


def test_job_is_resumed(tmp_path):
    folder = tmp_path / "job"
    shutil.copytree(FILES / "job", folder)
    with pytest.warns(DeprecationWarning, match="names of kdropout 0.1"):
        job = tuning.load_job(FILES / "job" / "job.yaml", [f"output={folder}"])
    with pytest.warns(UserWarning, match="has no record of the data and code"):
        report = tuning.run_job(job, resume=True, verbose=0)
    stored = json.loads((FILES / "job" / "report.json").read_text())
    scores = [trial["score"] for trial in stored["trials"]]
    assert [trial.score for trial in report.trials] == pytest.approx(scores)


def test_job_on_uci_data_loads():
    with pytest.warns(DeprecationWarning, match="'grid' is now called 'GridSearch'"):
        job = tuning.load_job(FILES / "jobs" / "grid.yaml")
    assert job.search.max_trials == 2


@pytest.mark.parametrize("name", ["mlp", "bayesian"])
def test_job_loads_and_passes_its_check(name):
    with pytest.warns(DeprecationWarning, match="names of kdropout 0.1"):
        job = tuning.load_job(FILES / "jobs" / f"{name}.yaml")
    job.check()


@pytest.mark.parametrize(
    "module, name, config",
    [
        ("position_embedding", "PositionEmbedding", {"name": "positions"}),
        ("live_weight_decay", "LiveWeightDecay", {"scale": 0.1, "rate": 0.5}),
    ],
)
def test_class_in_a_saved_model_is_found_by_its_registered_name(module, name, config):
    saved = {
        "module": f"kdropout.tuning.job.{module}",
        "class_name": name,
        "registered_name": f"kdropout>{name}",
        "config": config,
    }
    found = keras.saving.deserialize_keras_object(saved)
    assert type(found).__name__ == name
