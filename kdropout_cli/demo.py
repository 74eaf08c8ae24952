"""The command `kdropout demo`."""

import argparse
import pathlib

# These must equal the defaults of `kdropout.demo.experiment`, whose import takes
# seconds.
SEEDS, NOISE, EPOCHS, OUTPUT = 4, 0.3, 40, "kdropout-demo"


def add_to(commands):
    """Add `kdropout demo`, and return its parser."""
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
        type=_whole("seeds", 2),
        default=SEEDS,
        metavar="N",
        help="number of repetitions, at least 2",
    )
    parser.add_argument(
        "--noise",
        type=_share,
        default=NOISE,
        metavar="SHARE",
        help="share of labels replaced by random ones, in [0, 1]",
    )
    parser.add_argument(
        "--epochs",
        type=_whole("epochs", 1),
        default=EPOCHS,
        metavar="N",
        help="length of each training, at least 1",
    )
    parser.add_argument(
        "--output",
        type=_folder,
        default=OUTPUT,
        metavar="DIR",
        help="folder to write to; other files in it do not change",
    )
    parser.set_defaults(command=_demo)
    return parser


def _demo(options):
    from kdropout.demo import experiment

    experiment.run(
        seeds=options.seeds,
        noise=options.noise,
        epochs=options.epochs,
        output=options.output,
    )


def _whole(name, low):
    """A type for argparse: an integer of at least `low`."""

    def parse(text):
        value = _number(text)
        if not isinstance(value, int) or value < low:
            raise _refusal(name, f"an integer of at least {low}", value)
        return value

    return parse


def _share(text):
    value = _number(text)
    if isinstance(value, str) or not 0.0 <= value <= 1.0:
        raise _refusal("noise", "a number in [0, 1]", value)
    return float(value)


def _folder(text):
    path = pathlib.Path(text)
    if path.exists() and not path.is_dir():
        raise _refusal("output", "a folder", text)
    return path


def _refusal(name, expected, value):
    return argparse.ArgumentTypeError(
        f"'{name}' must be {expected}. Received: {name}={value!r}"
    )


def _number(text):
    """`text` as a number, or `text` itself, so that the error shows it."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
