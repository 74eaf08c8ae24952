"""Dropout for Keras 3 with rates that you set, schedule, learn, watch or search."""

import importlib

import kdropout._compat  # noqa: F401, first because it checks Keras
from kdropout import callbacks, layers, schedules
from kdropout._history_plot import plot_history
from kdropout.inference import Prediction, drop_fractions, fit_noise, mc_predict
from kdropout.inspection import rates, summary
from kdropout.rate_rules import LearnedRate
from kdropout.surgery import Placement, convert, insert, set_rates, strip
from kdropout.version import __version__

__all__ = [
    "LearnedRate",
    "Placement",
    "Prediction",
    "__version__",
    "callbacks",
    "convert",
    "drop_fractions",
    "fit_noise",
    "insert",
    "layers",
    "mc_predict",
    "plot_history",
    "rates",
    "schedules",
    "set_rates",
    "strip",
    "summary",
]

# Imported at their first use: `tuning` needs KerasTuner and takes seconds to import.
_LAZY = ("testing", "tuning")


def __getattr__(name):
    if name in _LAZY:
        return importlib.import_module(f"kdropout.{name}")
    raise AttributeError(f"module 'kdropout' has no attribute '{name}'")


def __dir__():
    return sorted([*__all__, *_LAZY])
