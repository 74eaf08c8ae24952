"""The versions of Keras and JAX that kdropout supports, and how they differ.

No other module tests for a version, or for a name that older versions lack. Each entry
names the first version that no longer needs it.
"""

import importlib

_LEAST_KERAS = (3, 8)
_BACKENDS = ("tensorflow", "jax", "torch")


def _import_keras():
    """Import Keras, with a way out if it is too old or has no backend."""
    try:
        keras = importlib.import_module("keras")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _BACKENDS:
            error.add_note(
                f"kdropout runs on the backend of Keras, which is {package} here, and "
                f"this package is not installed. Run: pip install {package}. To use "
                "another backend, install it and set the environment variable "
                "KERAS_BACKEND to tensorflow, jax or torch."
            )
        raise
    version = getattr(keras, "__version__", "unknown")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if tuple(numbers) < _LEAST_KERAS:
        least = ".".join(map(str, _LEAST_KERAS))
        raise ImportError(
            f"kdropout needs Keras {least} or later. Received: Keras {version}. Run: "
            f'pip install --upgrade "keras>={least}"'
        )
    return keras


keras = _import_keras()


def _view(tensor, dtype):
    """Return the bits of a tensor as another dtype of the same size."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return tf.bitcast(tensor, dtype)
        case "jax":
            import jax

            return jax.lax.bitcast_convert_type(tensor, dtype)
    import torch

    return tensor.view(getattr(torch, dtype))


# Keras 3.12
view = getattr(keras.ops, "view", _view)

# Keras 3.9
NORMALIZATIONS = [
    getattr(keras.layers, name)
    for name in ["RMSNormalization"]
    if hasattr(keras.layers, name)
]


def build_at_init(layer):
    """Mark a layer as built, unless its class has its own `build`. (Keras 3.10)"""
    if hasattr(layer, "_build_at_init"):
        layer._build_at_init()
    elif getattr(layer.build, "_is_default", False):
        layer.built = True
        layer._post_build()
        layer._lock_state()


def prepare_steps_of_jax(model):
    """Prepare a model for calls of `train_step` and `test_step`. (Keras 3.12)"""
    if hasattr(model, "_record_training_state_sharding_spec"):
        model._record_training_state_sharding_spec()


def jax_core():
    """Return the module of JAX that reads and sets the current trace. (JAX 0.9.2)"""
    from jax.extend import core

    if not hasattr(core, "take_current_trace"):
        from jax._src import core  # older versions have no public one
    return core


def parent_of_jax_trace(trace):
    """Return the trace around a trace. (JAX 0.6.2)"""
    if not hasattr(trace, "parent_trace"):
        import jax

        raise RuntimeError(
            "Dropout layers cannot drop inside jax.checkpoint or keras.remat on "
            f"this version of JAX. Received: JAX {jax.__version__}. Run: pip install "
            '--upgrade "jax>=0.6.2". Or call the layer outside of the rematerialized '
            "part."
        )
    return trace.parent_trace
