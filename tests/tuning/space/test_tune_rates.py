"""`tune_rates` declares a hyperparameter for each rate, and sets the rates."""

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout.schedules import Ramp
from kdropout.tuning import Rates, Schedules, plan_of, tune_rates

UNITS = 2000


def model_of(*names, rate=0.5, kind=kdropout.layers.Dropout, name="net"):
    layers = [kind(rate, name=each) for each in names]
    return keras.Sequential([keras.Input((UNITS,)), *layers], name=name)


def nested():
    encoder = model_of("a", "b", name="encoder")
    decoder = model_of("a", name="decoder")
    head = kdropout.layers.Dropout(0.5, name="head")
    return keras.Sequential([keras.Input((UNITS,)), encoder, decoder, head])


def tuned(model, space=None, values=None):
    """Return the hyperparameters and rates of a trial with `values`."""
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values or {})
    assert tune_rates(hp, model, space) is model
    return hp, kdropout.rates(model)


def bounds(hp):
    return {known.name: (known.min_value, known.max_value) for known in hp.space}


def share_dropped(layer):
    dropped = layer(np.ones((8, UNITS), "float32"), training=True)
    return float(np.mean(ops.convert_to_numpy(dropped) == 0.0))


def assert_drops(layer, rate):
    deviation = 5 * np.sqrt(rate * (1 - rate) / (8 * UNITS))
    assert abs(share_dropped(layer) - rate) <= deviation


def test_each_settable_rate_is_declared_with_the_default_bounds():
    model = model_of("a", "b", rate=0.3)
    hp, rates = tuned(model)
    assert bounds(hp) == {"rate/a": (0.0, 0.8), "rate/b": (0.0, 0.8)}
    assert hp.values == {"rate/a": 0.3, "rate/b": 0.3}
    assert rates == {"a": 0.3, "b": 0.3}


def test_values_of_the_trial_are_assigned_and_in_effect():
    model = model_of("a", "b", "c")
    values = {"rate/a": 0.1, "rate/b": 0.0, "rate/c": 0.7}
    _, rates = tuned(model, None, values)
    assert rates == {"a": 0.1, "b": 0.0, "c": 0.7}
    for layer, rate in zip(model.layers, values.values(), strict=True):
        assert_drops(layer, rate)


@pytest.mark.parametrize("space", [(0.1, 0.6), [0.1, 0.6], Rates(0.1, 0.6)])
def test_one_pair_of_bounds_applies_to_all(space):
    hp, rates = tuned(model_of("a", "b", rate=0.9), space)
    assert bounds(hp) == {"rate/a": (0.1, 0.6), "rate/b": (0.1, 0.6)}
    assert rates == {"a": 0.6, "b": 0.6}


def test_paths_of_nested_models_name_the_hyperparameters():
    hp, _ = tuned(nested())
    names = ["rate/encoder/a", "rate/encoder/b", "rate/decoder/a", "rate/head"]
    assert list(hp.values) == names


def test_shared_rate_moves_all_layers_of_a_pattern():
    values = {"rate/encoder/*": 0.2, "rate/head": 0.4}
    hp, rates = tuned(
        nested(),
        {"encoder/*": Rates(0.0, 0.5, tie="shared"), "head": (0.0, 0.8)},
        values,
    )
    assert bounds(hp) == {"rate/encoder/*": (0.0, 0.5), "rate/head": (0.0, 0.8)}
    assert rates == {
        "encoder/a": 0.2,
        "encoder/b": 0.2,
        "decoder/a": 0.5,
        "head": 0.4,
    }


@pytest.mark.parametrize("first, last", [(0.1, 0.5), (0.6, 0.2), (0.3, 0.3)])
def test_linear_rates_are_on_the_line_from_first_to_last(first, last):
    values = {"rate/*/first": first, "rate/*/last": last}
    hp, rates = tuned(model_of(*"abcde"), Rates(tie="linear"), values)
    assert hp.values == values
    line = np.interp(np.arange(5), [0, 4], [first, last])
    assert list(rates.values()) == pytest.approx(line, abs=1e-6)


def test_single_layer_on_a_line_gets_the_last_rate():
    hp, rates = tuned(model_of("a"), Rates(tie="linear"), {"rate/*/last": 0.2})
    assert (hp.values, rates) == ({"rate/*/last": 0.2}, {"a": 0.2})


@pytest.mark.parametrize("tie, sign", [("rising", 1), ("falling", -1)])
def test_rates_are_monotone_in_depth_for_all_draws(tie, sign):
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = dict(zip(("rate/a", "rate/b", "rate/c"), rng.random(3), strict=True))
        hp, rates = tuned(model_of(*"abc"), Rates(0, 1, tie=tie), drawn)
        assert hp.values == drawn
        found = list(rates.values())
        assert (sign * np.diff(found) >= 0).all()
        assert sorted(found) == pytest.approx(sorted(drawn.values()), abs=1e-7)


def test_last_pattern_that_matches_a_layer_counts():
    space = {"*": (0.0, 0.8), "encoder/*": (0.1, 0.3), "encoder/b": 0.25}
    hp, rates = tuned(nested(), space)
    assert bounds(hp) == {
        "rate/decoder/a": (0.0, 0.8),
        "rate/head": (0.0, 0.8),
        "rate/encoder/a": (0.1, 0.3),
    }
    assert rates["encoder/b"] == 0.25


def test_ties_hold_only_the_layers_that_are_left_to_the_pattern():
    space = {"*": Rates(0, 0.8, tie="linear"), "b": 0.3}
    values = {"rate/*/first": 0.0, "rate/*/last": 0.6}
    _, rates = tuned(model_of(*"abcd"), space, values)
    assert rates == {"a": 0.0, "b": 0.3, "c": 0.3, "d": 0.6}


