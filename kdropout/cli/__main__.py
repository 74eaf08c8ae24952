"""Lets `python -m kdropout.cli` run the command line."""

import sys

from kdropout.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
