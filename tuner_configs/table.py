"""Writes the table that `table.yaml` searches on: customers, of whom some leave.

    python tuner_configs/table.py > tuner_configs/table.csv

The customers are synthetic, and the same in each run. 15 % of them leave, for
reasons that are in the columns, and by chance.
"""

import csv
import sys

import numpy as np

NUM_ROWS = 1000
SEED = 0
CONTRACTS = ("monthly", "yearly", "two years")
REGIONS = ("north", "east", "south", "west", "islands")


def make_rows():
    """The rows of the table, with texts for the values, and empty texts if missing."""
    random = np.random.default_rng(SEED)
    age = random.integers(18, 80, NUM_ROWS)
    months = random.exponential(24.0, NUM_ROWS).astype(int)
    contract = random.choice(len(CONTRACTS), NUM_ROWS, p=(0.5, 0.3, 0.2))
    region = random.choice(len(REGIONS), NUM_ROWS, p=(0.3, 0.25, 0.25, 0.15, 0.05))
    calls = random.poisson(1.5, NUM_ROWS)
    price = np.round(random.normal((30.0, 24.0, 20.0), 5.0, (NUM_ROWS, 3)), 2)
    price = price[np.arange(NUM_ROWS), contract]
    paperless = random.random(NUM_ROWS) < 0.6
    logit = (
        -3.4
        + np.array((1.2, 0.0, -0.8))[contract]
        + np.array((0.0, 0.2, -0.2, 0.0, 1.0))[region]
        + 0.45 * calls
        + 0.06 * (price - 25.0)
        - 0.02 * np.minimum(months, 60)
        + 0.8 * (np.abs(age - 45) > 22)
    )
    leaves = random.random(NUM_ROWS) < 1.0 / (1.0 + np.exp(-logit))
    no_age = random.random(NUM_ROWS) < 0.08
    no_region = random.random(NUM_ROWS) < 0.05
    for row in range(NUM_ROWS):
        yield (
            f"C{row + 1:04}",
            "" if no_age[row] else age[row],
            months[row],
            CONTRACTS[contract[row]],
            "" if no_region[row] else REGIONS[region[row]],
            calls[row],
            f"{price[row]:.2f}",
            "true" if paperless[row] else "false",
            "yes" if leaves[row] else "no",
        )


def main():
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        (
            "customer",
            "age",
            "months",
            "contract",
            "region",
            "calls",
            "price",
            "paperless",
            "leaves",
        )
    )
    writer.writerows(make_rows())


if __name__ == "__main__":
    main()
