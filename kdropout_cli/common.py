"""The options and errors that several commands share."""

import os
import sys

# A job that cannot be used raises a ValueError.
ERRORS = (ImportError, OSError, RuntimeError, ValueError)

# What a search needs at its end: name on the package index, and module.
LATER_PACKAGES = {
    "matplotlib": "matplotlib",
    "scikit-learn": "sklearn",
    "tensorboard": "tensorboard",
}


class Interrupted(KeyboardInterrupt):
    """An interrupt whose text has the command to continue."""


class WrongUsage(Exception):
    """Raised if options of a command do not fit each other."""


def needs_tuner():
    """Raise an error before a command begins if packages are missing."""
    from kdropout._requirements import SEARCH_PACKAGES, check_packages, is_installed

    packages = {**SEARCH_PACKAGES, **LATER_PACKAGES}
    check_packages("this command", packages, "tuner", is_installed)


def add_job(parser):
    """Add the file of the job, and the options that change it."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="file of the job, such as tuner_configs/digits_mlp.yaml; its keys are "
        "documented in tuner_configs/README.md",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="set a key of the job, such as training.epochs=5; may be repeated",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder with data sets that no package ships (default: the environment "
        "variable KDROPOUT_DATA)",
    )


def read_job(options):
    """Read the job that the options name, as `kdropout.tuning.Job`."""
    from kdropout.tuning.job.earlier_names import text_about_names
    from kdropout.tuning.job.reading import read_job as read

    if options.data_dir is not None:
        os.environ["KDROPOUT_DATA"] = options.data_dir
    job, renamed = read(options.config, options.overrides)
    if renamed:  # Python hides the warning of `load_job` by default
        text = text_about_names(options.config, renamed)
        print(f"{options.prog}: warning: {text}", file=sys.stderr)
    return job
