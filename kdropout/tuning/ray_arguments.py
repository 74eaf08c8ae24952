"""Checks the arguments about Ray, without importing Ray."""

import re

from kdropout import _validation

# The number of parts into which Ray can divide a GPU.
PARTS_OF_GPU = 10_000

_NAMES = ("auto", "local")
_HOST_AND_PORT = re.compile(r"(?:ray://)?(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):(\d{1,5})")


def checked_address(value):
    """Return `ray_address`, or raise a TypeError or ValueError."""
    expected = (
        "'auto', 'local', or the address of a Ray cluster such as '10.0.0.1:6379' or "
        "'ray://10.0.0.1:10001'"
    )
    if not isinstance(value, str):
        raise _validation.type_error("ray_address", expected, value)
    if value not in _NAMES and host_and_port(value) is None:
        raise _validation.value_error("ray_address", expected, value)
    return value


def host_and_port(address):
    """The host and the port in an address of Ray, or None if it has none."""
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 2**16:
        return None
    return match[1].strip("[]"), int(match[2])


def checked_gpus(value):
    """Return `gpus_per_worker` as a float, or raise a TypeError or ValueError."""
    number = _validation.number("gpus_per_worker", value, low=0, open_high=True)
    if number > 1 and not number.is_integer():
        raise _validation.value_error(
            "gpus_per_worker", "a whole number if it is above 1", value
        )
    if 0 < number < 1 / PARTS_OF_GPU:
        raise _validation.value_error(
            "gpus_per_worker", f"0, or at least {1 / PARTS_OF_GPU}", value
        )
    return number
