"""The command `kdropout tune`."""

import argparse
import contextlib
import os
import shlex
import shutil
import sys
import textwrap

from kdropout_cli.common import (
    Interrupted,
    WrongUsage,
    add_job,
    needs_tuner,
    read_job,
)

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
  kdropout tune job.yaml --set search.timeout=30min
  kdropout tune job.yaml --resume
  kdropout tune job.yaml --resume --retry-failed

Ctrl-C stops a search. Finished trials are kept, and --resume continues the search.
The exit status is 0, or 1 after an error, 2 if the command line is wrong, and 130 after
Ctrl-C.
"""


def add_to(commands):
    """Add `kdropout tune`, and return its parser."""
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
        "--retry-failed",
        action="store_true",
        help="with --resume, run the trials again that have failed",
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
    parser.set_defaults(command=_tune)
    return parser


# The widest text, for terminals that are wider.
_WIDTH = 88


def _tune(options):
    if options.retry_failed and not options.resume:
        raise WrongUsage(
            "--retry-failed needs --resume, because a new search has no failed trials"
        )
    needs_tuner()
    from kdropout.tuning import run_job

    if options.workers is not None:
        options.overrides.append(f"workers={options.workers}")
    if options.ray_address is not None:
        options.overrides.append(f"ray_address={options.ray_address}")
    if options.retry_failed:
        options.overrides.append("search.retry_failed=true")
    job = read_job(options)
    try:
        # Standard output is only for the answer, but models and KerasTuner print to it.
        with contextlib.redirect_stdout(sys.stderr):
            report = run_job(job, resume=options.resume)
    except KeyboardInterrupt:
        raise Interrupted(_how_to_continue(options)) from None
    answer = report.answer
    print(f"\n{_wrapped(answer.verdict)}\n\n{_wrapped(answer.advice)}")
    print(f"\n{answer.code}\n\n{_wrapped(f'Next: {answer.next_step}')}")
    print(f"\nWritten: {os.path.join(job.output, 'report.md')} and its pictures.")
    print("\nCommands:")
    for command in _next_commands(options, job, report):
        print(f"  {command}")


def _wrapped(text):
    """Wrap a text to the width of the terminal."""
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _next_commands(options, job, report):
    """The commands that show the results, and the one that improves the answer."""
    from kdropout.tuning.job.run import LOG
    from kdropout.tuning.report.answer import proposed_seeds

    commands = [
        ["kdropout", "report", job.output, "--html"],
        ["tensorboard", "--logdir", os.path.join(job.output, LOG)],
    ]
    more = [*_words(options), "--resume"]
    most, seeds = getattr(job.search, "max_trials", None), proposed_seeds(report)
    is_short = most is not None and len(report.trials) < most
    has_unended = any(not (t.completed or t.failed) for t in report.trials)
    if job.search.timeout is not None and (is_short or has_unended):
        commands.append(more)  # the search has not ended
    elif seeds is not None:
        commands.append([*more, "--set", f"confirm.seeds={seeds}"])
    elif most is not None:
        commands.append([*more, "--set", f"search.max_trials={2 * most}"])
    return [shlex.join(command) for command in commands]


def _how_to_continue(options):
    return (
        "All finished trainings are kept. Continue with:\n"
        f"  {shlex.join([*_words(options), '--resume'])}"
    )


def _words(options):
    """The words of the command that runs the same job again."""
    words = ["kdropout", "tune", options.config]
    for override in options.overrides:
        words += ["--set", override]
    if options.data_dir is not None:
        words += ["--data-dir", options.data_dir]
    return words
