"""On PyTorch, `jit_compile=True` runs the step through torch.compile.

These tests are not in the contract, because each compilation takes seconds and needs a
C++ compiler.
"""

import shutil

import keras
import numpy as np
import pytest

import kdropout
from kdropout import layers, schedules

pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "torch", reason="the contract compiles elsewhere"
    ),
    pytest.mark.skipif(
        not any(map(shutil.which, ("c++", "g++", "clang++"))),
        reason="torch.compile needs a C++ compiler",
    ),
    # torch.compile fails where PyTorch's own warnings are errors.
    pytest.mark.filterwarnings("ignore"),
]

STEPS, BATCH, UNITS = 6, 4, 6


@keras.saving.register_keras_serializable(package="kdropout_tests")
def falling(step):
    return 0.5 / (1.0 + step)


CASES = {
    "float": lambda: layers.Dropout(0.5, seed=1),
    "keras_schedule": lambda: layers.Dropout(
        keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5), seed=1
    ),
    "our_schedule": lambda: layers.Dropout(schedules.Ramp(0.6, 0.1, 5), seed=1),
    "callable": lambda: layers.Dropout(falling, seed=1),
    "learned": lambda: layers.Dropout(kdropout.LearnedRate(0.3, 1e-3), seed=1),
    "gaussian": lambda: layers.GaussianDropout(0.5, seed=1),
    "alpha": lambda: layers.AlphaDropout(0.5, seed=1),
    "spatial_1d": lambda: layers.SpatialDropout1D(0.5, seed=1),
    "spatial_2d": lambda: layers.SpatialDropout2D(0.5, seed=1),
    "spatial_3d": lambda: layers.SpatialDropout3D(0.5, seed=1),
}
ENDS = {
    "keras_schedule": 0.5 * 0.5 ** (STEPS - 1),
    "our_schedule": 0.1,
    "callable": 0.5 / STEPS,
}


@pytest.mark.parametrize("case", CASES)
def test_layer_trains_compiled_and_its_rate_moves(case):
    layer = CASES[case]()
    dense = keras.layers.Dense(1, kernel_initializer="zeros")
    num_axes = layer.input_spec.ndim - 2 if layer.input_spec else 0
    shape = (*[1] * num_axes, UNITS)
    flat = keras.layers.Flatten()
    model = keras.Sequential([keras.Input(shape), layer, flat, dense])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=True)
    x = np.ones((STEPS * BATCH, *shape), "float32")
    y = np.ones((STEPS * BATCH, 1), "float32")
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    if case in ENDS:
        assert layer.rate == pytest.approx(ENDS[case], abs=1e-6)
    if layer._rate_rule.settable:
        layer.rate = 1.0  # no gradient passes, so the kernel does not change
        before = np.copy(keras.ops.convert_to_numpy(dense.kernel))
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
        assert np.array_equal(keras.ops.convert_to_numpy(dense.kernel), before)
