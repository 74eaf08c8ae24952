"""Recurrent layers with live rates equal those of Keras, and draw the same masks."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers, schedules
from tests.tools import CountedModel, call_in_training, numpy

RNG = np.random.default_rng(0)
BATCH, TIME, FEATURES, UNITS = 6, 5, 3, 4
SEQUENCES = RNG.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
MAPS = RNG.normal(size=(BATCH, 3, 4, 5, 2)).astype("float32")
ROWS = RNG.normal(size=(BATCH, 3, 6, 2)).astype("float32")
VOLUMES = RNG.normal(size=(BATCH, 3, 3, 3, 3, 2)).astype("float32")

KINDS = {
    "LSTM": ((UNITS,), SEQUENCES),
    "GRU": ((UNITS,), SEQUENCES),
    "SimpleRNN": ((UNITS,), SEQUENCES),
    "ConvLSTM1D": ((2, 3), ROWS),
    "ConvLSTM2D": ((2, 3), MAPS),
    "ConvLSTM3D": ((2, 2), VOLUMES),
}
CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")
BOTH = {"dropout": 0.4, "recurrent_dropout": 0.3}


def with_weights_of(layer, other, x):
    """Build `layer` and give it the weights of `other`, which has been called."""
    layer.build(x.shape)
    layer.set_weights(other.get_weights())
    return layer


def counted(layer, x):
    """Build a model that counts its traces, and compile it."""
    inputs = keras.Input(x.shape[1:])
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(layer(inputs)))
    model = CountedModel(inputs, outputs)
    model.compile("sgd", "mse")
    return model


def targets(x):
    return np.ones((len(x), 1), "float32")


@pytest.mark.parametrize("rates", [{}, {"dropout": 0.0}, dict.fromkeys(BOTH, 0.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_keras_without_dropout(kind, rates):
    arguments, x = KINDS[kind]
    plain = getattr(keras.layers, kind)(*arguments, return_sequences=True)
    expected = numpy(plain(x))
    live = getattr(layers, kind)(*arguments, return_sequences=True, **rates)
    with_weights_of(live, plain, x)
    np.testing.assert_allclose(call_in_training(live, x), expected, atol=1e-6)
    np.testing.assert_allclose(numpy(live(x)), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_dropped_at_inference(kind):
    arguments, x = KINDS[kind]
    plain = getattr(keras.layers, kind)(*arguments, **BOTH)
    expected = numpy(plain(x))
    live = getattr(layers, kind)(*arguments, **BOTH)
    with_weights_of(live, plain, x)
    np.testing.assert_allclose(numpy(live(x)), expected, atol=1e-6)
    assert not np.allclose(call_in_training(live, x), expected)


def copying_rnn(**rates):
    """A layer whose outputs are its inputs, plus its last outputs."""
    live = layers.SimpleRNN(
        UNITS,
        activation=None,
        kernel_initializer="identity",
        recurrent_initializer="identity",
        return_sequences=True,
        seed=1,
        **rates,
    )
    return live


def test_mask_of_the_inputs_is_the_same_at_all_time_steps():
    x = np.ones((BATCH, TIME, UNITS), "float32")
    outputs = call_in_training(copying_rnn(dropout=0.5), x)
    steps = np.diff(outputs, axis=1, prepend=0.0)
    assert set(np.unique(steps)) == {0.0, 2.0}
    assert (steps == steps[:, :1]).all()
    assert len(np.unique(steps[:, 0], axis=0)) > 1  # samples have their own masks


def test_mask_of_the_state_is_the_same_at_all_time_steps():
    x = np.zeros((BATCH, TIME, UNITS), "float32")
    state = np.ones((BATCH, UNITS), "float32")
    layer = copying_rnn(recurrent_dropout=0.5)
    outputs = numpy(layer(x, initial_state=state, training=True))
    first = outputs[:, 0]
    assert set(np.unique(first)) == {0.0, 2.0}
    for step in range(TIME):
        np.testing.assert_array_equal(outputs[:, step], first ** (step + 1))


def test_masks_of_inputs_and_state_differ_with_one_seed():
    cell = layers.SimpleRNNCell(UNITS, **dict.fromkeys(BOTH, 0.5), seed=1)
    cell.build((None, UNITS))
    shape = (50, UNITS)
    cell(ops.ones(shape), [ops.ones(shape)], training=True)
    masks = [
        numpy(mask(ops.ones(shape)))
        for mask in (cell.get_dropout_mask, cell.get_recurrent_dropout_mask)
    ]
    equal = (masks[0] == masks[1]).mean()
    assert abs(equal - 0.5) < 5 * np.sqrt(0.25 / masks[0].size)


@pytest.mark.parametrize(("kind", "num_gates"), [("LSTMCell", 4), ("GRUCell", 3)])
def test_each_gate_has_its_own_mask(kind, num_gates):
    live = getattr(layers, kind)(50, **dict.fromkeys(BOTH, 0.5), seed=1)
    live.build((None, 50))
    states = [ops.ones((40, 50))] * (2 if kind == "LSTMCell" else 1)
    live(ops.ones((40, 50)), states, training=True)
    for get in (live.get_dropout_mask, live.get_recurrent_dropout_mask):
        masks = [numpy(mask) for mask in get(ops.ones((40, 50)))]
        assert len(masks) == num_gates
        for one in range(num_gates):
            for other in range(one):
                equal = (masks[one] == masks[other]).mean()
                assert abs(equal - 0.5) < 5 * np.sqrt(0.25 / masks[0].size)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "ConvLSTM2D"])
def test_share_of_dropped_units_is_the_rate(kind):
    arguments, x = KINDS[kind]
    size = 8 if x.ndim > 3 else 64
    live = getattr(layers, kind)(size, *arguments[1:], **BOTH, seed=1)
    model = keras.Sequential([keras.Input(x.shape[1:]), live])
    x = np.ones((256, *x.shape[1:]), "float32")
    fractions = kdropout.drop_fractions(model, x)
    assert [*fractions] == [f"{live.name}/{name}" for name in BOTH]
    num_gates = 3 if kind == "GRU" else 4
    state_size = int(np.prod(live.compute_output_shape(x.shape)[1:]))
    for rate, fraction, units in zip(
        BOTH.values(),
        fractions.values(),
        (int(np.prod(x.shape[2:])), state_size),
        strict=True,
    ):
        error = np.sqrt(rate * (1 - rate) / (len(x) * num_gates * units))
        assert abs(fraction - rate) < 5 * error


@pytest.mark.parametrize(
    "kind", ["LSTM", "ConvLSTM2D", pytest.param("GRU", marks=pytest.mark.slow)]
)
def test_schedule_counts_once_for_each_training_call(kind):
    arguments, x = KINDS[kind]
    rates = {name: schedules.Ramp(0.0, 0.5, steps=100) for name in BOTH}
    live = getattr(layers, kind)(*arguments, **rates)
    model = counted(live, x)
    model.fit(x, targets(x), batch_size=2, epochs=2, verbose=0)
    model.predict(x, verbose=0)
    model.evaluate(x, targets(x), verbose=0)
    num_steps = 2 * len(x) // 2
    for layer in (live.dropout_layer, live.recurrent_dropout_layer):
        assert int(numpy(layer.rate_variables["step"])) == num_steps
        assert layer.rate == pytest.approx(0.5 * (num_steps - 1) / 100)


@pytest.mark.parametrize(
    "kind", ["LSTM", "ConvLSTM2D", pytest.param("GRU", marks=pytest.mark.slow)]
)
def test_one_trace_serves_all_rates(kind):
    arguments, x = KINDS[kind]
    live = getattr(layers, kind)(*arguments, **BOTH)
    model = counted(live, x)
    model.fit(x, targets(x), verbose=0)
    traces = model.entered
    for rate in (0.0, 0.5, 1.0):
        kdropout.set_rates(model, rate)
        model.fit(x, targets(x), verbose=0)
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
    if keras.backend.backend() != "torch":  # which runs each step anew
        assert model.entered == traces


@pytest.mark.parametrize("cell", CELLS)
def test_cell_in_a_stack_equals_that_of_keras_without_dropout(cell):
    def stack(module, **rates):
        kind = getattr(module, cell)
        return keras.layers.RNN([kind(UNITS, **rates), kind(3, **rates)])

    plain = stack(keras.layers)
    expected = numpy(plain(SEQUENCES))
    live = stack(layers, dropout=0.0, recurrent_dropout=0.0)
    with_weights_of(live, plain, SEQUENCES)
    np.testing.assert_allclose(call_in_training(live, SEQUENCES), expected, atol=1e-6)
    assert len(kdropout.rates(live)) == 4


WRAPPED = {
    "bidirectional": lambda layer: keras.layers.Bidirectional(layer),
    "time_distributed": lambda layer: keras.Sequential(
        [
            keras.layers.Reshape((1, TIME, FEATURES)),
            keras.layers.TimeDistributed(layer),
        ]
    ),
    "masking": lambda layer: keras.Sequential([keras.layers.Masking(0.5), layer]),
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_layer_in_a_wrapper_equals_that_of_keras_without_dropout(wrapper):
    x = SEQUENCES.copy()
    x[:, -2:] = 0.5
    plain = WRAPPED[wrapper](keras.layers.LSTM(UNITS))
    expected = numpy(plain(x))
    live = WRAPPED[wrapper](layers.LSTM(UNITS, **dict.fromkeys(BOTH, 0.0)))
    live(x)
    live.set_weights(plain.get_weights())
    np.testing.assert_allclose(call_in_training(live, x), expected, atol=1e-6)
    kdropout.set_rates(live, 0.9)
    assert not np.allclose(call_in_training(live, x), expected)


@pytest.mark.parametrize("how", ["unroll", "stateful", "go_backwards"])
def test_arguments_of_keras_work(how):
    live = layers.GRU(UNITS, **BOTH, **{how: True})
    model = keras.Sequential([keras.Input(batch_shape=SEQUENCES.shape), live])
    model.compile("sgd", "mse")
    model.fit(SEQUENCES, np.ones((BATCH, UNITS)), batch_size=BATCH, epochs=2, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_config_survives_a_round_trip(kind):
    arguments, _ = KINDS[kind]
    rates = {
        "dropout": schedules.Ramp(0.1, 0.5, 10),
        "recurrent_dropout": kdropout.LearnedRate(0.3),
    }
    live = getattr(layers, kind)(*arguments, **rates, seed=3, name="live")
    serialized = keras.saving.serialize_keras_object(live)
    copy = keras.saving.deserialize_keras_object(serialized)
    assert type(copy) is type(live)
    assert copy.get_config() == live.get_config()
    assert kdropout.rates(copy) == {"dropout": 0.1, "recurrent_dropout": 0.3}


def test_positions_of_arguments_are_those_of_keras():
    live = layers.LSTM(UNITS, "relu", "tanh", False)
    plain = keras.layers.LSTM(UNITS, "relu", "tanh", False)
    assert live.get_config()["activation"] == plain.get_config()["activation"]
    assert not live.use_bias


def test_weights_of_keras_load_and_those_of_kdropout_load_in_keras(tmp_path):
    def model(module):
        layer = module.LSTM(UNITS, **BOTH, name="lstm")
        return keras.Sequential([keras.Input((TIME, FEATURES)), layer])

    plain, live = model(keras.layers), model(layers)
    plain.save_weights(tmp_path / "plain.weights.h5")
    live.load_weights(tmp_path / "plain.weights.h5")
    np.testing.assert_allclose(
        live.predict(SEQUENCES, verbose=0),
        plain.predict(SEQUENCES, verbose=0),
        atol=1e-6,
    )
    assert kdropout.rates(live) == {f"lstm/{name}": rate for name, rate in BOTH.items()}
    live.save_weights(tmp_path / "live.weights.h5")
    other = model(keras.layers)
    other.load_weights(tmp_path / "live.weights.h5")
    for ours, theirs in zip(live.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_samples_have_the_moments_of_the_training_mode():
    inputs = keras.Input((TIME, FEATURES))
    hidden = keras.layers.BatchNormalization(name="still")(inputs)
    hidden = layers.LSTM(8, **BOTH)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    still = model.get_layer("still")
    still.moving_mean.assign([0.5, -0.5, 0.2])
    still.trainable = False  # so that training mode does not move it, either
    statistics = numpy(still.moving_mean)
    num_samples = 3000
    sampled = kdropout.mc_predict(
        model, SEQUENCES, num_samples, seed=1, return_samples=True, verbose=0
    ).samples
    tiled = np.repeat(SEQUENCES[None], num_samples, axis=0)
    trained = call_in_training(model, tiled.reshape(-1, TIME, FEATURES))
    trained = trained.reshape(num_samples, BATCH, 2)
    np.testing.assert_array_equal(numpy(still.moving_mean), statistics)
    difference = sampled.mean(axis=0) - trained.mean(axis=0)
    error = np.sqrt((sampled.var(axis=0) + trained.var(axis=0)) / num_samples)
    assert (abs(difference) < 5 * error).all()
    for samples in (sampled, trained):
        centred = samples - samples.mean(axis=0)
        # The standard error of a variance, from the fourth moment.
        samples_of_variance = centred**2
        samples[...] = samples_of_variance
    difference = sampled.mean(axis=0) - trained.mean(axis=0)
    error = np.sqrt((sampled.var(axis=0) + trained.var(axis=0)) / num_samples)
    assert (abs(difference) < 5 * error).all()
