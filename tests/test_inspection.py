"""`rates`, `set_rates` and `summary` list every dropout layer of a model once."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import LearnedRate, callbacks, rates, set_rates, summary
from kdropout.inspection import select_layers, settable_layers
from kdropout.layers import AlphaDropout, Dropout, SpatialDropout1D
from kdropout.schedules import Ramp
from tests.tools import model_with_rates


class Block(keras.layers.Layer):
    """A plain layer whose sublayers `Model.layers` does not list."""

    def __init__(self, rate, name):
        super().__init__(name=name)
        self.attention = keras.layers.MultiHeadAttention(2, 3, name="attention")
        self.drop = Dropout(rate, name="drop")
        self.stack = [Dropout(rate, name="inner"), keras.layers.Dense(4, name="dense")]

    def call(self, inputs, training=False):
        outputs = self.drop(self.attention(inputs, inputs), training=training)
        for layer in self.stack:
            outputs = layer(outputs)
        return outputs


def nested():
    inputs = keras.Input((5, 4))
    x = Block(0.1, name="block_1")(inputs)
    x = Block(0.2, name="block_2")(x)
    spatial = SpatialDropout1D(0.3, name="s")
    x = keras.Sequential([keras.Input((5, 4)), spatial], name="seq")(x)
    x = keras.layers.TimeDistributed(AlphaDropout(0.4, name="a"), name="time")(x)
    head_in = keras.Input((5, 4))
    head = keras.Model(head_in, Dropout(0.5, name="d")(head_in), name="head")
    return keras.Model(inputs, head(x), name="model")


NESTED = {
    "block_1/drop": 0.1,
    "block_1/inner": 0.1,
    "block_2/drop": 0.2,
    "block_2/inner": 0.2,
    "seq/s": 0.3,
    "time/a": 0.4,
    "head/d": 0.5,
}


def test_rates_finds_layers_at_every_depth_in_order():
    found = rates(nested())
    assert found == NESTED
    assert list(found) == list(NESTED)


def test_rates_takes_a_plain_layer_a_subclassed_model_and_an_unbuilt_model():
    assert rates(Block(0.1, name="block")) == {"drop": 0.1, "inner": 0.1}

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = {"first": Dropout(0.2, name="first")}
            self.last = Block(0.3, name="last")

    assert rates(Model()) == {"first": 0.2, "last/drop": 0.3, "last/inner": 0.3}
    assert rates(keras.Sequential([Dropout(0.4, name="drop")])) == {"drop": 0.4}


def test_rates_finds_layers_inside_layers_of_keras():
    # `_flatten_layers` is private in Keras: this test fails if it is removed or finds
    # less.
    class Attention(keras.layers.MultiHeadAttention):
        def __init__(self):
            super().__init__(2, 3, name="attention")
            self.scores = Dropout(0.7, name="scores")

    model = keras.Sequential([keras.layers.TimeDistributed(Attention(), name="time")])
    assert rates(model) == {"time/attention/scores": 0.7}


def test_rates_of_a_plain_model_warns_to_convert_it():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5, name="d")])
    with pytest.warns(UserWarning, match=r"The rates of 'd' .* kdropout.convert"):
        assert rates(model) == {}
    model = keras.Sequential(
        [keras.layers.Dropout(0.5, name=f"d{i}") for i in range(9)]
    )
    with pytest.warns(UserWarning, match="'d0', 'd1', 'd2' and 6 more cannot"):
        assert rates(model) == {}


def test_rates_may_be_empty_or_omit_dropout_of_keras():
    # Warnings are errors here. Attention without dropout has a layer of rate 0.
    attention = keras.layers.MultiHeadAttention(1, 2)
    assert rates(attention) == {}
    assert rates(keras.Sequential([keras.layers.Dense(1)])) == {}
    both = [Dropout(0.2, name="live"), keras.layers.Dropout(0.5, name="plain")]
    assert rates(keras.Sequential(both)) == {"live": 0.2}


def test_summary_lists_dropout_layers_that_are_not_live():
    lines = []
    both = [Dropout(0.2, name="live"), keras.layers.SpatialDropout1D(0.5, name="plain")]
    summary(keras.Sequential(both), print_fn=lines.append)
    assert lines == [
        "layer  kind     rate    decided by",
        "live   Dropout  0.2000  you",
        "The rates of 'plain' cannot change, because they belong to layers of Keras. "
        "Call kdropout.convert(model) to make them live.",
    ]


PLAIN_MODELS = {
    "set_rates": lambda model: set_rates(model, 0.5),
    "GapController": lambda model: start(callbacks.GapController(0.1), model),
    "RateScheduler": lambda model: start(
        callbacks.RateScheduler(lambda epoch, rate: rate), model
    ),
    "RateLogger": lambda model: start(callbacks.RateLogger(), model),
    "TensorBoardRates": lambda model: start(callbacks.TensorBoardRates("no"), model),
}


def start(callback, model):
    callback.set_model(model)
    callback.on_train_begin()


@pytest.mark.parametrize("name", PLAIN_MODELS)
def test_functions_that_need_live_layers_name_convert(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5)], name="m")
    with pytest.raises(ValueError, match=r"Received: 'm', which has none.*convert"):
        PLAIN_MODELS[name](model)
    PLAIN_MODELS[name](kdropout.convert(model))


def test_path_of_a_keras_layer_is_not_reported_as_a_typo():
    plain = keras.layers.Dropout(0.5, name="plain")
    model = keras.Sequential([Dropout(0.2, name="live"), plain])
    for layers in ("plain", plain):
        with pytest.raises(
            ValueError, match=r"a layer of Keras: call kdropout.convert"
        ):
            start(callbacks.RateLogger(layers), model)
    with pytest.raises(ValueError, match=r"a layer of Keras: call kdropout.convert"):
        set_rates(model, {"plain": 0.1})


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
@pytest.mark.parametrize("way", ["self.model", "set_rates"])
def test_rate_set_between_batches_acts_in_the_next_step(hook, way):
    # On JAX, Keras removes the values of the variables between batches. It restores
    # them for a callback that reads `self.model`, and `set_rates` does so.
    class Everything(keras.callbacks.Callback):
        def set(self, batch, logs=None):
            rate = 1.0 if batch % 2 else 0.0
            if way == "self.model":
                self.model.get_layer("drop").rate = rate
            else:
                set_rates(model, rate)
                assert rates(model) == {"drop": rate}

    setattr(Everything, hook, Everything.set)
    model = model_with_rates(drop=1.0)
    model.add(keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0, callbacks=[Everything()])
    # Only steps at a rate of 0 learn: w += 0.2 * (1 - 3 w). These are the second and
    # fourth step if the end of a batch sets the rate, and the first and third if its
    # beginning does.
    kernel = ops.convert_to_numpy(model.layers[-1].kernel)
    np.testing.assert_allclose(kernel, 0.28, rtol=1e-6)
    assert rates(model) == {"drop": 1.0}


@pytest.mark.parametrize("use", ["set", "read"])
def test_layer_kept_in_a_variable_is_refused_between_batches_on_jax(use):
    # As documented. This test fails when Keras no longer removes the values.
    model = model_with_rates(drop=0.5)
    kept = model.layers[0]

    class Everything(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if use == "set":
                kept.rate = 0.25
            else:
                assert kept.rate == 0.5

    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    if keras.backend.backend() == "jax":
        with pytest.raises(RuntimeError, match=r"go through self\.model"):
            model.fit(x, y, batch_size=1, verbose=0, callbacks=[Everything()])
    else:
        model.fit(x, y, batch_size=1, verbose=0, callbacks=[Everything()])
        assert rates(model) == {"drop": 0.25 if use == "set" else 0.5}


def test_shared_layer_is_listed_once():
    drop, inputs = Dropout(0.5, name="drop"), keras.Input((3,))
    assert rates(keras.Model(inputs, drop(drop(inputs)))) == {"drop": 0.5}


def test_siblings_with_one_name_are_numbered():
    class Pair(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="pair")
            self.drops = [Dropout(rate, name="drop") for rate in (0.1, 0.2, 0.3)]

    model = keras.Sequential([Pair()])
    wanted = {"pair/drop": 0.1, "pair/drop_2": 0.2, "pair/drop_3": 0.3}
    assert rates(model) == wanted
    set_rates(model, {"pair/drop_2": 0.9})
    assert rates(model) == {**wanted, "pair/drop_2": 0.9}


def test_rates_shows_the_rate_in_effect():
    model = model_with_rates(a=0.1)
    model.layers[0].rate = 0.7
    assert rates(model) == {"a": 0.7}


def test_set_rates_with_a_number_sets_all():
    model = nested()
    set_rates(model, 0.6)
    assert set(rates(model).values()) == {0.6}


@pytest.mark.parametrize(
    "wanted, changed",
    [
        ({"seq/s": 0.9}, ["seq/s"]),
        ({"block_1/*": 0.9}, ["block_1/drop", "block_1/inner"]),
        ({"*/inner": 0.9}, ["block_1/inner", "block_2/inner"]),
        ({"block_?/drop": 0.9}, ["block_1/drop", "block_2/drop"]),
        ({"block_[2]/*": 0.9}, ["block_2/drop", "block_2/inner"]),
        ({"*": 0.9}, list(NESTED)),
    ],
)
def test_set_rates_takes_paths_and_globs(wanted, changed):
    model = nested()
    set_rates(model, wanted)
    assert rates(model) == {**NESTED, **dict.fromkeys(changed, 0.9)}


def test_later_entry_of_set_rates_overrides_an_earlier_one():
    model = model_with_rates(a=0.1, b=0.2)
    set_rates(model, {"*": 0.5, "b": 0.7})
    assert rates(model) == {"a": 0.5, "b": 0.7}


def test_set_rates_takes_the_result_of_rates():
    model = nested()
    set_rates(model, 0.0)
    set_rates(model, NESTED)
    assert rates(model) == NESTED


def test_set_rates_takes_the_result_of_rates_with_brackets_in_names():
    model = model_with_rates(**{"drop[0]": 0.1, "drop[1]": 0.2})
    set_rates(model, {"drop[0]": 0.5})
    assert rates(model) == {"drop[0]": 0.5, "drop[1]": 0.2}


def test_set_rates_acts_in_the_next_compiled_step():
    model = model_with_rates(a=0.0, b=0.0)
    model.add(keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    set_rates(model, {"b": 1.0})
    model.train_on_batch(x, y)
    kernel = model.layers[-1].kernel
    assert (ops.convert_to_numpy(kernel) == 0.0).all()
    set_rates(model, 0.0)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(ops.convert_to_numpy(kernel), 0.2, rtol=1e-6)


def with_decided():
    return keras.Sequential(
        [
            keras.Input((3,)),
            Dropout(0.1, name="a"),
            Dropout(Ramp(0.25, 0.5, 10), name="scheduled"),
            Dropout(LearnedRate(0.3), name="learned"),
            Dropout(0.4, name="z"),
        ]
    )


@pytest.mark.parametrize(
    "wanted, error",
    [
        ({"a": 0.9, "z": 1.5}, ValueError),
        ({"z": 0.9, "a": float("nan")}, ValueError),
        ({"a": 0.9, "z": "0.5"}, TypeError),
        ({"a": 0.9, "z": None}, TypeError),
        ({"a": 0.9, "no_such": 0.5}, ValueError),
        ({"scheduled": 0.9, "a": 1.5}, ValueError),
        ({"learned": 0.9, "z": "0.5"}, TypeError),
        ({"a": Ramp(0.0, 0.5, 3), "z": 1.5}, ValueError),
        ({"*": LearnedRate(), "no_such": 0.5}, ValueError),
        ({"*": 0.9, "z": Ramp}, TypeError),
        ({}, ValueError),
    ],
)
def test_one_bad_entry_leaves_every_rate_unchanged(wanted, error):
    model = with_decided()
    set_rates(model, {"a": 1 / 3})
    before = [ops.convert_to_numpy(variable) for variable in model.variables]
    with pytest.raises(error):
        set_rates(model, wanted)
    after = [ops.convert_to_numpy(variable) for variable in model.variables]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)


def test_summary_prints_path_kind_rate_and_source_of_the_rate():
    lines = []
    model = with_decided()
    set_rates(model, {"a": 0.123456})
    model.add(keras.Sequential([AlphaDropout(1.0, name="alpha")], name="block"))
    summary(model, print_fn=lines.append)
    assert lines == [
        "layer        kind          rate    decided by",
        "a            Dropout       0.1235  you",
        "scheduled    Dropout       0.2500  schedule Ramp",
        "learned      Dropout       0.3000  gradient",
        "z            Dropout       0.4000  you",
        "block/alpha  AlphaDropout  1.0000  you",
    ]


def test_summary_prints_the_name_of_a_schedule_function(capsys):
    @keras.saving.register_keras_serializable(package="test_inspection")
    def warm_up(step):
        return 0.5 + 0.0 * step

    summary(keras.Sequential([Dropout(warm_up, name="drop")]))
    assert capsys.readouterr().out == (
        "layer  kind     rate    decided by\ndrop   Dropout  0.5000  schedule warm_up\n"
    )


def test_select_layers_takes_globs_layers_and_lists():
    model = nested()
    seq = model.get_layer("seq").layers[0]
    assert list(select_layers(model)) == list(NESTED)
    assert list(select_layers(model, "block_2/*")) == ["block_2/drop", "block_2/inner"]
    assert select_layers(model, seq) == {"seq/s": seq}
    assert list(select_layers(model, [seq, "head/*"])) == ["seq/s", "head/d"]
    assert list(select_layers(model, ("time/a", "time/*"))) == ["time/a"]


def test_settable_layers_omits_layers_with_other_rate_rules():
    assert list(settable_layers(with_decided())) == ["a", "z"]
    assert list(settable_layers(with_decided(), ["z"])) == ["z"]


def test_unknown_path_error_suggests_the_nearest_and_lists_all():
    with pytest.raises(ValueError, match="Received: 'blok_1/drop'") as error:
        set_rates(nested(), {"blok_1/drop": 0.5})
    assert "Did you mean 'block_1/drop'?" in str(error.value)
    assert all(repr(path) in str(error.value) for path in NESTED)


def test_functions_are_public():
    assert (kdropout.rates, kdropout.set_rates) == (rates, set_rates)


def decided_by(model, **arguments):
    lines = []
    summary(model, lines.append, **arguments)
    return [line.split("  ")[-1].strip() for line in lines[1:]]


@pytest.mark.parametrize("make", [callbacks.AutoRate, callbacks.RateScheduler])
def test_summary_shows_which_callbacks_will_move_the_rates(make):
    model = model_with_rates(a=0.1, b=Ramp(0.1, 0.5, 10), c=0.3)
    arguments = {"schedule": lambda e: 0.1} if make is callbacks.RateScheduler else {}
    mover, logger = make(layers="a", **arguments), callbacks.RateLogger()
    shown = [make.__name__, "schedule Ramp", "you"]
    assert decided_by(model, callbacks=[logger, mover]) == shown
    assert decided_by(model, callbacks=mover) == shown
    assert decided_by(model) == ["you", "schedule Ramp", "you"]


def test_summary_shows_two_callbacks_that_move_a_rate():
    model = model_with_rates(a=0.1, b=0.3)
    movers = [
        callbacks.RateScheduler(lambda epoch: 0.1),
        callbacks.GapController(0.1, layers="b"),
    ]
    assert decided_by(model, callbacks=movers) == [
        "RateScheduler",
        "RateScheduler and GapController",
    ]


def test_summary_shows_the_callback_of_the_last_training_until_you_set_a_rate():
    model = keras.Sequential(
        [keras.Input((3,)), Dropout(0.5, name="a"), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    x, y = np.ones((8, 3)), np.ones((8, 1))
    model.fit(x, y, validation_data=(x, y), callbacks=[callbacks.AutoRate()], verbose=0)
    assert decided_by(model) == ["AutoRate"]
    assert decided_by(model, callbacks=[]) == ["you"]
    set_rates(model, 0.2)
    assert decided_by(model) == ["you"]


def test_summary_refuses_callbacks_that_a_training_would_refuse():
    model = model_with_rates(a=0.1, b=Ramp(0.1, 0.5, 10))
    with pytest.raises(TypeError, match="'callbacks' must be a list of keras.callba"):
        summary(model, callbacks=["AutoRate"])
    with pytest.raises(TypeError, match="'layers' must name layers .* 'b'"):
        summary(model, callbacks=callbacks.AutoRate(layers="b"))
