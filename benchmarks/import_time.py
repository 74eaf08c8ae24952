"""Measures the time of `import kdropout` beyond that of `import keras`.

Each measurement runs in a new process, after a first one that does not count. The
process times the imports itself, so the start of Python is not included.

    KERAS_BACKEND=tensorflow python -m benchmarks.import_time

About 3 minutes per backend on 2 cores. Writes results/import_time.csv; rows of the
other backends stay. Fails if the median is above 50 ms.
"""

import os
import statistics
import subprocess
import sys

import keras

from benchmarks import reporting

ROUNDS = 20
LIMIT_MS = 50.0
PROGRAM = """
import time
begin = time.perf_counter()
import keras
middle = time.perf_counter()
import kdropout
print(middle - begin, time.perf_counter() - middle)
"""


def main():
    times = [measure() for _ in range(ROUNDS + 1)][1:]
    row = {"backend": keras.backend.backend(), "rounds": ROUNDS}
    for name, seconds in zip(
        ("keras", "kdropout"), zip(*times, strict=True), strict=True
    ):
        row[f"{name}_median_ms"] = round(1e3 * statistics.median(seconds), 1)
        row[f"{name}_min_ms"] = round(1e3 * min(seconds), 1)
        row[f"{name}_max_ms"] = round(1e3 * max(seconds), 1)
    print(row)
    rows = [row, *reporting.rows_of_other_backends("import_time")]
    print(reporting.write_csv("import_time", rows))
    if row["kdropout_median_ms"] > LIMIT_MS:
        sys.exit(f"`import kdropout` took more than {LIMIT_MS:.0f} ms.")


def measure():
    """Seconds of `import keras`, and of `import kdropout` after it."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", PROGRAM]
    result = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return [float(word) for word in result.stdout.split()]


if __name__ == "__main__":
    main()
