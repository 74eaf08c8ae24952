"""A search shows its progress."""

import io
import re
import time

import keras
import pytest

from kdropout import tuning
from tests.tuning.trials import searches

pytestmark = pytest.mark.on_one_backend


class Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal


def run(folder, is_terminal, verbose=1, **kwargs):
    tuner = tuning.RandomSearch(
        searches.build, "val_loss", max_trials=2, seed=1, directory=folder, **kwargs
    )
    tuner.progress._stream = stream = Stream(is_terminal)
    trials = searches.search(tuner, verbose=verbose)
    return stream.getvalue(), min(trial.score for trial in trials)


def test_terminal_has_bars_with_the_best_score_and_the_remaining_time(tmp_path):
    text, best = run(tmp_path, is_terminal=True, executions_per_trial=2)
    lines = text.split("\r")
    last = [line for line in lines if line.startswith("Search 2/2 [")][-1]
    assert f"], best val_loss {best:.5g}, 00:00 left" in last
    epochs = re.findall(r"  Run (\d) epoch (\d)/2 \[", text)
    assert {("1", "0"), ("2", "0")} <= set(epochs)


def test_other_outputs_have_a_line_for_each_trial(tmp_path):
    text, best = run(tmp_path, is_terminal=False)
    lines = [line for line in text.splitlines() if line.startswith("Trial ")]
    assert len(lines) == 2
    values = r"first 0\.\d+, second 0\.\d+"
    assert re.fullmatch(
        rf"Trial 0 \(1/2\): val_loss [\d.]+ with {values}; best val_loss [\d.]+; "
        r"[\d.]+ s, about \d+ s left",
        lines[0],
    )
    assert re.match(rf"Trial 1 \(2/2\): val_loss [\d.]+ with {values}; ", lines[1])
    assert f"best val_loss {best:.5g}; " in lines[1] and "left" not in lines[1]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_silent_search_prints_nothing(is_terminal, tmp_path):
    text, _ = run(tmp_path, is_terminal, verbose=0)
    assert text == ""


def test_continued_trial_shows_the_epochs_of_the_whole_training(tmp_path):
    class Slow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            time.sleep(0.15)  # the bar is drawn at most ten times a second

    tuner = tuning.SuccessiveHalving(
        searches.build,
        "val_loss",
        max_epochs=4,
        settings=(0.1, 0.2),
        rungs=(0.5,),
        directory=tmp_path,
    )
    tuner.progress._stream = stream = Stream(is_terminal=True)
    searches.search(tuner, verbose=1, callbacks=[Slow()])
    assert re.search(
        r"Search 3, best val_loss [\d.]+, after \d\d:\d\d", stream.getvalue()
    )
    epochs = re.findall(r"  Run 1 epoch (\d)/4 \[", stream.getvalue())
    assert "3" in epochs and not {"1", "2"} & set(epochs)
