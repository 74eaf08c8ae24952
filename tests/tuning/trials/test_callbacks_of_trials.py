"""In a compiled epoch, callbacks get the same values as in `fit`."""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import tuning
from tests.tuning.trials import searches

COMPILED = keras.backend.backend() in ("tensorflow", "jax")


def build(hp):
    model = searches.make_model()
    optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return tuning.tune_rates(hp, model)


class Record(keras.callbacks.Callback):
    """Keeps the logs of all epochs, also those of the copies that a tuner makes."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))

    def __deepcopy__(self, memo):
        return self


def logs_of(folder, callbacks, **arguments):
    """Return the logs of each epoch of a search of two trials."""
    record = Record()
    tuner = tuning.RandomSearch(
        build,
        objective="val_loss",
        max_trials=2,
        seed=1,
        directory=folder,
        project_name="search",
    )
    searches.search(tuner, callbacks=[*callbacks, record], epochs=3, **arguments)
    return record.logs


@pytest.mark.parametrize(("swap_on_epoch", "gap_first"), [(True, True), (False, False)])
def test_gap_of_equal_data_is_0_with_averaged_weights(
    tmp_path, capsys, swap_on_epoch, gap_first
):
    data = searches.DATA["x"], searches.DATA["y"]
    callbacks = [
        kdropout.callbacks.OverfittingGap(data),
        keras.callbacks.SwapEMAWeights(swap_on_epoch=swap_on_epoch),
    ][:: 1 if gap_first else -1]
    arguments = {"validation_data": data, "verbose": 1}
    logs = logs_of(tmp_path, callbacks, **arguments)
    assert [entry["gap_loss"] for entry in logs] == pytest.approx([0.0] * 6, abs=1e-6)
    assert len({entry["clean_loss"] for entry in logs}) == 6
    # In compiled epochs, because neither callback needs a training with fit.
    assert ("train with fit" in capsys.readouterr().err) == (not COMPILED)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0)])
def test_logged_rates_are_those_of_the_epoch_in_any_order(tmp_path, order):
    class Mover(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.get_layer("first").rate = 0.1 * (epoch + 2)

    callbacks = [
        kdropout.callbacks.RateLogger("first"),
        Mover(),
        kdropout.callbacks.RateScheduler(lambda epoch, rate: rate / 2),
    ]
    logs = logs_of(tmp_path, [callbacks[index] for index in order])
    rates = [entry["rate/first"] for entry in logs]
    np.testing.assert_allclose(rates[1:3] + rates[4:], [0.1, 0.15] * 2, rtol=1e-6)
