"""Searches whose trials fail or end the process in their workers."""

import contextlib
import os
import pathlib
import signal

import keras

from tests.tuning.trials import searches


class KillsItself(keras.callbacks.Callback):
    """Ends its process in the middle of a training, the first `times` times.

    Args:
        folder: Path of a folder for a file that counts the kills.
        times: Integer, number of kills.
    """

    def __init__(self, folder, times):
        super().__init__()
        self.folder, self.times = folder, times

    def on_epoch_end(self, epoch, logs=None):
        for number in range(self.times):
            with contextlib.suppress(FileExistsError):
                pathlib.Path(self.folder, f"kill{number}").touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)


def build_some(hp):
    """Builds with 4 units, raises with 6, and ends the process with 8."""
    units = hp.Choice("units", [4, 6, 8])
    if units == 6:
        raise ValueError("too many units")
    if units == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return searches.build(hp)
