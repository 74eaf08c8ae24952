"""Event files that TensorBoard reads, written without TensorFlow."""

import contextlib
import itertools
import json
import os
import pathlib
import socket
import time

from kdropout._requirements import can_import, check_packages
from kdropout_dashboard import tags

# Distinguishes the files that one process begins in the same second.
_NUMBERS = itertools.count()


class RunLog:
    """Writes the event file of a run. The file begins at the first summary.

    Copies made by `copy.deepcopy` write other files.

    Args:
        folder: Path of the folder, which is made if it does not exist; or an address
            such as "gs://bucket/run", for which TensorBoard needs TensorFlow or fsspec.
    """

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        self._writer = None

    def open(self):
        """Open the file, unless it is open, to find out whether that is possible.

        Raises:
            OSError: If the file cannot be opened.
        """
        if self._writer is None:
            self._writer = EventWriter(_open_file(self.folder))

    def write(self, summary, step):
        """Append a `Summary` at `step`, an integer."""
        self.open()
        self._writer.write(summary, step)

    def flush(self):
        """Make all that was written visible to a running TensorBoard."""
        if self._writer is not None:
            self._writer.flush()

    def close(self):
        """Close the file. The next summary begins another one.

        Raises:
            OSError: If the part that was not flushed cannot be written. The file is
                closed in this case as well.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def __del__(self):
        # After a failed training, nothing else closes the file. Nobody could handle an
        # error here.
        with contextlib.suppress(OSError):
            self.close()

    def __deepcopy__(self, memo):
        return type(self)(self.folder)

    def __getstate__(self):
        return {"folder": self.folder, "_writer": None}


def check_tensorboard(purpose):
    """Raise an error before the training begins if TensorBoard is missing.

    Args:
        purpose: String, the name of the feature that needs it.

    Raises:
        MissingPackages: If TensorBoard is not installed.
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


class EventWriter:
    """Writes events into an open file, without TensorFlow.

    TensorBoard's own `EventFileWriter` imports TensorFlow wherever it is installed,
    which takes seconds on the other backends.

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
    """Return a name by which TensorBoard finds and orders the event files of a run.

    Args:
        moment: String of digits, the time when the file begins, in seconds since 1970.
        end: String that distinguishes it from other files of this process.
    """
    host = socket.gethostname()
    return f"events.out.tfevents.{moment}.{host}.{os.getpid()}.{end}.kdropout"


def scalars(values):
    """A summary of several numbers.

    Args:
        values: Dict from tag to float.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(
        value=[
            Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()
        ]
    )


def description(tag, content):
    """A summary of plain data, which also makes the Dropout tab appear.

    Args:
        tag: String, such as "kdropout/run".
        content: Value that JSON can hold.
    """
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.util.tensor_util import make_tensor_proto

    metadata = summary_pb2.SummaryMetadata(
        # TensorBoard would drop a summary without a data class.
        data_class=summary_pb2.DATA_CLASS_TENSOR,
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=tags.PLUGIN),
    )
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    tensor = make_tensor_proto(text.encode())
    summary = summary_pb2.Summary()
    summary.value.add(tag=tag, metadata=metadata, tensor=tensor)
    return summary


def layout(metrics):
    """A summary that lays out all rates in one chart, and a chart for each gap.

    The chart of a gap shades the part of it that the naive gap hides.

    Args:
        metrics: Sequence of the names of metrics that have a gap.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    rates = layout_pb2.Chart(
        title="dropout rates",
        multiline=layout_pb2.MultilineChartContent(tag=[f"^{tags.RATE}/"]),
    )
    gaps = [_gap_chart(layout_pb2, metric) for metric in metrics]
    category = layout_pb2.Category(title="Dropout", chart=[rates, *gaps])
    text = layout_pb2.Layout(category=[category]).SerializeToString()
    summary = Summary()
    summary.value.add(
        tag=metadata.CONFIG_SUMMARY_TAG,
        metadata=metadata.create_summary_metadata(),
        tensor=make_tensor_proto(text),
    )
    return summary


def _gap_chart(layout_pb2, metric):
    clean, naive = tags.gap(metric), tags.naive_gap(metric)
    series = layout_pb2.MarginChartContent.Series(value=clean, lower=naive, upper=clean)
    return layout_pb2.Chart(
        title=f"overfitting gap of {metric}, shaded down to the naive gap",
        margin=layout_pb2.MarginChartContent(series=[series]),
    )
