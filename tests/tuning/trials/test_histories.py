"""The metrics of each epoch of each trial are kept and can be read."""

import json
import math

import keras
import keras_tuner
import pytest

from kdropout import tuning
from kdropout.tuning import histories
from kdropout.tuning.histories import History
from kdropout.tuning.trial_records import trial_curves
from tests.tuning.storage import kills
from tests.tuning.trials import searches


def test_history_has_the_metrics_of_each_epoch_of_each_training(tmp_path):
    seen = []

    class Record(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = 2.0 * epoch
            seen.append({"epoch": epoch, **logs})

        def __deepcopy__(self, memory):
            return self

    def make():
        return tuning.RandomSearch(
            searches.build,
            "val_loss",
            max_trials=2,
            seed=1,
            executions_per_trial=2,
            directory=tmp_path,
        )

    tuner = make()
    searches.search(tuner, callbacks=[Record()])
    found = tuner.histories()
    assert list(found) == ["0", "1"]
    rows = [row for trial in found.values() for row in trial]
    assert [row.pop("execution") for row in rows] == [0, 0, 1, 1] * 2
    assert rows == seen and rows[1]["extra"] == 2.0
    assert make().histories() == tuner.histories()
    best = [min(row["val_loss"] for row in found["0"][at : at + 2]) for at in (0, 2)]
    assert tuner.oracle.trials["0"].score == pytest.approx(sum(best) / 2)


def test_curve_is_the_mean_over_the_trainings_without_lost_values():
    losses = [(0, 0, 4.0), (0, 1, math.nan), (0, 2, 1.0), (1, 0, 2.0), (1, 1, 3.0)]
    rows = [
        {"execution": execution, "epoch": epoch, "val_loss": loss}
        for execution, epoch, loss in losses
    ]
    rows.append({"execution": 1, "epoch": 3, "loss": 0.5})  # not validated
    objective = keras_tuner.Objective("val_loss", "min")
    curve = histories.mean_curve(History(rows, 1.0), objective)
    assert curve == {0: 3.0, 1: 3.0, 2: 1.0}
    known = {"0": History(rows, 1.0), "1": History([], 1.0), "2": None}
    assert trial_curves(known, objective) == {"0": {1: 3.0, 2: 3.0, 3: 1.0}}


def test_continued_trial_has_its_own_epochs(tmp_path):
    tuner = tuning.SuccessiveHalving(
        searches.build,
        "val_loss",
        max_epochs=4,
        settings=(0.1, 0.2),
        rungs=(0.5,),
        directory=tmp_path,
    )
    searches.search(tuner)
    epochs = [[row["epoch"] for row in rows] for rows in tuner.histories().values()]
    assert epochs == [[0, 1], [0, 1], [2, 3]]


def test_trial_without_epochs_has_no_rows(tmp_path):
    tuner = kills.make_tuner("random", tmp_path, max_trials=2)
    tuner.search(verbose=0)
    assert tuner.histories() == {"0": [], "1": []}


def test_file_is_standard_json_and_keeps_nan_and_lists(tmp_path):
    rows = [{"execution": 0, "epoch": 0, "loss": math.nan, "per_class": [0.5, 1.0]}]
    histories.write(tmp_path, History(rows, seconds=3.0, stopped_after=1))
    text = (tmp_path / "history.json").read_text()
    assert "NaN" not in text and json.loads(text)["rows"][0]["loss"] is None
    read = histories.read(tmp_path)
    assert math.isnan(read.rows[0].pop("loss"))
    assert read == History(
        [{"execution": 0, "epoch": 0, "per_class": [0.5, 1.0]}], 3.0, 1
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"rows": 3, "seconds": 1}'])
def test_damaged_file_counts_as_missing(text, tmp_path):
    (tmp_path / "history.json").write_text(text)
    assert histories.read(tmp_path) is None


def test_history_of_an_earlier_run_is_forgotten(tmp_path):
    histories.write(tmp_path, History([{"execution": 0, "epoch": 0}], 1.0))
    histories.forget(tmp_path)
    histories.forget(tmp_path)
    assert histories.read(tmp_path) is None


def test_pace_is_the_median_without_the_first_trial():
    def of(seconds, epochs):
        return History([{"execution": 0, "epoch": at} for at in range(epochs)], seconds)

    known = [of(90.0, 3), None, of(2.0, 2), of(6.0, 2), of(4.0, 2)]
    assert histories.seconds_per_epoch(known) == 2.0
    assert histories.seconds_per_epoch(known[:1]) == 30.0
    assert histories.seconds_per_epoch([None]) is None
