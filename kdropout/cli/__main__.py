"""So that `python -m kdropout.cli` is the command line, too."""

import sys

from kdropout.cli.main import main

sys.exit(main())
