"""Every layer keeps the contract with every kind of rate."""

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
    "learned": lambda: kdropout.LearnedRate(initial_rate=0.3, regularizer=1e-3),
}
LAYERS = {
    "Dropout": (layers.Dropout, {}, (6,)),
    "Dropout_noise_shape": (layers.Dropout, {"noise_shape": (None, 1, None)}, (3, 4)),
    "SpatialDropout1D": (layers.SpatialDropout1D, {}, (3, 4)),
    "SpatialDropout2D": (layers.SpatialDropout2D, {}, (3, 2, 4)),
    "SpatialDropout3D": (layers.SpatialDropout3D, {}, (2, 3, 2, 4)),
    "GaussianDropout": (layers.GaussianDropout, {}, (6,)),
    "AlphaDropout": (layers.AlphaDropout, {}, (6,)),
    "DropPath": (layers.DropPath, {}, (3, 4)),
    "DropBlock1D": (layers.DropBlock1D, {"block_size": 2}, (5, 2)),
    "DropBlock2D": (layers.DropBlock2D, {"block_size": (2, 3)}, (5, 4, 2)),
    "DropBlock3D": (layers.DropBlock3D, {"block_size": 2}, (2, 3, 4, 2)),
    "TokenDropout": (layers.TokenDropout, {}, (5, 3)),
    "HeadDropout": (layers.HeadDropout, {}, (4, 3)),
}
# Other ranks differ from rank 2 in `_rank` only, for every kind of rate.
OTHER_RANKS = ("SpatialDropout1D", "SpatialDropout3D", "DropBlock1D", "DropBlock3D")
# These have the rule of "our_schedule".
OTHER_SCHEDULES = ("keras_schedule", "callable")
# These train a network, which takes most of the time of the contract.
TRAINING_CHECKS = ("compiled_fit", "nesting", "saved_training_continues")
# The kind of rate and the kind of layer are independent, so no full product is needed.
CASES = [
    (layer, rate)
    for layer, (kind, _, _) in LAYERS.items()
    for rate in (RATES if layer == "Dropout" else ("float", "learned"))
    if rate != "learned" or (kind.can_learn_rate and layer not in OTHER_RANKS)
]
WRAPPED = {
    "Dense": (lambda: keras.layers.Dense(4, activation="relu"), (6,)),
    "Conv1D": (lambda: keras.layers.Conv1D(3, 2, padding="causal"), (4, 2)),
    "Conv2D": (lambda: keras.layers.Conv2D(4, 2, groups=2), (3, 4, 2)),
    "Conv3D": (lambda: keras.layers.Conv3D(2, 2, use_bias=False), (2, 3, 2, 2)),
    "EinsumDense": (
        lambda: keras.layers.EinsumDense("abc,cd->abd", (2, 3), bias_axes="d"),
        (2, 4),
    ),
}


@keras.saving.register_keras_serializable(package="kdropout_tests")
class SelfAttention(keras.layers.Layer):
    """Attention of a sequence to itself."""

    def __init__(self, attention, **kwargs):
        super().__init__(**kwargs)
        self.attention = attention

    def build(self, input_shape):
        if not self.attention.built:
            self.attention.build([input_shape, input_shape])

    def call(self, inputs):
        return self.attention([inputs, inputs])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        attention = keras.saving.serialize_keras_object(self.attention)
        return {**super().get_config(), "attention": attention}

    @classmethod
    def from_config(cls, config):
        attention = keras.saving.deserialize_keras_object(config["attention"])
        return cls(**{**config, "attention": attention})


def both(kind, *arguments):
    """A layer in which two rates are decided in the same way."""
    return lambda rate: kind(*arguments, dropout=rate, recurrent_dropout=rate, seed=1)


