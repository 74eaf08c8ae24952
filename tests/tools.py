"""Helpers that tests of several folders share."""

import dataclasses
import inspect
import pathlib
import re
import warnings
from collections.abc import Callable

import keras
import numpy as np
import pytest

import kdropout

BACKEND = keras.backend.backend()

# Major and minor version, for tests of what older versions of Keras do not do.
KERAS = tuple(int(number) for number in keras.__version__.split(".")[:2])

# The names of the dropout layers of kdropout. The others are layers of Keras with live
# rates.
DROPOUT_LAYERS = {
    name
    for name in kdropout.layers.__all__
    if issubclass(getattr(kdropout.layers, name), kdropout.layers.BaseDropout)
} - {"BaseDropout"}

# The words in which errors describe every argument `rate` of a layer.
A_RATE = "a number in [0, 1], a schedule or a LearnedRate"


@dataclasses.dataclass(frozen=True)
class Case:
    """A call that must fail.

    Attributes:
        name: The id of the test.
        call: A function without arguments.
        error: The type of the error, exactly.
        says: Parts of its message: the name of the argument, what is expected, what
            was received, and the way out.
    """

    name: str
    call: Callable
    error: type
    says: list


def name_of(case):
    """Return the name, as the id of a test for a `Case` or a similar object."""
    return case.name


def assert_refused(case):
    """Check that the call of a `Case` raises the error that it expects."""
    with pytest.raises(Exception) as raised, warnings.catch_warnings():
        if issubclass(case.error, Warning):
            warnings.simplefilter("error", case.error)
        case.call()
    assert type(raised.value) is case.error, repr(raised.value)
    message = re.sub(r"\s+", " ", str(raised.value)).replace("\\", "")
    missing = [part for part in case.says if part not in message]
    assert not missing, message


def arguments_without_case(functions, cases):
    """Return the names of arguments that the message of no case contains."""
    arguments = {
        name
        for function in functions
        for name in inspect.signature(function).parameters
    }
    says = " ".join(part for case in cases for part in case.says)
    return {name for name in arguments if f"'{name}'" not in says}


def runtime_error():
    """Return the type of error that the backend raises from inside a training step."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.errors.InvalidArgumentError
    if BACKEND == "jax":
        import jax

        return jax.errors.JaxRuntimeError
    return ValueError


def numpy(tensor):
    """Convert a tensor of any backend to an array."""
    return keras.ops.convert_to_numpy(tensor)


def call_in_training(layer, x):
    """Return the outputs of a call with `training=True` as an array."""
    return numpy(layer(x, training=True))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(rate):
    """Return the number whose sigmoid is the rate."""
    return np.log(rate / (1 - rate))


def entropy_term(rate):
    """Return minus the entropy, in nats, of a mask with this rate."""
    return rate * np.log(rate) + (1 - rate) * np.log1p(-rate)


def model_with_rates(**named_rates):
    """Build a model of three inputs with one `Dropout` for each name and rate."""
    layers = [
        kdropout.layers.Dropout(rate, name=name) for name, rate in named_rates.items()
    ]
    return keras.Sequential([keras.Input((3,)), *layers])


def dropout_model(rate=0.5, metrics=None):
    """Build and compile a model of three inputs: a `Dropout` named "drop", then
    "dense".
    """
    model = keras.Sequential(
        [
            keras.Input((3,)),
            kdropout.layers.Dropout(rate, name="drop"),
            keras.layers.Dense(1, name="dense"),
        ],
        name="model",
    )
    model.compile(optimizer="sgd", loss="mse", metrics=metrics, run_eagerly=True)
    return model


class CountedModel(keras.Model):
    """Counts how often Python executes its training step."""

    entered = 0

    def train_step(self, *args, **kwargs):
        self.entered += 1
        return super().train_step(*args, **kwargs)


class CountedLayer(keras.layers.Layer):
    """Returns its inputs, and counts how often Python executes its call."""

    traces = 0

    def call(self, inputs):
        type(self).traces += 1
        return inputs

    def compute_output_spec(self, inputs):  # without a call
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def run_code_of(page):
    """Run the code of a page in order, and return its variables by name."""
    namespace = {}
    for block in python_of(page.read_text()):
        exec(compile(block, page.name, "exec"), namespace)
    return namespace


def code_for_devices(word):
    """Return the code of docs/backends.md that needs several devices, and has `word`.

    It stands in blocks ```py, which the test of the pages does not run.
    """
    page = pathlib.Path(__file__).parents[1] / "docs" / "backends.md"
    blocks = re.findall(r"```py\n(.*?)```", page.read_text(), re.DOTALL)
    (code,) = [block for block in blocks if word in block]
    return code


def linked_files(page):
    """Return the paths of the files that a page links to, whether they exist or not."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    return [page.parent / link for link in links if "://" not in link]


def python_of(markdown):
    """The code of a page in order, shown or not.

    Code that readers would stumble over, such as what a block needs and what proves it,
    stands in a comment `<!-- hidden ... -->`.
    """
    pattern = r"```python\n(.*?)```|<!-- hidden\n(.*?)-->"
    found = re.findall(pattern, markdown, re.DOTALL)
    return [shown or hidden for shown, hidden in found]
