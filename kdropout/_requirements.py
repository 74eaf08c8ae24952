"""Checks for optional packages, with errors that show what to install."""

import importlib
import importlib.util

# What `kdropout.tuning` imports: name on the package index, and module. KerasTuner
# imports six and does not require it.
SEARCH_PACKAGES = {
    "keras-tuner": "keras_tuner",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "six": "six",
    "threadpoolctl": "threadpoolctl",
    "tqdm": "tqdm",
}


class MissingPackages(ImportError):
    """Raised if packages of an extra are not installed."""


def check_packages(purpose, packages, extra, is_there):
    """Raise early, before any work is done, if packages are missing.

    Args:
        purpose: String, the name of the feature that needs the packages.
        packages: Dict from the name on the package index to the module.
        extra: String, the extra of kdropout that installs them.
        is_there: Function from the name of a module to a bool: True if it is installed.

    Raises:
        MissingPackages: If some are not installed.
    """
    missing = [name for name, module in packages.items() if not is_there(module)]
    if missing:
        raise MissingPackages(
            f"{purpose} needs {', '.join(packages)}. Not installed: "
            f"{', '.join(missing)}. Run: pip install {' '.join(missing)}. The extra "
            f"{extra!r} of kdropout has all of them."
        )


def can_import(module):
    """Return whether the package of a module is installed, by importing the module.

    Raises:
        ModuleNotFoundError: If it is installed, but a module that it needs is not.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        return False
    return True


def is_installed(module):
    """Return whether Python finds a module, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False
