"""A search stops at its timeout, loses nothing, and goes on in the next call."""

import time
import types

import keras
import pytest

from kdropout import tuning
from kdropout._duration import time_text
from kdropout.tuning.budget import Budget, StopAtTimeout, seconds_of
from tests.tuning.trials import searches

EPOCHS = 6


class Slow(keras.callbacks.Callback):
    """Makes each epoch take at least this long."""

    def __init__(self, seconds=0.05):
        super().__init__()
        self.seconds = seconds

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(self.seconds)


def make_tuner(folder, **kwargs):
    arguments = {"max_trials": 4, "seed": 1, "project_name": "search", **kwargs}
    return tuning.RandomSearch(
        searches.build, "val_loss", directory=folder, **arguments
    )


def results(tuner):
    return [
        (trial.trial_id, trial.hyperparameters.values, trial.score, trial.status)
        for trial in tuner.oracle.trials.values()
    ]


@pytest.mark.slow
def test_timeout_ends_the_search_within_an_epoch_and_loses_nothing(tmp_path):
    whole = make_tuner(tmp_path / "whole")
    searches.search(whole, epochs=EPOCHS)
    # The first search also compiles, which may take longer than its time.
    tuner = make_tuner(tmp_path / "parts", timeout=60)
    tuner.budget.timeout = 0.9
    notes = []
    tuner.progress.note = notes.append
    for _ in range(40):
        start = time.monotonic()
        searches.search(tuner, epochs=EPOCHS, callbacks=[Slow()])
        seconds = time.monotonic() - start
        if len(tuner.oracle.end_order) == 4:
            break
        assert 0.9 <= seconds
        running = [t for t in tuner.oracle.trials.values() if t.status == "RUNNING"]
        assert len(running) <= 1 and not any(t.score for t in running)
    assert results(tuner) == results(whole)
    assert any("stopped after its timeout of 1 s" in note for note in notes)
    assert seconds < 0.9 + 5.0  # the model is compiled by now


@pytest.mark.slow
def test_stopped_trial_runs_again_in_another_process_with_the_same_values(tmp_path):
    tuner = make_tuner(tmp_path, timeout=60)

    class TimePasses(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            tuner.budget.begin(0.0)

        def __deepcopy__(self, memory):
            return self

    searches.search(tuner, epochs=EPOCHS, callbacks=[TimePasses()])
    assert results(tuner)[0][2:] == (None, "RUNNING")
    assert not tuner.histories()
    again = make_tuner(tmp_path, max_trials=2)
    searches.search(again, epochs=EPOCHS)
    whole = make_tuner(tmp_path / "whole", max_trials=2)
    searches.search(whole, epochs=EPOCHS)
    assert results(again) == results(whole)


@pytest.mark.slow
def test_trial_with_several_trainings_is_stopped_between_them(tmp_path):
    tuner = make_tuner(tmp_path, executions_per_trial=3, timeout=60)
    begun = []

    class Ends(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            begun.append(1)

        def on_train_end(self, logs=None):
            tuner.budget.begin(0.0)

        def __deepcopy__(self, memory):
            return self

    searches.search(tuner, epochs=1, callbacks=[Ends()])
    assert len(begun) == 1
    assert results(tuner)[0][2:] == (None, "RUNNING")


def test_training_that_ends_with_the_time_is_complete():
    budget = Budget(timeout=60)
    budget.begin(0.0)
    callback = StopAtTimeout(budget)
    model = types.SimpleNamespace(stop_training=False)
    callback.set_model(model)
    callback.set_params({"epochs": 3})
    callback.on_epoch_end(2)  # the last epoch
    assert not callback.was_needed and not model.stop_training
    model.stop_training = True  # by early stopping
    callback.on_epoch_end(0)
    assert not callback.was_needed
    model.stop_training = False
    callback.on_epoch_end(0)
    assert callback.was_needed and model.stop_training


def test_no_trial_begins_after_the_timeout(tmp_path):
    tuner = make_tuner(tmp_path, timeout=1e-9)
    searches.search(tuner, epochs=1)
    assert not tuner.oracle.trials


def test_search_within_its_time_is_not_stopped(tmp_path):
    tuner = make_tuner(tmp_path, timeout="10min", max_trials=1)
    searches.search(tuner, epochs=1)
    assert results(tuner)[0][3] == "COMPLETED"
    assert tuner.budget.seconds_left is None  # the clock stands between searches


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("45s", 45.0),
        ("2min", 120.0),
        ("2 min 30 s", 150.0),
        ("1h30m", 5400.0),
        ("1.5H", 5400.0),
        ("1d", 86_400.0),
    ],
)
def test_timeout_is_a_number_of_seconds_or_a_text(timeout, seconds):
    assert seconds_of(timeout) == seconds


def test_durations_are_shown_with_two_units():
    assert [time_text(s) for s in (0.2, 59.4, 60, 3599, 3600, 9000)] == [
        "0 s",
        "59 s",
        "1 min",
        "59 min 59 s",
        "1 h",
        "2 h 30 min",
    ]
