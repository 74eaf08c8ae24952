"""Event files that TensorBoard reads, written without TensorFlow."""

from kdropout.event_log.event_writer import EventWriter, file_name
from kdropout.event_log.run_log import RunLog, check_tensorboard

__all__ = ["EventWriter", "RunLog", "check_tensorboard", "file_name"]
