"""The plan shows which hyperparameters set which layers, and sets them."""

import pickle

import keras
import keras_tuner
import numpy as np
import pytest

import kdropout
from kdropout.schedules import Ramp
from kdropout.tuning import Rates, Schedules, plan_of, tune_rates


def model_of(*names, rate=0.5):
    layers = [kdropout.layers.Dropout(rate, name=name) for name in names]
    return keras.Sequential([keras.Input((4,)), *layers])


def plan_for(model, space=None, hp=None):
    return plan_of(tune_rates(hp or keras_tuner.HyperParameters(), model, space))


SPACE = {
    "a": (0.0, 0.5),
    "[bc]": Rates(0.0, 0.5, tie="shared"),
    "[de]": Rates(0.0, 0.5, tie="rising"),
    "f": 0.3,
    "g": Schedules(0.0, (0.1, 0.5), 10),
}
VALUES = {
    "rate/a": 0.1,
    "rate/[bc]": 0.2,
    "rate/d": 0.4,
    "rate/e": 0.3,
    "rate/g/end": 0.5,
    "learning_rate": 1e-3,
}


def test_names_are_those_of_the_hyperparameters_that_move_rates():
    hp = keras_tuner.HyperParameters()
    hp.Float("learning_rate", 1e-4, 1e-2)
    plan = plan_for(model_of(*"abcdefg"), SPACE, hp)
    assert isinstance(plan.names, frozenset)
    assert plan.names == VALUES.keys() - {"learning_rate"}
    assert hp.values.keys() == VALUES.keys()


def test_groups_show_which_layers_move_together():
    plan = plan_for(model_of(*"abcdefg"), SPACE)
    assert plan.groups() == {
        "rate/a": ("a",),
        "rate/[bc]": ("b", "c"),
        "rate/d": ("d", "e"),
        "rate/e": ("d", "e"),
        "rate/g/end": ("g",),
    }
    assert plan.paths == tuple("abcdefg")


def test_rates_are_those_that_assign_sets():
    model = model_of(*"abcdefg")
    plan = plan_for(model, SPACE)
    before = kdropout.rates(model)
    rates = plan.rates(VALUES)
    assert kdropout.rates(model) == before
    wanted = dict(zip("abcdefg", (0.1, 0.2, 0.2, 0.3, 0.4, 0.3, 0.5), strict=True))
    assert rates == wanted
    plan.assign(model, VALUES)
    assert kdropout.rates(model) == {**wanted, "g": 0.0}  # where its ramp begins
    settings = plan.settings(VALUES)
    assert settings.pop("g").get_config() == Ramp(0.0, 0.5, 10).get_config()
    assert settings == {path: wanted[path] for path in "abcdef"}


def test_plan_works_for_another_model_with_the_same_layers():
    plan, other = plan_for(model_of("a", "b")), model_of("a", "b", "c", rate=0.7)
    plan.assign(other, {"rate/a": 0.1, "rate/b": 0.2})
    assert kdropout.rates(other) == {"a": 0.1, "b": 0.2, "c": 0.7}
    assert plan_of(other) is None


def test_plan_can_be_sent_to_another_process():
    plan = pickle.loads(pickle.dumps(plan_for(model_of(*"abcdefg"), SPACE)))
    model = model_of(*"abcdefg")
    plan.assign(model, VALUES)
    assert kdropout.rates(model) == {**plan.rates(VALUES), "g": 0.0}


def test_keras_does_not_track_the_plan(tmp_path):
    model = model_of("a")
    plan_for(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert plan_of(loaded) is None
    assert "rate_plan" not in str(model.get_config())


def test_rates_are_set_only_if_all_can_be_set():
    model, plan = model_of("a", "b"), plan_for(model_of("a", "b", "c"))
    with pytest.raises(ValueError, match="Missing: 'c'"):
        plan.assign(model, {"rate/a": 0.1, "rate/b": 0.1, "rate/c": 0.1})
    with pytest.raises(ValueError, match="'rate/c' must be a number in"):
        plan.assign(model, {"rate/a": 0.1, "rate/b": 0.1, "rate/c": 1.5})
    assert kdropout.rates(model) == {"a": 0.5, "b": 0.5}


def test_two_calls_make_one_plan():
    model, hp = model_of(*"abc"), keras_tuner.HyperParameters()
    plan_for(model, {"a": (0.0, 0.5)}, hp)
    plan = plan_for(model, {"[bc]": Rates(0.0, 0.5, tie="shared")}, hp)
    assert plan.names == {"rate/a", "rate/[bc]"}
    plan.assign(model, {"rate/a": 0.1, "rate/[bc]": 0.2})
    assert kdropout.rates(model) == {"a": 0.1, "b": 0.2, "c": 0.2}


def test_later_of_two_calls_decides_a_shared_layer():
    model, hp = model_of(*"abc"), keras_tuner.HyperParameters()
    plan_for(model, Rates(0.0, 0.5, tie="shared"), hp)
    plan = plan_for(model, {"b": (0.1, 0.3)}, hp)
    assert plan.groups() == {"rate/*": ("a", "c"), "rate/b": ("b",)}
    plan.assign(model, {"rate/*": 0.4, "rate/b": 0.2})
    assert kdropout.rates(model) == {"a": 0.4, "b": 0.2, "c": 0.4}


def test_same_call_twice_changes_nothing():
    model, hp = model_of(*"ab"), keras_tuner.HyperParameters()
    hp.values = {"rate/a": 0.1, "rate/b/end": 0.4}
    space = {"a": (0.0, 0.5), "b": Schedules(0.0, (0.1, 0.5), 10)}
    first, second = (plan_for(model, space, hp) for _ in range(2))
    assert first.groups() == second.groups()
    assert len(hp.space) == 2
    assert kdropout.rates(model) == {"a": 0.1, "b": 0.0}


def test_same_names_in_another_search_of_the_model_may_have_other_bounds():
    model = model_of("a")
    plan_for(model, (0.0, 0.5))
    hp = keras_tuner.HyperParameters()
    plan_for(model, (0.2, 0.3), hp)
    assert hp.values == {"rate/a": 0.3}


def test_values_may_be_numpy_numbers():
    model = model_of("a", "b")
    plan = plan_for(model)
    values = {"rate/a": np.float32(0.25), "rate/b": np.float64(0.5)}
    plan.assign(model, values)
    assert kdropout.rates(model) == {"a": 0.25, "b": 0.5}
    assert [type(rate) for rate in plan.rates(values).values()] == [float, float]
