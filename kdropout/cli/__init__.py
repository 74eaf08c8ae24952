"""The command line."""

from kdropout.cli.main import main

__all__ = ["main"]
