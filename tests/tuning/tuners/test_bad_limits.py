"""Bad limits of a search are refused, with the argument and what to do."""

import tempfile

import keras
import keras_tuner
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning.trials import TrialEngine
from tests.tools import Case, assert_refused, name_of
from tests.tuning.tuners.test_bad_halving import NAN, plain, with_schedules


def grid(hp):
    model = keras.Sequential(
        [keras.Input((4,)), kdropout.layers.Dropout(0.5, name="first")]
    )
    model.compile("sgd", "mse")
    return tuning.tune_rates(hp, model, tuning.Rates(values=(0.2, 0.5)))


def refused(name, error, says, kind="RandomSearch", build=plain, **arguments):
    """Return the case of a tuner with bad arguments."""

    def call():
        with tempfile.TemporaryDirectory() as folder:
            arguments.setdefault("objective", "val_loss")
            getattr(tuning, kind)(build, directory=folder, **arguments)

    return Case(name, call, error, says)


def with_oracle_of_a_user():
    class Own(keras_tuner.Oracle):
        def populate_space(self, trial_id):
            return {"status": "STOPPED"}

    with tempfile.TemporaryDirectory() as folder:
        TrialEngine(Own("val_loss"), plain, directory=folder, patience=3)


TIME = "'timeout' must be a number of seconds above 0, or a text such as '90s', '2min'"
SETTING = "must be a rate in [0, 1), or a dict from names of hyperparameters"


def first(*says):
    return [" ".join(["initial_trials[0]", says[0]]), *says[1:]]


