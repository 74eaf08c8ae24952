"""A search over schedules moves ramps in a compiled model."""

import keras
import keras_tuner
import numpy as np
from keras import ops

import kdropout
from kdropout.inspection import dropout_layers
from kdropout.rate_rules import ScheduledRate
from kdropout.schedules import Ramp
from kdropout.tuning import Rates, Schedules, plan_of, tune_rates
from tests.tools import CountedModel

EAGER = keras.backend.backend() == "torch"
ALL = Schedules((0.01, 0.8), (0.01, 0.8), (2, 20), ("linear", "cosine", "exponential"))
STEPS = 7


class Recorder(keras.callbacks.Callback):
    """Records the rates of each step."""

    def on_train_begin(self, logs=None):
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(list(kdropout.rates(self.model).values()))


def model_of(*rates, kind=keras.Model):
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(3)(inputs)
    for name, rate in zip("abc", rates, strict=False):
        outputs = kdropout.layers.Dropout(rate, name=name)(outputs)
    model = kind(inputs, keras.layers.Dense(1)(outputs))
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    return model


def tuned(model, space, values=None):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values or {})
    tune_rates(hp, model, space)
    return hp


def fit(model, steps=STEPS):
    """Return the rates of each step of a training from the beginning."""
    for layer in dropout_layers(model).values():
        if "step" in layer.rate_variables:
            layer.rate_variables["step"].assign(0)
    return go_on(model, steps)


def go_on(model, steps):
    """Return the rates of the next steps."""
    x, y = np.ones((4 * steps, 3), "float32"), np.ones((4 * steps, 1), "float32")
    recorder = Recorder()
    model.fit(x, y, 4, verbose=0, callbacks=[recorder], shuffle=False)
    return np.array(recorder.rates)


def schedule_of(ramp, steps=STEPS):
    """Return the rates of the layer with a plain `Ramp`."""
    return fit(model_of(ramp), steps)


def test_only_the_searched_parts_are_declared():
    space = {
        "a": Schedules(0.0, (0.1, 0.6), (5, 50), ("cosine", "linear")),
        "b": Schedules(Rates(0.1, 0.5, step=0.2), 0.2, 10, "cosine"),
    }
    hp = tuned(model_of(0.3, 0.3), space)
    known = {each.name: each for each in hp.space}
    assert list(known) == ["rate/a/end", "rate/a/steps", "rate/a/shape", "rate/b/start"]
    end, steps, shape, start = known.values()
    assert (end.min_value, end.max_value, end.default) == (0.1, 0.6, 0.3)
    assert (steps.min_value, steps.max_value, steps.default) == (5, 50, 5)
    assert (shape.values, shape.default) == (["cosine", "linear"], "cosine")
    assert start.values == [0.1, 0.3, 0.5]


def test_first_trial_begins_at_the_ramp_of_the_layer():
    hp = tuned(model_of(Ramp(0.5, 0.1, 8, curve="cosine")), {"a": ALL})
    assert hp.values == {
        "rate/a/start": 0.5,
        "rate/a/end": 0.1,
        "rate/a/steps": 8,
        "rate/a/shape": "cosine",
    }


def values_of(ramp, base="rate/a"):
    return {
        f"{base}/start": ramp.start,
        f"{base}/end": ramp.end,
        f"{base}/steps": ramp.steps,
        f"{base}/shape": ramp.curve,
    }


RAMPS = [
    Ramp(0.5, 0.1, 4),
    Ramp(0.1, 0.8, 5, curve="cosine"),
    Ramp(0.01, 0.7, 6, curve="exponential"),
    Ramp(0.8, 0.02, 3, curve="exponential"),
    Ramp(0.3, 0.4, 20),
]


def test_all_ramps_run_in_one_trace_and_equal_their_schedules():
    model = model_of(0.5, kind=CountedModel)
    tuned(model, {"a": ALL})
    for ramp in RAMPS:
        plan_of(model).assign(model, values_of(ramp))
        np.testing.assert_allclose(fit(model), schedule_of(ramp), atol=1e-7)
    assert model.entered == (STEPS * len(RAMPS) if EAGER else 1)


def test_trained_model_follows_the_ramp():
    model = model_of(0.5, kind=CountedModel)
    assert (go_on(model, 3) == 0.5).all()
    tuned(model, {"a": ALL}, values_of(RAMPS[0]))
    np.testing.assert_allclose(fit(model), schedule_of(RAMPS[0]), atol=1e-7)
    tuned(model, {"a": (0.0, 0.5)}, {"rate/a": 0.25})
    assert (go_on(model, 3) == 0.25).all()


