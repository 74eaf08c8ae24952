"""Every bad space is refused with a message that names it and tells the way out."""

import keras
import keras_tuner
import numpy as np
import pytest

import kdropout
from kdropout import layers
from kdropout.schedules import Ramp
from kdropout.tuning.space import Rates, Schedules, parse, plan_of
from kdropout.tuning.tune_rates import tune_rates

NAN = float("nan")
# A schedule in the plain data of a file, and what may be wrong with it.
RAMP = {"start": 0.1, "end": 0.5, "steps": 10}


def model_of(*stack):
    return keras.Sequential([keras.Input((3,)), *stack], name="net")


def plain():
    return model_of(
        layers.Dropout(0.5, name="drop"),
        keras.Sequential(
            [keras.Input((3,)), layers.Dropout(0.3, name="inner")], name="encoder"
        ),
    )


def mixed():
    return model_of(
        layers.Dropout(0.5, name="drop"),
        layers.Dropout(Ramp(0.1, 0.5, 9), name="ramp"),
        layers.Dropout(kdropout.LearnedRate(), name="learned"),
        layers.Standout(keras.layers.Dense(3), name="standout"),
    )


def tune(space=None, model=None, hp=None):
    hp = keras_tuner.HyperParameters() if hp is None else hp
    return tune_rates(hp, plain() if model is None else model, space)


def plan_with(values, model=None):
    plan = plan_of(tune({"drop": (0.0, 0.5)}))
    plan.assign(plain() if model is None else model, values)


def inactive_scope():
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["mlp", "cnn"])
    with hp.conditional_scope("kind", ["cnn"]):
        tune(hp=hp)


def declared_twice():
    hp, model = keras_tuner.HyperParameters(), plain()
    tune((0.0, 0.5), model, hp)
    tune((0.0, 0.8), model, hp)


def two_meanings():
    inner = keras.Sequential(
        [keras.Input((3,)), layers.Dropout(0.5, name="last")], name="a*"
    )
    model = model_of(layers.Dropout(0.5, name="a"), inner)
    tune({"a*": Rates(tie="linear"), "a*/last": (0.0, 0.5)}, model)


def overridden(value):
    """An override by the user that no rate can have."""
    hp = keras_tuner.HyperParameters()
    hp.Fixed("rate/drop", value)
    tune(hp=hp)


