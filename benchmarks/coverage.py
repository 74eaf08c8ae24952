"""How many targets do the intervals of a regression cover, with and without noise?

Small networks with one hidden layer of 50 ReLU and dropout on inputs and hidden layer
learn four tables of UCI, each on its 20 standard splits. The rate of a split is the one
with the least error in the search of `benchmarks.uci_rates`. The network learns the
training rows without the validation part, for 1,000 epochs. On the validation part,
`kdropout.fit_noise` estimates the noise. The test rows then judge three intervals for
95 % of the targets:

    std        mean +- 1.96 std, the disagreement of the thinned networks only
    quantiles  interval(0.95) without noise, their central outputs
    noise      interval(0.95) with the fitted noise

Also:

    moments    mean +- 1.96 total_std, with another estimate of the noise: the mean
               squared error of the validation part minus the mean variance

    python -m benchmarks.coverage --data-dir DIR

About 15 minutes on 2 cores. Writes results/coverage.csv and results/coverage.png, and
prints the table of docs/uncertainty.md: for each set, the mean over the splits, with
Student's 95 % interval for it.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kdropout
from benchmarks import mnist, reporting
from benchmarks.studies import figures
from benchmarks.studies.uci import Table, chosen_rate, moments
from benchmarks.uci_rates import TAU
from kdropout._statistics import interval
from kdropout.tuning.job import uci_network
from kdropout.tuning.job.data import describe
from kdropout.tuning.job.sources import read_uci

SETS = ("yacht", "energy", "concrete", "wine")
SPLITS = 20
EPOCHS, BATCH_SIZE = 1000, 128
NETWORKS = 200
LEVEL = 0.95
ARMS = ("std", "quantiles", "noise", "moments")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mnist.add_data_argument(parser)
    parser.add_argument("--splits", type=int, default=SPLITS, help="fewer for a trial")
    arguments = parser.parse_args()
    if arguments.data_dir is None:
        parser.error("--data-dir is missing: the folder with the folder 'uci'")
    rows = []
    for name in SETS:
        for split in range(arguments.splits):
            rows.append(run(Table(name, split), pathlib.Path(arguments.data_dir)))
        shown = [f"{arm} {mean(rows, name, f'coverage_{arm}'):.3f}" for arm in ARMS]
        print(f"{name}: {', '.join(shown)}", flush=True)
    print(reporting.write_csv("coverage", rows))
    print(draw(rows))
    print("\n" + table(rows))


def run(job, data_dir):
    """The shares of the test rows that the intervals cover, and their mean widths.

    Widths and noise are in the unit of the target.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(job.split)
    train, validation, test = read_uci("data", data_dir, job.set, job.split)
    (center, scale), (offset, unit) = map(moments, train)
    parts = [
        (((x - center) / scale).astype("float32"), ((y - offset) / unit).ravel())
        for x, y in (train, validation, test)
    ]
    rate = chosen_rate(job)
    model = trained(job, rate, *parts[0])
    (x_val, y_val), (x, y) = parts[1:]
    options = {"num_samples": NETWORKS, "batch_size": len(x_val), "verbose": 0}
    noise = kdropout.fit_noise(model, x_val, y_val, seed=0, **options)
    held_out = kdropout.mc_predict(model, x_val, seed=0, **options)
    plain = kdropout.mc_predict(model, x, seed=1, **options)
    full = kdropout.mc_predict(model, x, seed=1, noise_std=noise, **options)
    error = np.mean((y_val - held_out.mean.ravel()) ** 2) - held_out.variance.mean()
    total_std = np.sqrt(plain.variance + max(error, 0.0))
    intervals = {
        "std": (plain.mean - 1.96 * plain.std, plain.mean + 1.96 * plain.std),
        "quantiles": plain.interval(LEVEL),
        "noise": full.interval(LEVEL),
        "moments": (plain.mean - 1.96 * total_std, plain.mean + 1.96 * total_std),
    }
    row = {"set": job.set, "split": job.split, "rate": rate}
    row["noise_std"] = round(float(unit.item() * noise), 4)
    for arm in ARMS:
        low, high = (end.ravel() for end in intervals[arm])
        row[f"coverage_{arm}"] = round(float(np.mean((low <= y) & (y <= high))), 4)
        row[f"width_{arm}"] = round(float(unit.item() * np.mean(high - low)), 4)
    return row


def trained(job, rate, x, y):
    """The network of `benchmarks.uci_rates`, in one call of a graph with all steps."""
    import tensorflow as tf

    description = describe("regression", x, y[:, None], num_samples=len(x))
    model = uci_network.build(description, tau=TAU[job.set])
    kdropout.set_rates(model, rate)
    data = tf.data.Dataset.from_tensor_slices((x, y[:, None].astype("float32")))
    data = data.cache().shuffle(len(x), seed=job.split).batch(BATCH_SIZE).repeat()
    steps = -(-len(x) // BATCH_SIZE) * EPOCHS
    model.compile(model.optimizer, model.loss, steps_per_execution=steps)
    model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)
    return model


def mean(rows, name, column):
    return float(np.mean(values(rows, name, column)))


def values(rows, name, column):
    return [float(row[column]) for row in rows if row["set"] == name]


def table(rows):
    """The table of docs/uncertainty.md."""
    lines = [
        "| set | `mean` ± 1.96 `std` | width | `interval(0.95)` with noise | width |",
        "|---|---|---|---|---|",
    ]
    for name in SETS:
        cells = []
        for arm in ("std", "noise"):
            found = interval(values(rows, name, f"coverage_{arm}"))
            cells.append(f"{100 * found.mean:.1f} ± {100 * found.half_width:.1f} %")
            width = interval(values(rows, name, f"width_{arm}"))
            cells.append(f"{width.mean:.2f} ± {width.half_width:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(rows):
    """A picture of the coverage of each set, saved beside the numbers."""
    figure, axes = figures.panels(len(SETS), 2.7, 2.4, rows=2, sharey=True)
    for axis, name in zip(axes, SETS, strict=True):
        axis.axhline(100 * LEVEL, color="0.5", linewidth=0.8)
        for number, arm in enumerate(("std", "noise")):
            shares = [100 * share for share in values(rows, name, f"coverage_{arm}")]
            figures.line(axis, [number], [shares], number)
        axis.set_xticks((0, 1), ("std", "noise"))
        axis.set_xlim(-0.6, 1.6)
        axis.set_ylim(0, 104)
        is_left = axis.get_subplotspec().is_first_col()
        figures.finish(axis, name, "", "covered targets, %" if is_left else "")
    path = reporting.RESULTS / "coverage.png"
    figures.save(figure, path)
    return path


if __name__ == "__main__":
    main()
