"""What a command can fail with that is not a fault of the program."""

import importlib.util

from kdropout.requirements import check_packages

# A job that cannot be used is a ValueError.
ERRORS = (ImportError, OSError, RuntimeError, ValueError)

# Name on the package index: module. What a search needs, now or at its end.
PACKAGES = {
    "keras-tuner": "keras_tuner",
    "matplotlib": "matplotlib",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "tensorboard": "tensorboard",
    "tqdm": "tqdm",
}


class Interrupted(KeyboardInterrupt):
    """An interrupt, with how to go on."""


def needs_tuner():
    """Tell which packages are missing before a command begins, not at its end.

    Raises:
        MissingPackages: If the extra `tuner` is not installed.
    """
    check_packages("this command", PACKAGES, "tuner", _is_there)


def _is_there(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False
