"""Do uncertainties of Monte-Carlo dropout show what the network does not know?"""

import dataclasses

import keras
import numpy as np

import kdropout
from benchmarks.studies import figures, findings, trainings

NAME = "calibration"
SEEDS = 10
SAMPLES = (1000, 5000)
METHODS = ("none", "constant 0.2/0.5")
KNOWN, UNKNOWN = "mnist", "fashion_mnist"
IMAGES = 5000  # of each test set
NETWORKS = 50
BINS = 15


@dataclasses.dataclass(frozen=True)
class Uncertainty:
    """A network that learns MNIST, and predicts MNIST and Fashion-MNIST."""

    method: str
    samples: int
    networks: int  # thinned ones
    seed: int


def jobs(seeds):
    return [
        Uncertainty(method, samples, NETWORKS, seed)
        for samples in SAMPLES
        for method in METHODS
        for seed in range(seeds)
    ]


def run(job, data_dir):
    """A dict of the measures with dropout off, and with it on as "mc_..."."""
    keras.utils.clear_session()
    training = trainings.Training(job.method, job.samples, job.seed)
    train, validation, test = trainings.split(training, data_dir)
    other = dataclasses.replace(training, data=UNKNOWN)
    unknown = trainings.split(other, data_dir)[2][0][:IMAGES]
    x, y = (array[:IMAGES] for array in test)
    model = trainings.build(training)
    trainings.fit(model, training, train, validation)
    probable = keras.Sequential([model, keras.layers.Softmax()])
    known, other = (probable.predict(a, 2000, verbose=0) for a in (x, unknown))
    row = {
        **scores(known, y),
        "auroc_entropy": auroc(entropy(known), entropy(other)),
    }
    if job.method == "none":
        return row | dict.fromkeys(MC_COLUMNS, "")
    known, other = (
        kdropout.mc_predict(
            probable, a, job.networks, batch_size=500, seed=job.seed, verbose=0
        )
        for a in (x, unknown)
    )
    mc = scores(known.mean, y)
    row |= {f"mc_{name}": value for name, value in mc.items()}
    row["mc_auroc_entropy"] = auroc(known.entropy, other.entropy)
    row["mc_auroc_information"] = auroc(
        known.mutual_information, other.mutual_information
    )
    return row


MC_COLUMNS = (
    "mc_error",
    "mc_nll",
    "mc_ece",
    "mc_auroc_entropy",
    "mc_auroc_information",
)


def scores(probabilities, labels):
    """Error in percent, negative log-likelihood in nats, calibration error in percent.

    The expected calibration error is the mean distance of confidence and accuracy over
    15 bins of equal width (Guo et al. 2017, arXiv:1706.04599).
    """
    confidence, answers = probabilities.max(-1), probabilities.argmax(-1)
    right = answers == labels
    of_labels = probabilities[np.arange(len(labels)), labels]
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    distance = [
        abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in range(BINS)
    ]
    return {
        "error": round(100.0 * float(1.0 - right.mean()), 2),
        "nll": round(float(-np.log(np.maximum(of_labels, 1e-12)).mean()), 4),
        "ece": round(100.0 * float(np.sum(distance)) / len(labels), 3),
    }


def entropy(probabilities):
    """The entropy of each row, in nats."""
    logarithms = np.log(np.maximum(probabilities, 1e-12))
    return -(probabilities * logarithms).sum(-1)


def auroc(known, unknown):
    """The share of pairs in which the unknown image is the more uncertain one."""
    from scipy.stats import mannwhitneyu

    statistic = mannwhitneyu(unknown, known).statistic
    return round(float(statistic) / (len(known) * len(unknown)), 4)


# The label of each measure, its decimal places, and True if more is better.
MEASURES = {
    "error": ("test error, %", 2, False),
    "nll": ("negative log-likelihood, nats", 3, False),
    "ece": ("calibration error, %", 2, False),
    "auroc_entropy": ("AUROC of the entropy", 3, True),
}


def tables(rows):
    lines = []
    for samples in SAMPLES:
        none, dropout = ({"samples": samples, "method": m} for m in METHODS)
        for name, (label, digits, more_is_better) in MEASURES.items():
            numbers = [
                findings.column(rows, name, **none),
                findings.column(rows, name, **dropout),
                findings.column(rows, f"mc_{name}", **dropout),
            ]
            lines.append([samples, label])
            lines[-1] += [findings.mean(values, digits) for values in numbers]
            lines[-1] += [
                findings.difference(
                    numbers[2], other, 2 * len(MEASURES), digits, more_is_better
                )
                for other in numbers[:2]
            ]
        information = findings.column(rows, "mc_auroc_information", **dropout)
        entropy_of_mean = findings.column(rows, "mc_auroc_entropy", **dropout)
        lines.append([samples, "AUROC of the mutual information", "", ""])
        lines[-1] += [findings.mean(information, 3), "", ""]
        against = findings.difference(information, entropy_of_mean, 1, 3, True)
        lines[-1][-1] = f"against the entropy: {against}"
    header = ["images", "measure", "no dropout", "dropout, off", "dropout, MC"]
    header += ["MC against no dropout", "MC against off"]
    return findings.table(header, lines)


def draw(rows):
    figure, axes = figures.panels(len(MEASURES), 2.9, 2.7, rows=2)
    kinds = (
        (METHODS[0], "", "no dropout"),
        (METHODS[1], "", "dropout, off"),
        (METHODS[1], "mc_", "dropout, MC"),
    )
    for axis, (name, (label, _, _)) in zip(axes, MEASURES.items(), strict=True):
        for number, (method, prefix, title) in enumerate(kinds):
            groups = [
                findings.column(rows, prefix + name, samples=n, method=method)
                for n in SAMPLES
            ]
            label_of_line = title if axis is axes[0] else None
            figures.line(axis, range(len(SAMPLES)), groups, number, label_of_line)
        axis.set_xticks(range(len(SAMPLES)), [f"{n:,}" for n in SAMPLES])
        axis.set_xlim(-0.3, len(SAMPLES) - 0.7)
        figures.finish(axis, label, "training images")
    return figure
