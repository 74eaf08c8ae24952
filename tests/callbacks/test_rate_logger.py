"""The logger writes the rate that trained the epoch into the logs."""

import copy
import csv
import itertools

import keras
import numpy as np
import pytest

from kdropout import LearnedRate, rates
from kdropout.callbacks import RateLogger, RateScheduler
from kdropout.layers import Dropout, SpatialDropout1D
from kdropout.schedules import Ramp

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


class Block(keras.layers.Layer):
    def __init__(self, rate, name):
        super().__init__(name=name)
        self.drop = Dropout(rate, name="drop")

    def call(self, inputs, training=False):
        return self.drop(inputs, training=training)


def compiled(*layers):
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    return model


def logs_of(logger, model, logs=None):
    logs = {} if logs is None else logs
    logger.set_model(model)
    logger.on_train_begin()
    logger.on_epoch_end(0, logs)
    return logs


def test_logs_are_named_by_the_path_in_the_model():
    inner = keras.Sequential([Block(0.3, name="deep")], name="inner")
    model = keras.Sequential(
        [Dropout(0.1, name="top"), Block(0.2, name="block"), inner], name="outer"
    )
    assert logs_of(RateLogger(), model, {"loss": 1.0}) == {
        "loss": 1.0,
        "rate/top": 0.1,
        "rate/block/drop": 0.2,
        "rate/inner/deep/drop": 0.3,
    }


def test_only_the_named_layers_are_logged():
    model = keras.Sequential([Dropout(0.1, name="a"), SpatialDropout1D(0.2, name="s")])
    assert logs_of(RateLogger("s"), model) == {"rate/s": 0.2}
    assert logs_of(RateLogger(model.layers[0]), model) == {"rate/a": 0.1}
    assert list(logs_of(RateLogger(["s", "a*"]), model)) == ["rate/s", "rate/a"]


def test_history_has_the_rate_of_every_kind_at_the_end_of_the_epoch():
    model = compiled(
        Dropout(0.5, name="fixed"),
        Dropout(Ramp(0.0, 0.8, 8), name="scheduled"),
        Dropout(LearnedRate(0.2), name="learned"),
    )
    log = model.fit(
        X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[RateLogger()]
    ).history
    assert log["rate/fixed"] == [0.5, 0.5]
    # Each epoch has four steps, so the last ones are steps 3 and 7.
    assert log["rate/scheduled"] == pytest.approx([0.3, 0.7])
    assert log["rate/learned"][-1] == model.get_layer("learned").rate
    assert log["rate/learned"] != [0.2, 0.2]
    assert all(type(rate) is float for rate in log["rate/fixed"])


def test_csv_logger_writes_the_rates(tmp_path):
    scheduler = RateScheduler(lambda epoch, rate: rate / 2)
    writer = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    model = compiled(Dropout(0.8, name="drop"))
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[scheduler, RateLogger(), writer])
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["rate/drop"]) for row in rows] == [0.4, 0.2]


class Mover(keras.callbacks.Callback):
    """Sets a rate when an epoch ends, like a controller."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.get_layer("drop").rate = 0.1 * (epoch + 2)


class RatesInEffect(keras.callbacks.Callback):
    """Records the rate that each epoch trains with."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1:
            self.rates.append(rates(self.model)["drop"])


def halve(epoch, rate):
    return rate / 2


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_logged_rate_trained_the_epoch_in_any_callback_order(order):
    callbacks = [RateLogger(), Mover(), RateScheduler(halve)]
    in_effect, model = RatesInEffect(), compiled(Dropout(0.1, name="drop"))
    model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
    chosen = [callbacks[index] for index in order]
    history = model.fit(
        X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[*chosen, in_effect]
    ).history
    assert history["rate/drop"] == in_effect.rates
    assert in_effect.rates == pytest.approx([0.05, 0.1, 0.15])


def test_rate_that_moves_between_batches_is_logged_as_of_the_first():
    class PerBatch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.get_layer("drop").rate = 0.1 * (batch + 2)

    model = compiled(Dropout(0.1, name="drop"))
    callbacks = [PerBatch(), RateLogger()]
    log = model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
    assert log.history["rate/drop"] == pytest.approx([0.1, 0.3])


def test_logger_is_copied_before_and_after_a_fit():
    logger = RateLogger("drop")
    for _ in range(2):
        logger = copy.deepcopy(logger)
        model = compiled(Dropout(0.3, name="drop"))
        history = model.fit(X, Y, verbose=0, callbacks=[logger])
        assert history.history["rate/drop"] == [0.3]


def test_call_without_logs_is_harmless():
    logger = RateLogger()
    logger.set_model(compiled(Dropout(0.3)))
    logger.on_train_begin()
    logger.on_epoch_end(0)
