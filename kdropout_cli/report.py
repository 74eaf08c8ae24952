"""The command `kdropout report`."""

import argparse
import pathlib
import sys

from kdropout_cli.common import needs_tuner

_TEXT = """\
Print the report of a job as Markdown, and write it and its pictures again. If the
search was interrupted or is still running, the report covers the finished trials and
makes no claim. The command needs neither the model nor the data.

With --html, write the charts of the tab "Dropout" of TensorBoard instead, as one file
that works without a server and without a network. DIR is then the output of a job, or
any folder with logs that trainings wrote for TensorBoard. The page of a job begins with
the answer of its report.
"""
_EXAMPLES = """\
examples:
  kdropout report results/digits_mlp
  kdropout report results/digits_mlp > answer.md
  kdropout report results/digits_mlp --html
  kdropout report logs --html page.html
"""


def add_to(commands):
    """Add `kdropout report`, and return its parser."""
    parser = commands.add_parser(
        "report",
        help="print the report of a job, or write it as a page with charts",
        description=_TEXT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        metavar="DIR",
        help="folder of the results, the 'output' of the job; with --html, or a log "
        "folder of TensorBoard",
    )
    parser.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="FILE",
        help="write a page with charts to FILE, or to report.html in DIR",
    )
    parser.set_defaults(command=_report)
    return parser


def _report(options):
    if options.html is not None:
        from kdropout_cli.report_page import write_page

        print(f"Written: {write_page(options.folder, options.html or None)}")
        return
    needs_tuner()
    from kdropout.tuning import load_report
    from kdropout.tuning.report import NoCompletedTrial, save_without_answer
    from kdropout.tuning.report.answer import has_dropout

    try:
        report = load_report(options.folder)
    except NoCompletedTrial as error:
        save_without_answer(error, options.folder)
        raise
    report.save(options.folder)
    print(report.to_markdown())
    is_open = report.confirmation is None and has_dropout(report)
    if is_open and _expects_confirmation(options.folder):
        print(
            f"{options.prog}: the job is not finished. Continue it with "
            "'kdropout tune CONFIG --resume'.",
            file=sys.stderr,
        )


def _expects_confirmation(folder):
    from kdropout.tuning.job.reading import read_job

    file = pathlib.Path(folder, "job.yaml")
    return file.is_file() and read_job(file)[0].confirm.seeds > 0
