"""With `same_masks=True`, each sample is one thinned network for all inputs."""

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers, schedules
from tests.tools import DROPOUT_LAYERS, Case, assert_refused, name_of

SIGMAS = 5
RNG = np.random.default_rng(0)
VECTOR = RNG.normal(size=(1, 6)).astype("float32")
MAP = RNG.normal(size=(1, 6, 4)).astype("float32")
IMAGE = RNG.normal(size=(1, 6, 6, 4)).astype("float32")
VOLUME = RNG.normal(size=(1, 4, 4, 4, 2)).astype("float32")

# For each layer, one input that all rows repeat.
LAYERS = {
    "Dropout": (lambda: layers.Dropout(0.5), VECTOR),
    "Dropout, one mask for all": (
        lambda: layers.Dropout(0.5, noise_shape=(1, None)),
        VECTOR,
    ),
    "Dropout, the same for all steps": (
        lambda: layers.Dropout(0.5, noise_shape=(None, 1, None)),
        MAP,
    ),
    "Dropout, scheduled": (
        lambda: layers.Dropout(schedules.Ramp(0.5, 0.2, steps=9)),
        VECTOR,
    ),
    "Dropout, learned": (lambda: layers.Dropout(kdropout.LearnedRate(0.4)), VECTOR),
    "Dropout, half precision": (lambda: layers.Dropout(0.3, dtype="bfloat16"), VECTOR),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.4), VECTOR),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.4), VECTOR),
    "DropPath": (lambda: layers.DropPath(0.4), MAP),
    "HeadDropout": (lambda: layers.HeadDropout(0.4), MAP),
    "TokenDropout": (lambda: layers.TokenDropout(0.4, num_prefix_tokens=1), MAP),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.4), MAP),
    "SpatialDropout2D": (lambda: layers.SpatialDropout2D(0.4), IMAGE),
    "SpatialDropout3D": (lambda: layers.SpatialDropout3D(0.4), VOLUME),
    "DropBlock1D": (lambda: layers.DropBlock1D(0.4, block_size=2), MAP),
    "DropBlock2D": (lambda: layers.DropBlock2D(0.4, block_size=2), IMAGE),
    "DropBlock2D, channels first": (
        lambda: layers.DropBlock2D(0.4, block_size=2, data_format="channels_first"),
        IMAGE,
    ),
    "DropBlock3D": (lambda: layers.DropBlock3D(0.4, block_size=2), VOLUME),
    "DropConnect": (lambda: layers.DropConnect(keras.layers.Dense(3), 0.4), VECTOR),
    "ConcreteDropout": (
        lambda: layers.ConcreteDropout(keras.layers.Dense(3), 0.4),
        VECTOR,
    ),
    "ConcreteDropout, channels": (
        lambda: layers.ConcreteDropout(keras.layers.Conv1D(3, 2), 0.4),
        MAP,
    ),
    "Standout": (lambda: layers.Standout(keras.layers.Dense(6)), VECTOR),
    "in an RNN": (
        lambda: keras.layers.RNN(Cell(4), return_sequences=True),
        MAP,
    ),
}


