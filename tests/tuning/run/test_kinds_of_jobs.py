"""Each algorithm, kind of space, objective, data and model, from end to end."""

import pathlib

import keras
import keras_tuner
import numpy as np
import pytest

import kdropout_cli as cli
from kdropout import tuning
from kdropout.tuning import JobError
from kdropout.tuning.job.run import make_tuner
from kdropout_dashboard import reader
from kdropout_dashboard.source import open_log
from tests.tuning.run.conftest import make_job, run

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.slow,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]

UNCONFIRMED = {"seeds": 0}
LATE_HALVING = {
    "search": {"algorithm": "SuccessiveHalving", "settings": [0.1, 0.3, 0.6, 0.9]},
    "objective": {"metric": "val_loss", "scored_epoch": "last"},
    "training": {"epochs": 4},
}

MODULE = """
import keras, numpy as np, tensorflow as tf

def build(data):
    return keras.Sequential([
        keras.Input(data.input_shape),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.Dropout(0.4),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.Dropout(0.9),
        keras.layers.Dense(3, activation="softmax"),
    ])

class Broken(keras.layers.Layer):
    def call(self, inputs, training=False):
        if training:
            raise ValueError("no training today")
        return inputs

def broken(data):
    model = build(data)
    return keras.Sequential([keras.Input(data.input_shape), Broken(), model])

def load():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    pairs = (x[:40], y[:40]), (x[40:], y[40:])
    return [tf.data.Dataset.from_tensor_slices(p).batch(20) for p in pairs]
"""


