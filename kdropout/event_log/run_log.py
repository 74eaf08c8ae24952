"""The event file of one run."""

import contextlib
import itertools
import os
import pathlib
import time

from kdropout.event_log.event_writer import EventWriter, file_name
from kdropout.requirements import can_import, check_packages

# Distinguishes the files that one process begins in the same second.
_NUMBERS = itertools.count()


class RunLog:
    """Writes one event file into the folder of a run, from the first summary on.

    Copies made by `copy.deepcopy` write files of their own.

    Args:
        folder: Path of the folder, made if it is not there; or an address such as
            "gs://bucket/run", for which TensorBoard needs TensorFlow or fsspec.
    """

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        self._writer = None

    def open(self):
        """Begin the file, if it is not begun, to find out whether that is possible.

        Raises:
            OSError: If it is not.
        """
        if self._writer is None:
            self._writer = EventWriter(_open_file(self.folder))

    def write(self, summary, step):
        """Append a `Summary` at `step`, an integer."""
        self.open()
        self._writer.write(summary, step)

    def flush(self):
        """Let a TensorBoard that runs see all that was written."""
        if self._writer is not None:
            self._writer.flush()

    def close(self):
        """Close the file. The next summary begins another one.

        Raises:
            OSError: If what was not flushed cannot be written. It is closed all the
                same.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def __del__(self):
        # A training that failed has not come to its end. Nobody can act on an error
        # here.
        with contextlib.suppress(OSError):
            self.close()

    def __deepcopy__(self, memo):
        return type(self)(self.folder)

    def __getstate__(self):
        return {"folder": self.folder, "_writer": None}


def check_tensorboard(purpose):
    """Tell, before and not after the training, if TensorBoard is not installed.

    Args:
        purpose: String, what needs it.

    Raises:
        MissingPackages: If it is not there.
    """
    packages = {"tensorboard": "tensorboard"}
    check_packages(purpose, packages, "tensorboard", can_import)


def _open_file(folder):
    name = file_name(f"{int(time.time()):010d}", f"{next(_NUMBERS):06d}")
    if "://" in folder:
        from tensorboard.compat import tf

        tf.io.gfile.makedirs(folder)
        return tf.io.gfile.GFile(f"{folder.rstrip('/')}/{name}", "wb")
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return open(path / name, "xb")