def test_all_are_declared_before_any_is_assigned():
    class Watched(keras_tuner.HyperParameters):
        seen = []

        def Float(self, *args, **kwargs):
            self.seen.append(kdropout.rates(model))
            return super().Float(*args, **kwargs)

    model, hp = model_of("a", "b"), Watched()
    hp.values = {"rate/a": 0.1, "rate/b": 0.2}
    tune_rates(hp, model)
    assert Watched.seen == [{"a": 0.5, "b": 0.5}] * 2
    assert kdropout.rates(model) == {"a": 0.1, "b": 0.2}


def test_keras_dropout_is_made_live():
    model = model_of("a", "b", kind=keras.layers.Dropout, rate=0.4)
    layers = model.layers
    hp, rates = tuned(model, None, {"rate/b": 0.2})
    assert hp.values == {"rate/a": 0.4, "rate/b": 0.2}
    assert rates == {"a": 0.4, "b": 0.2}
    assert all(now is before for now, before in zip(model.layers, layers, strict=True))
    assert_drops(model.layers[1], 0.2)


def test_dropout_inside_attention_is_searched():
    inputs = keras.Input((5, 8))
    attention = keras.layers.MultiHeadAttention(2, 4, dropout=0.3, name="attention")
    model = keras.Model(inputs, attention(inputs, inputs))
    hp, rates = tuned(model, {"attention/*": (0.0, 0.6)})
    (name,) = hp.values
    assert name.startswith("rate/attention/") and hp.values[name] == 0.3
    tune_rates(hp, model, {"attention/*": (0.0, 0.6)})
    hp.values[name] = 0.5
    plan_of(model).assign(model, hp.values)
    assert list(kdropout.rates(model).values()) == [0.5]


class OwnDropout(keras.layers.Dropout):
    """A class that `convert` does not know."""


def test_dropout_of_another_kind_gives_a_warning():
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            OwnDropout(0.2, name="own"),
            keras.layers.Dropout(0.5, name="drop"),
        ]
    )
    with pytest.warns(UserWarning, match="'own'"):
        tuned(model)
    assert kdropout.rates(model) == {"drop": 0.5}


def test_rates_of_a_recurrent_layer_are_tuned():
    model = keras.Sequential(
        [keras.Input((4, 3)), keras.layers.LSTM(2, dropout=0.2, name="lstm")]
    )
    tuned(model)
    assert kdropout.rates(model) == {"lstm/dropout": 0.2}


def test_rates_of_other_rules_do_not_change():
    model = keras.Sequential(
        [
            keras.Input((UNITS,)),
            kdropout.layers.Dropout(0.5, name="a"),
            kdropout.layers.Dropout(Ramp(0.1, 0.2, 5), name="b"),
            kdropout.layers.Dropout(kdropout.LearnedRate(0.3), name="c"),
        ]
    )
    for space in (None, (0.0, 0.7), Schedules(0.0, (0.1, 0.5), 10)):
        hp, rates = tuned(model, space)
        assert all(name.startswith("rate/a") for name in hp.values)
        assert (rates["b"], rates["c"]) == (0.1, 0.3)
    assert plan_of(model).paths == ("a",)


@pytest.mark.parametrize("choice, rate", [((0.0, 0.3), 0.25), (0.2, 0.2)])
def test_pattern_replaces_a_schedule(choice, rate):
    model = keras.Sequential(
        [
            keras.Input((UNITS,)),
            kdropout.layers.Dropout(Ramp(0.1, 0.6, 5), name="a"),
            kdropout.layers.Dropout(0.5, name="b"),
        ]
    )
    _, rates = tuned(model, {"a": choice, "b": (0.0, 0.5)}, {"rate/a": 0.25})
    assert rates["a"] == rate
    layer = model.get_layer("a")
    assert_drops(layer, rate)
    assert layer.rate == rate
    layer.rate = 0.9  # as in any other layer
    assert_drops(layer, 0.9)


def test_name_scope_of_keras_tuner_is_part_of_the_names():
    model, hp = model_of("a", "b"), keras_tuner.HyperParameters()
    with hp.name_scope("left"):
        tune_rates(hp, model, {"a": (0.0, 0.5), "b": Schedules(0.0, (0.1, 0.5), 5)})
    assert set(hp.values) == {"left/rate/a", "left/rate/b/end"}
    plan = plan_of(model)
    assert plan.names == set(hp.values)
    assert plan.groups() == {"left/rate/a": ("a",), "left/rate/b/end": ("b",)}
    plan.assign(model, {"left/rate/a": 0.25, "left/rate/b/end": 0.2})
    assert kdropout.rates(model)["a"] == 0.25


def test_ranges_that_the_user_declared_beforehand_count():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate/a", 0.1, 0.2, default=0.15)
    model = tune_rates(hp, model_of("a", "b"))
    assert kdropout.rates(model) == {"a": 0.15, "b": 0.5}
    assert [known.name for known in hp.space] == ["rate/a", "rate/b"]


@pytest.mark.on_one_backend
@pytest.mark.slow
def test_search_of_keras_tuner_finds_the_best_rate(tmp_path):
    class Planted(keras_tuner.HyperModel):
        def build(self, hp):
            return tune_rates(hp, model_of("a", "b"), Rates(0.0, 0.5, step=0.25))

        def fit(self, hp, model, **kwargs):
            rates = kdropout.rates(model)
            return (rates["a"] - 0.5) ** 2 + (rates["b"] - 0.25) ** 2

    tuner = keras_tuner.GridSearch(Planted(), directory=tmp_path, max_trials=9)
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == 9
    best = tuner.get_best_hyperparameters()[0].values
    assert best == {"rate/a": 0.5, "rate/b": 0.25}
