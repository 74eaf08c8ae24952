"""A rate given as a number stays in effect until it is set again."""

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import Dropout


def outputs(layer, size=64):
    return ops.convert_to_numpy(layer(np.ones((size, 8), "float32"), training=True))


@pytest.mark.parametrize("rate", [0, 1, 0.3, np.float32(0.3), np.float64(0.25)])
def test_rate_reads_back_as_a_plain_float(rate):
    layer = Dropout(rate)
    assert type(layer.rate) is float
    assert layer.rate == pytest.approx(float(rate), abs=1e-7)


@pytest.mark.parametrize("rate", [0.3, 0.1, 1 / 3, 1e-7, 0.123456789, 1 - 2**-24])
def test_rate_reads_back_as_the_shortest_equal_float(rate):
    layer = Dropout(0.5)
    layer.rate = rate
    assert layer.rate == float(str(np.float32(rate)))
    layer.rate = layer.rate
    stored = ops.convert_to_numpy(layer.rate_variables["rate"])
    assert stored == np.float32(rate)


def test_new_rate_acts_in_the_next_call():
    layer = Dropout(0.0, seed=1)
    assert (outputs(layer) == 1.0).all()
    layer.rate = 1.0
    assert (outputs(layer) == 0.0).all()
    layer.rate = 0.75
    # 512 units: five standard deviations are 49.
    assert np.count_nonzero(outputs(layer)) == pytest.approx(128, abs=49)
    assert set(np.unique(outputs(layer))) == {0.0, 4.0}
    layer.rate = 0.0
    assert (outputs(layer) == 1.0).all()


def test_new_rate_acts_in_a_compiled_step():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            Dropout(1.0, name="drop"),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    model.set_weights([np.zeros((2, 1)) if w.ndim else w for w in model.get_weights()])
    assert model.train_on_batch(x, y) == 1.0
    dense = model.layers[-1]
    assert (ops.convert_to_numpy(dense.kernel) == 0.0).all()  # all inputs were dropped
    model.get_layer("drop").rate = 0.0
    model.train_on_batch(x, y)
    # d mse / d kernel is 2 * (0 - 1) * 1, times the learning rate of 0.1.
    np.testing.assert_allclose(ops.convert_to_numpy(dense.kernel), 0.2, rtol=1e-6)


def test_config_keeps_the_rate_of_the_constructor():
    layer = Dropout(0.2)
    layer.rate = 0.6
    assert layer.get_config()["rate"] == 0.2
    assert Dropout.from_config(layer.get_config()).rate == 0.2


def test_rate_is_a_variable_that_is_not_trained():
    layer = Dropout(0.2)
    assert len(layer.trainable_variables) == 0
    rate = layer.rate_variables["rate"]
    assert (rate.dtype, tuple(rate.shape)) == ("float32", ())


def test_refused_rate_leaves_the_old_rate():
    layer = Dropout(0.2)
    for bad in (1.5, -0.1, float("nan"), "0.3", None, True):
        with pytest.raises((TypeError, ValueError), match=r"'rate' must be a number"):
            layer.rate = bad
        assert layer.rate == 0.2
