"""Packages that only the report needs."""

import importlib


def require(module, purpose):
    """Import a module of an optional package, or say what to install.

    Raises:
        ImportError: If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise  # it is there, but broken: its own message says how
        name = {"sklearn": "scikit-learn"}.get(package, package)
        raise ImportError(
            f"{purpose} needs {name}, which is not installed. "
            'Run: pip install "kdropout[tuner]"'
        ) from error
