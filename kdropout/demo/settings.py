"""What the user can set: defaults and bounds."""

import pathlib

from kdropout import validation

# As many as fit into three minutes on two CPU cores.
SEEDS = 4

# Enough wrong labels to do harm when learned by heart.
NOISE = 0.3

# Enough for a net without dropout to learn most of the wrong labels.
EPOCHS = 40

OUTPUT = "kdropout-demo"


def check_seeds(value):
    """A number of seeds: at least 2, because an interval needs two numbers."""
    return validation.integer("seeds", value, low=2)


def check_noise(value):
    """A share of labels."""
    return validation.number("noise", value, 0.0, 1.0)


def check_epochs(value):
    """A number of epochs."""
    return validation.integer("epochs", value, low=1)


def check_output(value):
    """Path of a folder, which need not exist yet."""
    path = pathlib.Path(value)
    if path.exists() and not path.is_dir():
        raise ValueError(validation.received("output", "a folder", str(value)))
    return path
