"""The measured share of dropped units is the rate, for each kind of layer."""

import keras
import numpy as np
import pytest

from kdropout import LearnedRate, drop_fractions, layers

RATE = 0.3


def measured(layer, *shape):
    model = keras.Sequential([keras.Input(shape[1:]), layer])
    return drop_fractions(model, np.ones(shape, "float32"), seed=1)


@pytest.mark.parametrize(
    ("layer", "shape", "draws"),
    [
        (layers.Dropout(RATE), (200, 50), 200 * 50),
        (layers.Dropout(RATE, noise_shape=(None, 1)), (5000, 3), 5000),
        (layers.SpatialDropout1D(RATE), (100, 7, 50), 100 * 50),
        (layers.AlphaDropout(RATE), (200, 50), 200 * 50),
        (layers.DropPath(RATE), (5000, 2), 5000),
        (layers.TokenDropout(RATE), (100, 50, 3), 100 * 50),
        (layers.HeadDropout(RATE), (500, 10, 4, 4), 500 * 10),
        (layers.DropConnect(keras.layers.Dense(50), RATE), (2, 100), 50 * 100),
        # A block of 3 of 12 steps is one draw for about 3 units.
        (layers.DropBlock1D(RATE, block_size=3), (100, 12, 10), 100 * 12 * 10 / 9),
    ],
    ids=lambda value: type(value).__name__,
)
def test_fraction_is_the_rate_within_chance(layer, shape, draws):
    (share,) = measured(layer, *shape).values()
    assert abs(share - RATE) < 5 * np.sqrt(RATE * (1 - RATE) / draws)


@pytest.mark.parametrize("kind", [layers.Dropout, layers.AlphaDropout])
def test_relaxed_mask_counts_by_its_reduction(kind):
    layer = kind(LearnedRate(RATE, temperature=0.1))
    (share,) = measured(layer, 200, 50).values()
    # The relaxation at this temperature shifts the mean by less than a hundredth.
    assert abs(share - RATE) < 0.01 + 5 * np.sqrt(RATE * (1 - RATE) / 10_000)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rates_0_and_1_are_exact(rate):
    assert [*measured(layers.Dropout(rate), 10, 10).values()] == [rate]


def test_inputs_decide_the_fraction_if_they_decide_the_rate():
    layer = layers.Standout(keras.layers.Dense(100), alpha=0.0, beta=0.0)
    (share,) = measured(layer, 100, 3).values()
    assert abs(share - 0.5) < 5 * np.sqrt(0.25 / 10_000)


def test_noise_that_drops_no_units_is_omitted():
    assert measured(layers.GaussianDropout(RATE), 10, 10) == {}


def test_shared_layer_has_the_mean_of_its_calls():
    drop, inputs = layers.Dropout(RATE, name="drop"), keras.Input((4000,))
    narrow = keras.layers.Lambda(lambda x: x[:, :2], output_shape=(2,))(inputs)
    model = keras.Model(inputs, [drop(inputs), drop(narrow)])
    share = drop_fractions(model, np.ones((1, 4000), "float32"), seed=2)["drop"]
    # The second call drops 0, 1 or 2 of its two units; it is half of the mean.
    rest = min(abs(2 * share - half - RATE) for half in (0.0, 0.5, 1.0))
    assert rest < 5 * np.sqrt(RATE * (1 - RATE) / 4000)


def test_seed_decides_and_no_variable_changes():
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dropout(RATE, name="drop"),
            keras.layers.BatchNormalization(),
            layers.Standout(keras.layers.Dense(4), name="standout"),
        ]
    )
    before = [keras.ops.convert_to_numpy(v) for v in model.variables]
    states = [layer._get_state() for layer in (model.get_layer("drop"),)]
    x = np.ones((8, 20), "float32")
    shares = drop_fractions(model, x, seed=1)
    assert list(shares) == ["drop", "standout"]
    assert drop_fractions(model, x, seed=1) == shares
    assert drop_fractions(model, x, seed=2) != shares
    assert drop_fractions(model, x, layers="drop", seed=1).keys() == {"drop"}
    for variable, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), old)
    for name, old in states[0].items():
        np.testing.assert_array_equal(model.get_layer("drop")._get_state()[name], old)


def test_model_of_several_inputs_accepts_a_structure():
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((3,), name="b")}
    joined = keras.layers.Add()([inputs["a"], inputs["b"]])
    model = keras.Model(inputs, layers.Dropout(1.0, name="drop")(joined))
    x = {"a": np.ones((2, 3), "float32"), "b": np.ones((2, 3), "float32")}
    assert drop_fractions(model, x) == {"drop": 1.0}


def test_dropout_inside_a_recurrent_layer_does_not_matter():
    class Cell(keras.layers.SimpleRNNCell):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.drop = layers.Dropout(1.0, name="inner")

        def call(self, inputs, states, training=False):
            return super().call(self.drop(inputs, training=training), states)

    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            keras.layers.RNN(Cell(2)),
            layers.Dropout(1.0, name="top"),
        ]
    )
    shares = drop_fractions(model, np.ones((2, 4, 3), "float32"))
    assert shares["top"] == 1.0
    assert set(shares.values()) == {1.0}


def test_model_without_dropout_is_reported():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="'model' must hold dropout layers"):
        drop_fractions(model, np.ones((2, 3), "float32"))
