"""The command line: `kdropout demo`, `tune`, `check` and `report`."""

import argparse
import sys

from kdropout.cli import check, demo, report, tune
from kdropout.cli.common import ERRORS, Interrupted, WrongUsage
from kdropout.version import __version__

_EXAMPLES = """\
examples:
  kdropout demo
  kdropout check tuner_configs/digits_mlp.yaml
  kdropout tune tuner_configs/digits_mlp.yaml
  kdropout report results/digits_mlp

'kdropout COMMAND --help' describes each command. Results go to standard output, and
everything else to standard error.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: List of strings, or None for those of the process.

    Returns:
        Exit code: 0, or 1 after an error, or 130 after an interrupt. A wrong command
        line exits with 2 at once.
    """
    options = make_parser().parse_args(arguments)
    try:
        options.command(options)
    except SystemExit as error:
        # Commands end by returning, so the exit came from code that a job names.
        print(
            f"{options.prog}: error: code that the job names called sys.exit"
            f"({error.code!r}). Remove the call.",
            file=sys.stderr,
        )
        return 1
    except WrongUsage as error:
        options.refuse(str(error))  # exits with 2
    except ERRORS as error:
        print(f"{options.prog}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        more = f". {error}" if isinstance(error, Interrupted) else ""
        print(f"\n{options.prog}: interrupted{more}", file=sys.stderr)
        return 130  # what shells report for an interrupt: 128 + SIGINT
    return 0


def make_parser():
    parser = argparse.ArgumentParser(
        prog="kdropout",
        description="Dropout rates that change while Keras trains.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"kdropout {__version__}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, tune, check, report):
        command.add_to(commands)
    return parser
