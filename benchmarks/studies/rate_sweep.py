"""How does the error depend on the rate?"""

from benchmarks.studies import figures, findings, methods, trainings
from benchmarks.studies.trainings import Training

NAME = "rate_sweep"
SEEDS = 20
SAMPLES = 1000
RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
run = trainings.run


def jobs(seeds):
    return [
        Training(methods.constant(rate), SAMPLES, seed)
        for rate in RATES
        for seed in range(seeds)
    ]


def tables(rows):
    def numbers(name, rate):
        return findings.column(rows, name, method=methods.constant(rate))

    none, lines = numbers("test_error", 0.0), []
    for rate in RATES:
        errors = numbers("test_error", rate)
        lines.append(
            [
                rate,
                findings.mean(errors),
                findings.difference(errors, none, len(RATES) - 1) if rate else "",
                findings.mean(numbers("clean_gap", rate), 3),
            ]
        )
    header = ["rate", "test error, %", "against no dropout, points", "clean gap, nats"]
    return findings.table(header, lines)


def draw(rows):
    figure, axes = figures.panels(2)
    for axis, top in zip(axes, (100, 12), strict=True):
        groups = [
            findings.column(rows, "test_error", method=methods.constant(rate))
            for rate in RATES
        ]
        figures.line(axis, RATES, groups, 0)
        axis.set_ylim(0 if top > 50 else 8, top)
    figures.finish(axes[0], "MNIST, 1,000 images", "rate", "test error (%)")
    figures.finish(axes[1], "The same, closer", "rate", "test error (%)")
    return figure
