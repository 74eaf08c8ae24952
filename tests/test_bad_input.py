"""Every bad input is a TypeError or ValueError that names it and tells the way out."""

import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import LearnedRate, layers, schedules
from kdropout.callbacks import (
    GapController,
    OverfittingGap,
    RateLogger,
    RateScheduler,
    TensorBoardRates,
)

BACKEND = keras.backend.backend()
NAN, INF = float("nan"), float("inf")
X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
INTEGERS = np.ones((4, 3), "int32")
MAPS = np.ones((2, 4, 3, 5), "float32")


@keras.saving.register_keras_serializable(package="test_bad_input")
def starts_above(step):
    return 1.5 - step


@keras.saving.register_keras_serializable(package="test_bad_input")
def rises_above(step):
    return 0.6 + 0.6 * step


@keras.saving.register_keras_serializable(package="test_bad_input")
def undefined(step):
    return step * float("nan")


@keras.saving.register_keras_serializable(package="test_bad_input")
def vector(step):
    return ops.stack([step, step])


@keras.saving.register_keras_serializable(package="test_bad_input")
def without_step():
    return 0.5


def unknown_metric(y, outputs):
    return ops.mean(outputs, axis=-1)


def generator():
    yield X, Y


def model_of(rate=0.5, metrics=None):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dropout(rate, name="drop"),
            keras.layers.Dense(1, name="dense"),
        ],
        name="model",
    )
    model.compile(optimizer="sgd", loss="mse", metrics=metrics, run_eagerly=True)
    return model


def decided(rate):
    return model_of(rate).get_layer("drop")


def fit(*callbacks, rate=0.5, metrics=None, validated=True, epochs=1):
    data = {"validation_data": (X, Y)} if validated else {}
    model = model_of(rate, metrics)
    model.fit(X, Y, epochs=epochs, verbose=0, callbacks=list(callbacks), **data)


def train(layer, x=X):
    return layer(x, training=True)


def ask(model=None, x=X, **kwargs):
    return kdropout.mc_predict(model or model_of(), x, verbose=0, **kwargs)


def sequential(*stack, inputs=True):
    stack = [keras.Input((3,)), *stack] if inputs else stack
    return keras.Sequential([*stack], name="net")


def two_inputs():
    inputs = [keras.Input((3,), name="a"), keras.Input((1,), name="b")]
    outputs = layers.Dropout(0.5)(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, outputs, name="net")


class NoBatches(keras.utils.PyDataset):
    def __len__(self):
        return 0

    def __getitem__(self, index):
        raise IndexError(index)


class OwnCall(keras.layers.Dense):
    def call(self, inputs):
        return 2 * super().call(inputs)


def quantized():
    layer = keras.layers.Dense(3)
    layer.build((None, 3))
    layer.quantize("int8")
    return layer