CASES = [
    refused("no time", ValueError, [TIME, "timeout=0"], timeout=0),
    refused("time below 0", ValueError, [TIME, "timeout=-3"], timeout=-3),
    refused("time NaN", ValueError, [TIME, "timeout=nan"], timeout=NAN),
    refused("endless time", ValueError, [TIME, "timeout=inf"], timeout=float("inf")),
    refused("time as flag", TypeError, [TIME, "timeout=True"], timeout=True),
    refused("time as list", TypeError, [TIME, "timeout=[2]"], timeout=[2]),
    refused("another text", ValueError, [TIME, "timeout='soon'"], timeout="soon"),
    refused("without unit", ValueError, [TIME, "timeout='20'"], timeout="20"),
    refused("empty text", ValueError, [TIME, "timeout=''"], timeout=""),
    refused("text of 0", ValueError, [TIME, "timeout='0s'"], timeout="0s"),
    refused("text below 0", ValueError, [TIME, "'-2min'"], timeout="-2min"),
    refused(
        "no patience",
        ValueError,
        ["'patience' must be an integer of at least 1", "patience=0"],
        patience=0,
    ),
    refused(
        "half a patience",
        TypeError,
        ["'patience' must be an integer", "patience=1.5"],
        patience=1.5,
    ),
    refused(
        "retry as text",
        TypeError,
        ["'retry_failed' must be True or False", "retry_failed='yes'"],
        retry_failed="yes",
    ),
    refused(
        "median as number",
        TypeError,
        ["'median_stopping' must be True, False, or a", "median_stopping=5"],
        median_stopping=5,
    ),
    refused(
        "unknown key of median",
        ValueError,
        ["'median_stopping' must have no other keys", "Did you mean 'warmup_epochs'?"],
        median_stopping={"warmup_epoch": 5},
    ),
    refused(
        "no trials of warm-up",
        ValueError,
        ["'median_stopping': 'warmup_trials' must be an integer of at least 1", "=0"],
        median_stopping={"warmup_trials": 0},
    ),
    Case(
        "epochs of warm-up below 0",
        lambda: tuning.MedianStopping(warmup_epochs=-1),
        ValueError,
        ["'warmup_epochs' must be an integer of at least 0", "warmup_epochs=-1"],
    ),
    refused(
        "median without objective",
        ValueError,
        ["'median_stopping' needs an objective that is logged", "objective='val_loss'"],
        objective=None,
        median_stopping=True,
    ),
    *(
        refused(
            f"{argument} of {kind}",
            ValueError,
            [
                f"'{argument}' is not supported by {kind}",
                f"{argument}={value}",
                way_out,
            ],
            kind=kind,
            **{argument: value},
        )
        for kind, argument, value, way_out in [
            ("Hyperband", "median_stopping", True, "Use RandomSearch"),
            ("Hyperband", "patience", 3, "Use 'timeout'"),
            ("SuccessiveHalving", "median_stopping", True, "Use RandomSearch"),
            ("SuccessiveHalving", "patience", 3, "Use 'timeout'"),
            ("SuccessiveHalving", "initial_trials", (0.2,), "Pass them as 'settings'"),
        ]
    ),
    Case(
        "limits of another oracle",
        with_oracle_of_a_user,
        ValueError,
        ["'patience' needs an oracle of KerasTuner", "class Own", "Leave the argument"],
    ),
    refused(
        "initial trials as number",
        TypeError,
        ["'initial_trials' must be a sequence", "initial_trials=0.2"],
        initial_trials=0.2,
    ),
    refused(
        "initial trials as dict",
        TypeError,
        ["'initial_trials' must be a sequence", "'rate/first'"],
        initial_trials={"rate/first": 0.2},
    ),
    refused(
        "rate above 1",
        ValueError,
        first(SETTING, "Received: 1.5"),
        initial_trials=[1.5],
    ),
    refused("rate as text", TypeError, first(SETTING, "'0.2'"), initial_trials=["0.2"]),
    refused(
        "names that are numbers",
        TypeError,
        first(SETTING, "{1: 0.2}"),
        initial_trials=[{1: 0.2}],
    ),
    refused(
        "unknown name",
        ValueError,
        first("must name hyperparameters", "'fisrt'", "Did you mean 'first'?"),
        initial_trials=[{"fisrt": 0.2}],
    ),
    refused(
        "glob without layers",
        ValueError,
        first("must name hyperparameters of the search, or layers", "'conv*'"),
        initial_trials=[{"conv*": 0.2}],
    ),
    refused(
        "value out of range",
        ValueError,
        first("must contain allowed values: 'rate/first' from 0 to 0.8", "0.9"),
        initial_trials=[{"first": 0.9}],
    ),
    refused(
        "value NaN",
        ValueError,
        first("must contain allowed values", "'rate/first': nan"),
        initial_trials=[{"rate/first": NAN}],
    ),
    refused(
        "value of a choice",
        ValueError,
        first("must contain allowed values: 'kind' one of 'plain', 'deep'", "'wide'"),
        initial_trials=[{"kind": "wide"}],
    ),
    refused(
        "not active",
        ValueError,
        first("must name hyperparameters that are active together", "'depth'"),
        initial_trials=[{"depth": 2}],
    ),
    refused(
        "rate for schedules",
        ValueError,
        first("must be a dict", "does not define a schedule"),
        build=with_schedules,
        initial_trials=[0.2],
    ),
    refused(
        "not in the grid",
        ValueError,
        first("must contain allowed values: 'rate/first' one of", "0.2", "0.3"),
        kind="GridSearch",
        build=grid,
        initial_trials=[{"first": 0.3}],
    ),
    refused(
        "more than max_trials",
        ValueError,
        ["'initial_trials' must not be more than the 2 trials", "3 settings", "Raise"],
        max_trials=2,
        initial_trials=[0.1, 0.2, 0.3],
    ),
    refused(
        "more than Hyperband begins",
        ValueError,
        ["'initial_trials' must not be more than the 5 trials", "'max_epochs'"],
        kind="Hyperband",
        max_epochs=3,
        initial_trials=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_limit_is_refused(case):
    assert_refused(case)


def test_median_is_refused_with_the_workers_of_keras_tuner(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    case = refused(
        "chief",
        ValueError,
        ["'median_stopping' is not supported with KERASTUNER_ORACLE_IP", "'workers'"],
        median_stopping=True,
    )
    assert_refused(case)
