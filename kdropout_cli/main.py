"""The command line: `kdropout demo`, `tune`, `check` and `report`."""

import argparse
import difflib
import importlib.metadata
import sys

from kdropout_cli import check, demo, report, tune
from kdropout_cli.common import ERRORS, Interrupted, WrongUsage
from kdropout_cli.loading import load_kdropout

# The name of a command, and the module that adds it.
_COMMANDS = {"demo": demo, "tune": tune, "check": check, "report": report}

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
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        load_kdropout()
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


def _parse(arguments):
    """Return the options, or exit with 2 and a hint at the intended word."""
    parser = make_parser()
    first = arguments[0] if arguments else None
    if first is not None and not first.startswith("-") and first not in _COMMANDS:
        parser.error(
            f"COMMAND must be one of {', '.join(_COMMANDS)}. Received: {first!r}."
            f"{_nearest(first, _COMMANDS)}"
        )
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        hint = _nearest(unknown[0].partition("=")[0], options.known)
        options.refuse(f"unknown argument {unknown[0]!r}.{hint}")
    return options


def _nearest(word, words):
    close = difflib.get_close_matches(word, list(words), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _version():
    try:
        return importlib.metadata.version("kdropout")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


class Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviations, and knows its options.

    Attributes:
        known: List of strings, the options.
    """

    def __init__(self, **kwargs):
        self.known: list[str] = []
        super().__init__(allow_abbrev=False, **kwargs)

    def add_argument(self, *names, **kwargs):
        action = super().add_argument(*names, **kwargs)
        self.known += action.option_strings
        return action


def make_parser():
    parser = Parser(
        prog="kdropout",
        description="Dropout rates that change while Keras trains.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kdropout {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS.values():
        command = module.add_to(commands)
        command.set_defaults(
            prog=command.prog, refuse=command.error, known=command.known
        )
    return parser
