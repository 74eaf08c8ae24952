"""`mc_predict` changes nothing, samples every dropout layer, and repeats by seed."""

import pickle

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers, schedules
from kdropout.inference import sampler
from tests.tools import CountedLayer, numpy

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
Y = RNG.normal(size=(20, 2)).astype("float32")


def predict(model, num_samples=5, seed=1, **kwargs):
    kwargs = {"batch_size": 8, "verbose": 0, **kwargs}
    return kdropout.mc_predict(model, X, num_samples, seed=seed, **kwargs)


def model_of(*dropout):
    stack = dropout or (layers.Dropout(0.5, seed=1),)
    model = keras.Sequential([keras.Input((4,)), *stack, keras.layers.Dense(2)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    return model


def everything():
    """Build a compiled model with state of every kind."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(6, activation="relu")(inputs)
    rates = 0.3, schedules.Ramp(0.1, 0.6, steps=20), kdropout.LearnedRate(0.2)
    for seed, rate in enumerate(rates):
        hidden = layers.Dropout(rate, seed=seed)(hidden)
    hidden = keras.layers.BatchNormalization(momentum=0.5)(hidden)
    hidden = keras.layers.Dropout(0.3, seed=4)(hidden)
    hidden = layers.Standout(keras.layers.Dense(6), seed=5)(hidden)
    hidden = layers.DropConnect(keras.layers.Dense(6), 0.2, seed=6)(hidden)
    outputs = keras.layers.Dense(2, activity_regularizer="l2")(hidden)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return model


def fit(model, **kwargs):
    model.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0, **kwargs)


def state(model):
    variables = model.variables + model.optimizer.variables + model.metrics_variables
    return [numpy(variable).copy() for variable in variables]


def changes(model, before):
    """Count the variables that changed in any bit."""
    pairs = zip(state(model), before, strict=True)
    return sum(not np.array_equal(new, old) for new, old in pairs)


@pytest.mark.parametrize("trained", [False, True])
def test_no_variable_changes(trained):
    model = everything()
    if trained:
        fit(model)
    before, outputs = state(model), model.predict(X, verbose=0)
    rates = kdropout.rates(model)
    predict(model)
    assert changes(model, before) == 0
    assert kdropout.rates(model) == rates
    np.testing.assert_array_equal(model.predict(X, verbose=0), outputs)
    if trained:
        fit(model)
        assert changes(model, before) > 30  # so that the comparison sees changes


def test_training_continues_bit_for_bit():
    undisturbed, model = everything(), everything()
    for number in range(2):
        fit(undisturbed)
        # Also between two epochs, where a trainer may hold state.
        disturb = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: predict(model, seed=epoch)
        )
        fit(model, callbacks=[disturb] if number else [])
        predict(model, seed=7)
    assert changes(model, state(undisturbed)) == 0


def test_layer_that_always_trains_keeps_its_clock_and_is_sampled():
    inputs = keras.Input((4,))
    ramp = layers.Dropout(schedules.Ramp(0.2, 0.8, steps=2), seed=1)
    model = keras.Model(inputs, ramp(inputs, training=True))
    before = [numpy(variable).copy() for variable in model.variables]
    samples = predict(model, 2000, return_samples=True).samples
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)
    share = (samples == 0).mean()
    assert abs(share - 0.2) < 5 * np.sqrt(0.2 * 0.8 / samples.size)


class AlwaysNoisy(keras.layers.Layer):
    """Draws at inference as well, like a reparametrised layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        noise = keras.random.normal(ops.shape(inputs), seed=self.seed_generator)
        return inputs + noise

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: keras.layers.LSTM(3, stateful=True, return_sequences=True),
        lambda: keras.layers.GRU(3, stateful=True, return_sequences=True),
        AlwaysNoisy,
    ],
    ids=["LSTM", "GRU", "AlwaysNoisy"],
)
def test_state_that_moves_at_inference_is_restored(make_layer, is_first):
    inputs = keras.Input(batch_shape=(4, 5, 3))
    layer = make_layer()
    stack = [layers.Dropout(0.5, seed=1), layer][:: -1 if is_first else 1]
    model = keras.Model(inputs, stack[1](stack[0](inputs)))
    x = RNG.normal(size=(4, 5, 3)).astype("float32")
    # Keras does not list the states of a recurrent layer among its variables.
    variables = [*model.variables, *(getattr(layer, "states", None) or [])]
    start = [numpy(variable).copy() for variable in variables]
    model(x)
    before = [numpy(variable).copy() for variable in variables]
    moved = [not np.array_equal(*pair) for pair in zip(start, before, strict=True)]
    assert any(moved)  # so that there is a state that could move
    kdropout.mc_predict(model, x, 3, batch_size=4, seed=1, verbose=0)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)


