"""A package that is missing or too old: the error shows the way out."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import _compat, _requirements

IMPORT = "import kdropout"
# A package that is not installed.
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path, target=None):
        if name == "{0}":
            raise ModuleNotFoundError("No module named '{0}'", name="{0}")

sys.meta_path.insert(0, Hidden())
"""


def error_of(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_missing_backend_is_named_with_the_way_out(backend):
    error = error_of(HIDE.format(backend) + IMPORT, KERAS_BACKEND=backend)
    assert "ModuleNotFoundError" in error
    assert f"the backend of Keras, which is {backend} here" in error
    assert f"pip install {backend}" in error
    assert "KERAS_BACKEND to tensorflow, jax or torch" in error


@pytest.mark.parametrize("version", ["2.15.0", "3.7.0", "unknown"])
def test_old_keras_is_refused_with_the_way_out(version, tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text(f"__version__ = '{version}'")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    error = error_of(IMPORT, PYTHONPATH=path)
    assert f"needs Keras 3.8 or later. Received: Keras {version}" in error
    assert 'pip install --upgrade "keras>=3.8"' in error


@pytest.mark.parametrize("version", ["3.8.0", "3.10.0", "3.16.0.dev2026102704"])
def test_keras_of_the_window_is_accepted(version, monkeypatch):
    monkeypatch.setattr(keras, "__version__", version)
    assert _compat._import_keras() is keras


@pytest.mark.on_one_backend
@pytest.mark.slow
# Not six, which TensorFlow imports as well.
@pytest.mark.parametrize(
    "package", sorted(_requirements.SEARCH_PACKAGES.keys() - {"six"})
)
def test_tuning_names_the_missing_package_and_the_extra(package):
    module = _requirements.SEARCH_PACKAGES[package]
    error = error_of(HIDE.format(module) + "import kdropout; kdropout.tuning")
    assert f"kdropout.tuning needs {', '.join(_requirements.SEARCH_PACKAGES)}" in error
    assert f"Not installed: {package}. Run: pip install {package}." in error
    assert "The extra 'tuner'" in error


def test_view_of_older_versions_equals_that_of_keras():
    numbers = np.array([0.0, 1.0, -2.5, 3e38], "float32")
    bits = _compat._view(ops.convert_to_tensor(numbers), "int32")
    np.testing.assert_array_equal(ops.convert_to_numpy(bits), numbers.view("int32"))
    back = _compat._view(bits, "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(back), numbers)


def test_older_versions_build_a_layer_at_once(monkeypatch):
    class WithBuild(kdropout.layers.Dropout):
        def build(self, input_shape):
            pass

    monkeypatch.delattr(keras.layers.Layer, "_build_at_init", raising=False)
    assert kdropout.layers.Dropout(0.5).built
    assert not WithBuild(0.5).built


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="traces of JAX")
def test_old_jax_is_named_where_gradients_are_rematerialized():
    with pytest.raises(RuntimeError, match='pip install --upgrade "jax>=0.6.2"'):
        _compat.parent_of_jax_trace(object())
