"""The scheduler sets rates at the beginning of the epoch they are for."""

import copy
import functools

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate, rates
from kdropout.callbacks import RateLogger, RateScheduler
from kdropout.layers import Dropout
from kdropout.schedules import Ramp

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


def model_of(**named_rates):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            *(Dropout(rate, name=name) for name, rate in named_rates.items()),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    return model


def begin_epochs(scheduler, model, epochs):
    """Call the hooks that `fit` calls; return the rates of each epoch."""
    scheduler.set_model(model)
    scheduler.on_train_begin()
    trace = []
    for epoch in epochs:
        scheduler.on_epoch_begin(epoch)
        trace.append(rates(model))
    return trace


def test_schedule_may_take_only_the_epoch_as_in_keras():
    trace = begin_epochs(
        RateScheduler(lambda epoch: 0.5 * 0.5**epoch), model_of(a=0.8, b=0.4), [0, 1]
    )
    assert trace == [{"a": 0.5, "b": 0.5}, {"a": 0.25, "b": 0.25}]


def test_verbose_comes_second_as_in_keras(capsys):
    begin_epochs(RateScheduler(lambda epoch: 0.25, 1), model_of(a=0.1), [0])
    assert "Epoch 1: rate of 'a' is 0.2500." in capsys.readouterr().out


def test_rate_acts_in_the_epoch_it_was_set_for():
    model = model_of(drop=0.0)
    kernel = model.layers[-1].kernel
    everything = {1: 1.0, 2: 0.0}

    class Recorder(keras.callbacks.Callback):
        kernels = []

        def on_epoch_end(self, epoch, logs=None):
            self.model  # noqa: B018  # on JAX, this brings the weights up to date
            self.kernels.append(float(ops.convert_to_numpy(kernel)[0, 0]))

    recorder = Recorder()
    scheduler = RateScheduler(lambda epoch, rate: everything.get(epoch, rate))
    model.fit(X, Y, epochs=3, batch_size=4, verbose=0, callbacks=[scheduler, recorder])
    # One mse step per epoch without dropped inputs: w += 0.1 * 2 * (1 - 3 w).
    assert recorder.kernels == pytest.approx([0.2, 0.2, 0.28])


def test_schedule_gets_the_epoch_and_the_current_rate_of_each_layer():
    seen = []

    def halve(epoch, rate):
        seen.append((epoch, rate))
        return rate / 2

    trace = begin_epochs(RateScheduler(halve), model_of(a=0.8, b=0.4), [5, 6])
    assert seen == [(5, 0.8), (5, 0.4), (6, 0.4), (6, 0.2)]
    assert trace == [{"a": 0.4, "b": 0.2}, {"a": 0.2, "b": 0.1}]


def test_schedule_sees_a_rate_moved_by_another_callback():
    model = model_of(a=0.5)
    scheduler = RateScheduler(lambda epoch, rate: rate + 0.1)
    begin_epochs(scheduler, model, [0])
    model.layers[0].rate = 0.2
    scheduler.on_epoch_begin(1)
    assert rates(model) == {"a": pytest.approx(0.3)}


def test_only_the_named_layers_move():
    model = model_of(first=0.1, second=0.2, other=0.3)
    nested = keras.Sequential([Dropout(0.4, name="drop")], name="block")
    model = keras.Sequential([model, nested])
    path = model.layers[0].name
    for layers, moved in [
        (f"{path}/first", [f"{path}/first"]),
        ("block/*", ["block/drop"]),
        (["*/second", nested.layers[0]], [f"{path}/second", "block/drop"]),
    ]:
        before = rates(model)
        scheduler = RateScheduler(lambda epoch, rate: rate + 0.05, layers=layers)
        (after,) = begin_epochs(scheduler, model, [0])
        wanted = {p: r + 0.05 * (p in moved) for p, r in before.items()}
        assert after == pytest.approx(wanted)


