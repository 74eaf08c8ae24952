"""The event file of one run."""

import itertools
import os
import pathlib
import socket
import time

from kdropout.requirements import can_import, check_packages

# Distinguishes the files that one process begins in the same second.
_NUMBERS = itertools.count()


class RunLog:
    """Writes one event file into the folder of a run, from the first summary on.

    Without TensorFlow: TensorBoard's own `EventFileWriter` imports it wherever it is
    installed, which takes seconds on the other backends. Copies made by
    `copy.deepcopy` write files of their own.

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
            self._writer = _open_record_writer(self.folder)
            self._append(file_version="brain.Event:2")

    def write(self, summary, step):
        """Append a `Summary` at `step`, an integer."""
        self.open()
        self._append(step=step, summary=summary)

    def flush(self):
        """Let a TensorBoard that runs see all that was written."""
        if self._writer is not None:
            self._writer.flush()

    def close(self):
        """Close the file. The next summary begins another one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _append(self, **content):
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())

    def __del__(self):
        self.close()  # a training that failed has not come to its end

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


def _open_record_writer(folder):
    from tensorboard.summary.writer.record_writer import RecordWriter

    # The name by which TensorBoard knows an event file, and orders several of a run.
    name = (
        f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}."
        f"{os.getpid()}.{next(_NUMBERS):06d}.kdropout"
    )
    if "://" in folder:
        from tensorboard.compat import tf

        tf.io.gfile.makedirs(folder)
        return RecordWriter(tf.io.gfile.GFile(f"{folder.rstrip('/')}/{name}", "wb"))
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return RecordWriter(open(path / name, "xb"))
