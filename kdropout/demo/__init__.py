"""Compares five ways to decide a dropout rate on noisy digits: `kdropout demo`."""

from kdropout.demo.experiment import run

__all__ = ["run"]