def test_shared_schedule_moves_all_layers_of_the_pattern():
    space = {"[ab]": Schedules(0.0, (0.1, 0.6), 4, tie="shared"), "c": 0.2}
    model = model_of(0.5, 0.5, 0.5)
    hp = tuned(model, space, {"rate/[ab]/end": 0.4})
    assert hp.values == {"rate/[ab]/end": 0.4}
    rates = go_on(model, 6)
    wanted = np.interp(np.arange(6), [0, 4], [0.0, 0.4])
    np.testing.assert_allclose(rates[:, 0], wanted, atol=1e-6)
    np.testing.assert_array_equal(rates[:, 1], rates[:, 0])
    np.testing.assert_allclose(rates[:, 2], 0.2)


def test_each_layer_has_an_independent_schedule():
    space = {"*": Schedules(0.0, (0.0, 0.8), 2)}
    model = model_of(0.5, 0.5)
    tuned(model, space, {"rate/a/end": 0.2, "rate/b/end": 0.6})
    np.testing.assert_allclose(
        go_on(model, 3), [[0, 0], [0.1, 0.3], [0.2, 0.6]], atol=1e-6
    )


def test_replaced_rule_leaves_no_variables_behind():
    model = model_of(0.5)
    count = len(model.variables)
    tuned(model, {"a": ALL})
    ramped = len(model.variables)
    assert len({id(variable) for variable in model.variables}) == ramped
    tuned(model, {"a": ALL})
    assert len(model.variables) == ramped == count + 6  # step and the ramp
    tuned(model, {"a": (0.0, 0.5)})
    assert len(model.variables) == count
    layer = model.get_layer("a")
    tracked = {id(variable) for variable in layer.variables}
    assert {id(variable) for variable in layer.rate_variables.values()} <= tracked


def test_layer_keeps_its_identity_weights_and_predictions():
    model = model_of(0.5, 0.5)
    layers, x = list(model.layers), np.ones((4, 3), "float32")
    before = model.predict(x, verbose=0)
    weights = [ops.convert_to_numpy(w).copy() for w in model.trainable_weights]
    tuned(model, ALL)
    assert all(now is then for now, then in zip(model.layers, layers, strict=True))
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    for now, then in zip(model.trainable_weights, weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(now), then)


def test_wrapper_keeps_the_layer_inside():
    dense = keras.layers.Dense(2)
    layer = kdropout.layers.DropConnect(dense, 0.5, name="a")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    kernel = ops.convert_to_numpy(dense.kernel)
    tuned(model, {"a": Schedules(0.0, (0.1, 0.5), 2)}, {"rate/a/end": 0.5})
    assert layer.layer is dense
    np.testing.assert_array_equal(ops.convert_to_numpy(dense.kernel), kernel)
    model.fit(np.ones((12, 3)), np.ones((12, 2)), 4, verbose=0)
    assert layer.rate == 0.5


def test_saved_model_loads_as_one_with_a_plain_ramp(tmp_path):
    model = model_of(0.5, 0.3)
    tuned(model, {"a": ALL}, values_of(RAMPS[2]))
    rates = fit(model, 3)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    rule = restored.get_layer("a")._rate_rule
    assert type(rule) is ScheduledRate and type(rule.schedule) is Ramp
    assert rule.schedule.get_config() == RAMPS[2].get_config()
    assert plan_of(restored) is None
    assert list(kdropout.rates(restored).values()) == list(rates[-1])
    wanted = schedule_of(RAMPS[2], 6)[3:]
    found = go_on(restored, 3)
    np.testing.assert_allclose(found[:, 0], np.ravel(wanted), atol=1e-7)


def test_plan_makes_the_ramps_of_a_loaded_model_live_again(tmp_path):
    model = model_of(0.5)
    tuned(model, {"a": ALL}, values_of(RAMPS[2]))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    plan_of(model).assign(restored, values_of(RAMPS[0]))
    np.testing.assert_allclose(fit(restored), schedule_of(RAMPS[0]), atol=1e-7)


def test_strip_removes_the_tuned_schedule():
    model = model_of(0.5)
    tuned(model, {"a": ALL}, values_of(RAMPS[0]))
    plain = kdropout.strip(model)
    x = np.ones((4, 3), "float32")
    np.testing.assert_array_equal(
        plain.predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_mc_predict_draws_at_the_current_rate():
    model = model_of(0.5)
    tuned(model, {"a": ALL}, values_of(Ramp(0.8, 0.01, 2)))
    x = np.ones((8, 3), "float32")
    before = kdropout.mc_predict(model, x, num_samples=30, seed=1, verbose=0)
    fit(model, 4)
    after = kdropout.mc_predict(model, x, num_samples=30, seed=1, verbose=0)
    assert np.mean(after.std) < 0.3 * np.mean(before.std)
