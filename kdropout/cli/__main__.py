"""So that `python -m kdropout.cli` is the command line, too."""

import sys

from kdropout.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
