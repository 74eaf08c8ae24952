"""Callbacks refuse bad arguments, name them and say what to do."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout import LearnedRate, callbacks, schedules
from kdropout.callbacks import (
    AutoRate,
    GapController,
    OverfittingGap,
    RateLogger,
    RateScheduler,
    TensorBoardRates,
)
from tests.tools import (
    Case,
    arguments_without_case,
    assert_refused,
    dropout_model,
    name_of,
)

NAN = float("nan")
X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")

# The words in which errors describe 'train_data' and 'layers'.
DATA = "a tuple (x, y) or (x, y, sample_weight) of arrays, or a"
LAYERS = "None, a glob on the layer path, a layer, or a list of those"


def unknown_metric(y, outputs):
    return ops.mean(outputs, axis=-1)


def generator():
    yield X, Y


def max_of_two(epoch, rate):
    return max(epoch, rate)


def fit(*callbacks, rate=0.5, metrics=None, validated=True, epochs=1):
    dropout_model(rate, metrics).fit(
        X,
        Y,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
        validation_data=(X, Y) if validated else None,
    )


def start(callback, model):
    callback.set_model(model)
    callback.on_train_begin()


def per_class(callback):
    start(callback, dropout_model())
    callback.on_epoch_end(0, {"loss": np.ones(2), "val_loss": 1.0})


CASES = [
    # RateScheduler
    Case(
        "scheduler of a number",
        lambda: RateScheduler(0.5),
        TypeError,
        [
            "'schedule' must be",
            "schedule=0.5",
            "a callable schedule(epoch, rate) -> rate",
        ],
    ),
    Case(
        "scheduler of three arguments",
        lambda: RateScheduler(lambda epoch, rate, x: 0.5),
        TypeError,
        ["'schedule' must be", "schedule=<function", "or schedule(epoch) -> rate"],
    ),
    Case(
        "scheduler of layers by position",
        lambda: RateScheduler(max_of_two, "drop"),
        TypeError,
        [
            "'verbose' must be",
            "verbose='drop'",
            "To choose layers, pass them by name: ",
        ],
    ),
    Case(
        "scheduler of steps",
        lambda: RateScheduler(schedules.LateDropout(0.5, 2)),
        TypeError,
        [
            "'schedule' must be",
            "schedule=LateDropout(",
            "Pass a function of the training step as the",
        ],
    ),
    Case(
        "scheduler verbose",
        lambda: RateScheduler(max_of_two, verbose="yes"),
        TypeError,
        ["'verbose' must be", "an integer of at least 0", "verbose='yes'"],
    ),
    Case(
        "scheduler returns 2.0",
        lambda: fit(RateScheduler(lambda epoch, rate: 2.0)),
        ValueError,
        [
            "'schedule' must return a number in [0, 1]",
            "schedule(0, 0.5) = 2.0",
            "for layer 'drop'",
        ],
    ),
    Case(
        "scheduler returns none",
        lambda: fit(RateScheduler(lambda epoch, rate: None)),
        ValueError,
        ["'schedule' must return a number in [0, 1]", "schedule(0, 0.5) = None"],
    ),
    Case(
        "scheduler unknown layer",
        lambda: fit(RateScheduler(max_of_two, layers="dorp")),
        ValueError,
        [
            "'layers' must name",
            "The model has: 'drop'",
            "Received: 'dorp'",
            "Did you mean 'drop'?",
        ],
    ),
    Case(
        "scheduler other layer",
        lambda: fit(RateScheduler(max_of_two, layers=keras.layers.Dense(1, name="d"))),
        ValueError,
        ["'layers' must name", "The model has: 'drop'", "Received: 'd'"],
    ),
    Case(
        "scheduler of no layers",
        lambda: fit(RateScheduler(max_of_two, layers=[])),
        ValueError,
        ["'layers' must name", "at least one layer, or be None for all", "layers=[]"],
    ),
    Case(
        "scheduler layers number",
        lambda: fit(RateScheduler(max_of_two, layers=3)),
        TypeError,
        ["'layers' must", LAYERS, "layers=3"],
    ),
    Case(
        "scheduler of a layer with another rule",
        lambda: fit(RateScheduler(max_of_two, layers="drop"), rate=LearnedRate()),
        TypeError,
        [
            "'layers' must name layers whose rate was given as a number",
            "'drop' (gradient)",
            "Leave them out, or call kdropout.set_rates to give them numbers",
        ],
    ),
    Case(
        "scheduler without a layer that it may move",
        lambda: fit(RateScheduler(max_of_two), rate=schedules.LateDropout(0.1, 2)),
        ValueError,
        [
            "'model' must hold a dropout layer whose rate was given as a number",
            "Received: 'model', in which schedules or gradients decide all",
        ],
    ),
    # RateLogger
    Case(
        "logger unknown glob",
        lambda: fit(RateLogger("encoder/*")),
        ValueError,
        ["'layers' must name", "The model has: 'drop'", "Received: 'encoder/*'"],
    ),
    Case(
        "logger of no layers",
        lambda: fit(RateLogger([])),
        ValueError,
        ["'layers' must name", "at least one layer, or be None for all", "layers=[]"],
    ),
    Case(
        "logger layers dict",
        lambda: fit(RateLogger({"drop": 1})),
        TypeError,
        ["'layers' must", LAYERS, "layers={'drop': 1}"],
    ),
    Case(
        "logger without dropout",
        lambda: start(RateLogger(), keras.Sequential(name="bare")),
        ValueError,
        [
            "'model' must hold dropout layers of kdropout",
            "Received: 'bare'",
            "kdropout.convert(model) to make",
            "kdropout.insert(model, rate) to add some",
        ],
    ),
    # TensorBoardRates
    Case(
        "board without a path",
        lambda: TensorBoardRates(None),
        TypeError,
        ["'log_dir' must be a path", "log_dir=None"],
    ),
    Case(
        "board update_freq",
        lambda: TensorBoardRates("logs", update_freq=0),
        ValueError,
        ["'update_freq' must be", "an integer of at least 1", "update_freq=0"],
    ),
    Case(
        "board update_freq word",
        lambda: TensorBoardRates("logs", update_freq="step"),
        ValueError,
        [
            "'update_freq'",
            "must be 'epoch', 'batch' or an integer of at least 1",
            "update_freq='step'",
        ],
    ),
    Case(
        "board layers",
        lambda: fit(TensorBoardRates("logs", layers=3)),
        TypeError,
        ["'layers' must", LAYERS, "layers=3"],
    ),
    Case(
        "board of other inputs",
        lambda: fit(
            TensorBoardRates(
                "logs", drop_fraction_data=np.ones((2, 4, 3, 5), "float32")
            )
        ),
        ValueError,
        [
            "'drop_fraction_data' must be the inputs of one batch",
            "as the model takes them",
            "of (2, 4, 3, 5), with which 'model' fails",
        ],
    ),
    Case(
        "board of no inputs",
        lambda: fit(TensorBoardRates("logs", drop_fraction_data="x")),
        ValueError,
        ["'drop_fraction_data' must be the inputs of one batch", "of str, with which"],
    ),
    # OverfittingGap
    Case(
        "gap without data",
        lambda: OverfittingGap(None),
        TypeError,
        [
            "'train_data' must",
            DATA,
            "Received: None",
            "A callback cannot see the data given to fit: pass them here",
        ],
    ),
    Case(
        "gap of a generator",
        lambda: OverfittingGap(generator()),
        TypeError,
        [
            "'train_data' must",
            DATA,
            "Received: a generator",
            "Pass arrays or a dataset",
        ],
    ),
    Case(
        "gap of a list",
        lambda: OverfittingGap([X, Y]),
        TypeError,
        ["'train_data' must", DATA, "Received: a list"],
    ),
    Case(
        "gap of lengths",
        lambda: OverfittingGap((X, Y[:3])),
        ValueError,
        [
            "'train_data' must",
            "arrays with the same number of rows",
            "Received: [3, 4] rows",
        ],
    ),
    Case(
        "gap of nothing",
        lambda: OverfittingGap((X[:0], Y[:0])),
        ValueError,
        ["'train_data' must", "at least one row", "Received: [0] rows"],
    ),
    Case(
        "gap max_samples",
        lambda: OverfittingGap((X, Y), max_samples=0),
        ValueError,
        ["'max_samples' must be", "an integer of at least 1", "max_samples=0"],
    ),
    Case(
        "gap batch_size",
        lambda: OverfittingGap((X, Y), batch_size=2.5),
        TypeError,
        ["'batch_size' must be", "an integer of at least 1", "batch_size=2.5"],
    ),
    Case(
        "gap validation_freq",
        lambda: OverfittingGap((X, Y), validation_freq="2"),
        TypeError,
        ["'validation_freq'", "an integer of at least 1", "validation_freq='2'"],
    ),
    Case(
        "gap validation_freq list",
        lambda: OverfittingGap((X, Y), validation_freq=[0, 2]),
        ValueError,
        ["'validation_freq' must be an integer of at least 1", "validation_freq=0"],
    ),
    Case(
        "gap directions list",
        lambda: OverfittingGap((X, Y), directions=["a"]),
        TypeError,
        [
            "'directions' must be",
            "a dict from metric to 'min' or 'max'",
            "directions=['a']",
        ],
    ),
    Case(
        "gap directions up",
        lambda: OverfittingGap((X, Y), directions={"a": "up"}),
        ValueError,
        ["'directions'", "one of 'min', 'max'", "directions='up'"],
    ),
    Case(
        "gap verbose",
        lambda: OverfittingGap((X, Y), verbose=-1),
        ValueError,
        ["'verbose' must be", "an integer of at least 0", "verbose=-1"],
    ),
    Case(
        "gap without validation",
        lambda: fit(OverfittingGap((X, Y)), validated=False),
        ValueError,
        [
            "OverfittingGap needs validation data",
            "Received: logs with ['loss']",
            "Pass 'validation_data' or 'validation_split' to fit",
        ],
    ),
    Case(
        "gap of unknown direction",
        lambda: fit(OverfittingGap((X, Y)), metrics=[unknown_metric]),
        ValueError,
        [
            "'directions' must say whether a lower value of 'unknown_metric' is better",
            "directions={}",
            "Pass directions={'unknown_metric': 'min'} or",
        ],
    ),
    # AutoRate
    Case(
        "auto target of a text",
        lambda: AutoRate("0.1"),
        TypeError,
        ["'target' must be", "a number in (-1, 1)", "target='0.1'"],
    ),
    Case(
        "auto target out of range",
        lambda: AutoRate(1.0),
        ValueError,
        ["'target' must be", "a number in (-1, 1)", "target=1.0"],
    ),
    Case(
        "auto gain",
        lambda: AutoRate(gain=0),
        ValueError,
        ["'gain' must be", "a number in (0, inf)", "gain=0.0"],
    ),
    Case(
        "auto max_rate",
        lambda: AutoRate(max_rate=1),
        ValueError,
        ["'max_rate' must be", "a number in (0, 1)", "max_rate=1.0"],
    ),
    Case(
        "auto slew_limit",
        lambda: AutoRate(slew_limit=NAN),
        ValueError,
        ["'slew_limit' must be", "a number in (0, 1]", "slew_limit=nan"],
    ),
    Case(
        "auto monitor",
        lambda: AutoRate(monitor=None),
        TypeError,
        ["'monitor' must be", "a name in the logs", "monitor=None"],
    ),
    Case(
        "auto of a missing monitor",
        lambda: fit(AutoRate(monitor="mae")),
        ValueError,
        [
            "'monitor' must name a loss",
            "monitor='mae'",
            "logs with ['loss', 'val_loss']",
        ],
    ),
    Case(
        "auto without validation data",
        lambda: fit(AutoRate(), validated=False),
        ValueError,
        [
            "AutoRate needs validation data, for 'val_loss'",
            "Received: logs with ['loss']",
            "Pass 'validation_data' or 'validation_split' to fit",
        ],
    ),
    Case(
        "auto with another validation_freq",
        lambda: dropout_model().fit(
            X,
            Y,
            epochs=2,
            verbose=0,
            validation_data=(X, Y),
            validation_freq=2,
            callbacks=[AutoRate()],
        ),
        ValueError,
        ["AutoRate needs validation data", "a 'validation_freq', pass the same"],
    ),
    Case(
        "auto validation_freq",
        lambda: AutoRate(validation_freq=0),
        ValueError,
        ["'validation_freq' must be", "an integer of at least 1", "validation_freq=0"],
    ),
    Case(
        "auto verbose",
        lambda: AutoRate(verbose="loud"),
        TypeError,
        ["'verbose' must be", "'auto', 0, 1 or 2", "verbose='loud'"],
    ),
    Case(
        "auto verbose out of range",
        lambda: AutoRate(verbose=3),
        ValueError,
        ["'verbose' must be", "'auto', 0, 1 or 2", "verbose=3"],
    ),
    Case(
        "auto of an unknown layer",
        lambda: fit(AutoRate(layers="x")),
        ValueError,
        ["'layers' must name", "The model has: 'drop'", "Received: 'x'"],
    ),
    Case(
        "auto of a model with rates of other rules",
        lambda: fit(AutoRate(), rate=LearnedRate()),
        ValueError,
        ["'model' must hold a dropout layer whose rate was given as a number"],
    ),
    Case(
        "auto of a model without dropout",
        lambda: start(AutoRate(), keras.Sequential([keras.layers.Dense(1)])),
        ValueError,
        ["must hold"],
    ),
    Case(
        "auto and another callback",
        lambda: fit(AutoRate(), GapController(0.1)),
        ValueError,
        [
            "'layers' must name layers whose rate no other callback moves",
            "'drop', which GapController moves",
            "Remove one of the callbacks",
        ],
    ),
    Case(
        "auto step without a model",
        lambda: AutoRate().step(1.0, 1.0),
        RuntimeError,
        ["AutoRate must know the model", "Call auto.set_model(model)"],
    ),
    Case(
        "auto step without a number",
        lambda: AutoRate().step("low", 1.0),
        TypeError,
        ["'loss' must be", "a number", "loss='low'"],
    ),
    Case(
        "auto of a loss per class",
        lambda: per_class(AutoRate()),
        ValueError,
        ["'monitor' must name a loss that is one number", "which has 2 values"],
    ),
    # GapController
    Case(
        "controller target",
        lambda: GapController("0.1"),
        TypeError,
        ["'target' must be", "a number in (-inf, inf)", "target='0.1'"],
    ),
    Case(
        "controller target nan",
        lambda: GapController(NAN),
        ValueError,
        ["'target' must be", "a number in (-inf, inf)", "target=nan"],
    ),
    Case(
        "controller gain",
        lambda: GapController(0.1, gain=0),
        ValueError,
        ["'gain' must be", "a number in (0, inf)", "gain=0.0"],
    ),
    Case(
        "controller lowering_gain",
        lambda: GapController(0.1, lowering_gain=-1),
        ValueError,
        ["'lowering_gain' must be", "a number in [0, inf)", "lowering_gain=-1.0"],
    ),
    Case(
        "controller min_rate",
        lambda: GapController(0.1, min_rate=1.0),
        ValueError,
        ["'min_rate' must be", "a number in [0, 1)", "min_rate=1.0"],
    ),
    Case(
        "controller max below min",
        lambda: GapController(0.1, min_rate=0.5, max_rate=0.5),
        ValueError,
        ["'max_rate' must", "a number in (0.5, 1)", "max_rate=0.5"],
    ),
    Case(
        "controller max_rate 1",
        lambda: GapController(0.1, max_rate=1),
        ValueError,
        ["'max_rate' must be", "a number in (0, 1)", "max_rate=1.0"],
    ),
    Case(
        "controller warmup",
        lambda: GapController(0.1, warmup=1.5),
        TypeError,
        ["'warmup' must be", "an integer of at least 0", "warmup=1.5"],
    ),
    Case(
        "controller dead_band",
        lambda: GapController(0.1, dead_band=-0.1),
        ValueError,
        ["'dead_band' must be", "a number in [0, inf)", "dead_band=-0.1"],
    ),
    Case(
        "controller slew_limit",
        lambda: GapController(0.1, slew_limit=0),
        ValueError,
        ["'slew_limit' must be", "a number in (0, 1]", "slew_limit=0.0"],
    ),
    Case(
        "controller monitor number",
        lambda: GapController(0.1, monitor=3),
        TypeError,
        ["'monitor' must be", "a name in the logs", "monitor=3"],
    ),
    Case(
        "controller monitor naive",
        lambda: GapController(0.1, monitor="naive_gap_loss"),
        ValueError,
        [
            "'monitor' must be",
            "a name that begins with 'gap_'",
            "monitor='naive_gap_loss'",
            "To use it anyway, pass allow_naive=True",
        ],
    ),
    Case(
        "controller monitor validation",
        lambda: GapController(0.1, monitor="val_loss"),
        ValueError,
        ["'monitor' must be", "a clean gap", "monitor='val_loss'"],
    ),
    Case(
        "controller before the gap",
        lambda: fit(GapController(0.1), OverfittingGap((X, Y))),
        ValueError,
        [
            "'monitor' must name an entry of the logs",
            "monitor='gap_loss'",
            "Put kdropout.callbacks.OverfittingGap before GapController",
        ],
    ),
    Case(
        "controller without the gap",
        lambda: fit(GapController(0.1)),
        ValueError,
        [
            "'monitor' must name an entry",
            "logs with ['loss', 'val_loss']",
            "Put kdropout.callbacks.OverfittingGap",
        ],
    ),
    Case(
        "controller of another gap",
        lambda: fit(OverfittingGap((X, Y)), GapController(0.1, "gap_mae")),
        ValueError,
        ["'monitor' must name an entry", "monitor='gap_mae'", "'gap_loss'"],
    ),
    Case(
        "controller unknown layer",
        lambda: fit(GapController(0.1, layers=["drop", "x"])),
        ValueError,
        ["'layers' must name", "The model has: 'drop'", "Received: 'x'"],
    ),
    Case(
        "controller of a layer with another rule",
        lambda: fit(GapController(0.1, layers="*"), rate=LearnedRate()),
        TypeError,
        [
            "'layers' must name layers whose rate was given as a number",
            "'drop' (gradient)",
            "Leave them out",
        ],
    ),
    Case(
        "scheduler returns a bool",
        lambda: fit(RateScheduler(lambda epoch, rate: True)),
        ValueError,
        ["'schedule' must return a number in [0, 1]", "schedule(0, 0.5) = True"],
    ),
    Case(
        "controller without validation",
        lambda: fit(GapController(0.1), validated=False, epochs=2),
        ValueError,
        ["validation", "OverfittingGap"],
    ),
    Case(
        "scheduler of a builtin",
        lambda: RateScheduler(max),
        TypeError,
        ["'schedule' must be", "<built-in function max"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_input_error_names_argument_value_and_remedy(case):
    assert_refused(case)


def test_every_argument_of_every_callback_has_a_case():
    public = [getattr(callbacks, name) for name in callbacks.__all__]
    # 'allow_naive' is a flag, which accepts any truth value.
    assert arguments_without_case(public, CASES) == {"allow_naive"}