def test_rates_of_other_rules_do_not_move():
    ramp = Ramp(0.25, 0.5, 10)
    model = model_of(mine=0.1, scheduled=ramp, learned=LearnedRate(0.3))
    (after,) = begin_epochs(RateScheduler(lambda epoch, rate: 0.9), model, [0])
    assert after == {"mine": 0.9, "scheduled": 0.25, "learned": 0.3}


def test_initial_epoch_of_fit_counts():
    seen = []
    scheduler = RateScheduler(lambda epoch, rate: seen.append(epoch) or rate)
    model = model_of(drop=0.5)
    model.fit(
        X, Y, initial_epoch=3, epochs=5, verbose=0, callbacks=[scheduler], batch_size=4
    )
    assert seen == [3, 4]


def test_any_callable_of_two_arguments_is_accepted():
    class Table:
        def __call__(self, epoch, rate):
            return [0.5, 0.25][epoch]

    def power(base, epoch, rate):
        return base**epoch

    for schedule, wanted in [
        (Table(), [0.5, 0.25]),
        (functools.partial(power, 0.5), [1.0, 0.5]),
        (lambda epoch, rate, scale=0.5: np.float32(scale), [0.5, 0.5]),
        (lambda *args: 1, [1.0, 1.0]),
    ]:
        trace = begin_epochs(RateScheduler(schedule), model_of(drop=0.1), [0, 1])
        assert [epoch["drop"] for epoch in trace] == wanted


def test_schedule_of_steps_may_be_called_with_the_epoch():
    ramp = Ramp(0.0, 0.5, steps=10)
    scheduler = RateScheduler(lambda epoch, rate: ramp(epoch))
    trace = begin_epochs(scheduler, model_of(drop=0.1), [0, 5, 10])
    assert [epoch["drop"] for epoch in trace] == [0.0, 0.25, 0.5]


def test_verbose_prints_one_line_per_layer(capsys):
    scheduler = RateScheduler(lambda epoch, rate: 0.25, verbose=1)
    begin_epochs(scheduler, model_of(a=0.1, b=0.2), [0])
    assert capsys.readouterr().out == (
        "Epoch 1: rate of 'a' is 0.2500.\nEpoch 1: rate of 'b' is 0.2500.\n"
    )
    begin_epochs(RateScheduler(lambda epoch, rate: 0.25), model_of(a=0.1), [0])
    assert capsys.readouterr().out == ""


def test_scheduler_is_copied_for_each_trial():
    scheduler = RateScheduler(lambda epoch, rate: rate / 2, layers="a")
    for _ in range(2):
        trace = begin_epochs(copy.deepcopy(scheduler), model_of(a=0.8, b=0.1), [0])
        assert trace == [{"a": 0.4, "b": 0.1}]


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan"), None, "much", [0.5, 0.5]])
def test_schedule_that_returns_an_invalid_rate_is_refused(bad):
    model = model_of(drop=0.5)
    scheduler = RateScheduler(lambda epoch, rate: bad)
    with pytest.raises(ValueError, match="'schedule' must return a number in") as error:
        begin_epochs(scheduler, model, [2])
    assert f"schedule(2, 0.5) = {bad!r} for layer 'drop'" in str(error.value)
    assert rates(model) == {"drop": 0.5}


@pytest.mark.parametrize("bad", [True, "0.25"])
def test_schedule_that_returns_a_bool_or_text_is_refused(bad):
    scheduler = RateScheduler(lambda epoch, rate: bad)
    with pytest.raises(ValueError, match="'schedule' must return a number in"):
        begin_epochs(scheduler, model_of(drop=0.5), [0])


def test_rates_are_logged_as_set():
    callbacks = [RateScheduler(lambda epoch, rate: 0.1 * (epoch + 1)), RateLogger()]
    history = model_of(drop=0.5).fit(X, Y, epochs=3, verbose=0, callbacks=callbacks)
    assert history.history["rate/drop"] == pytest.approx([0.1, 0.2, 0.3])
