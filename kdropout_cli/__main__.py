"""Lets `python -m kdropout_cli` run the command line."""

import sys

from kdropout_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
