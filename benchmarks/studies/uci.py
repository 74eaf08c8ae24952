"""Does Monte-Carlo dropout reach its published error on tables of UCI?

The set-up is that of Gal, Ghahramani 2016. `benchmarks.uci_rates` chose the rate of
each split by its validation error. Here the network learns the whole training part of
the split with that rate, and the test part judges it.
"""

import dataclasses
import pathlib

import keras
import numpy as np

import kdropout
from benchmarks import reporting
from benchmarks.studies import figures, findings
from benchmarks.uci_rates import TAU
from kdropout.tuning.job import uci_network
from kdropout.tuning.job.data import describe
from kdropout.tuning.job.sources import read_uci

NAME = "uci"
SEEDS = 20  # the standard splits
# Published test RMSE of MC dropout, mean and standard error over the splits:
# github.com/yaringal/DropoutUncertaintyExps.
PUBLISHED = {
    "concrete": (4.827, 0.161),
    "energy": (0.539, 0.014),
    "wine": (0.622, 0.008),
    "yacht": (0.666, 0.049),
}
EPOCHS, BATCH_SIZE, PARTS = 4000, 128, 8
NETWORKS = 1000
# Precisions to choose from, by the likelihood of the validation part.
PRECISIONS = np.geomspace(0.01, 100.0, 81)


@dataclasses.dataclass(frozen=True)
class Table:
    """A split of a set."""

    set: str
    split: int


def jobs(seeds):
    return [Table(name, split) for name in PUBLISHED for split in range(seeds)]


def run(table, data_dir):
    """A dict of errors in the unit of the target, and the log-likelihood in nats."""
    folder = pathlib.Path(data_dir)
    train, validation, test = read_uci("data", folder, table.set, table.split)
    whole = tuple(np.concatenate(pair) for pair in zip(train, validation, strict=True))
    rate = chosen_rate(table)
    samples, _ = predict(table, rate, train, validation[0])
    likelihoods = [log_likelihood(samples, validation[1], tau) for tau in PRECISIONS]
    precision = float(PRECISIONS[np.argmax(likelihoods)])
    samples, plain = predict(table, rate, whole, test[0])
    return {
        "rate": rate,
        "mc_rmse": rmse(samples.mean(0), test[1]),
        "rmse": rmse(plain, test[1]),
        "precision": round(precision, 4),
        "log_likelihood": round(log_likelihood(samples, test[1], precision), 4),
    }


def chosen_rate(table):
    """The rate of the search with the least validation error."""
    rows = [
        row
        for row in reporting.read_csv("uci_rates")
        if (row["set"], row["split"]) == (table.set, str(table.split))
    ]
    return float(min(rows, key=lambda row: float(row["mc_rmse"]))["rate"])


def predict(table, rate, train, x):
    """Predictions of the thinned networks and of the whole one, in the target's unit.

    Returns:
        Tuple of arrays of shape (networks, rows) and (rows,).
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(table.split)
    (mean, deviation), (center, unit) = map(moments, train)
    inputs, targets = (train[0] - mean) / deviation, (train[1] - center) / unit
    inputs, targets = inputs.astype("float32"), targets.astype("float32")
    description = describe("regression", inputs, targets, num_samples=len(inputs))
    model = uci_network.build(description, tau=TAU[table.set])
    kdropout.set_rates(model, rate)
    fit(model, inputs, targets, table.split)
    x = ((x - mean) / deviation).astype("float32")
    found = kdropout.mc_predict(
        model, x, NETWORKS, batch_size=len(x), seed=0, return_samples=True, verbose=0
    )
    plain = model.predict(x, verbose=0)
    samples = found.samples.reshape(NETWORKS, len(x))
    return center + unit * samples, center + unit * plain.ravel()


def fit(model, x, y, seed):
    """Train all epochs in a few calls of a graph with many steps."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, y)).cache()
    data = data.shuffle(len(x), seed=seed).batch(BATCH_SIZE).repeat().prefetch(8)
    steps = -(-len(x) // BATCH_SIZE) * EPOCHS // PARTS
    model.compile(model.optimizer, model.loss, steps_per_execution=steps)
    model.fit(data, epochs=PARTS, steps_per_epoch=steps, shuffle=False, verbose=0)


def moments(array):
    """Mean and standard deviation of each column; the latter is 1 if it is constant."""
    deviation = array.std(0)
    return array.mean(0), np.where(deviation > 0, deviation, 1.0)


def rmse(answers, targets):
    return round(float(np.sqrt(np.mean(np.square(answers - targets)))), 4)


def log_likelihood(samples, targets, precision):
    """Mean of log p(y), with a mixture of normal distributions around the answers."""
    from scipy.special import logsumexp

    exponents = -0.5 * precision * np.square(samples - targets)
    mixture = logsumexp(exponents, axis=0) - np.log(len(samples))
    return float(np.mean(mixture + 0.5 * np.log(precision / (2.0 * np.pi))))


def tables(rows):
    lines = []
    for name, (mean, error) in PUBLISHED.items():
        errors = {
            one: np.array([row[one] for row in rows if row["set"] == name])
            for one in ("mc_rmse", "rmse", "log_likelihood")
        }
        distance = errors["mc_rmse"].mean() - mean
        lines.append(
            [
                name,
                f"{mean:.3f} +- {error:.3f}",
                *(_with_error(values) for values in errors.values()),
                f"{distance / error:+.1f}",
                findings.difference(
                    errors["mc_rmse"], errors["rmse"], len(PUBLISHED), 3
                ),
            ]
        )
    header = ["set", "published, MC", "MC", "dropout off", "log-likelihood, nats"]
    header += ["distance, published standard errors", "MC against off"]
    return findings.table(header, lines)


def _with_error(values):
    """The mean and its standard error, in the form of the published numbers."""
    return f"{values.mean():.3f} +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def draw(rows):
    figure, axes = figures.panels(len(PUBLISHED), 2.2, 3.2)
    for axis, (name, (mean, error)) in zip(axes, PUBLISHED.items(), strict=True):
        found = [row for row in rows if row["set"] == name]
        axis.axhspan(mean - 2 * error, mean + 2 * error, color="0.9")
        axis.axhline(mean, color="0.5", linewidth=0.8)
        for number, one in enumerate(("mc_rmse", "rmse")):
            values = [row[one] for row in found]
            figures.line(axis, [number], [values], number)
        axis.set_xticks((0, 1), ("MC", "off"))
        axis.set_xlim(-0.6, 1.6)
        figures.finish(axis, name, "", "test RMSE" if axis is axes[0] else "")
    return figure
