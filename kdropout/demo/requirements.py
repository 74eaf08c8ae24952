"""The packages that the demo needs and that kdropout itself does not."""

from kdropout import requirements

# Name on the package index: module to import.
PACKAGES = {
    "scikit-learn": "sklearn.datasets",
    "matplotlib": "matplotlib",
    "tensorboard": "tensorboard",
}


def check_packages():
    """Import the optional packages now, not after minutes of training.

    Raises:
        MissingPackages: If some are not installed.
    """
    requirements.check_packages(
        "kdropout demo", PACKAGES, "demo", requirements.can_import
    )
