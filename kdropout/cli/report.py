"""The command `kdropout report`."""

import argparse

from kdropout.cli.errors import needs_tuner

_TEXT = """\
Print the report of a job, and draw its pictures anew. Of a search that was
interrupted, the report is of the trials that have ended, and claims nothing.
"""


def add_to(commands):
    """Add `kdropout report`."""
    parser = commands.add_parser(
        "report",
        help="print the report of a job",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", metavar="DIR", help="output folder of the job, such as results/digits"
    )
    parser.set_defaults(command=_report, prog=parser.prog)


def _report(options):
    needs_tuner()
    from kdropout.tuning import load_report

    report = load_report(options.folder)
    report.save(options.folder)
    print(report.to_markdown())
