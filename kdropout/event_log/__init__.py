"""Event files that TensorBoard reads, written without TensorFlow."""

from kdropout.event_log.run_log import RunLog, check_tensorboard

__all__ = ["RunLog", "check_tensorboard"]
