"""Searches on several processes or machines."""

import importlib.util
import os


def check_ray():
    """Tell before a search begins that it cannot run on Ray.

    Raises:
        ModuleNotFoundError: If Ray is not installed.
        ValueError: If the process is the chief or a worker of KerasTuner's own.
    """
    if importlib.util.find_spec("ray") is None:
        raise ModuleNotFoundError(
            "Several workers need Ray, which is not installed. Run: "
            'pip install "kdropout[ray]", or pass workers=1.'
        )
    if "KERASTUNER_ORACLE_IP" in os.environ:
        raise ValueError(
            "'workers' and 'ray_address' must not be given where KERASTUNER_ORACLE_IP "
            "is set: KerasTuner's chief and workers share out the trials themselves. "
            "Pass workers=1, or unset the variable."
        )
