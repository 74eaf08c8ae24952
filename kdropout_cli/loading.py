"""Loads kdropout, Keras and its backend without the lines that C++ code prints."""

import contextlib
import importlib
import os
import sys
import tempfile


def load_kdropout():
    """Import kdropout, which takes seconds, and find the devices of the backend.

    TensorFlow writes lines about the processor and missing GPUs to standard error while
    it loads. They are only shown if loading fails.
    """
    if "kdropout" in sys.modules:
        return
    with _holding_back():
        importlib.import_module("kdropout")
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices()  # it would print later, within a search


@contextlib.contextmanager
def _holding_back():
    """Hold back what is written to file descriptor 2, and show it after an error.

    What Python writes to `sys.stderr`, such as warnings, is shown at once.
    """
    sys.stderr.flush()
    visible = os.dup(2)
    try:
        with tempfile.TemporaryFile() as held, _python_writes_to(visible):
            os.dup2(held.fileno(), 2)
            try:
                yield
            except Exception:
                os.dup2(visible, 2)
                held.seek(0)
                os.write(2, held.read())
                raise
            finally:
                os.dup2(visible, 2)
    finally:
        os.close(visible)


@contextlib.contextmanager
def _python_writes_to(descriptor):
    """Redirect `sys.stderr` to a descriptor, unless it is not file descriptor 2."""
    try:
        is_usual = sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        is_usual = False
    if not is_usual:
        yield
        return
    with os.fdopen(os.dup(descriptor), "w", buffering=1) as stream:
        with contextlib.redirect_stderr(stream):
            yield
