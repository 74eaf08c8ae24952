"""Saved and exported files of a stripped model run where kdropout is not installed."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kdropout
from kdropout import layers

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.slow
ONLY_TENSORFLOW = pytest.mark.skipif(
    BACKEND != "tensorflow",
    reason="a SavedModel and its graph are TensorFlow's; Keras exports ONNX from here",
)

# Runs in a process that cannot import kdropout.
WITHOUT_KDROPOUT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "kdropout":
            raise ImportError("kdropout is not installed here")

sys.meta_path.insert(0, Refuse())
import numpy as np
folder = sys.argv[1]
x = np.load(folder + "/x.npy")
{code}
np.save(folder + "/outputs.npy", outputs)
assert not [name for name in sys.modules if name.split(".")[0] == "kdropout"]
try:
    import kdropout
except ImportError:
    print("kdropout is out of reach")
"""
LOAD = """
import keras
model = keras.saving.load_model(folder + "/model.keras")
outputs = keras.ops.convert_to_numpy(model(x))
"""
SERVE = """
import tensorflow as tf
loaded = tf.saved_model.load(folder + "/model")
outputs = loaded.serve(x).numpy()
"""
RANDOM = ("random", "multinomial", "select", "bernoulli", "dropout")


def all_layers():
    """Build a model with every mask and wrapper, and move its rates."""
    inputs = keras.Input((8, 8, 4))
    x = layers.DropConnect(keras.layers.Conv2D(4, 3, padding="same"), 0.3)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = layers.SpatialDropout2D(0.3)(layers.DropBlock2D(0.3, block_size=3)(x))
    x = layers.Standout(keras.layers.Conv2D(4, 1, activation="relu"), name="gated")(x)
    x = layers.HeadDropout(0.3)(layers.DropPath(0.3)(x))
    x = layers.SpatialDropout3D(0.3)(keras.layers.Reshape((8, 8, 4, 1))(x))
    x = layers.DropBlock3D(0.3, block_size=2)(x)
    x = keras.layers.Reshape((64, 4))(x)
    x = layers.DropBlock1D(0.3, block_size=3)(layers.SpatialDropout1D(0.3)(x))
    x = layers.TokenDropout(0.3)(x)
    x = keras.layers.MultiHeadAttention(2, 2, dropout=0.3)(x, x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = layers.ConcreteDropout(keras.layers.Dense(8, activation="relu"))(x)
    x = layers.Standout(keras.layers.Dense(8, activation="relu"), alpha=0.7)(x)
    x = layers.AlphaDropout(0.3)(layers.GaussianDropout(0.3)(x))
    x = layers.Dropout(kdropout.schedules.Ramp(0.1, 0.5, 10))(x)
    x = layers.Dropout(kdropout.LearnedRate(0.3))(x)
    x = layers.Dropout(0.3, name="drop")(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    kdropout.convert(model)
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 4)).astype("float32")
    model(x, training=True)
    model.get_layer("drop").rate = 0.7
    return model, x


def outputs_of(model, x):
    return ops.convert_to_numpy(model(x))


def run_without_kdropout(code, folder, x):
    """Run `code` on `x` in another process; return the result."""
    np.save(folder / "x.npy", x)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_KDROPOUT.format(code=code), str(folder)],
        cwd=folder,
        env={**os.environ, "KERAS_BACKEND": BACKEND},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "kdropout is out of reach" in result.stdout
    return np.load(folder / "outputs.npy")


def operations(path):
    """Return the kinds of node in all functions of a SavedModel."""
    import tensorflow as tf

    served = tf.saved_model.load(path).signatures["serving_default"]
    graph = served.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return {node.op for node in nodes}


def is_random(operation):
    return any(word in operation.lower() for word in RANDOM)


@pytest.mark.on_one_backend
def test_saved_file_runs_without_kdropout(tmp_path):
    model, x = all_layers()
    kdropout.strip(model).save(tmp_path / "model.keras")
    outputs = run_without_kdropout(LOAD, tmp_path, x)
    np.testing.assert_allclose(outputs, outputs_of(model, x), rtol=1e-5, atol=1e-5)


@ONLY_TENSORFLOW
def test_saved_model_runs_without_kdropout_and_has_nothing_random(tmp_path):
    model, x = all_layers()
    kdropout.strip(model).export(tmp_path / "model", verbose=False)
    kinds = operations(tmp_path / "model")
    assert "MatMul" in kinds and not [kind for kind in kinds if is_random(kind)]
    outputs = run_without_kdropout(SERVE, tmp_path, x)
    np.testing.assert_allclose(outputs, outputs_of(model, x), rtol=1e-5, atol=1e-5)


@ONLY_TENSORFLOW
def test_export_of_the_model_itself_has_nothing_random(tmp_path):
    model, _ = all_layers()
    model.export(tmp_path / "model", verbose=False)
    kinds = operations(tmp_path / "model")
    assert "MatMul" in kinds and not [kind for kind in kinds if is_random(kind)]


@ONLY_TENSORFLOW
def test_random_operations_are_found(tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.5)])
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda inputs: model(inputs, training=True),
        input_signature=[tf.TensorSpec((None, 3), "float32")],
    )
    archive.write_out(tmp_path / "model", verbose=False)
    assert [kind for kind in operations(tmp_path / "model") if is_random(kind)]


@ONLY_TENSORFLOW
# Keras 3.15 uses NumPy names for tf2onnx that NumPy 2 removed.
@pytest.mark.filterwarnings("ignore:In the future `np.:FutureWarning")
@pytest.mark.parametrize("stripped", [True, False])
def test_onnx_file_runs_without_keras_and_has_nothing_random(stripped, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, x = all_layers()
    exported = kdropout.strip(model) if stripped else model
    exported(x)  # Keras exports to ONNX only what has been called
    path = str(tmp_path / "model.onnx")
    exported.export(path, format="onnx", verbose=False)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "MatMul" in kinds or "Gemm" in kinds
    assert not [kind for kind in kinds if is_random(kind)] and "Where" not in kinds
    session = runtime.InferenceSession(path)
    (outputs,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(outputs, outputs_of(model, x), rtol=1e-4, atol=1e-4)
