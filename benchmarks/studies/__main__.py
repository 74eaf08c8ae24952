"""Runs or continues studies, and renews their pages in `docs/studies`.

    python -m benchmarks.studies --data-dir DIR
    python -m benchmarks.studies rate_sweep schedules --data-dir DIR

The folder has `mnist/` and `fashion_mnist/`, `uci/` for the study `uci`, and `text/`
for `recurrent`, which needs the package aeon as well. A study does not repeat results
that exist. To repeat them, remove `benchmarks/results/studies/<name>.csv`.

All studies take about eight hours on 2 cores.
"""

import argparse
import importlib
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import mnist
from benchmarks.studies import ledger, pages

STUDIES = (
    "small_data",
    "rate_sweep",
    "schedules",
    "weight_decay",
    "learned_rates",
    "controller",
    "layer_search",
    "label_noise",  # uses the rates that `layer_search` found
    "kinds",
    "naive_gap",
    "calibration",
    "uci",
    "one_run",
    "recurrent",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STUDIES))
    mnist.add_data_argument(parser)
    parser.add_argument(
        "--seeds", type=int, help="default: the number that the study states"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in STUDIES:
            parser.error(f"NAME must be one of {', '.join(STUDIES)}. Received: {name}")
    for name in arguments.names or STUDIES:
        study = importlib.import_module(f"benchmarks.studies.{name}")
        jobs = study.jobs(arguments.seeds or study.SEEDS)
        rows = ledger.complete(study, jobs, arguments.data_dir, arguments.processes)
        print(pages.write(study, rows), flush=True)


if __name__ == "__main__":
    main()