CASES = {
    # Rates
    "low_above_high": (lambda: Rates(0.5, 0.2), ValueError, ["'low'", "below 'high'"]),
    "low_is_high": (lambda: Rates(0.5, 0.5), ValueError, ["the number itself"]),
    "low_below_zero": (lambda: Rates(-0.1), ValueError, ["'low'", "[0, 1]", "-0.1"]),
    "high_above_one": (lambda: Rates(0, 1.5), ValueError, ["'high'", "[0, 1]", "1.5"]),
    "low_no_number": (lambda: Rates("0.1"), TypeError, ["'low'", "a number", "'0.1'"]),
    "low_true": (lambda: Rates(True), TypeError, ["'low'", "True"]),
    "high_nan": (lambda: Rates(0.0, NAN), ValueError, ["'high'", "nan"]),
    "unknown_sampling": (
        lambda: Rates(0.1, 0.5, sampling="uniform"),
        ValueError,
        ["'sampling'", "'linear', 'log', 'reverse_log'", "uniform"],
    ),
    "log_from_zero": (
        lambda: Rates(0.0, 0.5, sampling="log"),
        ValueError,
        ["'low' must be above 0", "0.001"],
    ),
    "unknown_across": (
        lambda: Rates(tie="depth"),
        ValueError,
        ["'tie'", "'rising'", "'depth'"],
    ),
    "step_does_not_fit": (
        lambda: Rates(0.0, 0.5, step=0.2),
        ValueError,
        ["'step'", "whole number", "high=0.4"],
    ),
    "step_too_large": (
        lambda: Rates(0.1, 0.5, step=0.6),
        ValueError,
        ["'step'", "high=0.7"],
    ),
    "step_zero": (lambda: Rates(0.0, 0.5, step=0), ValueError, ["'step'", "step=0"]),
    "step_too_fine": (
        lambda: Rates(0.0, 0.5, step=1e-9),
        ValueError,
        ["'step'", "10000 points", "Leave it out"],
    ),
    "log_step_of_a_line": (
        lambda: Rates(0.01, 0.5, step=0.1, sampling="log"),
        ValueError,
        ["'step'", "(1, inf)", "0.1"],
    ),
    "log_step_does_not_fit": (
        lambda: Rates(0.01, 0.5, step=2, sampling="log"),
        ValueError,
        ["whole power", "high=0.32"],
    ),
    "default_outside": (
        lambda: Rates(0.0, 0.5, default=0.6),
        ValueError,
        ["'default'", "[0, 0.5]", "0.6"],
    ),
    "default_off_the_grid": (
        lambda: Rates(0.0, 0.5, step=0.1, default=0.16),
        ValueError,
        ["'default'", "nearest is 0.2"],
    ),
    "values_no_sequence": (lambda: Rates(values=0.1), TypeError, ["'values'", "0.1"]),
    "one_value": (lambda: Rates(values=[0.1]), ValueError, ["at least two"]),
    "same_values": (lambda: Rates(values=[0.1, 0.1]), ValueError, ["different"]),
    "values_outside": (
        lambda: Rates(values=[0.1, 1.1]),
        ValueError,
        ["'values'", "[0, 1]", "1.1"],
    ),
    "values_beside_bounds": (
        lambda: Rates(0.1, 0.4, values=[0.1, 0.2]),
        ValueError,
        ["'values' must stand alone"],
    ),
    # Schedules
    "start_no_rate": (
        lambda: Schedules("0", 0.5, 10),
        TypeError,
        ["'start'", "a pair (low, high)", "'0'"],
    ),
    "end_outside": (lambda: Schedules(0, 1.5, 10), ValueError, ["'end'", "1.5"]),
    "end_of_three": (
        lambda: Schedules(0, (0.1, 0.2, 0.3), 10),
        ValueError,
        ["'end'", "pair", "0.3"],
    ),
    "end_upside_down": (
        lambda: Schedules(0, (0.5, 0.1), 10),
        ValueError,
        ["'end': 'low' must be below 'high'"],
    ),
    "end_tied": (
        lambda: Schedules(0, Rates(tie="shared"), 10),
        ValueError,
        ["'end'", "belongs to Schedules"],
    ),
    "steps_zero": (lambda: Schedules(0, 0.5, 0), ValueError, ["'steps'", "1"]),
    "steps_float": (lambda: Schedules(0, 0.5, 1.5), TypeError, ["'steps'", "integer"]),
    "steps_upside_down": (
        lambda: Schedules(0, 0.5, (20, 10)),
        ValueError,
        ["'steps'", "low below high"],
    ),
    "steps_of_three": (
        lambda: Schedules(0, 0.5, (1, 2, 3)),
        ValueError,
        ["'steps'", "pair"],
    ),
    "steps_too_many": (
        lambda: Schedules(0, 0.5, (1, 2**31)),
        ValueError,
        ["'steps'", "at most 2147483647"],
    ),
    "unknown_shape": (
        lambda: Schedules(0, 0.5, 10, ("linear", "sigmoid")),
        ValueError,
        ["'curve'", "'exponential'", "'sigmoid'"],
    ),
    "no_shape": (lambda: Schedules(0, 0.5, 10, ()), ValueError, ["'curve'", "()"]),
    "shape_number": (lambda: Schedules(0, 0.5, 10, 3), TypeError, ["'curve'", "3"]),
    "exponential_from_zero": (
        lambda: Schedules((0.0, 0.5), 0.5, 10, ("linear", "exponential")),
        ValueError,
        ["'start' must be above 0", "0.001"],
    ),
    "schedules_on_a_line": (
        lambda: Schedules(0, 0.5, 10, tie="linear"),
        ValueError,
        ["'tie'", "'free', 'shared'"],
    ),
    # spaces, as objects and as the data of a file
    "space_string": (lambda: parse("0.1"), TypeError, ["'space' must be", "'0.1'"]),
    "space_above_one": (lambda: parse(1.2), ValueError, ["'space' must be", "1.2"]),
    "empty_space": (lambda: tune({}), ValueError, ["at least one layer", "empty"]),
    "pattern_no_string": (
        lambda: parse({1: 0.5}),
        TypeError,
        ["layer paths or globs", "1"],
    ),
    "settings_without_pattern": (
        lambda: parse({"low": 0, "high": 0.5}),
        ValueError,
        ["{'*': {...}}"],
    ),
    "schedule_without_pattern": (
        lambda: parse({"schedule": RAMP}),
        ValueError,
        ["{'*': {...}}"],
    ),
    "pair_for_all_upside_down": (
        lambda: parse((0.5, 0.1)),
        ValueError,
        ["'space': 'low' must be below 'high'"],
    ),
    "entry_string": (
        lambda: parse({"drop": "0.1"}),
        TypeError,
        ["space['drop'] must be", "'0.1'"],
    ),
    "entry_none": (lambda: parse({"drop": None}), TypeError, ["space['drop']", "None"]),
    "entry_of_four": (
        lambda: parse({"drop": [0.005, 0.01, 0.05, 0.1]}),
        ValueError,
        ["space['drop']", "{'values': [0.005, 0.01, 0.05, 0.1]}"],
    ),
    "entry_upside_down": (
        lambda: parse({"drop": [0.5, 0.1]}),
        ValueError,
        ["space['drop']: 'low' must be below 'high'"],
    ),
    "unknown_key": (
        lambda: parse({"drop": {"lo": 0.1}}),
        ValueError,
        ["space['drop']", "'lo'", "Did you mean 'low'?"],
    ),
    "empty_entry": (
        lambda: parse({"drop": {}}),
        ValueError,
        ["space['drop']", "'low'"],
    ),
    "wrong_type_of_key": (
        lambda: parse({"drop": {"low": "a"}}),
        TypeError,
        ["space['drop']: 'low'", "'a'"],
    ),
    "schedule_no_dict": (
        lambda: parse({"drop": {"schedule": "linear"}}),
        TypeError,
        ["space['drop']['schedule']", "'linear'"],
    ),
    "schedule_unknown_key": (
        lambda: parse({"drop": {"schedule": {**RAMP, "crve": "linear"}}}),
        ValueError,
        ["space['drop']['schedule']", "Did you mean 'curve'?"],
    ),
    "schedule_missing_key": (
        lambda: parse({"drop": {"schedule": {"start": 0.1, "end": 0.2}}}),
        ValueError,
        ["space['drop']['schedule']['steps'] is required"],
    ),
    "schedule_wrong_end": (
        lambda: parse({"drop": {"schedule": {**RAMP, "end": {"hi": 0.2}}}}),
        ValueError,
        ["space['drop']['schedule']['end']", "Did you mean 'high'?"],
    ),
    "schedule_beside_bounds": (
        lambda: parse({"drop": {"schedule": RAMP, "low": 0.1}}),
        ValueError,
        ["space['drop']['low']", "beside 'schedule'", "must stand alone"],
    ),
    # spaces that do not fit the model
    "no_match": (
        lambda: tune({"drp": (0.0, 0.5)}),
        ValueError,
        ["'space'", "'drp'", "Did you mean 'drop'?", "'encoder/inner'"],
    ),
    "glob_without_match": (
        lambda: tune({"decoder/*": (0.0, 0.5)}),
        ValueError,
        ["'space'", "'decoder/*'", "The model has: 'drop', 'encoder/inner'"],
    ),
    "pattern_left_without_layers": (
        lambda: tune({"drop": 0.3, "*": (0.0, 0.5)}),
        ValueError,
        ["'drop'", "a later pattern", "behind the wider"],
    ),
    "only_fixed": (
        lambda: tune({"*": 0.3}),
        ValueError,
        ["something to search", "kdropout.set_rates"],
    ),
    "only_a_number": (lambda: tune(0.3), ValueError, ["something to search"]),
    "only_a_fixed_ramp": (
        lambda: tune(Schedules(0.1, 0.5, 10)),
        ValueError,
        ["something to search"],
    ),
    "learned_rate": (
        lambda: tune({"learned": (0.0, 0.5)}, mixed()),
        TypeError,
        ["'learned'", "decided by gradient", "globs that do not match"],
    ),
    "learned_rate_in_a_glob": (
        lambda: tune({"*": (0.0, 0.5)}, mixed()),
        TypeError,
        ["'learned'", "decided by gradient"],
    ),
    "schedule_for_a_learned_rate": (
        lambda: tune({"learned": Schedules(0, (0.1, 0.5), 9)}, mixed()),
        TypeError,
        ["'learned'", "decided by gradient"],
    ),
    "rate_of_the_inputs": (
        lambda: tune({"standout": 0.2, "drop": (0.0, 0.5)}, mixed()),
        TypeError,
        ["'standout'", "decided by inputs"],
    ),
    "nothing_settable": (
        lambda: tune(
            model=model_of(
                layers.Dropout(Ramp(0.1, 0.5, 9), name="a"),
                layers.Dropout(kdropout.LearnedRate(), name="b"),
            )
        ),
        ValueError,
        ["'net'", "'a' (schedule Ramp)", "'b' (gradient)", "{path: ...}"],
    ),
    "no_dropout": (
        lambda: tune(model=model_of(keras.layers.Dense(1))),
        ValueError,
        ["'net'", "kdropout.insert"],
    ),
    "not_built": (
        lambda: tune(model=keras.Sequential([keras.layers.Dropout(0.5)], name="net")),
        ValueError,
        ["'net'", "built"],
    ),
    "no_model": (lambda: tune(model="net"), TypeError, ["'model'", "'net'"]),
    "no_hyperparameters": (
        lambda: tune(hp={"rate/drop": 0.5}),
        TypeError,
        ["'hp'", "keras_tuner.HyperParameters"],
    ),
    "arguments_swapped": (
        lambda: tune_rates(plain(), keras_tuner.HyperParameters()),
        TypeError,
        ["'hp'", "Sequential"],
    ),
    "inactive_scope": (inactive_scope, ValueError, ["'rate/drop'", "conditional"]),
    "two_bounds_for_one_name": (
        declared_twice,
        ValueError,
        ["'rate/drop'", "one meaning", "high=0.8", "high=0.5"],
    ),
    "one_name_for_two": (two_meanings, ValueError, ["'rate/a*/last'", "one meaning"]),
    "override_outside": (
        lambda: overridden(1.5),
        ValueError,
        ["'rate/drop'", "[0, 1]", "1.5"],
    ),
    "override_no_number": (
        lambda: overridden("high"),
        TypeError,
        ["'rate/drop'", "'high'"],
    ),
    # values of a plan
    "values_no_dict": (lambda: plan_with([0.5]), TypeError, ["'values'", "hp.values"]),
    "value_missing": (
        lambda: plan_with({"rate/other": 0.5}),
        ValueError,
        ["Missing: 'rate/drop'", "'rate/other'"],
    ),
    "value_nan": (
        lambda: plan_with({"rate/drop": NAN}),
        ValueError,
        ["'rate/drop'", "nan"],
    ),
    "plan_of_another_model": (
        lambda: plan_with({"rate/drop": 0.5}, model_of(layers.Dropout(0.5, name="a"))),
        ValueError,
        ["Missing: 'drop'", "'net'", "'a'"],
    ),
    "plan_for_a_learned_rate": (
        lambda: plan_with(
            {"rate/drop": 0.5},
            model_of(layers.Dropout(kdropout.LearnedRate(), name="drop")),
        ),
        TypeError,
        ["'plan'", "'drop'", "gradient"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_space_is_refused_with_the_way_out(name):
    call, error, words = CASES[name]
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "space",
    [
        {"drop": (0.0, 0.9), "learned": (0.0, 0.5)},
        {"drop": Schedules(0, (0.1, 0.5), 9), "missing": 0.1},
        {"drop": 0.1, "ramp": 0.2},
    ],
)
def test_refused_space_leaves_model_and_hyperparameters_as_they_were(space):
    hp, model = keras_tuner.HyperParameters(), mixed()
    before = kdropout.rates(model)
    rules = [layer.rate_rule for layer in model.layers]
    with pytest.raises((TypeError, ValueError)):
        tune_rates(hp, model, space)
    assert kdropout.rates(model) == before
    assert [layer.rate_rule for layer in model.layers] == rules
    assert hp.space == [] and plan_of(model) is None


def test_refused_override_leaves_the_rates_as_they_were():
    hp, model = keras_tuner.HyperParameters(), plain()
    hp.Fixed("rate/encoder/inner", -0.5)
    with pytest.raises(ValueError, match="'rate/encoder/inner'"):
        tune_rates(hp, model, (0.1, 0.2))
    np.testing.assert_equal(kdropout.rates(model), {"drop": 0.5, "encoder/inner": 0.3})