@pytest.fixture
def module(tmp_path):
    """Write a module of a user into the current folder; return its name."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    pathlib.Path(f"{name}.py").write_text(MODULE)
    return name


def test_hyperband_reports_the_epochs_of_each_trial(tmp_path):
    report = run(
        tmp_path / "results",
        search={"algorithm": "Hyperband", "factor": 3},
        training={"epochs": 3},
        confirm=UNCONFIRMED,
    )
    assert {trial.epochs for trial in report.trials} == {1, 3}


def test_late_halving_confirms_the_setting_that_it_kept(tmp_path):
    folder = tmp_path / "results"
    report = run(folder, **LATE_HALVING)
    trials = [(t.rates["dense1_drop"], t.epochs, t.rung) for t in report.trials]
    assert trials[:4] == [(rate, 2, 0) for rate in (0.1, 0.3, 0.6, 0.8)]  # up to 0.8
    assert [trial[1:] for trial in trials[4:]] == [(3, 1), (3, 1), (4, 2)]
    assert report.best_trial is report.trials[-1]
    assert report.confirmation.candidates["search 1"] == report.best_trial.rates
    again = tuning.load_report(folder)
    assert [trial.rung for trial in again.trials] == [0, 0, 0, 0, 1, 1, 2]
    assert again.best_trial.trial_id == report.best_trial.trial_id
    assert "Late halving stopped half of the settings" in report.to_markdown()
    payload = reader.search(open_log(folder / "tensorboard"), ".")
    assert [trial.get("rung", 0) for trial in payload["trials"]] == [
        trial.rung for trial in report.trials
    ]
    assert len(run(folder, resume=True, **LATE_HALVING).trials) == 7


def test_grid_is_tried_completely(tmp_path):
    report = run(
        tmp_path / "results",
        search={"algorithm": "GridSearch"},
        space={"*": {"values": [0.1, 0.2, 0.4]}},
        confirm=UNCONFIRMED,
    )
    rates = [trial.rates["dense1_drop"] for trial in report.trials]
    assert sorted(rates) == [0.1, 0.2, 0.4]


def test_bayesian_optimization_tries_no_rate_twice(tmp_path):
    report = run(
        tmp_path / "results",
        search={
            "algorithm": "BayesianOptimization",
            "max_trials": 5,
            "num_initial_points": 2,
        },
        confirm=UNCONFIRMED,
    )
    assert len({trial.rates["dense1_drop"] for trial in report.trials}) == 5


def test_schedules_are_confirmed_with_all_parts_even_if_they_end_at_0(tmp_path):
    schedule = {"start": [0.2, 0.8], "end": 0.0, "steps": [2, 6]}
    report = run(tmp_path / "results", space={"*": {"schedule": schedule}})
    prefix = "rate/dense1_drop"
    found = report.confirmation.candidates["search 1"]
    assert found == report.best_trial.values
    # Two seeds show no difference, so the report recommends no dropout.
    assert report.recommended == "no dropout" and report.best_values == {}
    assert set(found) == {f"{prefix}/start", f"{prefix}/steps"}
    assert report.best_rates == {"dense1_drop": 0.0}
    scores = report.confirmation.scores
    assert scores["search 1", 1000] != scores["no dropout", 1000]


def test_space_may_have_one_rate_everywhere_and_fixed_rates(tmp_path):
    report = run(
        tmp_path / "results",
        model={"architecture": "mlp", "units": (6, 6), "input_dropout": True},
        space={"dense*": [0.1, 0.6], "input_drop": 0.2},
        confirm={"top": 2},
    )
    labels = list(report.confirmation.candidates)
    assert labels[0] == "no dropout" and labels[2:] == ["search 1", "search 2"]
    assert labels[1].startswith("uniform ")
    assert all(trial.rates["input_drop"] == 0.2 for trial in report.trials)
    assert report.baseline == dict.fromkeys(report.best_rates, 0.3)


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ("gap_loss", "gap_loss"),
        ({"metric": "val_loss", "gap_limit": 0.0}, "limited_val_loss"),
    ],
)
def test_gap_is_searched_but_models_are_compared_by_their_loss(
    objective, name, tmp_path
):
    report = run(tmp_path / "results", objective=objective)
    assert report.objective == name
    for trial in report.trials:
        assert trial.score == trial.metrics[name]
    assert report.confirmation.measure == "test loss"


def test_validation_data_decide_without_a_test_set(module, tmp_path):
    report = run(
        tmp_path / "results",
        data={"function": f"{module}:load"},  # batches of a tf.data.Dataset
        model={"build": f"{module}:build"},
        training={"batch_size": 32},
    )
    assert report.confirmation.measure == "validation loss"
    assert not report.confirmation.failures
    assert all(trial.completed for trial in report.trials)


def test_dataset_that_cannot_be_sent_to_workers_is_refused_at_once(module, tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(JobError, match="workers: needs data that can be sent.*arrays"):
        run(
            tmp_path / "results",
            data={"function": f"{module}:load"},
            model={"build": f"{module}:build"},
            workers=2,
        )
    assert not (tmp_path / "results").exists()


def test_regression_is_reported_by_its_error(tmp_path):
    metric = "root_mean_squared_error"
    report = run(
        tmp_path / "results",
        data={"sklearn": "diabetes"},
        objective=f"val_{metric}",
        confirm={"metric": metric},
    )
    confirmation = report.confirmation
    assert (confirmation.measure, confirmation.direction) == (f"test {metric}", "min")
    # The targets are standardised, so the mean as the answer has an error of about 1.
    assert 0.5 < np.mean(list(confirmation.scores.values())) < 1.5


def test_unnamed_layers_are_the_same_in_a_process_that_has_made_others(
    module, tmp_path
):
    keras.layers.Dropout(0.5)  # takes the first name
    report = run(
        tmp_path / "results", model={"build": f"{module}:build"}, confirm=UNCONFIRMED
    )
    assert set(report.best_rates) == {"dropout", "dropout_1"}
    # As before, although the search ends at 0.8.
    assert report.baseline == {"dropout": 0.4, "dropout_1": 0.9}


def test_trials_and_confirmation_begin_with_the_weights_of_a_file(tmp_path):
    job = make_job("x")
    data = job.make_data()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dropout(0.5, name="drop"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save("model.keras")
    loss = [
        model.evaluate(*pair, verbose=0)[0] for pair in (data.validation, data.test)
    ]
    still = {"name": "sgd", "learning_rate": 0.0}
    report = run(
        tmp_path / "results", model={"file": "model.keras", "optimizer": still}
    )
    found = [trial.score for trial in report.trials]
    np.testing.assert_allclose(found, loss[0], rtol=1e-5)
    found = list(report.confirmation.scores.values())
    np.testing.assert_allclose(found, loss[1], rtol=1e-5)
    assert "the same" in report.verdict or "too coarse" in report.verdict


def test_last_epoch_may_be_scored(tmp_path):
    scores = {}
    for epoch in ("best", "last"):
        # A higher loss counts as better here, so the first epochs are the best.
        objective = {"metric": "val_loss", "direction": "max", "scored_epoch": epoch}
        report = run(tmp_path / epoch, objective=objective, confirm=UNCONFIRMED)
        scores[epoch] = np.array([trial.score for trial in report.trials])
    assert (scores["best"] > scores["last"]).all()


def test_score_and_weights_are_those_of_the_last_epoch(tmp_path):
    data = make_job("x").make_data()
    seen = []

    class Record(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["val_loss"])

        def __deepcopy__(self, memo):
            return self

    def build(hp):
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(8, activation="relu"),
                keras.layers.Dropout(0.1, name="drop"),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        return tuning.tune_rates(hp, model)

    tuner = tuning.RandomSearch(
        build,
        # A higher loss counts as better here, so the first epoch is the best.
        keras_tuner.Objective("val_loss", "max"),
        max_trials=1,
        seed=1,
        scored_epoch="last",
        directory=tmp_path,
    )
    tuner.search(
        *data.training,
        validation_data=data.validation,
        epochs=3,
        callbacks=[Record()],
        verbose=0,
    )
    assert len(seen) == 3 and seen[-1] < max(seen)
    (trial,) = tuner.oracle.trials.values()
    assert trial.score == seen[-1]
    (model,) = tuner.get_best_models()
    loss = model.evaluate(*data.validation, verbose=0)
    assert loss == pytest.approx(seen[-1], rel=1e-5)
    with pytest.raises(
        ValueError, match="'scored_epoch' must be one of 'best', 'last'"
    ):
        tuning.RandomSearch(build, "val_loss", 1, scored_epoch="lats")


def test_search_with_only_zero_rates_has_nothing_to_confirm(tmp_path, capsys):
    report = run(
        tmp_path / "results",
        model={"architecture": "mlp", "units": (8,), "rate": 0.0},
        search={"algorithm": "GridSearch", "max_trials": 1},
        space={"*": {"values": [0.0, 0.5]}},
    )
    assert report.best_rates == {"dense1_drop": 0.0}
    assert report.confirmation is None
    assert "no trial with dropout has completed" in report.answer.advice
    assert cli.main(["report", "results"]) == 0
    assert "the job is not finished" not in capsys.readouterr().err


def test_error_says_why_all_trials_failed_in_a_few_lines(module, tmp_path):
    with pytest.raises(RuntimeError) as raised:
        run(tmp_path / "results", model={"build": f"{module}:broken"})
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("  ValueError: ")
    assert lines[1].endswith("no training today")
    with pytest.raises(ValueError, match="no training today"):
        tuning.load_report(tmp_path / "results")


# KerasTuner takes the best epoch with `np.nanmin`, which warns where all are NaN.
@pytest.mark.filterwarnings("ignore:All-NaN axis:RuntimeWarning")
def test_search_with_only_nan_scores_gives_the_reason_and_no_report(tmp_path):
    optimizer = {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(RuntimeError):
        run(tmp_path / "results", model={"architecture": "mlp", "optimizer": optimizer})
    with pytest.raises(
        ValueError, match="failed with one error: The objective .* was NaN"
    ):
        tuning.load_report(tmp_path / "results")


def test_rates_at_a_limit_of_the_space_of_a_job_are_reported(tmp_path):
    settings = {
        "search": {"algorithm": "GridSearch"},
        "space": {"*": {"values": [0.5, 0.9]}},
        "confirm": UNCONFIRMED,
    }
    report = run(tmp_path / "results", **settings)
    assert report.limits == {"rate/dense1_drop": (0.5, 0.9)}
    best = report.best_rates["dense1_drop"]
    limit = "upper" if best == 0.9 else "lower"
    told = f"a rate of exactly {best:g}, the {limit} limit of the space ('dense1_drop'"
    assert told in report.answer.next_step
    assert tuning.load_report(tmp_path / "results").answer == report.answer
    (tmp_path / "results" / "report.json").unlink()
    assert tuning.load_report(tmp_path / "results").limits == report.limits


def test_workers_of_a_job_are_those_of_its_tuner(tmp_path):
    pytest.importorskip("ray")
    job = make_job(
        tmp_path,
        workers=2,
        threads_per_worker=1,
        gpus_per_worker=0.5,
        ray_address="auto",
    )
    tuner = make_tuner(job, job.check().build, tmp_path)
    runner = tuner._ray_runner
    assert (runner.num_workers, runner.address) == (2, "auto")
    assert (runner.num_threads, runner.num_gpus) == (1, 0.5)


def test_one_hot_labels_get_the_scores_of_integers(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    classes = (x[:, 0] > 0) + (x[:, 1] > 0) * 1
    scores, tasks = {}, {}
    for name, y in (("integers", classes), ("rows", np.eye(3)[classes])):
        np.savez(f"{name}.npz", x_train=x, y_train=y)
        report = run(tmp_path / name, data={"npz": f"{name}.npz"}, confirm=UNCONFIRMED)
        scores[name] = [trial.score for trial in report.trials]
        tasks[name] = report.task
        assert report.to_markdown().count("Task: classification of 3 classes") == 1
        assert tuning.load_report(tmp_path / name).task == report.task
        (tmp_path / name / "report.json").unlink()
        assert tuning.load_report(tmp_path / name).task == report.task
    # The cross-entropy of a one-hot row is that of its class.
    np.testing.assert_allclose(scores["rows"], scores["integers"], rtol=1e-4)
    assert "loss categorical_crossentropy" in tasks["rows"]


def test_flags_are_trained_and_texts_are_classified(tmp_path):
    fast = {"name": "adam", "learning_rate": 0.05}
    x = np.random.default_rng(0).normal(size=(60, 4))
    for name, y, metric in (
        ("flags", (x[:, :3] > 0) * 1, "val_binary_accuracy"),
        ("texts", np.array(["no", "yes"])[(x[:, 0] > 0) * 1], "val_accuracy"),
    ):
        np.savez(f"{name}.npz", x_train=x, y_train=y)
        report = run(
            tmp_path / name,
            data={"npz": f"{name}.npz"},
            model={"architecture": "mlp", "units": (8,), "optimizer": fast},
            objective=metric,
            training={"epochs": 30},
            search={"max_trials": 1},
            confirm=UNCONFIRMED,
        )
        assert report.best_trial.score > 0.75  # 0.5 by chance


def test_error_says_that_all_scores_are_nan(tmp_path):
    model = {"architecture": "mlp", "units": (8,)}
    diverging = {"name": "sgd", "learning_rate": 1e30}
    for trials in (2, 5):  # more failures than would end a search
        with pytest.raises(RuntimeError, match="val_loss, was NaN in all") as raised:
            run(
                tmp_path / str(trials),
                model={**model, "optimizer": diverging},
                search={"max_trials": trials},
            )
        assert "learning rate" in str(raised.value)


INFINITE = """
import keras

