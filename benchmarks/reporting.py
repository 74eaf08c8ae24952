"""Reads and writes the files of results, with the command and the machine."""

import csv
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import keras

from kdropout._files import replacing

RESULTS = Path(__file__).parent / "results"


def environment():
    """The machine and the versions, as one line."""
    packages = ("keras", "tensorflow", "jax", "torch", "numpy")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return (
        f"{platform.machine()} {_processor()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {versions}"
    )


def write_csv(name, rows):
    """Write dicts with the same keys to `results/<name>.csv`, completely or not at all.

    The first line has the command, and the second has the machine and the versions.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        file.write(f"# {_command()}\n# {environment()}\n")
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(name):
    """The rows of `results/<name>.csv` as dicts of strings; [] without that file."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [*csv.DictReader(line for line in file if not line.startswith("#"))]


def measure_all(name, places, measure):
    """Write `results/<name>.csv` with the rows that `measure` returns for each place.

    Rows of the other backends stay.
    """
    rows = []
    for place in places:
        found = measure(place)
        rows += found
        print(*found, sep="\n", flush=True)
    rows += rows_of_other_backends(name)
    print(write_csv(name, rows))


def rows_of_other_backends(name):
    """The rows of `results/<name>.csv` that are not of the backend of this process."""
    own = keras.backend.backend()
    return [row for row in read_csv(name) if row["backend"] != own]


def _command():
    """The command line, without the folder of the data."""
    started = sys.modules["__main__"].__spec__  # None without -m
    module = started.name.removesuffix(".__main__") if started else sys.argv[0]
    arguments, hide = [], False
    for argument in sys.argv[1:]:
        arguments.append("..." if hide else argument)
        hide = argument == "--data-dir"
    return " ".join(["python -m", module, *arguments])


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = {
                line.split(":")[1].strip() for line in file if "model name" in line
            }
        return ", ".join(sorted(names))
    except OSError:
        return platform.processor()
