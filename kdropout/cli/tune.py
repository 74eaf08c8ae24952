"""The command `kdropout tune`."""

import argparse
import contextlib
import os
import shlex
import sys

from kdropout.cli.common import Interrupted, add_job, needs_tuner, read_job

_TEXT = """\
Search for the best dropout rate of each layer, and test on new seeds whether it is
really better. The command prints the answer. It writes a report with pictures into the
output folder of the job, and all that --resume needs after an interruption.
"""
_EXAMPLES = """\
examples:
  kdropout tune tuner_configs/digits_mlp.yaml
  kdropout tune job.yaml --set training.epochs=5 --set output=results/short
  kdropout tune job.yaml --workers 2
  kdropout tune job.yaml --resume

Ctrl-C stops a search. Finished trials are kept, and --resume continues the search.
The exit status is 0, or 1 after an error, 2 if the command line is wrong, and 130 after
Ctrl-C.
"""


def add_to(commands):
    """Add `kdropout tune`."""
    parser = commands.add_parser(
        "tune",
        help="search for the best dropout rate of each layer",
        description=_TEXT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_job(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the search in the output folder",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        help="number of processes that run trials, on Ray if there is more than one",
    )
    parser.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="Ray cluster to run the trials on, such as auto or ray://host:10001",
    )
    parser.set_defaults(command=_tune, prog=parser.prog)


def _tune(options):
    needs_tuner()
    from kdropout.tuning import run_job

    if options.workers is not None:
        options.overrides.append(f"workers={options.workers}")
    if options.ray_address is not None:
        options.overrides.append(f"ray_address={options.ray_address}")
    job = read_job(options)
    try:
        # Standard output is only for the answer, but models and KerasTuner print to it.
        with contextlib.redirect_stdout(sys.stderr):
            report = run_job(job, resume=options.resume)
    except KeyboardInterrupt:
        raise Interrupted(_how_to_continue(options)) from None
    answer = report.answer
    print(f"\n{answer.verdict}\n\n{answer.advice}\n\n{answer.code}")
    print(f"\nNext: {answer.next_step}")
    print(f"\nWritten: {os.path.join(job.output, 'report.md')} and its pictures.")


def _how_to_continue(options):
    words = ["kdropout", "tune", options.config]
    for override in options.overrides:
        words += ["--set", override]
    if options.data_dir is not None:
        words += ["--data-dir", options.data_dir]
    return (
        "All finished trainings are kept. Continue with:\n"
        f"  {shlex.join([*words, '--resume'])}"
    )
