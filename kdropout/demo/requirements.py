"""The packages that the demo needs and that kdropout itself does not."""

import importlib

# Name on the package index: module to import.
PACKAGES = {
    "scikit-learn": "sklearn.datasets",
    "matplotlib": "matplotlib",
    "tensorboard": "tensorboard",
}


class MissingPackages(ImportError):
    """Packages of the extra `demo` are not installed."""


def check_packages():
    """Import the optional packages now, not after minutes of training.

    Raises:
        MissingPackages: If some are not installed.
    """
    missing = [name for name, module in PACKAGES.items() if not _is_there(module)]
    if missing:
        raise MissingPackages(
            f"kdropout demo needs {', '.join(PACKAGES)}. Not installed: "
            f'{", ".join(missing)}. Run: pip install "kdropout[demo]"'
        )


def _is_there(module):
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise  # it is there, but broken: its own message says how
        return False
    return True
