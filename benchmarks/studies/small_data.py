"""Does dropout lower the error on few images, as published experiments say?"""

from benchmarks.studies import figures, findings, trainings
from benchmarks.studies.trainings import Training

NAME = "small_data"
SEEDS = 20
SAMPLES = (500, 1000, 5000)
METHODS = ("none", "constant 0.2/0.5")
run = trainings.run


def jobs(seeds):
    return [
        Training(method, samples, seed)
        for samples in SAMPLES
        for method in METHODS
        for seed in range(seeds)
    ]


def tables(rows):
    lines = []
    for samples in SAMPLES:
        none, dropout = (
            findings.column(rows, "test_error", samples=samples, method=method)
            for method in METHODS
        )
        difference = findings.difference(dropout, none, len(SAMPLES))
        lines.append([samples, findings.mean(none), findings.mean(dropout), difference])
    header = ["images", "no dropout, %", "dropout, %", "difference, points"]
    return findings.table(header, lines)


def draw(rows):
    figure, (errors, gaps) = figures.panels(2)
    for number, method in enumerate(METHODS):
        label = "no dropout" if method == "none" else "dropout, 0.2 / 0.5"
        for axis, name in ((errors, "test_error"), (gaps, "clean_gap")):
            groups = [
                findings.column(rows, name, samples=n, method=method) for n in SAMPLES
            ]
            figures.line(axis, SAMPLES, groups, number, label)
            axis.set_xscale("log")
            axis.minorticks_off()
            axis.set_xticks(SAMPLES, [f"{n:,}" for n in SAMPLES])
            axis.set_ylim(bottom=0)
    figures.finish(errors, "MNIST, 784-256-256-10", "training images", "test error (%)")
    figures.finish(gaps, "Overfitting", "training images", "clean gap (nats)")
    return figure
