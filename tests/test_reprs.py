"""Objects print as one line that shows what they are."""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import callbacks, schedules
from kdropout.rate_rules import RateRule

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def halve(epoch, rate):
    return rate / 2


REPRS = {
    "AutoRate()": lambda: callbacks.AutoRate(),
    "AutoRate(target=0.2, layers='enc/*')": lambda: callbacks.AutoRate(
        0.2, layers="enc/*"
    ),
    "AutoRate(layers=[<Dropout 'drop'>, 'a'])": lambda: callbacks.AutoRate(
        layers=[kdropout.layers.Dropout(0.5, name="drop"), "a"]
    ),
    "GapController(target=0.1)": lambda: callbacks.GapController(0.1),
    "GapController(target=0.1, gain=2.0)": lambda: callbacks.GapController(0.1, gain=2),
    "GapController(target=0.1, lowering_gain=0.5)": lambda: callbacks.GapController(
        0.1, lowering_gain=0.5
    ),
    "OverfittingGap(train_data=<8 samples>)": lambda: callbacks.OverfittingGap((X, Y)),
    "OverfittingGap(train_data=<3 samples>, max_samples=3, "
    "directions={'m': 'min'})": lambda: callbacks.OverfittingGap(
        ({"a": X, "b": X}, Y), 3, directions={"m": "min"}
    ),
    "OverfittingGap(train_data=<Batches>)": lambda: callbacks.OverfittingGap(Batches()),
    "RateLogger()": lambda: callbacks.RateLogger(),
    "RateScheduler(schedule=<function halve>)": lambda: callbacks.RateScheduler(halve),
    "RateScheduler(schedule=<lambda>, verbose=1)": lambda: callbacks.RateScheduler(
        lambda epoch: 0.1, verbose=1
    ),
    "TensorBoardRates(log_dir='logs', drop_fraction_data=<array of shape (8, 3)>)": (
        lambda: callbacks.TensorBoardRates("logs", drop_fraction_data=X)
    ),
    "LearnedRate(initial_rate=0.2, regularizer=1e-05, temperature=0.1)": (
        lambda: kdropout.LearnedRate(0.2)
    ),
    "Ramp(start=0.5, end=0.0, steps=10, begin=0, curve='linear')": (
        lambda: schedules.Ramp(0.5, 0.0, 10)
    ),
    "Curriculum(rate=0.5, gamma=0.01)": lambda: schedules.Curriculum(0.5, 0.01),
    "EarlyDropout(rate=0.5, steps=9, curve='linear')": (
        lambda: schedules.EarlyDropout(0.5, 9)
    ),
    "LateDropout(rate=0.5, steps=9)": lambda: schedules.LateDropout(0.5, 9),
    "Cyclic(low=0.0, high=0.5, period=8)": lambda: schedules.Cyclic(0.0, 0.5, 8),
    "Join([LateDropout(rate=0.5, steps=9), 0.2], boundaries=[20])": (
        lambda: schedules.Join([schedules.LateDropout(0.5, 9), 0.2], [20])
    ),
}


class Batches:
    def __iter__(self):
        yield X, Y


@pytest.mark.parametrize("text", REPRS)
def test_object_prints_as_the_call_that_makes_it(text):
    assert repr(REPRS[text]()) == text


def test_every_public_callback_and_schedule_is_tested():
    public = {*callbacks.__all__, *schedules.__all__, "LearnedRate"}
    tested = {text.partition("(")[0] for text in REPRS}
    assert public - tested == {"RateSchedule", "depth_rates"}


@pytest.mark.parametrize("name", callbacks.__all__)
def test_callback_prints_although_its_constructor_did_not_end(name):
    cls = getattr(callbacks, name)
    assert repr(cls.__new__(cls)) == f"{name}()"


def test_rule_and_callback_of_a_user_print_their_arguments():
    class Chance(RateRule):
        def __init__(self, low, high=0.5, **rest):
            self.low, self.high = low, high

    class Mine(callbacks.AutoRate):
        def __init__(self, note, **kwargs):
            super().__init__(**kwargs)
            self.note = note

    assert repr(Chance(0.1)) == "Chance(low=0.1, high=0.5)"
    assert repr(Mine("a\nb")) == "Mine(note='a\\nb')"
    assert "\n" not in repr(Mine(keras.Sequential(name="x\ny")))


def test_long_value_is_cut():
    text = repr(callbacks.AutoRate(layers=["block"] * 40))
    assert text.endswith("...)") and len(text) < 90


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
def test_notebook_shows_a_table_of_a_prediction(activation):
    units = 3 if activation == "softmax" else 1
    model = keras.Sequential(
        [
            keras.Input((3,)),
            kdropout.layers.Dropout(0.5),
            keras.layers.Dense(units, activation),
        ]
    )
    noise = {"noise_std": 0.1} if activation is None else {}
    prediction = kdropout.mc_predict(model, X, 5, seed=1, **noise)
    title, empty, header, line, *rows, empty, more = (
        prediction._repr_markdown_().splitlines()
    )
    assert title == f"Prediction of shape (8, {units}), 5 samples:"
    columns = {
        "softmax": "class | probability | entropy | mutual information",
        "sigmoid": "mean | std | entropy | mutual information",
        None: "mean | std | std with noise",
    }
    assert header == f"| input | {columns[activation]} |"
    assert len(rows) == 5 and more == "3 more inputs."
    if activation == "softmax":
        best = prediction.mean[0].argmax()
        assert rows[0].startswith(f"| 0 | {best} | {prediction.mean[0, best]:.4g} | ")
    else:
        assert rows[0].startswith(
            f"| 0 | {prediction.mean[0, 0]:.4g} | {prediction.std[0, 0]:.4g} |"
        )


def test_notebook_shows_one_line_of_a_prediction_that_fits_no_table():
    image = kdropout.Prediction(np.ones((2, 4, 4)), np.ones((2, 4, 4)), None, None)
    assert image._repr_markdown_() == (
        "`<Prediction of shape (2, 4, 4): mean, variance>`"
    )
    several = kdropout.Prediction({"a": X}, {"a": X}, None, None)
    assert several._repr_markdown_() == (
        "`<Prediction of shape {'a': (8, 3)}: mean, variance>`"
    )
