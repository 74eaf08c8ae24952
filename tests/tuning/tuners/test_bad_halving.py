"""Late halving refuses bad arguments, names them and says what to do."""

import tempfile

import keras
import keras_tuner
import pytest

import kdropout
from kdropout import tuning
from tests.tools import Case, assert_refused, name_of

NAN = float("nan")


def plain(hp, space=None):
    layers = [kdropout.layers.Dropout(0.5, name=name) for name in ("first", "last")]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        hp.Int("depth", 1, 4)
    hp.Boolean("norm")
    return tuning.tune_rates(hp, model, space)


def halving(hypermodel=plain, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        return tuning.SuccessiveHalving(
            hypermodel, "val_loss", directory=folder, **arguments
        )


def without_rates(hp):
    hp.Float("rate/x", 0.0, 0.5)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def with_schedules(hp):
    return plain(hp, tuning.Schedules(0.0, (0.1, 0.6), (10, 100)))


def within(low, high):
    return lambda hp: plain(hp, (low, high))


def a_black_box(settings):
    class Own(tuning.SuccessiveHalving):
        def run_trial(self, trial, *args, **kwargs):
            return 0.0

    space = keras_tuner.HyperParameters()
    space.Float("rate/a", 0.0, 0.5)
    with tempfile.TemporaryDirectory() as folder:
        Own(directory=folder, hyperparameters=space, settings=settings)


def settings(*values):
    return lambda: halving(settings=list(values))


CASES = [
    # settings
    Case(
        "settings as a number",
        lambda: halving(settings=0.2),
        TypeError,
        ["'settings' must be a sequence of at least 2", "settings=0.2"],
    ),
    Case(
        "settings as text",
        lambda: halving(settings="0.2, 0.4"),
        TypeError,
        ["'settings' must be a sequence of at least 2"],
    ),
    Case(
        "one setting",
        settings(0.2),
        ValueError,
        ["'settings' must be a sequence of at least 2", "settings=[0.2]"],
    ),
    Case(
        "a rate of 1",
        settings(0.2, 1.0),
        ValueError,
        ["settings[1] must be a rate in [0, 1), or a dict", "Received: 1.0"],
    ),
    Case(
        "a rate below 0",
        settings(-0.1, 0.5),
        ValueError,
        ["settings[0] must be a rate", "Received: -0.1"],
    ),
    Case(
        "NaN", settings(NAN, 0.5), ValueError, ["settings[0] must be", "Received: nan"]
    ),
    Case("a flag", settings(0.2, True), TypeError, ["settings[1] must be", "True"]),
    Case("a text", settings(0.2, "0.4"), TypeError, ["settings[1] must be", "'0.4'"]),
    Case("a list", settings(0.2, [0.1]), TypeError, ["settings[1] must be", "[0.1]"]),
    Case(
        "a name that is a number",
        settings(0.2, {1: 0.2}),
        TypeError,
        ["settings[1] must be", "names of hyperparameters", "{1: 0.2}"],
    ),
    Case(
        "an unknown name",
        settings(0.2, {"rate/frist": 0.2}),
        ValueError,
        [
            "settings[1] must name hyperparameters of the search",
            "'rate/frist'",
            "Did you mean 'rate/first'?",
        ],
    ),
    Case(
        "a value out of range",
        settings(0.2, {"rate/first": 0.9}),
        ValueError,
        ["settings[1]", "'rate/first' from 0 to 0.8", "'rate/first': 0.9"],
    ),
    Case(
        "a value as text",
        settings(0.2, {"rate/first": "0.2"}),
        ValueError,
        ["settings[1]", "'rate/first': '0.2'"],
    ),
    Case(
        "a value that is NaN",
        settings(0.2, {"rate/first": NAN}),
        ValueError,
        ["settings[1]", "'rate/first': nan"],
    ),
    Case(
        "a half of a layer",
        settings(0.2, {"kind": "deep", "depth": 1.5}),
        ValueError,
        ["settings[1]", "'depth' from 1 to 4", "'depth': 1.5"],
    ),
    Case(
        "an unknown choice",
        settings(0.2, {"kind": "flat"}),
        ValueError,
        ["settings[1]", "'kind' one of 'plain', 'deep'", "'kind': 'flat'"],
    ),
    Case(
        "a number for a flag",
        settings(0.2, {"norm": 1}),
        ValueError,
        ["settings[1]", "'norm' one of", "'norm': 1"],
    ),
    Case(
        "a name that is not active",
        settings(0.2, {"kind": "plain", "depth": 2}),
        ValueError,
        ["settings[1]", "active together", "'depth'", "{'kind': 'plain'}"],
    ),
    Case(
        "rates that all become equal",
        lambda: halving(within(0.3, 0.5), settings=(0.0, 0.1, 0.2)),
        ValueError,
        [
            "'settings' must be at least 2 settings that differ",
            "settings=(0.0, 0.1, 0.2)",
            "'rate/first' from 0.3 to 0.5",
        ],
    ),
    Case(
        "a rate for a schedule",
        lambda: halving(with_schedules),
        ValueError,
        ["settings[0] must be a dict", "schedule", "'rate/first/end'", "Received: 0"],
    ),
    Case(
        "a rate without dropout to tune",
        lambda: halving(without_rates),
        ValueError,
        ["settings[0] must be a dict", "'rate/x'", "tune_rates"],
    ),
    Case(
        "a rate without a model",
        lambda: a_black_box((0.1, 0.2)),
        ValueError,
        ["settings[0] must be a dict", "no hyperparameter is known to set a rate"],
    ),
    Case(
        "equal settings without a model",
        lambda: a_black_box([{"rate/a": 0.0}, {}]),
        ValueError,
        ["'settings' must be at least 2", "'rate/a' from 0 to 0.5"],
    ),
    # rungs
    Case(
        "rungs as a number",
        lambda: halving(rungs=0.5),
        TypeError,
        ["'rungs' must be a sequence of increasing fractions", "rungs=0.5"],
    ),
    Case(
        "no rungs",
        lambda: halving(rungs=()),
        ValueError,
        ["'rungs' must be a sequence of increasing fractions", "rungs=()"],
    ),
    Case(
        "falling rungs",
        lambda: halving(rungs=(0.75, 0.5)),
        ValueError,
        ["'rungs'", "increasing", "(0.75, 0.5)"],
    ),
    Case("a rung twice", lambda: halving(rungs=(0.5, 0.5)), ValueError, ["increasing"]),
    Case(
        "a rung at the end",
        lambda: halving(rungs=(0.5, 1.0)),
        ValueError,
        ["rungs[1] must be a fraction in (0, 1)", "Received: 1.0"],
    ),
    Case(
        "a rung of epochs",
        lambda: halving(rungs=(50, 75)),
        ValueError,
        ["rungs[0] must be a fraction in (0, 1)", "Received: 50"],
    ),
    Case(
        "a rung as text",
        lambda: halving(rungs=("half",)),
        TypeError,
        ["rungs[0] must be a fraction", "'half'"],
    ),
    # the rest
    Case(
        "epochs as float",
        lambda: halving(max_epochs=10.0),
        TypeError,
        ["'max_epochs' must be an integer", "max_epochs=10.0"],
    ),
    Case(
        "no epochs",
        lambda: halving(max_epochs=0),
        ValueError,
        ["'max_epochs' must be an integer of at least 1"],
    ),
    Case(
        "too few epochs for the rungs",
        lambda: halving(max_epochs=3),
        ValueError,
        ["'max_epochs' must be large enough", "Received: 3", "2, 2, 3 epochs"],
    ),
    Case(
        "no epoch before the first rung",
        lambda: halving(max_epochs=4, rungs=(0.1,)),
        ValueError,
        ["'max_epochs' must be large enough", "0, 4 epochs"],
    ),
    Case(
        "smoothing 0",
        lambda: halving(smoothing=0),
        ValueError,
        ["'smoothing' must be an integer of at least 1", "smoothing=0"],
    ),
    Case(
        "smoothing as float",
        lambda: halving(smoothing=2.0),
        TypeError,
        ["'smoothing' must be an integer", "smoothing=2.0"],
    ),
    Case(
        "an epoch of another kind",
        lambda: halving(scored_epoch="first"),
        ValueError,
        ["'scored_epoch' must be one of", "'first'"],
    ),
    Case(
        "no hypermodel",
        lambda: halving(None),
        ValueError,
        ["'hypermodel' must be", "hypermodel=None"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_argument_is_refused(case):
    assert_refused(case)
