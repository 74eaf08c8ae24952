"""A search shows its progress."""

import io
import re
import time

import keras
import keras_tuner
import pytest

from kdropout import tuning
from kdropout.tuning import progress
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


@pytest.mark.parametrize("has_widgets", [False, True])
def test_notebook_has_bars_only_with_ipywidgets(has_widgets, monkeypatch):
    import tqdm.notebook

    monkeypatch.setattr(progress.sys, "stderr", Stream(is_terminal=False))
    monkeypatch.setattr(progress, "is_installed", lambda module: has_widgets)
    assert progress.bar_class(progress.sys.stderr) is None  # not in a notebook
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    found = progress.bar_class(progress.sys.stderr)
    assert found is (tqdm.notebook.tqdm if has_widgets else None)
    assert progress.bar_class(Stream(is_terminal=False)) is None  # such as a file
    assert progress.bar_class(Stream(is_terminal=True)) is tqdm.tqdm


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


def test_long_trial_shows_a_sign_of_life(tmp_path, monkeypatch):
    class Slow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            time.sleep(0.4)

    monkeypatch.setattr(progress, "_SILENCE", 0.1)
    tuner = tuning.RandomSearch(
        searches.build, "val_loss", max_trials=1, seed=1, directory=tmp_path, timeout=60
    )
    tuner.progress._stream = stream = Stream(is_terminal=False)
    searches.search(tuner, verbose=1, callbacks=[Slow()])
    signs = [line for line in stream.getvalue().splitlines() if " runs for " in line]
    assert re.fullmatch(
        r"Trial 0 runs for \d+ s, epoch 1/2, first 0\.\d+, second 0\.\d+, at most "
        r"(1 min|5\d s) left",
        signs[-1],
    )
    count = stream.getvalue().count(" runs for ")
    time.sleep(0.3)
    assert stream.getvalue().count(" runs for ") == count  # it ends with the search


def test_several_running_trials_share_a_sign_of_life():
    class Oracle:
        max_trials, end_order = None, []

    class Trial:
        hyperparameters = keras_tuner.HyperParameters()

        def __init__(self, trial_id):
            self.trial_id = trial_id

    stream = Stream(is_terminal=False)
    shown = progress.Progress(Oracle(), stream=stream)
    for trial_id in ("0", "1"):
        shown.on_trial_begin(Trial(trial_id))
    shown._print_sign()
    shown.close()
    assert stream.getvalue() == "2 trials run, the first one for 0 s\n"


def test_line_shows_at_most_three_values():
    values = {"rate/a": 0.25, "units": 64, "kind": "deep", "rate/b": 0.5, "tuner/x": 1}
    assert progress.values_text(values) == "a 0.25, units 64, kind deep, ..."
    assert progress.values_text({"rate/a": 1 / 3}) == "a 0.333"
    assert progress.values_text({}) == ""