class TrainsByDefault(keras.layers.Layer):
    def call(self, inputs, training=True):
        return 2.0 * inputs if training else inputs

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize("is_nested", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize(
    "layer",
    # Layers that train by default outside of the loops of Keras.
    [lambda: keras.layers.RandomFlip(seed=1), TrainsByDefault],
    ids=["RandomFlip", "TrainsByDefault"],
)
def test_other_layers_are_in_inference_mode(layer, is_first, is_nested):
    images = RNG.normal(size=(4, 3, 3, 1)).astype("float32")
    layer = layer()
    if is_nested:
        inputs = keras.Input((3, 3, 1))
        layer = keras.Model(inputs, layer(inputs))
    inputs = keras.Input((3, 3, 1))
    stack = [layers.Dropout(1e-7), layer][:: -1 if is_first else 1]
    model = keras.Model(inputs, stack[1](stack[0](inputs)))
    np.testing.assert_array_equal(model.predict(images, verbose=0), images)
    before = [numpy(variable).copy() for variable in model.variables]
    prediction = kdropout.mc_predict(model, images, 3, seed=1, verbose=0)
    np.testing.assert_allclose(prediction.mean, images, rtol=1e-6)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)


def test_same_seed_gives_the_same_samples_and_another_seed_others():
    model = model_of()
    first = predict(model, return_samples=True).samples
    keras.utils.set_random_seed(5)  # has no effect where a seed is given
    np.testing.assert_array_equal(predict(model, return_samples=True).samples, first)
    other = predict(model, seed=2, return_samples=True).samples
    assert (other != first).any(axis=-1).mean() > 0.5


def test_global_seed_decides_if_no_seed_is_given():
    model, means = model_of(), []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        means += [predict(model, seed=None).mean for _ in range(2)]
    np.testing.assert_array_equal(means[:2], means[2:4])
    for first, other in [(0, 1), (0, 4)]:
        assert (means[first] != means[other]).any(axis=-1).mean() > 0.5


class WithoutCall(keras.Model):
    """Trains another model, like most examples of keras.io with a train_step."""

    def __init__(self, network):
        super().__init__(name="wrapped")
        self.network = network

    def train_step(self, data):
        return {}


def test_error_for_a_model_without_call_names_a_way_that_works():
    model = WithoutCall(model_of())
    with pytest.raises(ValueError, match="'wrapped' of class WithoutCall.*inside it"):
        predict(model)
    assert predict(model.network).mean.shape == (20, 2)


def test_samples_are_returned_only_if_requested():
    assert predict(model_of()).samples is None
    assert predict(model_of(), return_samples=True).samples.shape == (5, 20, 2)


def variance_ratio(model, rate):
    """Return the variance over its closed form for dropout, averaged over all outputs.

    There are 40 outputs with a relative error of at most about `sqrt(10 / T)` each.
    """
    expected = rate / (1 - rate) * X**2 @ numpy(model.layers[-1].kernel) ** 2
    return (predict(model, 2000).variance / expected).mean()


def test_rate_moved_between_calls_takes_effect():
    model = model_of()
    for rate in (0.5, 0.1, 0.9):
        model.layers[0].rate = rate
        assert abs(variance_ratio(model, rate) - 1) < 0.05


