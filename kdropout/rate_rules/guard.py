"""What crosses the border between Python and a compiled step."""

import keras


def stop_unless(condition, message, *values):
    """Raise with `message` and `values` when `condition` is false at run time.

    The exception is the backend's: `tf.errors.InvalidArgumentError`, JAX's runtime
    error, or ValueError on PyTorch. TensorFlow compiled by XLA drops the check.

    Args:
        condition: Boolean scalar tensor.
        message: Text of the error.
        values: Scalar tensors, appended to the message.
    """
    _GUARDS[keras.backend.backend()](condition, message, values)


def outside_trace():
    """A context in which tensors have values, even while a graph is being traced."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.init_scope()
    if backend == "jax":
        import jax

        return jax.ensure_compile_time_eval()
    return keras.device("cpu")  # and not "meta", on which shapes are inferred


def _tensorflow(condition, message, values):
    import tensorflow as tf

    tf.debugging.Assert(condition, [message, *values])


def _jax(condition, message, values):
    import jax

    def stop(*values):
        raise ValueError(_text(message, values))

    jax.lax.cond(condition, lambda: None, lambda: jax.debug.callback(stop, *values))


def _torch(condition, message, values):
    if condition.device.type == "meta":  # shape inference: there is no value yet
        return
    if not bool(condition):
        raise ValueError(_text(message, [value.item() for value in values]))


def _text(message, values):
    return " ".join([message, *map(str, values)])


_GUARDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
