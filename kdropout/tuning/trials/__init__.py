"""Trials on models that are compiled once."""

from kdropout.tuning.trials.engine import TrialEngine

__all__ = ["TrialEngine"]
