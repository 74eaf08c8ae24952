"""Five ways to decide a dropout rate, compared on noisy digits: `kdropout demo`."""

from kdropout.demo.experiment import run

__all__ = ["run"]
