"""Events as TensorBoard stores them."""

import os
import socket
import time


class EventWriter:
    """Writes events into a file that is open.

    Without TensorFlow: TensorBoard's own `EventFileWriter` imports it wherever it is
    installed, which takes seconds on the other backends.

    Args:
        file: Binary file, at its beginning.
    """

    def __init__(self, file):
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._records = RecordWriter(file)
        self._append(file_version="brain.Event:2")

    def write(self, summary, step):
        """Append a `Summary` at `step`, an integer."""
        self._append(step=step, summary=summary)

    def flush(self):
        """Hand everything to the operating system."""
        self._records.flush()

    def close(self):
        """Close the file."""
        self._records.close()

    def _append(self, **content):
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), **content)
        self._records.write(event.SerializeToString())


def file_name(moment, end):
    """A name by which TensorBoard knows an event file, and orders several of a run.

    Args:
        moment: String of digits, when it began, in seconds since 1970.
        end: String that tells it from other files of this process.
    """
    host = socket.gethostname()
    return f"events.out.tfevents.{moment}.{host}.{os.getpid()}.{end}.kdropout"
