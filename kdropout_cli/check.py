"""The command `kdropout check`."""

import argparse
import math

from kdropout_cli.common import add_job, needs_tuner, read_job

_TEXT = """\
Check a job without training: read the file, load the data, build the model, and
evaluate it on a few samples. The command prints the rows and columns, the task, the
loss, the weights, the score of a guess that ignores the inputs, and the hyperparameters
to search. If anything is wrong, it prints where and how to fix it, and exits with 1.

A job is code: the functions and files that it names as 'build', 'file' and 'function'
run with your rights when you check it. Check only jobs that you trust.
"""
_EXAMPLES = """\
examples:
  kdropout check tuner_configs/digits_mlp.yaml
  kdropout check job.yaml --set model.units=[64,64] --set "space.*=[0.1,0.5]"
"""


def add_to(commands):
    """Add `kdropout check`, and return its parser."""
    parser = commands.add_parser(
        "check",
        help="check a job, and show what it would search",
        description=_TEXT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_job(parser)
    parser.set_defaults(command=_check)
    return parser


def _check(options):
    needs_tuner()
    from kdropout.tuning.job.summary import guess_of, summary_of

    job = read_job(options)
    checked = job.check()
    for title, text in summary_of(checked.data):
        print(f"{title:9} {text}")
    print(f"task      {checked.task}")
    guess = guess_of(checked.data)
    if guess is not None:
        print(f"guess     {_score_text(guess)}")
    variables = checked.model.trainable_variables
    size = sum(math.prod(variable.shape) for variable in variables)
    print(f"model     {size:,} trainable parameters")
    if checked.callbacks:
        print(f"callbacks {_callbacks_text(checked.callbacks)}")
    print(f"search    {_budget(job)}, objective {job.objective.name}")
    print(f"output    {job.output}")
    print("searched:")
    for hyperparameter in checked.hyperparameters.space:
        config = hyperparameter.get_config()
        print(f"  {config['name']}: {_domain(config)}")


def _score_text(guess):
    scores = [f"{name} {value:.4g}" for name, value in guess.scores.items()]
    return f"{guess.prediction}: {guess.part} {', '.join(scores)}"


def _callbacks_text(callbacks):
    from kdropout.tuning.epochs import acts_at_batches

    names = [
        f"{type(callback).__name__}{_SLOW if acts_at_batches(callback) else ''}"
        for callback in callbacks
    ]
    return ", ".join(names)


# What a trial costs more, see `kdropout.tuning.epochs`.
_SLOW = " (acts at batches, so trials train with fit, which is slower)"


def _budget(job):
    from kdropout._duration import time_text
    from kdropout.tuning.budget import seconds_of

    trials = getattr(job.search, "max_trials", None)
    number = "" if trials is None else f"{trials} trials, "
    timeout = job.search.timeout
    limit = "" if timeout is None else f", at most {time_text(seconds_of(timeout))}"
    return f"{job.search.algorithm}, {number}{job.training.epochs} epochs{limit}"


def _domain(config):
    if "values" in config:
        return ", ".join(map(str, config["values"]))
    return f"{config['min_value']} to {config['max_value']}"
