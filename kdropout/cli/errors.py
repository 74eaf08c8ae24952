"""What a command can fail with that is not a fault of the program."""

from kdropout.demo.requirements import MissingPackages

# A job that cannot be used is a ValueError.
ERRORS = (MissingPackages, ModuleNotFoundError, OSError, RuntimeError, ValueError)


class Interrupted(KeyboardInterrupt):
    """An interrupt, with how to go on."""


def needs_tuner():
    """Tell which packages are missing before a command begins.

    Raises:
        MissingPackages: If the extra `tuner` is not installed.
    """
    try:
        import kdropout.tuning  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "kdropout").split(".")[0] == "kdropout":
            raise
        raise MissingPackages(
            f"this command needs the package '{error.name}', which is not installed. "
            'Run: pip install "kdropout[tuner]"'
        ) from None
