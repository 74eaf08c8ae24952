"""A job with callbacks of Keras, of kdropout and of the user, in trainings."""

import sys

import keras
import pytest

from kdropout import tuning
from kdropout.tuning import JobError
from kdropout.tuning.trials import TrialEngine
from kdropout_cli import main
from tests.tuning.run.conftest import make_job, run

pytestmark = [
    pytest.mark.on_one_backend,
    pytest.mark.usefixtures("without_pictures", "without_forest"),
]

RATE = "model.optimizer.learning_rate"
UNCONFIRMED = {"seeds": 0}

# It reduces the learning rate after each epoch but the first.
PLATEAU = {
    "class_name": "ReduceLROnPlateau",
    "config": {"factor": 0.5, "patience": 1, "min_delta": 10.0},
}
# It stops after the second epoch.
STOPPING = {
    "class_name": "EarlyStopping",
    "config": {"patience": 1, "min_delta": 10.0},
}


@pytest.fixture
def histories(monkeypatch):
    """Return a list that gets the logs of each training, by name."""
    seen, train = [], TrialEngine._train

    def noted(self, hp, pooled, args, kwargs):
        result = train(self, hp, pooled, args, kwargs)
        seen.append(result.history)
        return result

    monkeypatch.setattr(TrialEngine, "_train", noted)
    return seen


def trials_of(folder):
    """Pairs of the hyperparameters and the score of the trials of a search."""
    trials = tuning.load_report(folder).trials
    return [({**trial.values, **trial.other_values}, trial.score) for trial in trials]


@pytest.mark.parametrize("hyperparameters", [{}, {RATE: [0.01, 0.1]}])
def test_each_trial_begins_with_its_learning_rate(tmp_path, histories, hyperparameters):
    common = {
        "training": {"epochs": 4, "callbacks": [PLATEAU]},
        "hyperparameters": hyperparameters,
        "confirm": UNCONFIRMED,
    }
    run(tmp_path / "all", **common)
    together = [history["learning_rate"] for history in histories]
    trials = trials_of(tmp_path / "all")
    for (values, _), rates in zip(trials, together, strict=True):
        first = values.get(RATE, 0.001)
        # Keras logs the rate of the epoch, before it reduces it.
        assert rates == pytest.approx([first, first, first / 2, first / 4], rel=1e-6)
    for index, (values, score) in enumerate(trials):
        folder = tmp_path / str(index)
        search = {"max_trials": 1, "initial_trials": [values]}
        run(folder, search=search, **common)
        assert histories[-1]["learning_rate"] == together[index]
        ((_, alone),) = trials_of(folder)
        assert alone == score  # to the bit


def test_search_and_confirmation_stop_early(tmp_path, histories):
    run(tmp_path, training={"epochs": 5, "callbacks": [STOPPING]})
    assert len(histories) > 3
    assert {len(history["loss"]) for history in histories} == {2}


@pytest.mark.usefixtures("counting")
def test_each_training_of_search_and_confirmation_has_a_new_copy(tmp_path, histories):
    run(tmp_path / "results", training={"callbacks": [COUNTER]})
    assert len(histories) > 3
    assert all(history["count"] == [1.0, 2.0] for history in histories)


def test_validation_in_each_epoch_only_if_a_callback_or_the_score_needs_it(
    tmp_path, histories
):
    common = {
        "search": {"max_trials": 1},
        "objective": {"metric": "val_loss", "scored_epoch": "last"},
        "confirm": UNCONFIRMED,
    }
    run(tmp_path / "none", training={"epochs": 3}, **common)
    run(tmp_path / "some", training={"epochs": 3, "callbacks": [PLATEAU]}, **common)
    assert [len(history["val_loss"]) for history in histories] == [1, 3]


def test_other_callbacks_are_another_job(tmp_path):
    folder = tmp_path / "results"
    run(folder, search={"max_trials": 1}, confirm=UNCONFIRMED)
    training = {"callbacks": [PLATEAU]}
    changed = make_job(folder, training=training, confirm=UNCONFIRMED)
    with pytest.raises(JobError, match=r"training\.callbacks is None there"):
        tuning.run_job(changed, resume=True, verbose=0)


def test_a_job_of_an_earlier_version_has_no_callbacks(tmp_path):
    folder = tmp_path / "results"
    run(folder, search={"max_trials": 1}, confirm=UNCONFIRMED)
    file = folder / "job.json"
    text = file.read_text()
    without = text.replace(',\n   "callbacks": null', "")
    assert without != text
    file.write_text(without)
    run(folder, resume=True, search={"max_trials": 2}, confirm=UNCONFIRMED)


OWN = """
import keras

class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        logs["count"] = float(self.count)

def make():
    return Counter()
"""


COUNTER = {"build": "counting_callbacks:make"}


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """Write a module with a callback, and return its path."""
    module = tmp_path / "counting_callbacks.py"
    module.write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module.stem, raising=False)
    return module


def test_a_callback_of_the_user_logs_the_objective_and_its_code_counts(
    tmp_path, counting
):
    settings = {
        "training": {"callbacks": [COUNTER]},
        "objective": {"metric": "count", "direction": "max"},
        "confirm": {"metric": "accuracy"},
    }
    folder = tmp_path / "results"
    report = run(folder, **settings)
    assert {trial.score for trial in report.trials} == {2.0}  # the number of epochs
    assert report.confirmation is not None
    counting.write_text(OWN.replace("+= 1", "+= 2"))
    with pytest.raises(JobError, match="training.callbacks: differs.*counting_callb"):
        run(folder, resume=True, search={"max_trials": 4}, **settings)


def test_a_callback_at_batches_is_reported_by_check_and_search(tmp_path, capsys):
    training = {"callbacks": ["TerminateOnNaN"]}
    job = make_job(
        tmp_path / "results",
        training=training,
        search={"max_trials": 1},
        confirm=UNCONFIRMED,
    )
    file = tmp_path / "job.yaml"
    file.write_text(job.to_yaml())
    assert main(["check", str(file)]) == 0
    assert "callbacks TerminateOnNaN (acts at batches, so trials train with fit" in (
        capsys.readouterr().out
    )
    tuning.run_job(job, verbose=1)
    printed = capsys.readouterr().err
    if keras.backend.backend() in ("tensorflow", "jax"):
        reason = "the callback TerminateOnNaN acts at batches"
        assert f"Trials train with fit, because {reason}" in printed


def test_averaged_weights_of_a_trial_do_not_reach_the_next(tmp_path):
    optimizer = {"name": "adam", "use_ema": True, "ema_momentum": 0.5}
    common = {
        "model": {"architecture": "mlp", "units": (8,), "optimizer": optimizer},
        "confirm": UNCONFIRMED,
    }
    training = {"epochs": 3, "callbacks": ["SwapEMAWeights"]}
    run(tmp_path / "all", training=training, **common)
    trials = trials_of(tmp_path / "all")
    values, score = trials[-1]
    search = {"max_trials": 1, "initial_trials": [values]}
    alone = run(tmp_path / "one", training=training, search=search, **common)
    assert alone.trials[0].score == score
    plain = run(tmp_path / "plain", training={"epochs": 3}, search=search, **common)
    assert plain.trials[0].score != score