# Layers that hold dropout layers of kdropout.
HOLDERS = {
    "LSTM": (both(layers.LSTM, 4), (5, 3)),
    "GRU": (both(layers.GRU, 4), (5, 3)),
    "SimpleRNN": (both(layers.SimpleRNN, 4), (5, 3)),
    "ConvLSTM2D": (both(layers.ConvLSTM2D, 2, 2), (3, 4, 3, 2)),
    "RNN": (
        lambda rate: keras.layers.RNN(both(layers.LSTMCell, 4)(rate)),
        (5, 3),
    ),
    "Bidirectional": (
        lambda rate: keras.layers.Bidirectional(both(layers.GRU, 4)(rate)),
        (5, 3),
    ),
    "Attention": (
        lambda rate: SelfAttention(layers.Attention(dropout=rate, seed=1)),
        (5, 3),
    ),
    "AdditiveAttention": (
        lambda rate: SelfAttention(layers.AdditiveAttention(dropout=rate, seed=1)),
        (5, 3),
    ),
}
HOLDER_CASES = [
    (holder, rate)
    for holder in HOLDERS
    for rate in ("float", "our_schedule", "learned")
    if rate == "float" or holder in ("LSTM", "ConvLSTM2D", "Attention")
]
DROP_CONNECTS = {
    f"DropConnect-{rate}": lambda layer, rate=rate: layers.DropConnect(
        layer, RATES[rate](), seed=1
    )
    for rate in RATES
}
WRAPPERS = DROP_CONNECTS | {
    "ConcreteDropout": lambda layer: layers.ConcreteDropout(layer, seed=1),
    "Standout": lambda layer: layers.Standout(layer, beta=1.0, seed=1),
}
WRAPPER_CASES = [
    (wrapper, wrapped)
    for wrapper in WRAPPERS
    for wrapped in WRAPPED
    if wrapped == "Dense"
    or wrapper in ("DropConnect-float", "ConcreteDropout", "Standout")
]


def with_checks(cases, is_like_another):
    """Pair each case with each check; mark slow pairs that resemble another one."""
    params = []
    for case in cases:
        for check in CHECKS:
            name = check.__name__.removeprefix("check_")
            marks = [pytest.mark.slow] if is_like_another(*case, name) else []
            params.append(
                pytest.param(*case, check, id="-".join((*case, name)), marks=marks)
            )
    return params


def layer_is_like_another(layer, rate, check):
    return rate in OTHER_SCHEDULES or (check in TRAINING_CHECKS and layer != "Dropout")


def wrapper_is_like_another(wrapper, wrapped, check):
    return wrapper.endswith(OTHER_SCHEDULES) or (
        check in TRAINING_CHECKS
        and (wrapper, wrapped) != ("DropConnect-float", "Dense")
    )


def holder_is_like_another(holder, rate, check):
    return rate == "our_schedule" or (
        check in TRAINING_CHECKS and (holder, rate) != ("Attention", "float")
    )


@pytest.mark.parametrize(
    ("layer", "rate", "check"), with_checks(CASES, layer_is_like_another)
)
def test_layer_keeps_the_contract(layer, rate, check):
    kind, arguments, input_shape = LAYERS[layer]
    check(lambda: kind(RATES[rate](), seed=1, **arguments), input_shape)


@pytest.mark.parametrize(
    ("wrapper", "wrapped", "check"), with_checks(WRAPPER_CASES, wrapper_is_like_another)
)
def test_wrapper_keeps_the_contract(wrapper, wrapped, check):
    make_wrapped, input_shape = WRAPPED[wrapped]
    check(lambda: WRAPPERS[wrapper](make_wrapped()), input_shape)


@pytest.mark.parametrize(
    ("holder", "rate", "check"), with_checks(HOLDER_CASES, holder_is_like_another)
)
def test_layer_that_holds_dropout_keeps_the_contract(holder, rate, check):
    make, input_shape = HOLDERS[holder]
    check(lambda: make(RATES[rate]()), input_shape)


class ForgetsSeedState(layers.Dropout):
    def _get_state(self):
        state = super()._get_state()
        del state["seed"]
        return state


class DropsAtInference(layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


class DrawsInComputeDtype(layers.Dropout):
    def apply_noise(self, inputs, shape, rate, seed):
        return super().apply_noise(ops.cast(inputs, "float32"), shape, rate, seed)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (DropsAtInference, "inference is not 'undropped"),
        (DrawsInComputeDtype, "mixed_float16 gives outputs in float32"),
        pytest.param(ForgetsSeedState, "differs", marks=pytest.mark.slow),
    ],
)
def test_contract_error_names_the_broken_check(kind, message):
    keras.saving.register_keras_serializable(package="kdropout_tests")(kind)
    with pytest.raises(AssertionError, match=message):
        check_layer(lambda: kind(0.5, seed=1), (6,))


def test_check_layer_refuses_a_layer_instead_of_a_factory():
    with pytest.raises(TypeError, match="'make_layer' must be a callable"):
        check_layer(layers.Dropout(0.5), (6,))
