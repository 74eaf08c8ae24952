"""Finds the GPU, if the backend sees one, and waits for the work of a device."""

import keras

BACKEND = keras.backend.backend()


def gpu_name():
    """The name of the GPU that the backend computes on, or None."""
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]()


def wait(outputs):
    """Wait until the device has computed `outputs` and all earlier work."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.test.experimental.sync_devices()
    elif BACKEND == "jax":
        import jax

        jax.block_until_ready(outputs)
    else:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


def _tensorflow():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    details = tf.config.experimental.get_device_details(gpus[0])
    return details.get("device_name", gpus[0].name)


def _jax():
    import jax

    return jax.devices()[0].device_kind if jax.default_backend() == "gpu" else None


def _torch():
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
