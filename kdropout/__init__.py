"""Dropout rates that can be moved, learned, watched and searched in training."""

from kdropout import callbacks, layers, schedules
from kdropout.inspection import rates, set_rates, summary
from kdropout.rate_rules import LearnedRate
from kdropout.version import __version__

__all__ = [
    "LearnedRate",
    "__version__",
    "callbacks",
    "layers",
    "rates",
    "schedules",
    "set_rates",
    "summary",
]
