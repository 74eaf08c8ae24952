"""Optional packages: whether they are there, and what to install if not."""

import importlib


class MissingPackages(ImportError):
    """Packages of an extra are not installed."""


def check_packages(purpose, packages, extra, is_there):
    """Raise early if packages are missing, and not after minutes of work.

    Args:
        purpose: String, what needs them.
        packages: Dict from the name on the package index to the module.
        extra: String, the extra of kdropout that brings them.
        is_there: Function from a module to whether it is there.

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
    """Whether the package of a module is installed. This imports the module.

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
