"""What TensorBoard is told of a search."""

from kdropout.tuning.search_log.event_file import clear
from kdropout.tuning.search_log.search_log import SearchLog

__all__ = ["SearchLog", "clear"]
