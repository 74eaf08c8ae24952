"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest

import kdropout

# The examples are one program on every backend.
pytestmark = pytest.mark.on_one_backend

MODULES = [
    module.name for module in pkgutil.walk_packages(kdropout.__path__, "kdropout.")
]
# These need one backend each, because TensorFlow and Triton can crash one process.
OF_A_BACKEND = {
    "kdropout.noise.on_jax": "jax",
    "kdropout.noise.on_torch": "torch",
    "kdropout.noise.on_torch_gpu": "torch",
    "kdropout.noise.triton_kernels": "torch",
}


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_print_what_they_show(name):
    backend = keras.backend.backend()
    if OF_A_BACKEND.get(name, backend) != backend:
        pytest.skip("a module of another backend")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ("jax", "ray", "torch", "triton"):
            raise
        pytest.skip(f"{error.name} is not installed")
    names = {"kdropout": kdropout, "keras": keras, "np": np}
    result = doctest.testmod(
        module, extraglobs=names, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0


def test_every_public_name_has_an_example():
    public = [
        getattr(namespace, name)
        for namespace in (kdropout.layers, kdropout.schedules, kdropout.callbacks)
        for name in namespace.__all__
    ]
    bases = {kdropout.schedules.RateSchedule}
    missing = [
        o.__name__ for o in set(public) - bases if ">>>" not in (o.__doc__ or "")
    ]
    assert missing == []
