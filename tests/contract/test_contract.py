"""Every layer, with every way of deciding its rate, keeps the contract."""

import keras
import pytest
from keras import ops

import kdropout
from kdropout import layers, schedules
from kdropout.testing import CHECKS, check_layer


@keras.saving.register_keras_serializable(package="kdropout_tests")
def halving(step):
    return 0.5 / (1.0 + ops.cast(step, "float32"))


RATES = {
    "float": lambda: 0.5,
    "keras_schedule": lambda: keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.9),
    "our_schedule": lambda: schedules.Ramp(0.6, 0.1, steps=5),
    "callable": lambda: halving,
    "learned": lambda: kdropout.LearnedRate(initial=0.3, regularizer=1e-3),
}
LAYERS = {
    "Dropout": (layers.Dropout, {}, (6,)),
    "Dropout_noise_shape": (layers.Dropout, {"noise_shape": (None, 1, None)}, (3, 4)),
    "SpatialDropout1D": (layers.SpatialDropout1D, {}, (3, 4)),
    "SpatialDropout2D": (layers.SpatialDropout2D, {}, (3, 2, 4)),
    "SpatialDropout3D": (layers.SpatialDropout3D, {}, (2, 3, 2, 4)),
    "GaussianDropout": (layers.GaussianDropout, {}, (6,)),
    "AlphaDropout": (layers.AlphaDropout, {}, (6,)),
}
CASES = [
    pytest.param(layer, rate, id=f"{layer}-{rate}")
    for layer, (kind, _, _) in LAYERS.items()
    for rate in RATES
    if rate != "learned" or kind.can_learn_rate
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__[6:])
@pytest.mark.parametrize(("layer", "rate"), CASES)
def test_layer_keeps_the_contract(layer, rate, check):
    kind, arguments, input_shape = LAYERS[layer]
    check(lambda: kind(RATES[rate](), seed=1, **arguments), input_shape)


class ForgetsSeedState(layers.Dropout):
    def save_own_variables(self, store):
        super().save_own_variables(store)
        del store["seed"]


class DropsAtInference(layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


class DrawsInComputeDtype(layers.Dropout):
    def apply_noise(self, inputs, shape, rate, seed):
        return super().apply_noise(ops.cast(inputs, "float32"), shape, rate, seed)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (DropsAtInference, "inference does not return the inputs"),
        (DrawsInComputeDtype, "mixed_float16 gives outputs in float32"),
        (ForgetsSeedState, "goes another way"),
    ],
)
def test_contract_names_what_is_broken(kind, message):
    keras.saving.register_keras_serializable(package="kdropout_tests")(kind)
    with pytest.raises(AssertionError, match=message):
        check_layer(lambda: kind(0.5, seed=1), (6,))


def test_check_layer_refuses_a_layer_in_place_of_a_factory():
    with pytest.raises(TypeError, match="'make_layer' must be a callable"):
        check_layer(layers.Dropout(0.5), (6,))
