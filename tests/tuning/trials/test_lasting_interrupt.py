"""A Ctrl-C during a training is never lost."""

import contextlib
import signal

import keras
import pytest

from kdropout import tuning
from kdropout.tuning.interrupt import LastingInterrupt
from tests.tuning.trials import searches

pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


class PressesInVain(keras.callbacks.Callback):
    """Presses Ctrl-C in code that discards the exception, like some C++ code."""

    epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        if len(self.epochs) == 6:  # in the second trial of four epochs
            press_in_vain()

    def __deepcopy__(self, memo):
        return self


def press_in_vain():
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("eager", [False, True], ids=["graph", "fit"])
def test_search_stops_and_keeps_completed_trials(eager, tmp_path):
    def build(hp):
        model = searches.make_model()
        model.run_eagerly = eager
        return tuning.tune_rates(hp, model)

    tuner = tuning.RandomSearch(
        build, "val_loss", max_trials=3, directory=tmp_path, project_name="search"
    )
    PressesInVain.epochs = []
    with pytest.raises(KeyboardInterrupt):
        searches.search(tuner, epochs=4, callbacks=[PressesInVain()])
    assert PressesInVain.epochs == [0, 1, 2, 3, 0, 1]
    statuses = [trial.status for trial in tuner.oracle.trials.values()]
    assert statuses == ["COMPLETED", "RUNNING"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_is_raised_at_the_end_at_the_latest():
    with pytest.raises(KeyboardInterrupt), LastingInterrupt():
        press_in_vain()
    with pytest.raises(ZeroDivisionError), LastingInterrupt():
        press_in_vain()
        raise ZeroDivisionError


def test_ctrl_c_handlers_of_others_are_kept():
    def other(number, frame):
        seen.append(number)

    seen = []
    signal.signal(signal.SIGINT, other)
    with LastingInterrupt():
        press_in_vain()
    assert seen == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is other
