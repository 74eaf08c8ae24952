"""The command `kdropout report`."""

import argparse
import pathlib
import sys

from kdropout.cli.errors import needs_tuner

_TEXT = """\
Print the report of a job, as Markdown, and write it and its pictures anew. Of a search
that was interrupted, or still runs, the report is of the trials that have ended, and
claims nothing. Neither the model nor the data are needed.
"""
_EXAMPLES = """\
examples:
  kdropout report results/digits_mlp
  kdropout report results/digits_mlp > answer.md
"""


def add_to(commands):
    """Add `kdropout report`."""
    parser = commands.add_parser(
        "report",
        help="print the report of a job",
        description=_TEXT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        metavar="DIR",
        help="folder of the results, the 'output' of the job",
    )
    parser.set_defaults(command=_report, prog=parser.prog)


def _report(options):
    needs_tuner()
    from kdropout.tuning import load_report

    report = load_report(options.folder)
    report.save(options.folder)
    print(report.to_markdown())
    if report.confirmation is None and _expects_confirmation(options.folder):
        print(
            f"{options.prog}: the job is not finished. Go on with it by "
            "'kdropout tune CONFIG --resume'.",
            file=sys.stderr,
        )


def _expects_confirmation(folder):
    from kdropout.tuning import load_job

    file = pathlib.Path(folder, "job.yaml")
    return file.is_file() and load_job(file).confirm.seeds > 0
