"""Callbacks that set rates, measure the overfitting gap, and log both."""

from kdropout.callbacks.auto_rate import AutoRate
from kdropout.callbacks.gap_controller import GapController
from kdropout.callbacks.overfitting_gap import OverfittingGap
from kdropout.callbacks.rate_logger import RateLogger
from kdropout.callbacks.rate_scheduler import RateScheduler
from kdropout.callbacks.tensorboard_rates import TensorBoardRates

__all__ = [
    "AutoRate",
    "GapController",
    "OverfittingGap",
    "RateLogger",
    "RateScheduler",
    "TensorBoardRates",
]


def __dir__():
    return __all__
