"""Dropout rates that can be moved, learned, watched and searched in training."""

from kdropout import callbacks, layers, schedules
from kdropout.inference import Prediction, mc_predict
from kdropout.inspection import rates, set_rates, summary
from kdropout.rate_rules import LearnedRate
from kdropout.surgery import convert, insert, strip
from kdropout.version import __version__

__all__ = [
    "LearnedRate",
    "Prediction",
    "__version__",
    "callbacks",
    "convert",
    "insert",
    "layers",
    "mc_predict",
    "rates",
    "schedules",
    "set_rates",
    "strip",
    "summary",
]
