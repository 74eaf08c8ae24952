"""Searches on several processes or machines."""

import importlib.util


def check_ray():
    """Tell before a search begins that it cannot run on Ray.

    Raises:
        ModuleNotFoundError: If Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ModuleNotFoundError(
            "Several workers need Ray, which is not installed. Run: "
            'pip install "kdropout[ray]", or pass workers=1.'
        )