def build(data):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5, name="drop"),
        keras.layers.Dense(3, activation="softmax")])
    def infinite(y_true, y_pred):
        return keras.ops.mean(y_pred) * 0.0 + float("inf")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[infinite])
    return model
"""


def test_error_says_that_all_scores_are_infinite(tmp_path):
    pathlib.Path("infinite_module.py").write_text(INFINITE)
    with pytest.raises(RuntimeError, match="val_infinite, was NaN or infinite in all"):
        run(
            tmp_path / "results",
            model={"build": "infinite_module:build"},
            objective={"metric": "val_infinite", "direction": "min"},
        )
    checked = make_job("x", model={"build": "infinite_module:build"}).check()
    assert checked.task.endswith("metrics infinite")


def test_error_of_the_search_itself_is_passed_on(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("the disk is full: consecutive failures")

    monkeypatch.setattr(tuning.RandomSearch, "search", fail)
    with pytest.raises(RuntimeError, match="^the disk is full"):
        run(tmp_path / "results")


def test_damaged_weights_of_a_trial_are_named(tmp_path):
    folder = tmp_path / "results"
    run(folder, confirm=UNCONFIRMED)
    job = make_job(folder)
    tuner = make_tuner(job, job.check().build, folder)
    for file in folder.glob("search/trial_*/weights.npz"):
        file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(ValueError, match="weights.npz' must contain the weights of a "):
        tuner.get_best_models()
