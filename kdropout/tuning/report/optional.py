"""Packages that only the report needs."""

import importlib

from kdropout.requirements import can_import


def require(module, purpose):
    """Import a module of an optional package, or say what to install.

    Raises:
        ImportError: If the package is not installed.
    """
    if not can_import(module):
        package = module.partition(".")[0]
        name = {"sklearn": "scikit-learn"}.get(package, package)
        raise ImportError(
            f"{purpose} needs {name}, which is not installed. "
            'Run: pip install "kdropout[tuner]"'
        )
    return importlib.import_module(module)