class Cell(keras.layers.SimpleRNNCell):
    """A recurrent cell that drops its inputs."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.drop = layers.Dropout(0.4)

    def call(self, sequence, states, training=False):
        return super().call(self.drop(sequence), states, training=training)


def test_every_layer_is_tested():
    tested = {name.split(",")[0] for name in LAYERS}
    assert DROPOUT_LAYERS <= tested


def predict(model, x, num_samples=6, seed=1, **kwargs):
    kwargs = {"same_masks": True, "return_samples": True, "verbose": 0, **kwargs}
    return kdropout.mc_predict(model, x, num_samples, seed=seed, **kwargs)


def model_of(layer, x):
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize("name", LAYERS)
def test_equal_rows_have_equal_samples_in_all_batches(name):
    make_layer, row = LAYERS[name]
    keras.utils.set_random_seed(0)
    model = model_of(make_layer(), row)
    x = np.repeat(row, 7, axis=0)
    # The last batch has one row and is filled up.
    samples = np.asarray(predict(model, x, batch_size=3).samples, "float32")
    np.testing.assert_allclose(
        samples, np.broadcast_to(samples[:, :1], samples.shape), rtol=1e-5, atol=1e-6
    )
    assert len(np.unique(samples[:, 0].reshape(6, -1).round(4), axis=0)) > 1
    assert samples.std(axis=0).max() > 0


@pytest.mark.parametrize("name", ["Dropout", "Standout"])
def test_batch_size_and_other_inputs_do_not_change_the_networks(name):
    make_layer, row = LAYERS[name]
    keras.utils.set_random_seed(0)
    model = model_of(make_layer(), row)
    x = np.concatenate([row, RNG.normal(size=(6, *row.shape[1:]))]).astype("float32")
    samples = [
        predict(model, x[rows], batch_size=batch_size).samples[:, 0]
        for rows, batch_size in [
            (slice(None), 7),
            (slice(None), 2),
            (slice(1), 32),
            (slice(2), 32),
        ]
    ]
    for other in samples[1:]:
        np.testing.assert_allclose(other, samples[0], rtol=1e-5, atol=1e-6)
    other_seed = predict(model, x[:1], seed=2).samples[:, 0]
    assert not np.allclose(other_seed, samples[0])


def test_samples_are_linear_functions_of_a_linear_model():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dropout(0.5), keras.layers.Dense(2, use_bias=False)]
    )
    first, second = RNG.normal(size=(2, 1, 6)).astype("float32")
    x = np.concatenate([first, second, first + second, 3 * first])
    samples = predict(model, x, num_samples=20, batch_size=3).samples
    np.testing.assert_allclose(
        samples[:, 2], samples[:, 0] + samples[:, 1], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(samples[:, 3], 3 * samples[:, 0], rtol=1e-4, atol=1e-5)
    apart = predict(model, x, num_samples=20, same_masks=False).samples
    assert not np.allclose(apart[:, 3], 3 * apart[:, 0])


def test_a_model_with_its_own_call_shares_masks():
    class OwnCall(keras.Model):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, inputs):
            return self.drop(inputs)

    model = OwnCall()
    x = np.repeat(VECTOR, 5, axis=0)
    model(x)
    samples = predict(model, x, batch_size=2).samples
    np.testing.assert_array_equal(samples, np.repeat(samples[:, :1], 5, axis=1))


@pytest.mark.parametrize(
    "name",
    [
        "Dropout",
        "Standout",
        pytest.param("GaussianDropout", marks=pytest.mark.slow),
        pytest.param("TokenDropout", marks=pytest.mark.slow),
        pytest.param("DropBlock2D", marks=pytest.mark.slow),
    ],
)
def test_moments_agree_with_those_of_separate_masks(name):
    make_layer, row = LAYERS[name]
    keras.utils.set_random_seed(0)
    model = model_of(make_layer(), row)
    shared, apart = (
        # DropBlock scales by the share of kept units of a batch: here, of one row.
        np.asarray(
            predict(model, row, 400, seed=seed, same_masks=same_masks).samples,
            "float64",
        )
        for seed, same_masks in ((1, True), (2, False))
    )
    size = len(shared)
    error = np.sqrt((shared.var(0) + apart.var(0)) / size) + 1e-9
    assert (np.abs(shared.mean(0) - apart.mean(0)) / error).max() < SIGMAS
    squares = [(samples - samples.mean(0)) ** 2 for samples in (shared, apart)]
    error = np.sqrt(sum(square.var(0) for square in squares) / size) + 1e-9
    difference = squares[0].mean(0) - squares[1].mean(0)
    assert (np.abs(difference) / error).max() < SIGMAS


def test_dataset_with_growing_batches_shares_masks():
    class Growing(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.repeat(VECTOR, 2 * index + 1, axis=0)

    model = model_of(layers.Dropout(0.5), VECTOR)
    samples = predict(model, Growing()).samples
    assert samples.shape == (6, 9, 6)
    np.testing.assert_array_equal(samples, np.repeat(samples[:, :1], 9, axis=1))


def test_calls_with_and_without_shared_masks_do_not_disturb_each_other():
    model = model_of(layers.Dropout(0.5), VECTOR)
    x = np.repeat(VECTOR, 4, axis=0)
    before = predict(model, x, same_masks=False).samples
    predict(model, x)
    after = predict(model, x, same_masks=False).samples
    np.testing.assert_array_equal(before, after)
    assert not (before == before[:, :1]).all()


class Noise(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.seed_generator)


def noisy():
    stack = [keras.Input((6,)), layers.Dropout(0.5), Noise(name="noise")]
    return keras.Sequential(stack)


def merged_steps():
    """Build a model that drops with the time steps on the axis of the batch."""
    inputs = keras.Input((6, 4))
    steps = ops.reshape(inputs, (-1, 4))
    dropped = layers.Dropout(0.5, name="drop")(steps)
    return keras.Model(inputs, ops.reshape(dropped, (-1, 6, 4)))


CASES = [
    *(
        Case(
            f"same_masks {value!r}",
            lambda value=value: predict(noisy(), VECTOR, same_masks=value),
            TypeError,
            ["'same_masks' must be a bool", f"same_masks={value!r}"],
        )
        for value in (1, "yes", None)
    ),
    Case(
        "same_masks with another layer that draws",
        lambda: predict(noisy(), VECTOR),
        ValueError,
        ["'same_masks' must be False", "'noise'", "Put kdropout's layers in"],
    ),
    Case(
        "same_masks without the batch on the first axis",
        lambda: predict(merged_steps(), np.repeat(MAP, 3, axis=0)),
        ValueError,
        ["'same_masks' must be False", "'drop'", "(18, 4)", "Keep the batch on"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_what_cannot_be_shared_is_refused(case):
    assert_refused(case)


def test_a_refusal_leaves_a_model_that_predicts():
    model = merged_steps()
    for _ in range(2):
        with pytest.raises(ValueError, match="'same_masks'"):
            predict(model, np.repeat(MAP, 3, axis=0))
    assert predict(model, MAP, same_masks=False).samples.shape == (6, 1, 6, 4)
