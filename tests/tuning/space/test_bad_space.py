"""Every invalid space is refused with a message that names it and says what to do."""

import keras
import keras_tuner
import numpy as np
import pytest

import kdropout
from kdropout import layers
from kdropout.schedules import Ramp
from kdropout.tuning import Rates, Schedules, plan_of, tune_rates
from kdropout.tuning.space import parse
from tests.tools import Case, assert_refused, name_of
from tests.tuning.space import bad_spaces

NAN = float("nan")
# A schedule in the plain data of a file.
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
    """A user's override that is not a valid rate."""
    hp = keras_tuner.HyperParameters()
    hp.Fixed("rate/drop", value)
    tune(hp=hp)


CASES = [
    Case(
        "end tied",
        lambda: Schedules(0, Rates(tie="shared"), 10),
        ValueError,
        ["'end'", "an argument of Schedules"],
    ),
    # spaces, as objects and as the data of a file
    Case(
        "space as text", lambda: parse("0.1"), TypeError, ["'space' must be", "'0.1'"]
    ),
    Case("space above 1", lambda: parse(1.2), ValueError, ["'space' must be", "1.2"]),
    Case("empty space", lambda: tune({}), ValueError, ["at least one layer", "empty"]),
    Case(
        "pattern that is not a text",
        lambda: parse({1: 0.5}),
        TypeError,
        ["layer paths or globs", "1"],
    ),
    Case(
        "settings without pattern",
        lambda: parse({"low": 0, "high": 0.5}),
        ValueError,
        ["{'*': {...}}"],
    ),
    Case(
        "schedule without pattern",
        lambda: parse({"schedule": RAMP}),
        ValueError,
        ["{'*': {...}}"],
    ),
    Case(
        "pair for all the wrong way",
        lambda: parse((0.5, 0.1)),
        ValueError,
        ["'space': 'low' must be below 'high'"],
    ),
    Case(
        "entry the wrong way",
        lambda: parse({"drop": [0.5, 0.1]}),
        ValueError,
        ["space['drop']: 'low' must be below 'high'"],
    ),
    Case(
        "empty entry",
        lambda: parse({"drop": {}}),
        ValueError,
        ["space['drop']", "'low'"],
    ),
    Case(
        "bound as text",
        lambda: parse({"drop": {"low": "a"}}),
        TypeError,
        ["space['drop']: 'low'", "'a'"],
    ),
    Case(
        "schedule without steps",
        lambda: parse({"drop": {"schedule": {"start": 0.1, "end": 0.2}}}),
        ValueError,
        ["space['drop']['schedule']['steps'] is required"],
    ),
    Case(
        "schedule beside bounds",
        lambda: parse({"drop": {"schedule": RAMP, "low": 0.1}}),
        ValueError,
        ["space['drop']['low']", "next to 'schedule'", "must be the only key"],
    ),
    # spaces that do not fit the model
    Case(
        "no match",
        lambda: tune({"drp": (0.0, 0.5)}),
        ValueError,
        ["'space'", "'drp'", "Did you mean 'drop'?", "'encoder/inner'"],
    ),
    Case(
        "glob without match",
        lambda: tune({"decoder/*": (0.0, 0.5)}),
        ValueError,
        ["'space'", "'decoder/*'", "The model has: 'drop', 'encoder/inner'"],
    ),
    Case(
        "pattern left without layers",
        lambda: tune({"drop": 0.3, "*": (0.0, 0.5)}),
        ValueError,
        ["'drop'", "a later pattern", "after the wider"],
    ),
    Case(
        "only fixed",
        lambda: tune({"*": 0.3}),
        ValueError,
        ["something to search", "kdropout.set_rates"],
    ),
    Case("only a number", lambda: tune(0.3), ValueError, ["something to search"]),
    Case(
        "only a fixed ramp",
        lambda: tune(Schedules(0.1, 0.5, 10)),
        ValueError,
        ["something to search"],
    ),
    Case(
        "learned rate",
        lambda: tune({"learned": (0.0, 0.5)}, mixed()),
        TypeError,
        ["'learned'", "decided by gradient", "globs that do not match"],
    ),
    Case(
        "learned rate in a glob",
        lambda: tune({"*": (0.0, 0.5)}, mixed()),
        TypeError,
        ["'learned'", "decided by gradient"],
    ),
    Case(
        "schedule for a learned rate",
        lambda: tune({"learned": Schedules(0, (0.1, 0.5), 9)}, mixed()),
        TypeError,
        ["'learned'", "decided by gradient"],
    ),
    Case(
        "rate of the inputs",
        lambda: tune({"standout": 0.2, "drop": (0.0, 0.5)}, mixed()),
        TypeError,
        ["'standout'", "decided by inputs"],
    ),
    Case(
        "nothing settable",
        lambda: tune(
            model=model_of(
                layers.Dropout(Ramp(0.1, 0.5, 9), name="a"),
                layers.Dropout(kdropout.LearnedRate(), name="b"),
            )
        ),
        ValueError,
        ["'net'", "'a' (schedule Ramp)", "'b' (gradient)", "{path: ...}"],
    ),
    Case(
        "no dropout",
        lambda: tune(model=model_of(keras.layers.Dense(1))),
        ValueError,
        ["'net'", "kdropout.insert"],
    ),
    Case(
        "not built",
        lambda: tune(model=keras.Sequential([keras.layers.Dropout(0.5)], name="net")),
        ValueError,
        ["'net'", "built"],
    ),
    Case("no model", lambda: tune(model="net"), TypeError, ["'model'", "'net'"]),
    Case(
        "no hyperparameters",
        lambda: tune(hp={"rate/drop": 0.5}),
        TypeError,
        ["'hp'", "keras_tuner.HyperParameters"],
    ),
    Case(
        "arguments swapped",
        lambda: tune_rates(plain(), keras_tuner.HyperParameters()),
        TypeError,
        ["'hp'", "Sequential"],
    ),
    Case("inactive scope", inactive_scope, ValueError, ["'rate/drop'", "conditional"]),
    Case(
        "two bounds for one name",
        declared_twice,
        ValueError,
        ["'rate/drop'", "same range", "high=0.8", "high=0.5"],
    ),
    Case(
        "one name for two", two_meanings, ValueError, ["'rate/a*/last'", "one entry of"]
    ),
    Case(
        "override outside",
        lambda: overridden(1.5),
        ValueError,
        ["'rate/drop'", "[0, 1]", "1.5"],
    ),
    Case(
        "override that is not a number",
        lambda: overridden("high"),
        TypeError,
        ["'rate/drop'", "'high'"],
    ),
    # values of a plan
    Case(
        "values that are not a dict",
        lambda: plan_with([0.5]),
        TypeError,
        ["'values'", "hp.values"],
    ),
    Case(
        "value missing",
        lambda: plan_with({"rate/other": 0.5}),
        ValueError,
        ["Missing: 'rate/drop'", "'rate/other'"],
    ),
    Case(
        "value nan",
        lambda: plan_with({"rate/drop": NAN}),
        ValueError,
        ["'rate/drop'", "nan"],
    ),
    Case(
        "plan of another model",
        lambda: plan_with({"rate/drop": 0.5}, model_of(layers.Dropout(0.5, name="a"))),
        ValueError,
        ["Missing: 'drop'", "'net'", "'a'"],
    ),
    Case(
        "plan for a learned rate",
        lambda: plan_with(
            {"rate/drop": 0.5},
            model_of(layers.Dropout(kdropout.LearnedRate(), name="drop")),
        ),
        TypeError,
        ["'plan'", "'drop'", "gradient"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bad_space_is_refused_with_a_remedy(case):
    assert_refused(case)


@pytest.mark.parametrize("bad", bad_spaces.ENTRIES, ids=name_of)
def test_bad_entry_is_refused_with_its_path(bad):
    with pytest.raises(bad.error) as raised:
        parse({"drop": bad.entry})
    assert type(raised.value) is bad.error
    assert raised.value.key == ("space", "drop", *bad.key)
    message = str(raised.value)
    assert "space['drop']" in message
    missing = [part for part in bad.says if part not in message]
    assert not missing, message


def assert_argument_refused(kind, settings, key, bad):
    with pytest.raises(bad.error) as raised:
        kind(**settings)
    assert type(raised.value) is bad.error
    assert raised.value.key == key
    message = str(raised.value)
    missing = [part for part in [f"'{key[0]}'", *bad.says] if part not in message]
    assert not missing, message


@pytest.mark.parametrize("bad", bad_spaces.RATES, ids=name_of)
def test_error_names_the_bad_argument_of_rates(bad):
    assert_argument_refused(Rates, bad.entry, bad.key, bad)


@pytest.mark.parametrize("bad", bad_spaces.SCHEDULES, ids=name_of)
def test_error_names_the_bad_argument_of_schedules(bad):
    assert_argument_refused(Schedules, bad.entry["schedule"], bad.key[1:], bad)


@pytest.mark.parametrize(
    "space",
    [
        {"drop": (0.0, 0.9), "learned": (0.0, 0.5)},
        {"drop": Schedules(0, (0.1, 0.5), 9), "missing": 0.1},
        {"drop": 0.1, "ramp": 0.2},
    ],
)
def test_refused_space_leaves_model_and_hyperparameters_unchanged(space):
    hp, model = keras_tuner.HyperParameters(), mixed()
    before = kdropout.rates(model)
    rules = [layer._rate_rule for layer in model.layers]
    with pytest.raises((TypeError, ValueError)):
        tune_rates(hp, model, space)
    assert kdropout.rates(model) == before
    assert [layer._rate_rule for layer in model.layers] == rules
    assert hp.space == [] and plan_of(model) is None


def test_refused_override_leaves_the_rates_unchanged():
    hp, model = keras_tuner.HyperParameters(), plain()
    hp.Fixed("rate/encoder/inner", -0.5)
    with pytest.raises(ValueError, match="'rate/encoder/inner'"):
        tune_rates(hp, model, (0.1, 0.2))
    np.testing.assert_equal(kdropout.rates(model), {"drop": 0.5, "encoder/inner": 0.3})
