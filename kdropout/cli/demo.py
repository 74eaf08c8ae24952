"""The command `kdropout demo`."""

import argparse

from kdropout.demo import experiment


def add_to(commands):
    """Add `kdropout demo`."""
    text = (
        "Compare five ways to decide the dropout rate (none, fixed, scheduled, "
        "learned, controlled by the overfitting gap) on handwritten digits with "
        "wrong labels. The command prints a table, and writes a picture, a CSV file "
        "and logs for TensorBoard."
    )
    parser = commands.add_parser(
        "demo",
        help="compare five ways to decide the rate, on noisy digits",
        description=text,
        epilog="example: kdropout demo --seeds 2 --epochs 10 --output quick",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--seeds",
        type=_checked_by(experiment.check_seeds),
        default=experiment.SEEDS,
        metavar="N",
        help="number of repetitions, at least 2",
    )
    parser.add_argument(
        "--noise",
        type=_checked_by(experiment.check_noise),
        default=experiment.NOISE,
        metavar="SHARE",
        help="share of labels replaced by random ones, in [0, 1]",
    )
    parser.add_argument(
        "--epochs",
        type=_checked_by(experiment.check_epochs),
        default=experiment.EPOCHS,
        metavar="N",
        help="length of each training, at least 1",
    )
    parser.add_argument(
        "--output",
        type=_checked_by(experiment.check_output, number=False),
        default=experiment.OUTPUT,
        metavar="DIR",
        help="folder to write to; other files in it do not change",
    )
    parser.set_defaults(command=_demo, prog=parser.prog)


def _demo(options):
    experiment.run(
        seeds=options.seeds,
        noise=options.noise,
        epochs=options.epochs,
        output=options.output,
    )


def _checked_by(check, number=True):
    """A type for argparse that reports the error of `check`."""

    def parse(text):
        try:
            return check(_number(text) if number else text)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def _number(text):
    """`text` as a number, or `text` itself, so that the error shows it."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