def runtime_error():
    """What the backend raises from inside a step."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.errors.InvalidArgumentError
    if BACKEND == "jax":
        import jax

        return jax.errors.JaxRuntimeError
    return ValueError


# What is done; the error; and what the message has to hold: the name of the argument,
# what was received, and what would be right or how to mend it.
RATE = "'rate' must be", "a number in [0, 1], a schedule or a LearnedRate"
SET = "'rate' must be", "a number in [0, 1]"
DATA = "'train_data' must", "a tuple (x, y) or (x, y, sample_weight) of arrays, or a"
LAYERS = "'layers' must", "None, a glob on the layer path, a layer, or a list of those"
NAMED = "'layers' must name", "The model has: 'drop'"
WRAPPED = "'layer' must be one of Dense, EinsumDense, Conv1D, Conv2D, Conv3D", "layer="
DENSE = keras.layers.Dense
KERAS_DROPOUT = keras.layers.Dropout
FLOAT32 = ("a number in [-3.40282e+38, 3.40282e+38]",)
FLOATING = "'inputs' of layer", "must be floating point", "Cast them"

V, T = ValueError, TypeError
CASES = {
    # Layers
    "rate above": (lambda: layers.Dropout(1.5), V, *RATE, "rate=1.5"),
    "rate below": (lambda: layers.Dropout(-0.1), V, *RATE, "rate=-0.1"),
    "rate nan": (lambda: layers.Dropout(NAN), V, *RATE, "rate=nan"),
    "rate inf": (lambda: layers.GaussianDropout(INF), V, *RATE, "rate=inf"),
    "rate text": (lambda: layers.Dropout("0.5"), T, *RATE, "rate='0.5'"),
    "rate bool": (lambda: layers.AlphaDropout(True), T, *RATE, "rate=True"),
    "rate none": (lambda: layers.SpatialDropout1D(None), T, *RATE, "rate=None"),
    "rate list": (lambda: layers.SpatialDropout2D([0.5]), T, *RATE, "rate=[0.5]"),
    "rate dict": (lambda: layers.Dropout({"a": 1}), T, *RATE, "rate={'a': 1}"),
    "rate array": (lambda: layers.Dropout(np.array(0.5)), T, *RATE, "rate=array(0.5)"),
    "rate class": (lambda: layers.Dropout(schedules.Ramp), T, *RATE, "rate=<class"),
    "seed float": (
        lambda: layers.Dropout(0.5, seed=1.5),
        T,
        "'seed' must be",
        "an integer",
        "seed=1.5",
    ),
    "seed text": (
        lambda: layers.GaussianDropout(0.5, seed="-1"),
        T,
        "'seed' must be",
        "an integer",
        "seed='-1'",
    ),
    "seed bool": (
        lambda: layers.SpatialDropout3D(0.5, seed=True),
        T,
        "'seed' must be",
        "an integer",
        "seed=True",
    ),
    "data_format in the place of the seed": (
        lambda: layers.SpatialDropout1D(0.5, "channels_last"),
        T,
        "'seed' must be",
        "an integer",
        "seed='channels_last'",
    ),
    "noise_shape number": (
        lambda: layers.Dropout(0.5, noise_shape=3),
        T,
        "'noise_shape' must be",
        "a sequence of positive integers and None",
        "noise_shape=3",
    ),
    "noise_shape text": (
        lambda: layers.Dropout(0.5, noise_shape=(None, "1")),
        T,
        "'noise_shape'",
        "a sequence of positive integers and None",
        "noise_shape=(None, '1')",
    ),
    "noise_shape bool": (
        lambda: layers.AlphaDropout(0.5, noise_shape=(True,)),
        T,
        "'noise_shape'",
        "a sequence of positive integers and None",
        "noise_shape=(True,)",
    ),
    "noise_shape zero": (
        lambda: layers.Dropout(0.5, noise_shape=(None, 0)),
        V,
        "'noise_shape'",
        "a sequence of positive integers and None",
        "noise_shape=(None, 0)",
    ),
    "noise_shape of another size": (
        lambda: train(layers.Dropout(0.5, noise_shape=(None, 2))),
        V,
        "'noise_shape' of layer",
        "1, None or the size of the inputs",
        "noise_shape=(None, 2), inputs of shape (4, 3)",
    ),
    "noise_shape of another rank": (
        lambda: train(layers.Dropout(0.5, noise_shape=(None, 1, 1))),
        V,
        "'noise_shape' of layer",
        "at most one entry for each dimension of the",
        "noise_shape=(None, 1, 1), inputs of shape (4, 3)",
    ),
    "data_format unknown": (
        lambda: layers.SpatialDropout2D(0.5, data_format="last"),
        V,
        "'data_format' must be",
        "one of 'channels_last', 'channels_first'",
        "data_format='last'",
    ),
    "data_format number": (
        lambda: layers.SpatialDropout1D(0.5, data_format=1),
        V,
        "'data_format' must",
        "one of 'channels_last', 'channels_first'",
        "data_format=1",
    ),
    "rank too low": (
        lambda: train(layers.SpatialDropout2D(0.5)),
        V,
        "Input 0",
        "expected ndim=4, found ndim=2",
        "(4, 3)",
    ),
    "rank too high": (
        lambda: train(layers.SpatialDropout1D(0.5), np.ones((2, 3, 3, 3))),
        V,
        "Input 0",
        "expected ndim=3, found ndim=4",
        "(2, 3, 3, 3)",
    ),
    "integers": (
        lambda: train(layers.Dropout(0.5), INTEGERS),
        T,
        *FLOATING,
        "dtype=int32",
    ),
    "integers into alpha dropout": (
        lambda: train(layers.AlphaDropout(0.5), INTEGERS),
        T,
        *FLOATING,
        "dtype=int32",
    ),
    "integers of another kind": (
        lambda: train(layers.GaussianDropout(0.5), INTEGERS > 0),
        T,
        *FLOATING,
        "dtype=bool",
    ),
    "learned gaussian": (
        lambda: layers.GaussianDropout(LearnedRate()),
        T,
        "'rate' of GaussianDropout",
        "Use kdropout.layers.Dropout to learn a rate",
        "Received: rate=",
    ),
    # Wrappers
    "wrap no layer": (
        lambda: layers.DropConnect(0.5, 0.5),
        T,
        *WRAPPED,
        "layer=0.5",
    ),
    "wrap a class": (
        lambda: layers.Standout(DENSE),
        T,
        *WRAPPED,
        "layer=<class",
    ),
    "wrap none": (lambda: layers.ConcreteDropout(None), T, *WRAPPED, "layer=None"),
    "wrap an unsupported layer": (
        lambda: layers.ConcreteDropout(keras.layers.LSTM(3)),
        T,
        *WRAPPED,
        "layer=<LSTM",
        "put a kdropout.layers.Dropout before it",
    ),
    "wrap a layer with a call of its own": (
        lambda: layers.DropConnect(OwnCall(3), 0.5),
        T,
        *WRAPPED,
        "layer=<OwnCall",
    ),
    "wrap a wrapper": (
        lambda: layers.Standout(layers.DropConnect(DENSE(3), 0.5)),
        T,
        *WRAPPED,
        "layer=<DropConnect",
    ),
    "wrap a quantized layer": (
        lambda: layers.DropConnect(quantized(), 0.5),
        V,
        "'layer' must not be",
        "layer=<Dense",
        "Quantize after kdropout.strip",
    ),
    "wrap a layer with an activity_regularizer": (
        lambda: layers.Standout(DENSE(3, activity_regularizer="l2")),
        V,
        "'layer' must not have an activity_regularizer",
        "layer=<Dense",
        "Pass it to the wrapper instead",
    ),
    "drop connect rate": (
        lambda: layers.DropConnect(DENSE(3), 1.5),
        V,
        *RATE,
        "rate=1.5",
    ),
    "drop connect rate text": (
        lambda: layers.DropConnect(DENSE(3), "0.5"),
        T,
        *RATE,
        "rate='0.5'",
    ),
    "drop connect seed": (
        lambda: layers.DropConnect(DENSE(3), 0.5, seed=0.5),
        T,
        "'seed' must be",
        "an integer",
        "seed=0.5",
    ),
    "integers into a wrapper": (
        lambda: train(layers.DropConnect(DENSE(3), 0.5), INTEGERS),
        T,
        *FLOATING,
        "dtype=int32",
    ),
    "integers into concrete dropout": (
        lambda: train(layers.ConcreteDropout(DENSE(3)), INTEGERS),
        T,
        *FLOATING,
        "dtype=int32",
    ),
    "integers into a wrapper in a model": (
        lambda: layers.Standout(DENSE(3))(keras.Input((3,), dtype="int64")),
        T,
        *FLOATING,
        "dtype=int64",
    ),
    **{
        f"initial_rate {value!r}": (
            lambda value=value: layers.ConcreteDropout(DENSE(3), value),
            error,
            "'initial_rate' must be",
            "a number in (0, 1)",
            f"initial_rate={text}",
        )
        for value, error, text in [
            (0, V, "0.0"),
            (1, V, "1.0"),
            (2, V, "2.0"),
            (NAN, V, "nan"),
            ("a", T, "'a'"),
            (None, T, "None"),
            (True, T, "True"),
        ]
    },
    "initial_rate learned": (
        lambda: layers.ConcreteDropout(DENSE(3), LearnedRate()),
        T,
        "'initial_rate' must be",
        "a number in (0, 1)",
        "initial_rate=<kdropout",
    ),
    **{
        f"{name} {value!r}": (
            lambda kw=kw: layers.ConcreteDropout(DENSE(3), **kw),
            error,
            f"'{name}' must be",
            "a number in [0, 1e+20]",
            f"{name}={value!r}",
        )
        for name in ("weight_regularizer", "dropout_regularizer")
        for value, error in [(-1.0, V), (NAN, V), (INF, V), (1e308, V), ("l2", T)]
        for kw in [{name: value}]
    },
    **{
        f"temperature of concrete dropout {value!r}": (
            lambda v=value: layers.ConcreteDropout(DENSE(3), temperature=v),
            error,
            "'temperature' must be",
            "a number in [1e-06, inf)",
            f"temperature={value}",
        )
        for value, error in [(0.0, V), (1e-46, V), (-1.0, V), (NAN, V), ([1], T)]
    },
    "set concrete": (
        lambda: setattr(layers.ConcreteDropout(DENSE(3)), "rate", 0.3),
        T,
        "rate of layer 'concrete_dropout",
        "decided by gradient",
        "rate=0.3",
    ),
    **{
        f"{name} {value!r}": (
            lambda kw=kw: layers.Standout(DENSE(3), **kw),
            error,
            f"'{name}' must be",
            *FLOAT32,
            f"{name}={value!r}",
        )
        for name in ("alpha", "beta")
        for value, error in [
            (NAN, V),
            (INF, V),
            (1e308, V),
            ("1", T),
            (None, T),
            (False, T),
        ]
        for kw in [{name: value}]
    },
    "set alpha": (
        lambda: setattr(layers.Standout(DENSE(3)), "alpha", "1"),
        T,
        "'alpha' must be",
        *FLOAT32,
        "alpha='1'",
    ),
    "set beta": (
        lambda: setattr(layers.Standout(DENSE(3)), "beta", NAN),
        V,
        "'beta' must be",
        *FLOAT32,
        "beta=nan",
    ),
    "set standout": (
        lambda: setattr(layers.Standout(DENSE(3)), "rate", 0.3),
        T,
        "rate of layer 'standout",
        "decided by inputs",
        "rate=0.3",
    ),
    # layer.rate = ...
    "set above": (lambda: setattr(decided(0.5), "rate", 2), V, *SET, "rate=2"),
    "set nan": (lambda: setattr(decided(0.5), "rate", NAN), V, *SET, "rate=nan"),
    "set text": (lambda: setattr(decided(0.5), "rate", "1"), T, *SET, "rate='1'"),
    "set schedule": (
        lambda: setattr(decided(0.5), "rate", schedules.LateDropout(0.5, 2)),
        T,
        *SET,
        "rate=LateDropout(rate=0.5, steps=2)",
    ),
    "set scheduled": (
        lambda: setattr(decided(schedules.LateDropout(0.5, 2)), "rate", 0.3),
        T,
        "rate of layer 'model/drop' is decided by schedule LateDropout",
        "rate=0.3",
        "Pass a float 'rate' to the layer to set it yourself",
    ),
    "set learned": (
        lambda: setattr(decided(LearnedRate()), "rate", 0.3),
        T,
        "rate of layer 'model/drop' is decided by gradient",
        "rate=0.3",
        "Pass a float 'rate' to the layer to set it yourself",
    ),
    # A rate that is a schedule
    "schedule starts outside": (
        lambda: layers.Dropout(starts_above),
        V,
        "'rate' must be a schedule with",
        "values in [0, 1]",
        "which is 1.5 at step 0",
    ),
    "schedule of keras starts outside": (
        lambda: layers.Dropout(keras.optimizers.schedules.CosineDecay(3.0, 9)),
        V,
        "'rate' must be a schedule with",
        "values in [0, 1]",
        "3 at step 0",
    ),
    "schedule is nan": (
        lambda: layers.Dropout(undefined),
        V,
        "'rate' must be a schedule with",
        "values in [0, 1]",
        "which is nan at step 0",
    ),
    "schedule of a vector": (
        lambda: layers.Dropout(vector),
        T,
        "'rate' must be a schedule: a callable",
        "takes the step (a float32 scalar tensor) and returns a scalar in [0, 1]",
        "Received: rate=<function vector",
    ),
    "schedule without a step": (
        lambda: layers.Dropout(without_step),
        T,
        "'rate' must be a schedule",
        "takes the step",
        "whose call failed with TypeError",
    ),
    "schedule leaves": (
        lambda: fit(rate=rises_above, epochs=2),
        runtime_error(),
        "The schedule of layer",
        "drop' left [0, 1]",
        "Bound the schedule, or train",
    ),
    # LearnedRate
    "initial 0": (
        lambda: LearnedRate(initial=0),
        V,
        "'initial' must be a number in (0, 1)",
        "initial=0.0",
    ),
    "initial 1": (
        lambda: LearnedRate(1.0),
        V,
        "'initial' must be a number in (0, 1)",
        "initial=1.0",
    ),
    "initial text": (
        lambda: LearnedRate("0.1"),
        T,
        "'initial' must be a number in (0, 1)",
        "initial='0.1'",
    ),
    "regularizer negative": (
        lambda: LearnedRate(regularizer=-1),
        V,
        "'regularizer' must be",
        "a number in [0, 1e+20]",
        "regularizer=-1.0",
    ),
    "regularizer too large for float32": (
        lambda: LearnedRate(regularizer=1e308),
        V,
        "'regularizer' must be",
        "a number in [0, 1e+20]",
        "regularizer=1e+308",
    ),
    "regularizer bool": (
        lambda: LearnedRate(regularizer=False),
        T,
        "'regularizer' must be",
        "a number in [0, 1e+20]",
        "regularizer=False",
    ),
    "temperature 0": (
        lambda: LearnedRate(temperature=0.0),
        V,
        "'temperature' must be",
        "a number in [1e-06, inf)",
        "temperature=0.0",
    ),
    "temperature too small for float32": (
        lambda: LearnedRate(temperature=1e-46),
        V,
        "'temperature' must be",
        "a number in [1e-06, inf)",
        "temperature=1e-46",
    ),
    "temperature inf": (
        lambda: LearnedRate(temperature=INF),
        V,
        "'temperature' must be",
        "a number in [1e-06, inf)",
        "temperature=inf",
    ),
    # Schedules
    "ramp start": (
        lambda: schedules.Ramp(-0.1, 0.5, 10),
        V,
        "'start' must be",
        "a number in [0, 1]",
        "start=-0.1",
    ),
    "ramp end": (
        lambda: schedules.Ramp(0.1, "0.5", 10),
        T,
        "'end' must be",
        "a number in [0, 1]",
        "end='0.5'",
    ),
    "ramp steps 0": (
        lambda: schedules.Ramp(0.1, 0.5, 0),
        V,
        "'steps' must be",
        "an integer of at least 1",
        "steps=0",
    ),
    "ramp steps float": (
        lambda: schedules.Ramp(0.1, 0.5, 10.0),
        T,
        "'steps' must be",
        "an integer of at least 1",
        "steps=10.0",
    ),
    "ramp begin": (
        lambda: schedules.Ramp(0.1, 0.5, 10, begin=-1),
        V,
        "'begin' must be",
        "an integer of at least 0",
        "begin=-1",
    ),
    "ramp curve": (
        lambda: schedules.Ramp(0.1, 0.5, 10, curve="cubic"),
        V,
        "'curve' must be",
        "one of 'linear', 'cosine', 'exponential'",
        "curve='cubic'",
    ),
    "ramp of a shape": (
        lambda: schedules.Ramp(0.1, 0.5, 10, shape="cosine"),
        DeprecationWarning,
        "the argument 'shape' of Ramp",
        "its name is 'curve' now",
    ),
    "ramp exponential from 0": (
        lambda: schedules.Ramp(0.0, 0.5, 10, curve="exponential"),
        V,
        "'start' and 'end' must be above 0",
        "start=0.0, end=0.5",
        "Use curve='cosine', or a small rate such as 0.001",
    ),
    "curriculum rate": (
        lambda: schedules.Curriculum(1.1, 0.1),
        V,
        "'rate' must be",
        "a number in [0, 1]",
        "rate=1.1",
    ),
    "curriculum gamma": (
        lambda: schedules.Curriculum(0.5, 0),
        V,
        "'gamma' must be",
        "a number in (0, 3.40282e+38]",
        "gamma=0.0",
    ),
    "early rate": (
        lambda: schedules.EarlyDropout(True, 10),
        T,
        "'rate' must be",
        "a number in [0, 1]",
        "rate=True",
    ),
    "early steps": (
        lambda: schedules.EarlyDropout(0.5, 1),
        V,
        "'steps' must be",
        "an integer of at least 2",
        "steps=1",
    ),
    "early curve": (
        lambda: schedules.EarlyDropout(0.5, 9, curve="cosine"),
        V,
        "'curve' must be",
        "one of 'linear', 'constant'",
        "curve='cosine'",
    ),
    "late rate": (
        lambda: schedules.LateDropout(NAN, 10),
        V,
        "'rate' must be",
        "a number in [0, 1]",
        "rate=nan",
    ),
    "late steps": (
        lambda: schedules.LateDropout(0.5, None),
        T,
        "'steps' must be",
        "an integer of at least 1",
        "steps=None",
    ),
    "cyclic high below low": (
        lambda: schedules.Cyclic(0.5, 0.2, 10),
        V,
        "'high' must be",
        "a number in [0.5, 1]",
        "high=0.2",
    ),
    "cyclic low": (
        lambda: schedules.Cyclic(-INF, 0.2, 10),
        V,
        "'low' must be",
        "a number in [0, 1]",
        "low=-inf",
    ),
    "cyclic period": (
        lambda: schedules.Cyclic(0.1, 0.2, 1),
        V,
        "'period' must be",
        "an integer of at least 2",
        "period=1",
    ),
    "join empty": (
        lambda: schedules.Join([], []),
        V,
        "'schedules' must be",
        "a sequence of schedules of kdropout and numbers in [0, 1]",
        "schedules=[]",
    ),
    "join of a number": (
        lambda: schedules.Join(0.5, []),
        T,
        "'schedules' must be",
        "a sequence of schedules of kdropout and numbers",
        "schedules=0.5",
    ),
    "join with a rate above": (
        lambda: schedules.Join([0.5, 1.5], [9]),
        V,
        "'schedules' must be",
        "a number in [0, 1]",
        "schedules=1.5",
    ),
    "join with a schedule of another": (
        lambda: schedules.Join([rises_above], []),
        T,
        "'schedules' must be",
        "a sequence of schedules of kdropout",
        "schedules=<function rises_above",
    ),
    "join boundaries missing": (
        lambda: schedules.Join([0.1, 0.2], []),
        V,
        "'boundaries' must be",
        "1 increasing integers of at least 1",
        "boundaries=[]",
    ),
    "join boundaries falling": (
        lambda: schedules.Join([0.1, 0.2, 0.3], [9, 9]),
        V,
        "'boundaries' must be",
        "2 increasing integers of at least 1",
        "boundaries=[9, 9]",
    ),
    "join boundary float": (
        lambda: schedules.Join([0.1, 0.2], [9.5]),
        T,
        "'boundaries' must be",
        "an integer of at least 1",
        "boundaries=9.5",
    ),
    "join boundaries number": (
        lambda: schedules.Join([0.1, 0.2], 9),
        T,
        "'boundaries' must be",
        "1 increasing integers of at least 1",
        "boundaries=9",
    ),
    "depth 0": (
        lambda: schedules.depth_rates(0, 0.5),
        V,
        "'depth' must be",
        "an integer of at least 1",
        "depth=0",
    ),
    "depth last": (
        lambda: schedules.depth_rates(4, 1.5),
        V,
        "'last' must be",
        "a number in [0, 1]",
        "last=1.5",
    ),
    "depth first": (
        lambda: schedules.depth_rates(4, 0.5, first="0"),
        T,
        "'first' must be",
        "a number in [0, 1]",
        "first='0'",
    ),
    # RateScheduler
    "scheduler of a number": (
        lambda: RateScheduler(0.5),
        T,
        "'schedule' must be",
        "schedule=0.5",
        "a callable schedule(epoch, rate) -> rate",
    ),
    "scheduler of three arguments": (
        lambda: RateScheduler(lambda epoch, rate, x: 0.5),
        T,
        "'schedule' must be",
        "schedule=<function",
        "or schedule(epoch) -> rate",
    ),
    "scheduler of layers by place": (
        lambda: RateScheduler(max_of_two, "drop"),
        T,
        "'verbose' must be",
        "verbose='drop'",
        "To choose layers, pass them by name: ",
    ),
    "scheduler of steps": (
        lambda: RateScheduler(schedules.LateDropout(0.5, 2)),
        T,
        "'schedule' must be",
        "schedule=LateDropout(",
        "Pass a function of the training step as the",
    ),
    "scheduler verbose": (
        lambda: RateScheduler(max_of_two, verbose="yes"),
        T,
        "'verbose' must be",
        "an integer of at least 0",
        "verbose='yes'",
    ),
    "scheduler returns 2.0": (
        lambda: fit(RateScheduler(lambda epoch, rate: 2.0)),
        V,
        "'schedule' must return a number in [0, 1]",
        "schedule(0, 0.5) = 2.0",
        "for layer 'drop'",
    ),
    "scheduler returns none": (
        lambda: fit(RateScheduler(lambda epoch, rate: None)),
        V,
        "'schedule' must return a number in [0, 1]",
        "schedule(0, 0.5) = None",
    ),
    "scheduler unknown layer": (
        lambda: fit(RateScheduler(max_of_two, layers="dorp")),
        V,
        *NAMED,
        "Received: 'dorp'",
        "Did you mean 'drop'?",
    ),
    "scheduler other layer": (
        lambda: fit(RateScheduler(max_of_two, layers=keras.layers.Dense(1, name="d"))),
        V,
        *NAMED,
        "Received: 'd'",
    ),
    "scheduler of no layers": (
        lambda: fit(RateScheduler(max_of_two, layers=[])),
        V,
        "'layers' must name",
        "at least one layer, or be None for all",
        "layers=[]",
    ),
    "scheduler layers number": (
        lambda: fit(RateScheduler(max_of_two, layers=3)),
        T,
        *LAYERS,
        "layers=3",
    ),
    "scheduler of a decided layer": (
        lambda: fit(RateScheduler(max_of_two, layers="drop"), rate=LearnedRate()),
        T,
        "'layers' must name layers whose rate was given as a number",
        "'drop' (gradient)",
        "Leave them out, or pass a number as their 'rate'",
    ),
    "scheduler without a layer of its own": (
        lambda: fit(RateScheduler(max_of_two), rate=schedules.LateDropout(0.1, 2)),
        V,
        "'model' must hold a dropout layer whose rate was given as a number",
        "Received: 'model', in which schedules or gradients decide all rates",
    ),
    # RateLogger
    "logger unknown glob": (
        lambda: fit(RateLogger("encoder/*")),
        V,
        *NAMED,
        "Received: 'encoder/*'",
    ),
    "logger of no layers": (
        lambda: fit(RateLogger([])),
        V,
        "'layers' must name",
        "at least one layer, or be None for all",
        "layers=[]",
    ),
    "logger layers dict": (
        lambda: fit(RateLogger({"drop": 1})),
        T,
        *LAYERS,
        "layers={'drop': 1}",
    ),
    "logger without dropout": (
        lambda: start(RateLogger(), keras.Sequential(name="bare")),
        V,
        "'model' must hold dropout layers of kdropout",
        "Received: 'bare'",
        "kdropout.convert(model) makes",
        "kdropout.insert(model, rate) adds some",
    ),
    # TensorBoardRates
    "board without a path": (
        lambda: TensorBoardRates(None),
        T,
        "'log_dir' must be a path",
        "log_dir=None",
    ),
    "board update_freq": (
        lambda: TensorBoardRates("logs", update_freq=0),
        V,
        "'update_freq' must be",
        "an integer of at least 1",
        "update_freq=0",
    ),
    "board update_freq word": (
        lambda: TensorBoardRates("logs", update_freq="step"),
        V,
        "'update_freq'",
        "must be 'epoch', 'batch' or an integer of at least 1",
        "update_freq='step'",
    ),
    "board layers": (
        lambda: fit(TensorBoardRates("logs", layers=3)),
        T,
        *LAYERS,
        "layers=3",
    ),
    "board of other inputs": (
        lambda: fit(TensorBoardRates("logs", drop_fraction_data=MAPS)),
        V,
        "'drop_fraction_data' must be the inputs of one batch",
        "as the model takes them",
        "of (2, 4, 3, 5), with which 'model' fails",
    ),
    "board of no inputs": (
        lambda: fit(TensorBoardRates("logs", drop_fraction_data="x")),
        V,
        "'drop_fraction_data' must be the inputs of one batch",
        "of str, with which",
    ),
    # OverfittingGap
    "gap without data": (
        lambda: OverfittingGap(None),
        T,
        *DATA,
        "Received: None",
        "A callback cannot see the data given to fit: pass them here",
    ),
    "gap of a generator": (
        lambda: OverfittingGap(generator()),
        T,
        *DATA,
        "Received: a generator",
        "Pass arrays or a dataset",
    ),
    "gap of a list": (
        lambda: OverfittingGap([X, Y]),
        T,
        *DATA,
        "Received: a list",
    ),
    "gap of lengths": (
        lambda: OverfittingGap((X, Y[:3])),
        V,
        "'train_data' must",
        "arrays with the same number of rows",
        "Received: [3, 4] rows",
    ),
    "gap of nothing": (
        lambda: OverfittingGap((X[:0], Y[:0])),
        V,
        "'train_data' must",
        "at least one row",
        "Received: [0] rows",
    ),
    "gap max_samples": (
        lambda: OverfittingGap((X, Y), max_samples=0),
        V,
        "'max_samples' must be",
        "an integer of at least 1",
        "max_samples=0",
    ),
    "gap batch_size": (
        lambda: OverfittingGap((X, Y), batch_size=2.5),
        T,
        "'batch_size' must be",
        "an integer of at least 1",
        "batch_size=2.5",
    ),
    "gap validation_freq": (
        lambda: OverfittingGap((X, Y), validation_freq="2"),
        T,
        "'validation_freq'",
        "an integer of at least 1",
        "validation_freq='2'",
    ),
    "gap validation_freq list": (
        lambda: OverfittingGap((X, Y), validation_freq=[0, 2]),
        V,
        "'validation_freq' must be an integer of at least 1",
        "validation_freq=0",
    ),
    "gap directions list": (
        lambda: OverfittingGap((X, Y), directions=["a"]),
        T,
        "'directions' must be",
        "a dict from metric to 'min' or 'max'",
        "directions=['a']",
    ),
    "gap directions up": (
        lambda: OverfittingGap((X, Y), directions={"a": "up"}),
        V,
        "'directions'",
        "one of 'min', 'max'",
        "directions='up'",
    ),
    "gap verbose": (
        lambda: OverfittingGap((X, Y), verbose=-1),
        V,
        "'verbose' must be",
        "an integer of at least 0",
        "verbose=-1",
    ),
    "gap without validation": (
        lambda: fit(OverfittingGap((X, Y)), validated=False),
        V,
        "OverfittingGap needs validation data",
        "Received: logs with ['loss']",
        "Pass 'validation_data' or 'validation_split' to fit",
    ),
    "gap of unknown direction": (
        lambda: fit(OverfittingGap((X, Y)), metrics=[unknown_metric]),
        V,
        "'directions' must say whether a lower value of 'unknown_metric' is better",
        "directions={}",
        "Pass directions={'unknown_metric': 'min'} or",
    ),
    # GapController
    "controller target": (
        lambda: GapController("0.1"),
        T,
        "'target' must be",
        "a number in (-inf, inf)",
        "target='0.1'",
    ),
    "controller target nan": (
        lambda: GapController(NAN),
        V,
        "'target' must be",
        "a number in (-inf, inf)",
        "target=nan",
    ),
    "controller gain": (
        lambda: GapController(0.1, gain=0),
        V,
        "'gain' must be",
        "a number in (0, inf)",
        "gain=0.0",
    ),
    "controller lowering_gain": (
        lambda: GapController(0.1, lowering_gain=-1),
        V,
        "'lowering_gain' must be",
        "a number in [0, inf)",
        "lowering_gain=-1.0",
    ),
    "controller min_rate": (
        lambda: GapController(0.1, min_rate=1.0),
        V,
        "'min_rate' must be",
        "a number in [0, 1)",
        "min_rate=1.0",
    ),
    "controller max below min": (
        lambda: GapController(0.1, min_rate=0.5, max_rate=0.5),
        V,
        "'max_rate' must",
        "a number in (0.5, 1)",
        "max_rate=0.5",
    ),
    "controller max_rate 1": (
        lambda: GapController(0.1, max_rate=1),
        V,
        "'max_rate' must be",
        "a number in (0, 1)",
        "max_rate=1.0",
    ),
    "controller warmup": (
        lambda: GapController(0.1, warmup=1.5),
        T,
        "'warmup' must be",
        "an integer of at least 0",
        "warmup=1.5",
    ),
    "controller dead_band": (
        lambda: GapController(0.1, dead_band=-0.1),
        V,
        "'dead_band' must be",
        "a number in [0, inf)",
        "dead_band=-0.1",
    ),
    "controller slew_limit": (
        lambda: GapController(0.1, slew_limit=0),
        V,
        "'slew_limit' must be",
        "a number in (0, 1]",
        "slew_limit=0.0",
    ),
    "controller monitor number": (
        lambda: GapController(0.1, monitor=3),
        T,
        "'monitor' must be",
        "a name in the logs",
        "monitor=3",
    ),
    "controller monitor naive": (
        lambda: GapController(0.1, monitor="naive_gap_loss"),
        V,
        "'monitor' must be",
        "a name that begins with 'gap_'",
        "monitor='naive_gap_loss'",
        "pass allow_naive=True to use it all the same",
    ),
    "controller monitor validation": (
        lambda: GapController(0.1, monitor="val_loss"),
        V,
        "'monitor' must be",
        "a clean gap",
        "monitor='val_loss'",
    ),
    "controller before the gap": (
        lambda: fit(GapController(0.1), OverfittingGap((X, Y))),
        V,
        "'monitor' must name an entry of the logs",
        "monitor='gap_loss'",
        "Put kdropout.callbacks.OverfittingGap before GapController",
    ),
    "controller without the gap": (
        lambda: fit(GapController(0.1)),
        V,
        "'monitor' must name an entry",
        "logs with ['loss', 'val_loss']",
        "Put kdropout.callbacks.OverfittingGap",
    ),
    "controller of another gap": (
        lambda: fit(OverfittingGap((X, Y)), GapController(0.1, "gap_mae")),
        V,
        "'monitor' must name an entry",
        "monitor='gap_mae'",
        "'gap_loss'",
    ),
    "controller unknown layer": (
        lambda: fit(GapController(0.1, layers=["drop", "x"])),
        V,
        *NAMED,
        "Received: 'x'",
    ),
    "controller of a decided layer": (
        lambda: fit(GapController(0.1, layers="*"), rate=LearnedRate()),
        T,
        "'layers' must name layers whose rate was given as a number",
        "'drop' (gradient)",
        "Leave them out",
    ),
    # mc_predict
    **{
        f"predict {name} {value!r}": (
            lambda name=name, value=value: ask(**{name: value}),
            error,
            f"'{name}' must be",
            expected,
            f"{name}={value!r}",
        )
        for name, value, error, expected in [
            ("num_samples", 0, V, "an integer of at least 1"),
            ("num_samples", -1, V, "an integer of at least 1"),
            ("num_samples", 2.5, T, "an integer of at least 1"),
            ("num_samples", True, T, "an integer of at least 1"),
            ("num_samples", "a", T, "an integer of at least 1"),
            ("num_samples", None, T, "an integer of at least 1"),
            ("batch_size", 0, V, "an integer of at least 1"),
            ("batch_size", 2.0, T, "an integer of at least 1"),
            ("seed", -1, V, "an integer of at least 0"),
            ("seed", 2**31, V, "an integer below 2**31"),
            ("seed", 0.5, T, "an integer of at least 0"),
            ("x", None, T, "an array, a list or dict of arrays, or a dataset"),
            ("x", "images", T, "an array, a list or dict of arrays, or a dataset"),
            ("x", 3, T, "an array, a list or dict of arrays, or a dataset"),
        ]
    },
    **{
        f"predict verbose {value!r}": (
            lambda value=value: kdropout.mc_predict(model_of(), X, verbose=value),
            V,
            "'verbose' must be",
            '"auto", 0 or 1',
            f"verbose={value!r}",
        )
        for value in (7, None, "0")
    },
    **{
        f"predict with {name} as model": (
            lambda model=model: ask(model),
            T,
            "'model' must be a keras.Model",
            f"model={part}",
        )
        for name, model, part in [
            ("a layer", layers.Dropout(0.5), "<Dropout"),
            ("a function", max, "<built-in function max>"),
        ]
    },
    "predict unbuilt": (
        lambda: ask(sequential(layers.Dropout(0.5), inputs=False)),
        V,
        "'model' must be built",
        "Received: 'net'",
        "Call it on a batch of data",
    ),
    **{
        f"predict with {name}": (
            lambda stack=stack: ask(sequential(*stack)),
            V,
            "'model' must hold dropout layers of kdropout",
            "Received: 'net'",
            "pass kdropout.convert(model)",
        )
        for name, stack in {
            "no dropout": [keras.layers.Dense(1)],
            "dropout of Keras": [keras.layers.Dropout(0.5)],
        }.items()
    },
    "predict at rate 0": (
        lambda: ask(sequential(layers.Dropout(0.0), layers.Dropout(0.0))),
        V,
        "'model' must have a rate above 0",
        "Received: 'net', whose rates are all 0",
        "kdropout.set_rates(model,",
    ),
    "predict generator": (
        lambda: ask(x=generator()),
        T,
        "'x' must be an array",
        "<generator object",
        "a dataset of batches",
    ),
    "predict nested list": (
        lambda: ask(x=X.tolist()),
        T,
        "'x' must be",
        "Received: 1.0 in it",
        "For one input, pass an array and not a nested list",
    ),
    "predict no rows": (
        lambda: ask(x=X[:0]),
        V,
        "'x' must hold arrays",
        "at least one row",
        "Received: [0] rows",
    ),
    "predict no arrays": (
        lambda: ask(x=[]),
        V,
        "'x' must hold arrays",
        "Received: [] rows",
    ),
    "predict unequal rows": (
        lambda: ask(two_inputs(), [X, Y[:3]]),
        V,
        "'x' must hold arrays",
        "the same number of rows",
        "Received: [3, 4] rows",
    ),
    "predict dataset without batches": (
        lambda: ask(x=NoBatches()),
        V,
        "'x' must hold",
        "at least one",
    ),
    **{
        f"predict {name}": (
            lambda model=model, x=x: ask(model(), x),
            V,
            "'x' must",
            "Received:",
        )
        for name, model, x in [
            ("inputs and targets", model_of, (X, Y)),
            ("one input of two", two_inputs, X),
            ("three inputs of two", two_inputs, [X, Y, Y]),
            ("dict without an input", two_inputs, {"a": X}),
            ("dict of another name", two_inputs, {"a": X, "c": Y}),
        ]
    },
    **{
        f"predict with inputs of shape {x.shape}": (
            lambda x=x: ask(x=x),
            V,
            "'x' must fit the inputs of 'model'",
            f"an array of shape {x.shape}",
            "of shape (None, 3)",
        )
        for x in (np.ones((4, 5)), np.ones((4, 3, 2)), np.ones(4))
    },
    **{
        f"{name} of no layers": (
            call,
            V,
            f"'{argument}' must name at least one layer",
            "Received: an empty collection",
        )
        for name, argument, call in [
            ("convert", "rate", lambda: kdropout.convert(with_keras_dropout(), {})),
            ("insert", "rate", lambda: kdropout.insert(plain_model(), {})),
            ("after", "after", lambda: kdropout.insert(plain_model(), 0.1, [])),
        ]
    },
    # Functions
    "rates of no model": (
        lambda: kdropout.rates(3),
        T,
        "'model' must be",
        "model=3",
        "a keras.Model or layer",
    ),
    "summary of no model": (
        lambda: kdropout.summary([0.5]),
        T,
        "'model' must be",
        "model=[0.5]",
        "a keras.Model or layer",
    ),
    "set_rates of no model": (
        lambda: kdropout.set_rates(None, 0.5),
        T,
        "'model' must be",
        "model=None",
        "a keras.Model or layer",
    ),
    "set_rates without dropout": (
        lambda: kdropout.set_rates(keras.Sequential(name="bare"), 0.5),
        V,
        "'model' must hold dropout layers of kdropout",
        "Received: 'bare'",
        "kdropout.convert(model) makes",
        "kdropout.insert(model, rate) adds some",
    ),
    "set_rates above": (
        lambda: kdropout.set_rates(model_of(), 1.5),
        V,
        *SET,
        "rate=1.5",
    ),
    "set_rates text": (
        lambda: kdropout.set_rates(model_of(), {"drop": "a"}),
        T,
        *SET,
        "rate='a'",
    ),
    "set_rates list": (
        lambda: kdropout.set_rates(model_of(), [0.5]),
        T,
        *SET,
        "rate=[0.5]",
    ),
    "set_rates unknown path": (
        lambda: kdropout.set_rates(model_of(), {"model/drop": 0.5}),
        V,
        "'rates' must name",
        "The model has: 'drop'",
        "Received: 'model/drop'",
    ),
    "set_rates scheduled": (
        lambda: kdropout.set_rates(model_of(schedules.LateDropout(0.5, 2)), 0.1),
        T,
        "'model/drop' is decided by schedule LateDropout",
        "rate=0.1",
        "Pass a float 'rate'",
    ),
    "rate beyond floats": (lambda: layers.Dropout(10**400), V, *RATE),
    "scheduler returns a bool": (
        lambda: fit(RateScheduler(lambda epoch, rate: True)),
        V,
        "'schedule' must return a number in [0, 1]",
        "schedule(0, 0.5) = True",
    ),
    "controller without validation": (
        lambda: fit(GapController(0.1), validated=False, epochs=2),
        V,
        "validation",
        "OverfittingGap",
    ),
    "scheduler of a builtin": (
        lambda: RateScheduler(max),
        T,
        "'schedule' must be",
        "<built-in function max",
    ),
    "set_rates with a number as path": (
        lambda: kdropout.set_rates(model_of(), {3: 0.5}),
        T,
        "'rates' must",
        "3",
    ),
    "integers into a model": (
        lambda: layers.Dropout(0.5)(keras.Input((3,), dtype="int32")),
        T,
        *FLOATING,
    ),
    # Surgery
    "convert of no model": (
        lambda: kdropout.convert(3),
        T,
        "'model' must be",
        "model=3",
        "a keras.Model or layer",
    ),
    "convert of a model that is not built": (
        lambda: kdropout.convert(keras.Sequential([DENSE(1)], name="new")),
        V,
        "'model' must be built",
        "Received: 'new'",
        "Call it on a batch of data",
    ),
    "convert without dropout": (
        lambda: kdropout.convert(plain_model()),
        V,
        "'model' must hold",
        "Received: 'plain'",
        "Add some with kdropout.insert",
    ),
    **{
        f"convert to a rate of {rate!r}": (
            lambda rate=rate: kdropout.convert(with_keras_dropout(), rate),
            error,
            *RATE,
            f"rate={received}",
        )
        for rate, error, received in [
            (1.5, V, "1.5"),
            ([0.5], T, "[0.5]"),
            ({"drop": NAN}, V, "nan"),
            ({"drop": None}, T, "None"),
        ]
    },
    "convert with an unknown path": (
        lambda: kdropout.convert(with_keras_dropout(), {"dorp": 0.5}),
        V,
        "'rate' must name layers",
        "Received: 'dorp'",
        "Did you mean 'drop'?",
        "The model has: 'drop'",
    ),
    "convert with a number as path": (
        lambda: kdropout.convert(with_keras_dropout(), {3: 0.5}),
        T,
        "'rate' must be",
        "a dict from layer paths or globs",
        "rate={3: 0.5}",
    ),
    "convert to a learned rate where it cannot be": (
        lambda: kdropout.convert(with_keras_dropout("Gaussian"), LearnedRate()),
        T,
        "'rate' of GaussianDropout must be",
        "rate=<kdropout",
        "Use",
    ),
    "insert into no model": (
        lambda: kdropout.insert(DENSE(1), 0.5),
        T,
        "'model' must be a keras.Model",
        "model=<Dense",
    ),
    "insert into a model that is not built": (
        lambda: kdropout.insert(keras.Sequential([DENSE(1)], name="new"), 0.5),
        V,
        "'model' must be built",
        "Received: 'new'",
        "a keras.Input",
    ),
    "insert a rate": (
        lambda: kdropout.insert(plain_model(), -0.1),
        V,
        *RATE,
        "rate=-0.1",
    ),
    "insert no rate": (
        lambda: kdropout.insert(plain_model(), None),
        T,
        *RATE,
        "rate=None",
    ),
    "insert after no layer": (
        lambda: kdropout.insert(plain_model(), 0.5, after="no_such"),
        V,
        "'after' must name layers",
        "'no_such'",
        "The model has: 'first', 'last'",
    ),
    "insert after one layer that exists and one that does not": (
        lambda: kdropout.insert(plain_model(), 0.5, after=["first", "no_such"]),
        V,
        "'after' must name layers",
        "no_such",
    ),
    "insert after the output": (
        lambda: kdropout.insert(plain_model(), 0.5, after="last"),
        V,
        "'after' must name layers that dropout can follow",
        "hidden ones",
        "'last'",
    ),
    "insert after a number": (
        lambda: kdropout.insert(plain_model(), 0.5, after=3),
        T,
        "'after' must be",
        "a glob, a list of globs or a function",
        "after=3",
    ),
    "insert a rate for no layer": (
        lambda: kdropout.insert(plain_model(), {"fisrt": 0.5}),
        V,
        "'rate' must name",
        "Received: 'fisrt'",
        "Did you mean 'first'?",
    ),
    "insert dropout of Keras": (
        lambda: kdropout.insert(plain_model(), 0.5, make_layer=KERAS_DROPOUT),
        T,
        "'make_layer' must be",
        "a function from a rate to a dropout layer of",
        "which gave <Dropout",
    ),
    "insert what is no function": (
        lambda: kdropout.insert(plain_model(), 0.5, make_layer=3),
        T,
        "'make_layer' must be",
        "a function from a rate",
        "make_layer=3",
    ),
    "strip of no model": (
        lambda: kdropout.strip(layers.Dropout(0.5)),
        T,
        "'model' must be",
        "model=",
        "a keras.Model",
    ),
    "strip of a model that is not built": (
        lambda: kdropout.strip(keras.Sequential([layers.Dropout(0.5)])),
        V,
        "'model' must be built",
        "Call it on a batch of data",
    ),
    "strip of a plain model": (
        lambda: kdropout.strip(plain_model()),
        V,
        "'model' must hold",
        "Received: 'plain'",
        "It is already plain",
    ),
    # Paths, blocks, tokens and heads
    **{
        f"block_size {value!r}": (
            lambda value=value: layers.DropBlock2D(0.1, block_size=value),
            error,
            "'block_size' must be",
            expected,
            f"block_size={received!r}",
        )
        for value, error, received, expected in [
            *((size, V, size, "an integer of at least 1") for size in (0, -1)),
            *((size, T, size, "an integer of at least 1") for size in (7.0, True)),
            *((size, T, size, "an integer of at least 1") for size in ("7", None)),
            ((3, 0), V, 0, "an integer of at least 1"),
            ((3, 3.0), T, 3.0, "an integer of at least 1"),
            ((3,), V, (3,), "an integer or a sequence of 2"),
            ([3, 3, 3], V, [3, 3, 3], "an integer or a sequence of 2"),
            ((), V, (), "an integer or a sequence of 2"),
        ]
    },
    "block larger than the map": (
        lambda: train(layers.DropBlock2D(0.1, (2, 5)), MAPS),
        UserWarning,
        "'block_size' of layer",
        "is larger than the map",
        "a smaller block_size",
        "block_size=(2, 5), inputs of shape (2, 4, 3, 5)",
    ),
    "block larger than the map with channels first": (
        lambda: train(layers.DropBlock2D(0.1, 4, False, "channels_first"), MAPS),
        UserWarning,
        "'block_size' of layer",
        "a smaller block_size",
        "block_size=(4, 4), inputs of shape (2, 4, 3, 5)",
    ),
    **{
        f"sync_channels {value!r}": (
            lambda v=value: layers.DropBlock1D(0.1, sync_channels=v),
            T,
            "'sync_channels' must be",
            "a bool",
            f"sync_channels={value!r}",
        )
        for value in (1, None, "yes")
    },
    **{
        f"data_format of blocks {value!r}": (
            lambda v=value: layers.DropBlock3D(0.1, data_format=v),
            V,
            "'data_format' must be",
            "one of 'channels_last', 'channels_first'",
            f"data_format={value!r}",
        )
        for value in ("last", 1, ["channels_last"])
    },
    **{
        f"{x.ndim} dimensions into {layer.__name__}": (
            lambda layer=layer, x=x: train(layer(0.1), x),
            V,
            "Input 0",
            f"expected ndim={ndim}, found ndim={x.ndim}",
            str(x.shape),
        )
        for layer, ndim, x in [
            *((layers.DropBlock1D, 3, x) for x in (X, MAPS)),
            (layers.DropBlock2D, 4, X),
            (layers.DropBlock3D, 5, MAPS),
            *((layers.TokenDropout, 3, x) for x in (X, MAPS)),
        ]
    },
    **{
        f"num_prefix_tokens {value!r}": (
            lambda v=value: layers.TokenDropout(0.1, num_prefix_tokens=v),
            error,
            "'num_prefix_tokens' must be",
            "an integer of at least 0",
            f"num_prefix_tokens={value!r}",
        )
        for value, error in [(-1, V), (1.0, T), (True, T), ("1", T), (None, T)]
    },
    **{
        f"num_prefix_tokens {value} of 4": (
            lambda v=value: train(layers.TokenDropout(0.1, v), MAPS[..., 0]),
            V,
            "'num_prefix_tokens' of layer",
            "smaller than the number of tokens",
            f"num_prefix_tokens={value}, inputs of shape (2, 4, 3)",
        )
        for value in (4, 5)
    },
    **{
        f"axis {value!r}": (
            lambda v=value: layers.HeadDropout(0.1, axis=v),
            error,
            "'axis' must be",
            "an integer other than 0, which is the batch",
            f"axis={value!r}",
        )
        for value, error in [(0, V), (1.0, T), (True, T), ("1", T), ((1,), T)]
    },
    **{
        f"axis {value} of rank 4": (
            lambda v=value: train(layers.HeadDropout(0.1, axis=v), MAPS),
            V,
            "'axis' of layer",
            "an axis of the inputs other than the batch",
            f"axis={value}, inputs of rank 4",
        )
        for value in (4, -4, -5)
    },
    **{
        f"integers into {layer.__name__}": (
            lambda layer=layer, x=x: train(layer(0.1), x),
            T,
            *FLOATING,
            "dtype=int32",
        )
        for layer, x in [
            *((layer, INTEGERS) for layer in (layers.DropPath, layers.HeadDropout)),
            (layers.TokenDropout, np.ones((2, 4, 3), "int32")),
            (layers.DropBlock1D, np.ones((2, 9, 3), "int32")),
        ]
    },
    **{
        f"rate {value!r} of {layer.__name__}": (
            lambda layer=layer, value=value: layer(value),
            error,
            *RATE,
            f"rate={value!r}",
        )
        for layer, value, error in [
            (layers.DropPath, 1.5, V),
            (layers.DropBlock1D, -0.1, V),
            (layers.DropBlock2D, "0.5", T),
            (layers.DropBlock3D, True, T),
            (layers.TokenDropout, NAN, V),
            (layers.HeadDropout, None, T),
        ]
    },
    **{
        f"seed {value!r} of {layer.__name__}": (
            lambda layer=layer, v=value: layer(0.1, seed=v),
            error,
            "'seed' must be",
            "an integer",
            f"seed={value!r}",
        )
        for layer, value, error in [
            (layers.DropPath, [1], T),
            (layers.DropBlock2D, 1.5, T),
            (layers.TokenDropout, "1", T),
            (layers.HeadDropout, True, T),
        ]
    },
}


def plain_model():
    parts = [DENSE(3, "relu", name="first"), DENSE(1, name="last")]
    return keras.Sequential([keras.Input((3,)), *parts], name="plain")


def with_keras_dropout(kind=""):
    drop = getattr(keras.layers, f"{kind}Dropout")(0.5, name="drop")
    return keras.Sequential([keras.Input((3,)), drop, DENSE(1)])


def max_of_two(epoch, rate):
    return max(epoch, rate)


def start(callback, model):
    callback.set_model(model)
    callback.on_train_begin()


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name) for name, case in CASES.items()],
)
def test_bad_input_is_named_with_what_was_received_and_the_way_out(case):
    call, error, *parts = case
    with pytest.raises(Exception) as raised:
        call()
    assert type(raised.value) is error, repr(raised.value)
    message = re.sub(r"\s+", " ", str(raised.value)).replace("\\", "")
    missing = [part for part in parts if part not in message]
    assert not missing, message


def test_every_argument_of_every_public_name_is_in_the_table():
    public = [LearnedRate, schedules.depth_rates, kdropout.set_rates, kdropout.summary]
    public += [kdropout.convert, kdropout.insert, kdropout.strip]
    for namespace in (layers, schedules, kdropout.callbacks):
        names = set(namespace.__all__) - {"BaseDropout", "RateSchedule"}
        public += [getattr(namespace, name) for name in names]
    public += [kdropout.mc_predict]
    arguments = {name for one in public for name in inspect.signature(one).parameters}
    # Of a flag, Python's truth is taken; a function that cannot be called says so.
    arguments -= {"return_samples"}
    arguments -= {"name", "dtype"}  # Keras checks these
    arguments -= {"allow_naive", "print_fn", "kwargs"}
    table = " ".join(part for _, _, *parts in CASES.values() for part in parts)
    missing = {name for name in arguments if f"'{name}'" not in table}
    assert missing == set()
