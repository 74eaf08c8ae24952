"""`tuning.confirm` and `tuning.report_of` on a search that was made in Python."""

import json
import math
import pathlib

import keras
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning.confirmation_run import ConfirmationRun
from kdropout.tuning.job.run import make_tuner
from tests.tuning.run.conftest import make_job
from tests.tuning.trials import searches

DATA = {**searches.DATA, "epochs": 1, "batch_size": 8, "verbose": 0}
TEST = (searches.X[40:], searches.Y[40:])
OTHER = "learning_rate"


def build(hp):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            kdropout.layers.Dropout(0.5, name="first"),
            keras.layers.Dense(8, activation="relu"),
            kdropout.layers.Dropout(0.5, name="second"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(hp.Float(OTHER, 1e-3, 1e-1, sampling="log"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return tuning.tune_rates(hp, model)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    tuner = tuning.RandomSearch(build, "val_loss", 4, seed=2, directory=folder)
    tuner.search(**DATA)
    return tuner


@pytest.fixture
def tuner(searched):
    """The tuner after its search, without scores of an earlier confirmation."""
    (pathlib.Path(searched.project_dir) / "confirmation.json").unlink(missing_ok=True)
    return searched


@pytest.fixture
def settings(monkeypatch):
    """Return a list of the settings that are trained, without training them."""
    trained = []

    def train(self, setting, seed):
        trained.append((setting, seed))
        return seed + sum(setting.values())

    monkeypatch.setattr(ConfirmationRun, "_train", train)
    return trained


def test_report_of_a_search_has_its_trials_and_makes_no_claim(tuner):
    report = tuning.report_of(tuner, epochs=1)
    trials = tuner.oracle.trials
    assert [trial.score for trial in report.trials] == [
        t.score for t in trials.values()
    ]
    best = tuner.oracle.get_best_trials()[0].hyperparameters.values
    assert report.best_rates == {n: best[f"rate/{n}"] for n in ("first", "second")}
    assert report.best_other_values == {OTHER: best[OTHER]}
    assert report.verdict.startswith("Not confirmed")
    assert report.curves == {
        trial_id: {row["epoch"] + 1: row["val_loss"] for row in rows}
        for trial_id, rows in tuner.histories().items()
    }
    assert [row[OTHER] for row in report.table()] == [
        trial.hyperparameters.values[OTHER] for trial in trials.values()
    ]
    assert f"# with {OTHER}=" in report.answer.code
    (other,) = [d for d in report.dimensions if d.kind == "other"]
    assert (other.name, other.low, other.high, other.is_log) == (
        OTHER,
        1e-3,
        1e-1,
        True,
    )
    assert OTHER in report.to_markdown()


def test_a_report_with_other_values_survives_json(tuner):
    report = tuning.report_of(tuner)
    again = tuning.Report.from_json(report.to_json())
    assert again.trials == report.trials
    assert again.dimensions == report.dimensions
    assert again.best_other_values == report.best_other_values


def test_each_setting_is_trained_with_its_own_other_values(tuner, settings):
    report = tuning.confirm(tuner, **DATA, test_data=TEST, seeds=2, top=2)
    assert report.curves == tuning.report_of(tuner).curves
    by_score = sorted(report.trials, key=lambda trial: trial.score)
    candidates = report.confirmation.candidates
    for label, trial in zip(("search 1", "search 2"), by_score, strict=False):
        assert candidates[label] == {**trial.rates, **trial.other_values}
    # The forest cannot learn from so few trials, so the others are those of the best.
    assert candidates["no dropout"] == {
        "first": 0.0,
        "second": 0.0,
        **by_score[0].other_values,
    }
    seeds = [seed for _, seed in settings]
    assert sorted(set(seeds)) == [1000, 1001]
    assert report.confirmation.measure == "test loss"


def test_trained_models_have_the_rates_and_the_learning_rate(tuner, monkeypatch):
    seen, train = [], type(tuner)._train

    def look(self, hp, pooled, args, kwargs):
        rate = float(keras.ops.convert_to_numpy(pooled.model.optimizer.learning_rate))
        seen.append({**kdropout.rates(pooled.model), OTHER: rate})
        return train(self, hp, pooled, args, kwargs)

    monkeypatch.setattr(type(tuner), "_train", look)
    report = tuning.confirm(tuner, **DATA, seeds=2, top=1)
    assert report.confirmation.measure == "validation loss"
    expected = list(report.confirmation.candidates.values()) * 2
    assert seen == [
        {name: pytest.approx(value, rel=1e-6) for name, value in setting.items()}
        for setting in expected
    ]


def test_no_dropout_gets_the_values_that_suit_it():
    """A large learning rate is best without dropout, and a small one with it."""
    records, names = [], {"a": "rate/a", "b": "rate/b"}
    for number in range(40):
        rate, step = (number % 8) / 10, 0.1 * (1 + number // 8)
        rates = {"a": rate, "b": min(0.7, rate + 0.1 * (number % 2))}
        score = (rate - 0.4) ** 2 + (step - (0.5 if rate < 0.2 else 0.1)) ** 2
        values = {names[path]: value for path, value in rates.items()}
        records.append(
            tuning.report.TrialRecord(
                str(number), values, rates, score, other_values={"step": step}
            )
        )
    dimension = tuning.space.dimension.Dimension
    dimensions = [dimension(f"rate/{n}", (n,), "rate", 0.0, 0.7) for n in names]
    dimensions.append(dimension("step", (), "other", 0.1, 0.5))
    importance = tuning.report.importance.measure_importance(records, dimensions)
    candidates = tuning.report.choose_candidates(records, "min", importance=importance)
    assert candidates["no dropout"]["step"] == pytest.approx(0.5)
    (uniform,) = [s for label, s in candidates.items() if label.startswith("uniform")]
    assert uniform["step"] == pytest.approx(0.1)


def test_scores_are_kept_and_not_trained_again(tuner, settings):
    first = tuning.confirm(tuner, **DATA, test_data=TEST, seeds=2, top=1)
    count = len(settings)
    again = tuning.confirm(tuner, **DATA, test_data=TEST, seeds=3, top=1)
    assert len(settings) == count + len(first.confirmation.candidates)
    for pair, score in first.confirmation.scores.items():
        assert again.confirmation.scores[pair] == score


@pytest.mark.slow
def test_the_verdict_is_that_of_the_job_with_the_same_seeds(tmp_path):
    job = make_job(tmp_path / "job", confirm={"seeds": 3, "top": 2})
    expected = tuning.run_job(job, verbose=0)
    data = job.make_data()
    tuner = make_tuner(job, job.make_hypermodel(data), tmp_path / "python")
    fit = {"epochs": job.training.epochs, "batch_size": job.training.batch_size}
    arguments = {
        "x": data.x_train,
        "y": data.y_train,
        "validation_data": data.validation,
        **fit,
        "verbose": 0,
    }
    tuner.search(**arguments)
    report = tuning.confirm(tuner, **arguments, test_data=data.test, seeds=3, top=2)
    assert report.confirmation == expected.confirmation
    assert report.verdict == expected.verdict
    assert report.answer.advice == expected.answer.advice


def test_report_can_be_saved(tuner, settings, tmp_path):
    report = tuning.confirm(tuner, **DATA, seeds=2, top=1)
    report.save(tmp_path)
    assert {"marginals.png", "trials.csv"} <= {file.name for file in tmp_path.iterdir()}
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["best_other_values"] == report.best_other_values
    assert math.isfinite(content["confirmation"]["scores"][0]["score"])


BAD = [
    ({"seeds": 1}, ValueError, "'seeds' must be"),
    ({"seeds": 2.5}, TypeError, "'seeds' must be"),
    ({"top": 0}, ValueError, "'top' must be"),
    ({"metric": 3}, TypeError, "'metric' must be a string or None"),
    (
        {"metric": "acuracy"},
        ValueError,
        "'metric' must be a metric of the model.*Did you mean 'accuracy'",
    ),
    ({"validation_data": None}, ValueError, "'test_data' must be data"),
]


@pytest.mark.parametrize(("changes", "error", "says"), BAD)
def test_bad_arguments_are_refused_before_training(
    changes, error, says, tuner, settings
):
    with pytest.raises(error, match=says):
        tuning.confirm(tuner, **{**DATA, **changes})
    assert settings == []


def test_a_tuner_of_keras_tuner_is_refused():
    with pytest.raises(TypeError, match="'tuner' must be a tuner of kdropout.tuning"):
        tuning.confirm(3, **DATA)
    with pytest.raises(TypeError, match="'tuner' must be a tuner of kdropout.tuning"):
        tuning.report_of(None)


def test_a_search_without_rates_is_refused(tmp_path):
    def build_plain(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile(keras.optimizers.SGD(hp.Float(OTHER, 0.01, 0.1)), "mse")
        return model

    tuner = tuning.RandomSearch(build_plain, "val_loss", 1, directory=tmp_path)
    arguments = {**DATA, "y": searches.X[:35, :3]}
    arguments["validation_data"] = (searches.X[35:], searches.X[35:, :3])
    tuner.search(**arguments)
    with pytest.raises(ValueError, match="'tuner' must have searched rates"):
        tuning.report_of(tuner)


def test_a_search_without_trials_is_refused(tmp_path):
    tuner = tuning.RandomSearch(build, "val_loss", 1, directory=tmp_path)
    with pytest.raises(RuntimeError, match="No trial was run"):
        tuning.confirm(tuner, **DATA)
