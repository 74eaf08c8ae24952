"""Searches whose trials fail or end the process in their workers."""

import contextlib
import os
import pathlib
import signal
import time

import keras
import ray

from kdropout._files import replacing
from tests.tuning.trials import searches


class Slow(keras.callbacks.Callback):
    """Makes each epoch take at least some seconds."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(self.seconds)


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


class Meets(keras.callbacks.Callback):
    """Waits until workers at two places are in the middle of a training.

    Each writes its process id to a file that is named after its place.

    Args:
        folder: Path of a folder for these files.
        place: Function that returns the place of a worker.
        survivor: The place whose trials go on, or None if all do. A training at another
            place waits for the end of its process.
    """

    def __init__(self, folder, place, survivor=None):
        super().__init__()
        self.folder, self.place, self.survivor = folder, place, survivor

    def on_epoch_end(self, epoch, logs=None):
        here = self.place()
        with replacing(pathlib.Path(self.folder, here)) as temporary:
            temporary.write_text(str(os.getpid()))
        wait_until(lambda: len(places_in(self.folder)) > 1)
        if self.survivor not in (None, here):
            wait_until(lambda: False)


def places_in(folder):
    """The names of the files that `Meets` has written."""
    return {name for name in os.listdir(folder) if not name.startswith(".")}


def wait_until(condition, seconds=120):
    """Wait, or raise a TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened within {seconds} seconds")
        time.sleep(0.1)


def node():
    return ray.get_runtime_context().get_node_id()


def visible_gpus():
    return f"GPU {os.environ.get('CUDA_VISIBLE_DEVICES')}"


def build_and_report_gpus(hp):
    """Builds in the process of the search, and raises in a worker."""
    if hp.values:  # a trial
        names = ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH")
        raise ValueError(" ".join(f"{name}={os.environ.get(name)}" for name in names))
    return searches.build(hp)


def build_some(hp):
    """Builds with 4 units, raises with 6, and ends the process with 8."""
    units = hp.Choice("units", [4, 6, 8])
    if units == 6:
        raise ValueError("too many units")
    if units == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return searches.build(hp)
