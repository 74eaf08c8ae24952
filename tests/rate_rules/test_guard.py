"""A schedule that leaves [0, 1] stops the training; the error gives layer and step."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from kdropout.layers import Dropout, GaussianDropout
from kdropout.rate_rules import stop_unless
from tests.tools import runtime_error

BACKEND = keras.backend.backend()


@keras.saving.register_keras_serializable(package="test_guard")
def rising(step):
    return 0.5 + 0.25 * step  # 1.25 at step 3


@keras.saving.register_keras_serializable(package="test_guard")
def falling(step):
    return 0.5 - 0.25 * step  # -0.25 at step 3


@keras.saving.register_keras_serializable(package="test_guard")
def undefined(step):
    return ops.where(step < 3, 0.5, float("nan"))


def model_with(layer, **kwargs):
    block = keras.Sequential([layer], name="block")
    model = keras.Sequential(
        [keras.Input((3,)), block, keras.layers.Dense(1)], name="model"
    )
    model.compile(optimizer="sgd", loss="mse", **kwargs)
    return model


X, Y = np.ones((24, 3), "float32"), np.ones((24, 1), "float32")


@pytest.mark.parametrize(
    "schedule, rate, eagerly",
    [
        (rising, "1.25", False),
        (falling, "-0.25", True),
        (undefined, "nan", True),
    ],
)
def test_training_stops_where_the_schedule_leaves_unit_interval(
    schedule, rate, eagerly
):
    model = model_with(Dropout(schedule, name="drop"), run_eagerly=eagerly)
    with pytest.raises(runtime_error()) as error:
        model.fit(X, Y, batch_size=4, verbose=0)
    message = str(error.value).replace("\\", "")
    assert re.search(r"layer '[\w/]*block/drop' left \[0, 1\]", message)
    assert "Bound the schedule, or train for fewer steps" in message
    received = message[message.index("Received rate, at step:") :]
    numbers = re.findall(r"-?\d+\.\d+|nan|\b\d+\b", received)
    assert numbers[:2] == [rate, "3"]


def test_steps_before_the_boundary_train():
    model = model_with(Dropout(rising, name="drop"))
    model.fit(X[:12], Y[:12], batch_size=4, verbose=0)
    assert model.get_layer("block").get_layer("drop").rate == 1.0


def test_training_continues_after_an_error_in_another_model():
    with pytest.raises(runtime_error(), match="left"):
        model_with(Dropout(rising)).fit(X, Y, batch_size=4, verbose=0)
    history = model_with(Dropout(0.5)).fit(X, Y, batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA of TensorFlow drops the check")
@pytest.mark.parametrize("layer", [Dropout, GaussianDropout])
def test_loss_is_nan_where_xla_drops_the_check(layer):
    model = model_with(layer(rising), jit_compile=True)
    losses = [model.train_on_batch(X, Y) for _ in range(5)]
    assert np.isfinite(losses[:3]).all()
    assert np.isnan(losses[3:]).all()


def test_guard_passes_values_in_bounds_and_stops_others():
    values = ops.cast(0.5, "float32"), ops.cast(7, "int32")
    stop_unless(values[0] < 1.0, "fine so far", *values)
    with pytest.raises(runtime_error(), match="too far") as error:
        stop_unless(values[0] > 1.0, "too far", *values)
    assert "0.5" in str(error.value) and "7" in str(error.value)
