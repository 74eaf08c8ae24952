"""A callback that ensures that Ctrl-C ends a training."""

import signal
import threading

import keras


class LastingInterrupt(keras.callbacks.Callback):
    """Raises a `KeyboardInterrupt` again if it was swallowed.

    An exception that is raised inside a Python callback of C++ code may never reach the
    caller: TensorFlow's `is_tensor` takes an interrupt in `isinstance` for False. In
    trials with short epochs, one Ctrl-C in 17 did nothing.

    Use it as a context manager around a training and as a callback of this training. A
    swallowed interrupt is raised again when an epoch begins or ends, and when the
    context ends. It does nothing in a thread, or if Ctrl-C does not raise
    `KeyboardInterrupt`.

    Example:

    >>> from kdropout.tuning.interrupt import LastingInterrupt
    >>> with LastingInterrupt() as interrupt:
    ...     callbacks = [interrupt]  # pass these to `fit`
    """

    def __init__(self):
        super().__init__()
        self._was_pressed = False
        self._before = None

    def __enter__(self):
        # Other code, such as Ray in its workers, may have replaced the handler.
        is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if is_usual and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, kind, error, traceback):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        if kind is None:
            self._raise_if_lost()

    def on_epoch_begin(self, epoch, logs=None):
        self._raise_if_lost()

    def on_epoch_end(self, epoch, logs=None):
        self._raise_if_lost()

    def _press(self, number, frame):
        self._was_pressed = True
        signal.default_int_handler(number, frame)

    def _raise_if_lost(self):
        if self._was_pressed:
            raise KeyboardInterrupt