def test_weights_moved_between_calls_take_effect():
    model = model_of()
    for factor in (1.0, 3.0):
        kernel = model.layers[-1].kernel
        kernel.assign(kernel * factor)
        assert abs(variance_ratio(model, 0.5) - 1) < 0.05
    model.optimizer.learning_rate = 0.5
    fit(model)
    assert abs(variance_ratio(model, 0.5) - 1) < 0.05


def test_current_rate_of_a_schedule_is_used():
    layer = layers.Dropout(schedules.Ramp(0.8, 0.2, steps=12), seed=1)
    model = model_of(layer)
    for _ in range(3):
        rate = layer.rate
        assert abs(variance_ratio(model, rate) - 1) < 0.05
        assert layer.rate == rate
        fit(model)  # 8 steps
    assert rate == pytest.approx(0.2)


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled there")
def test_new_rates_weights_seeds_and_rows_need_no_compilation():
    model = model_of(layers.Dropout(0.5, name="drop"), CountedLayer())
    predict(model)
    traces = CountedLayer.traces
    model.get_layer("drop").rate = 0.2
    model.layers[-1].set_weights([np.ones((4, 2)), np.zeros(2)])
    predict(model, seed=3)
    kdropout.mc_predict(model, X[:11], 5, batch_size=8, verbose=0)
    assert CountedLayer.traces == traces


def test_models_that_share_a_layer_are_kept_apart():
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.5)(inputs)
    one, other = keras.Model(inputs, hidden), keras.Model(inputs, 2.0 * hidden)
    first, second = predict(one).mean, predict(other).mean
    np.testing.assert_allclose(second, 2 * first, rtol=1e-6)
    np.testing.assert_array_equal(predict(one).mean, first)


@pytest.mark.parametrize("change", ["add", "pop"])
def test_layer_added_or_removed_takes_effect(change):
    model = model_of(layers.Dropout(0.5, seed=1))
    if change == "pop":
        model.add(keras.layers.Rescaling(3.0))
    before = predict(model).mean
    if change == "pop":
        model.pop()
    else:
        model.add(keras.layers.Rescaling(3.0))
    factor = 3.0 if change == "add" else 1 / 3.0
    np.testing.assert_allclose(predict(model).mean, factor * before, rtol=1e-5)


def test_dropout_added_takes_effect():
    model = model_of(layers.Dropout(0.5, seed=1))
    predict(model)
    model.add(layers.Dropout(1.0))
    np.testing.assert_array_equal(predict(model).mean, 0.0)


def test_copies_have_separate_passes(tmp_path):
    model = model_of()
    before = predict(model).mean
    model.save(tmp_path / "model.keras")
    copies = [
        pickle.loads(pickle.dumps(model)),
        keras.saving.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ]
    for copied in copies:
        copied.layers[-1].set_weights(
            [2 * weight for weight in model.layers[-1].get_weights()]
        )
        np.testing.assert_allclose(predict(copied).mean, 2 * before, rtol=1e-5)
    np.testing.assert_array_equal(predict(model).mean, before)


def test_activity_regularizers_do_not_change_the_losses_of_the_next_step():
    stack = [
        keras.layers.Dense(3, activity_regularizer="l2"),
        layers.Dropout(0.5, seed=1),
        keras.layers.Activation("linear", activity_regularizer="l2"),
    ]
    model = model_of(*stack)
    model(X)
    losses = [float(numpy(loss)) for loss in model.losses]
    predict(model)
    model(X)
    assert [float(numpy(loss)) for loss in model.losses] == losses


def test_memory_of_a_pass_is_bounded_for_unknown_sizes(monkeypatch):
    monkeypatch.setattr(sampler, "_MAX_NUMBERS", 2**12)
    sizes = []
    for length in (64, None):
        model = keras.Sequential([keras.Input((length, 8)), layers.Dropout(0.5)])
        batch = np.ones((2, 64, 8), "float32")
        sizes.append(len(next(sampler.Sampler(model, 1).draw(batch, 100))))
    # 2 rows of 512 numbers allow 4 samples per pass.
    assert sizes == [4, 4]
