"""The command line of kdropout.

It is a separate package, because importing kdropout loads Keras and its backend, which
takes seconds. Help, the version and wrong usage need none of them.
"""

from kdropout_cli.main import main

__all__ = ["main"]
